/*
 * Modules: loading PKCS#11 modules so that every caller in the process can use
 * them as if it were alone.
 *
 * A function that takes or returns char * or an array for the caller to free
 * uses malloc and free of the C library. Every function may be called from any
 * thread. Where a function says that it clears the message, p11_kit_message()
 * gives NULL or what this very call stored.
 */
#ifndef P11_KIT_H
#define P11_KIT_H 1

#include <stddef.h>

#include "p11-kit/pkcs11.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Flags for loading, and what p11_kit_module_get_flags answers. */
enum {
	P11_KIT_MODULE_UNMANAGED = 1, /* the module's own function list, shared with nobody's help */
	P11_KIT_MODULE_CRITICAL = 2,  /* a module that cannot be loaded fails the load */
	P11_KIT_MODULE_TRUSTED = 4,   /* only modules with "trust-policy: yes" */
	P11_KIT_MODULE_VERBOSE = 8,   /* adds " verbose=yes" to a configured x-init-reserved */
	P11_KIT_MODULE_MASK = 15
};

/* Called with what is to be destroyed. */
typedef void (*p11_kit_destroyer)(void *data);

/*
 * Loads the configured modules. The result is a NULL-terminated array, ordered
 * by priority and then name, for p11_kit_modules_release; NULL on failure, with
 * a message. reserved must be NULL. Clears the message.
 */
CK_FUNCTION_LIST **p11_kit_modules_load(const char *reserved, int flags);

/*
 * Initializes each module. One that fails is taken out of the array and given
 * to failure_callback (which may be NULL). CKR_OK, or the error of the last
 * critical module that failed; the message says which.
 */
CK_RV p11_kit_modules_initialize(CK_FUNCTION_LIST **modules, p11_kit_destroyer failure_callback);

/*
 * The two above. NULL with a message if loading fails or a critical module does
 * not initialize; then nothing stays loaded or initialized.
 */
CK_FUNCTION_LIST **p11_kit_modules_load_and_initialize(int flags);

/* Finalizes each module; CKR_OK or the last failure, with a message. */
CK_RV p11_kit_modules_finalize(CK_FUNCTION_LIST **modules);

/*
 * Releases each module and frees the array. A module that its caller left
 * initialized is finalized first. Clears the message.
 */
void p11_kit_modules_release(CK_FUNCTION_LIST **modules);

/* Finalizes, then releases. Clears the message. */
void p11_kit_modules_finalize_and_release(CK_FUNCTION_LIST **modules);

/* The module of this configured name in the array, borrowed; NULL if there is none. Clears the message. */
CK_FUNCTION_LIST *p11_kit_module_for_name(CK_FUNCTION_LIST **modules, const char *name);

/* The module's configured name, for the caller to free; NULL if it has none. Clears the message. */
char *p11_kit_module_get_name(CK_FUNCTION_LIST *module);

/* The path the module was loaded from, for the caller to free; NULL if unknown. Clears the message. */
char *p11_kit_module_get_filename(CK_FUNCTION_LIST *module);

/* The module's P11_KIT_MODULE_ flags; 0 while nothing is loaded. Clears the message. */
int p11_kit_module_get_flags(CK_FUNCTION_LIST *module);

/*
 * Loads one module by its path; a relative path is looked up in the module
 * directory. The result is for p11_kit_module_release; NULL on failure, with a
 * message. Clears the message.
 */
CK_FUNCTION_LIST *p11_kit_module_load(const char *module_path, int flags);

/* Initializes one module; the module's code, with a message if it is not CKR_OK. */
CK_RV p11_kit_module_initialize(CK_FUNCTION_LIST *module);

/* Finalizes one module; the module's code, with a message if it is not CKR_OK. */
CK_RV p11_kit_module_finalize(CK_FUNCTION_LIST *module);

/* Releases one module. Clears the message. */
void p11_kit_module_release(CK_FUNCTION_LIST *module);

/*
 * A configured option of the module, or of the global configuration if module
 * is NULL; for the caller to free. NULL if it is not set. Clears the message.
 */
char *p11_kit_config_option(CK_FUNCTION_LIST *module, const char *option);

/* A phrase for the user that says what a return value means; static, never NULL. */
const char *p11_kit_strerror(CK_RV rv);

/* The length in bytes of a string that is padded with spaces to max_length bytes. */
size_t p11_kit_space_strlen(const unsigned char *string, size_t max_length);

/* A NUL-terminated copy without the padding, for the caller to free; NULL if memory is short. */
char *p11_kit_space_strdup(const unsigned char *string, size_t max_length);

/* Stops printing messages to stderr; this is how the library starts. */
void p11_kit_be_quiet(void);

/* Prints each message to stderr as well. */
void p11_kit_be_loud(void);

/* This thread's last message, or NULL; valid until the thread's next call. Does not clear it. */
const char *p11_kit_message(void);

#ifdef P11_KIT_FUTURE_UNSTABLE_API

/* The program's name for enable-in and disable-in, at most 255 bytes, copied; NULL or "" for the automatic one. */
void p11_kit_set_progname(const char *progname);

/*
 * Replaces places of the configuration, from the next time it is read; NULL
 * leaves a place as it is. The strings are not copied and must stay.
 */
void p11_kit_override_system_files(const char *system_conf, const char *user_conf, const char *package_modules,
                                   const char *system_modules, const char *user_modules);

#endif

#ifdef __cplusplus
}
#endif

#ifndef P11_KIT_DISABLE_DEPRECATED
#include "p11-kit/deprecated.h"
#endif

#endif
