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

#include "p11-kit/pkcs11.h"
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
#define P11_RECORD_REMOTE     8 /* at the other end of a connection; list is the record itself */
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
	int descriptors[2]; /* of the connection of a remote module, and of the program at its other end; -1 for none */
	struct p11_table table;
};

/*
 * What stands between a caller and the functions that it calls when these calls
 * are logged (shim/log.c). Its table takes the place of the target's; owned by
 * the shim, and lives as long as the process.
 */
struct p11_log {
	struct p11_table table;   /* first: the stubs of words.S find the log by it */
	struct p11_table *target; /* what does the calls; NULL while nothing is initialized */
	uint64_t owner;           /* the caller's id in the engine, and above it the generation of the process that the id is of */
	uint32_t parallel;        /* the target knows of C_GetFunctionStatus and C_CancelFunction */
	size_t settings_len;
	char *settings;           /* how the engine of a forked child goes on with it; behind the structure */
};

/* One module of a proxy instance. */
struct p11_member {
	struct p11_record *record;
	struct p11_log *log; /* what logs the calls of the instance that go to the module, or NULL */
	uint32_t managed; /* 0: the instance uses the module past all sharing, as its configuration wants */
};

/*
 * One session of a proxy instance. The engine writes it; the instance's stubs
 * read it without a lock (shim/proxy.S), so the order of writing counts: handle
 * becomes 0 before real and table change, and gets its new value last. A value
 * of handle never comes back.
 */
struct p11_session {
	uint64_t handle; /* what the caller has, 0 for none; its low bits are the place in the array */
	uint64_t real;   /* what the module has; 0 where the session is closed */
	struct p11_table *table;
	uint64_t slot;   /* the instance's id of the slot */
};

/* One slot of a proxy instance, in the place that its id says. Never changes but for table, which is NULL while it is none. */
struct p11_slot {
	uint64_t real;
	struct p11_table *table;
	struct p11_record *record; /* NULL: an id that nothing is known of */
	uint64_t unused;
};

struct p11_slots {
	uint64_t count; /* ids below are in the array; grows when the entry is complete */
	uint64_t room;
	uint64_t unused[2];
	struct p11_slot of[];
};

#define P11_SESSION_BITS 18
#define P11_SESSIONS     (1 << P11_SESSION_BITS) /* sessions of one proxy instance at once */
#define P11_FIRST_ID     17                      /* the first slot id and session handle, as in the reference */

/* One instance of the proxy module, beside its handle. Owned by the shim; it lives as long as the process. */
struct p11_proxy {
	struct p11_table table;       /* first, for the state word points to it: the stubs of proxy.S */
	struct p11_session *sessions; /* P11_SESSIONS of them; NULL until proxy_prepare */
	struct p11_slots *slots;      /* NULL until there is one */
	struct p11_handle *handle;
	uint64_t serial;              /* the part of a session handle above P11_SESSION_BITS, for the next one; no two instances have the same */
	uint64_t used;                /* sessions in places below may be in use */
	struct p11_member *members;
	size_t count;
	uint8_t major, minor;         /* version of the interface */
};

/* A flag of module_load beside those of p11-kit.h: the caller may pass a reserved pointer at C_Initialize. */
#define P11_LOAD_RESERVED 0x100

/* What the host program set; read by the engine at each load. */
struct p11_settings {
	const char *progname;        /* p11_kit_set_progname, or NULL for the automatic name */
	const char *system_config;   /* p11_kit_override_system_files: NULL where not overridden */
	const char *user_config;
	const char *package_modules;
	const char *system_modules;
	const char *user_modules;
};

/* Tokens that are to be served: those that have each text of token that does not begin with 0. */
struct p11_served {
	const CK_TOKEN_INFO *token;
	uint64_t read_only; /* nothing may be written to them */
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
	 * the module's function list exists. The strings are copied. A list of NULL is
	 * for a remote module, whose calls go to remote_call.
	 */
	struct p11_record *(*record_new)(void *list, size_t list_bytes, void *dl, const char *path, size_t path_len);
	/* Gives a record its configuration. 0, or -1 when memory is short. */
	int (*record_configure)(struct p11_record *record, const char *name, size_t name_len,
	                        const char *options, size_t options_len, uint32_t flags);
	void (*record_free)(struct p11_record *record);
	/* The descriptors of a remote module, which a forked child closes; -1 for none, which comes before they are closed here. */
	void (*record_connected)(struct p11_record *record, int connection, int process);
	/* The options of the global configuration file; NULL, 0 forgets them. */
	int (*global_configure)(const char *options, size_t options_len);
	struct p11_record *(*record_first)(void);

	/* A managed function list; NULL with a message when no more can be made. */
	struct p11_handle *(*handle_new)(struct p11_record *record);
	/* Ends a handle: its stubs answer CKR_CRYPTOKI_NOT_INITIALIZED from now on. */
	void (*handle_retire)(struct p11_handle *handle);
	/* Opens (on is 1) or shuts the handle's plain stubs. */
	void (*handle_state)(struct p11_handle *handle, int on);
	/*
	 * Calls visit for each live handle, in no order. It belongs to a module (record) or is a proxy instance; the other is
	 * NULL. log is what logs its calls, or NULL.
	 */
	void (*handle_each)(void (*visit)(struct p11_handle *handle, struct p11_record *record, struct p11_proxy *proxy,
	                                  struct p11_log *log, void *data), void *data);

	/* A log for the caller with an id; NULL when memory is short. The settings are copied. */
	struct p11_log *(*log_new)(uint32_t id, const char *settings, size_t len);
	/* Gives a log that was inherited over a fork an id of this process. */
	void (*log_renew)(struct p11_log *log, uint32_t id);
	/* Has the calls of a new handle logged, before anybody has its list. */
	void (*handle_log)(struct p11_handle *handle, struct p11_log *log);

	/* The proxy module's own entry points, by which a module is recognized that would be the proxy again. */
	void *own_entry;
	/* A new instance of the proxy, which copies the members; NULL with a message when no more can be made. */
	struct p11_proxy *(*proxy_new)(const struct p11_member *members, size_t count, int major, int minor);
	/* Makes the instance's array of sessions. 0, or -1 when memory is short. */
	int (*proxy_prepare)(struct p11_proxy *proxy);
	/* Makes room for slot ids below room. 0, or -1 when memory is short. One thread at a time. */
	int (*proxy_slots)(struct p11_proxy *proxy, uint64_t room);
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
	/* A new instance of the proxy module, for an interface of this version. */ \
	P11_ENGINE_FUNCTION(unsigned long, proxy_load, (int major, int minor, void **list)) \
	/* A call of a proxy instance that no table translates, by its place in the function list, with its arguments as words. */ \
	P11_ENGINE_FUNCTION(unsigned long, call, (struct p11_handle *handle, int function, uintptr_t words[10])) \
	/* A call that is logged: before it (a number, 0 for none), and after it. Only with the id that this process gave. */ \
	P11_ENGINE_FUNCTION(uint32_t, log_begin, (uint32_t id, int function, uintptr_t words[10])) \
	P11_ENGINE_FUNCTION(void, log_end, (uint32_t id, uint32_t number, uintptr_t words[10], unsigned long rv)) \
	/* A call of a remote module, in the same way as call. */ \
	P11_ENGINE_FUNCTION(unsigned long, remote_call, (struct p11_record *record, int function, uintptr_t words[10])) \
	/* A new function list of the client module; address is where the server is if the environment does not say it, or NULL. */ \
	P11_ENGINE_FUNCTION(unsigned long, client_load, (char *address, void **list)) \
	/* The registered (unmanaged, counted) modules of p11_kit_initialize_registered and friends. */ \
	P11_ENGINE_FUNCTION(unsigned long, initialize_registered, (void)) \
	P11_ENGINE_FUNCTION(unsigned long, finalize_registered, (void)) \
	P11_ENGINE_FUNCTION(unsigned long, registered_modules, (void ***lists)) \
	P11_ENGINE_FUNCTION(unsigned long, registered_name, (char *name, void **list)) \
	P11_ENGINE_FUNCTION(unsigned long, initialize_module, (void *list)) \
	P11_ENGINE_FUNCTION(unsigned long, finalize_module, (void *list)) \
	P11_ENGINE_FUNCTION(unsigned long, load_initialize_module, (char *path, void **list)) \
	/* Serving on descriptors until the client is gone: 0, or 1 for any end but one between two calls. list may be a handle. */ \
	P11_ENGINE_FUNCTION(int, serve_module, (void *list, int in, int out)) \
	/* The tokens of one module, with the module's own sessions. */ \
	P11_ENGINE_FUNCTION(int, serve_token, (void *list, struct p11_served *token, int in, int out)) \
	/* Tokens of a module, or of all configured modules if list is NULL, behind a proxy. */ \
	P11_ENGINE_FUNCTION(int, serve_tokens, (struct p11_served *tokens, size_t count, void *list, int in, int out))

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

/* p11mux_engine_start: takes the host, which must stay; 0, or one of these. */
#define P11_START_OTHER_BUILD (-1)
#define P11_START_TAKEN       (-2) /* it has a host: there are two copies of the library in the process */
#define P11_START_NO_MEMORY   (-3)
typedef int (*p11_engine_start)(struct p11_host *host);

/*
 * How a Go program that has an engine in it is found by the shim: one engine
 * serves the process then, and its counts are everybody's. The note
 * P11_NOTE_OFFER (note.h) in the program, or in the library that holds the
 * engine, leads to this.
 */
struct p11_offer {
	uint32_t abi;  /* P11_ENGINE_ABI */
	int32_t pid;   /* the process that the engine lives in; 0: it is not to be joined */
	p11_engine_start start;
	struct p11_engine engine;
};

#endif
