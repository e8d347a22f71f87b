/*
 * What the shim and the engine say to each other. Both are built from one
 * tree; P11_ENGINE_ABI keeps an engine of another build from being used.
 *
 * Included by cgo as well, so only plain C declarations here.
 */
#ifndef P11_ENGINE_ABI_H
#define P11_ENGINE_ABI_H

#include <stddef.h>
#include <stdint.h>

#include "zengine_abi.h" /* P11_ENGINE_ABI, a checksum of this file: make gen */

struct p11_handle;

/*
 * The functions of one module, in function-list order, none of them NULL: what
 * the module lacks answers CKR_FUNCTION_NOT_SUPPORTED.
 */
struct p11_table {
	void *functions[104];
};

/* Flags of a record. */
#define P11_RECORD_CONFIGURED 1 /* named by a *.module file */
#define P11_RECORD_CRITICAL   2
#define P11_RECORD_TRUSTED    4
#define P11_RECORD_VERSION_SHIFT 8 /* major and minor version of the function list, a byte each */

/*
 * One loaded module as C remembers it: what a getter answers without the
 * engine, and all that the engine of a forked child needs to go on with the
 * handles its parent made. Owned by the shim, written only through struct
 * p11_host's functions, freed by record_free.
 */
struct p11_record {
	struct p11_record *next;
	void *list;        /* the module's own CK_FUNCTION_LIST; the record's identity */
	void *dl;          /* its dlopen handle */
	char *name;        /* from the configuration, or NULL */
	char *path;        /* what was given to dlopen */
	char *options;     /* key NUL value NUL ... of the configuration */
	size_t options_len; /* bytes */
	uint32_t flags;    /* P11_RECORD_... */
	struct p11_table table;
};

/* What the host program set; read by the engine at each load. */
struct p11_settings {
	const char *progname;        /* p11_kit_set_progname, or NULL for the automatic name */
	const char *system_config;   /* p11_kit_override_system_files: NULL where not overridden */
	const char *user_config;
	const char *package_modules;
	const char *system_modules;
	const char *user_modules;
};

/* The shim as the engine sees it. Every function may be called from any thread. */
struct p11_host {
	uint32_t abi;        /* P11_ENGINE_ABI */
	uint32_t secure;     /* AT_SECURE: the program has more rights than its user */
	uint32_t uid;        /* real user id */
	const char *argv0;
	const struct p11_settings *settings;

	/* getenv of the host, so that a later setenv is seen; NULL if absent. */
	const char *(*get_environment)(const char *name);
	/* Stores a message on this thread and prints it if the library is loud. */
	void (*message)(const char *text, size_t len);
	/* p11_kit_strerror. */
	const char *(*describe)(unsigned long rv);
	/* Keeps forks away while the dynamic linker works for us: a child could never use it again. */
	void (*load_lock)(void);
	void (*load_unlock)(void);

	/*
	 * A record for a module; NULL when memory is short. list_bytes is how much of
	 * the module's function list exists. The strings are copied.
	 */
	struct p11_record *(*record_new)(void *list, size_t list_bytes, void *dl, const char *path, size_t path_len);
	/* Gives a record its configuration. 0, or -1 when memory is short. */
	int (*record_configure)(struct p11_record *record, const char *name, size_t name_len,
	                        const char *options, size_t options_len, uint32_t flags);
	void (*record_free)(struct p11_record *record);
	/* The options of the global configuration file; NULL, 0 forgets them. */
	int (*global_configure)(const char *options, size_t options_len);
	struct p11_record *(*record_first)(void);

	/* A managed function list; NULL with a message when no more can be made. */
	struct p11_handle *(*handle_new)(struct p11_record *record);
	/* Ends a handle: its stubs answer CKR_CRYPTOKI_NOT_INITIALIZED from now on. */
	void (*handle_retire)(struct p11_handle *handle);
	/* Opens (on is 1) or shuts the handle's plain stubs. */
	void (*handle_state)(struct p11_handle *handle, int on);
	/* Calls visit for each live handle, in no order. */
	void (*handle_each)(void (*visit)(struct p11_handle *handle, struct p11_record *record, void *data), void *data);
};

/*
 * The engine as the shim sees it: P11_ENGINE_FUNCTION(result, name, parameters).
 * Exported by the engine as p11mux_engine_NAME. CK_RV and CK_ULONG are written
 * as unsigned long. Every function may be called from any thread.
 */
#define P11_ENGINE_FUNCTIONS \
	/* Makes a calling thread known to the engine; see engine.c. */ \
	P11_ENGINE_FUNCTION(void, warm, (void)) \
	/* Configured modules: *lists becomes a malloc'd NULL-terminated array. CKR_OK or an error with a message. */ \
	P11_ENGINE_FUNCTION(unsigned long, modules_load, (int flags, void ***lists)) \
	P11_ENGINE_FUNCTION(unsigned long, module_load, (char *path, int flags, void **list)) \
	/* Drops a handle (finalizing it first if its caller did not) or one unmanaged reference. */ \
	P11_ENGINE_FUNCTION(void, release, (struct p11_handle *handle)) \
	P11_ENGINE_FUNCTION(void, release_raw, (void *list)) \
	/* Unloads everything if nothing is in use. */ \
	P11_ENGINE_FUNCTION(void, sweep, (void)) \
	/* The managed functions. */ \
	P11_ENGINE_FUNCTION(unsigned long, initialize, (struct p11_handle *handle, void *args)) \
	P11_ENGINE_FUNCTION(unsigned long, finalize, (struct p11_handle *handle)) \
	P11_ENGINE_FUNCTION(unsigned long, open_session, (struct p11_handle *handle, unsigned long slot, unsigned long flags, void *application, void *notify, unsigned long *session)) \
	P11_ENGINE_FUNCTION(unsigned long, close_session, (struct p11_handle *handle, unsigned long session)) \
	P11_ENGINE_FUNCTION(unsigned long, close_all_sessions, (struct p11_handle *handle, unsigned long slot)) \
	/* The registered (unmanaged, counted) modules of p11_kit_initialize_registered and friends. */ \
	P11_ENGINE_FUNCTION(unsigned long, initialize_registered, (void)) \
	P11_ENGINE_FUNCTION(unsigned long, finalize_registered, (void)) \
	P11_ENGINE_FUNCTION(unsigned long, registered_modules, (void ***lists)) \
	P11_ENGINE_FUNCTION(unsigned long, registered_name, (char *name, void **list)) \
	P11_ENGINE_FUNCTION(unsigned long, initialize_module, (void *list)) \
	P11_ENGINE_FUNCTION(unsigned long, finalize_module, (void *list)) \
	P11_ENGINE_FUNCTION(unsigned long, load_initialize_module, (char *path, void **list))

struct p11_engine {
#define P11_ENGINE_FUNCTION(result, name, parameters) result (*name) parameters;
	P11_ENGINE_FUNCTIONS
#undef P11_ENGINE_FUNCTION
};

/*
 * What an engine with the bundled token in it (built with -tags softtoken)
 * exports besides: token_start takes P11_ENGINE_ABI and answers as
 * p11mux_engine_start does; token_call does one C_ function, by its place in
 * the function list, with its arguments as words.
 */
typedef int (*p11_token_start)(uint32_t abi);
typedef unsigned long (*p11_token_call)(int function, uintptr_t words[10]);

/* p11mux_engine_start: takes the host, which must stay; 0, or -1 when the engine is of another build. */
typedef int (*p11_engine_start)(struct p11_host *host);

#endif
