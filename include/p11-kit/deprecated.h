/*
 * The registered modules of p11-kit before 0.19: unmanaged, initialized by
 * count. Kept so that old programs run; new ones use p11-kit.h.
 */
#ifndef P11_KIT_DEPRECATED_H
#define P11_KIT_DEPRECATED_H 1

#include "p11-kit/p11-kit.h"

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__) && !defined(P11_KIT_NO_DEPRECATIONS)
#define P11_KIT_DEPRECATED_FOR(instead) __attribute__((deprecated("use " #instead " instead")))
#else
#define P11_KIT_DEPRECATED_FOR(instead)
#endif

/* Loads and initializes all configured modules; CKR_OK or the error of a critical one, with a message. */
P11_KIT_DEPRECATED_FOR(p11_kit_modules_load_and_initialize)
CK_RV p11_kit_initialize_registered(void);

/* Undoes one p11_kit_initialize_registered; CKR_CRYPTOKI_NOT_INITIALIZED if nothing is loaded. */
P11_KIT_DEPRECATED_FOR(p11_kit_modules_finalize_and_release)
CK_RV p11_kit_finalize_registered(void);

/* The initialized modules' own lists, ordered, NULL-terminated, to be freed with free(); NULL if nothing is loaded. */
P11_KIT_DEPRECATED_FOR(p11_kit_modules_load)
CK_FUNCTION_LIST_PTR *p11_kit_registered_modules(void);

/* The module's configured name, for the caller to free; NULL if it has none. */
P11_KIT_DEPRECATED_FOR(p11_kit_module_get_name)
char *p11_kit_registered_module_to_name(CK_FUNCTION_LIST_PTR module);

/* The loaded module of this name, or NULL. */
P11_KIT_DEPRECATED_FOR(p11_kit_module_for_name)
CK_FUNCTION_LIST_PTR p11_kit_registered_name_to_module(const char *name);

/* An option of the module, or of the global configuration if module is NULL or unknown; for the caller to free. */
P11_KIT_DEPRECATED_FOR(p11_kit_config_option)
char *p11_kit_registered_option(CK_FUNCTION_LIST_PTR module, const char *field);

/* Counts and initializes a module by its own list; the module's code. */
P11_KIT_DEPRECATED_FOR(p11_kit_module_initialize)
CK_RV p11_kit_initialize_module(CK_FUNCTION_LIST_PTR module);

/* Undoes one p11_kit_initialize_module; CKR_ARGUMENTS_BAD for an unknown list. */
P11_KIT_DEPRECATED_FOR(p11_kit_module_finalize)
CK_RV p11_kit_finalize_module(CK_FUNCTION_LIST_PTR module);

/* Loads a module by its path and initializes it, counted; *module is its own list. */
P11_KIT_DEPRECATED_FOR(p11_kit_module_load)
CK_RV p11_kit_load_initialize_module(const char *module_path, CK_FUNCTION_LIST_PTR *module);

#ifdef __cplusplus
}
#endif

#endif
