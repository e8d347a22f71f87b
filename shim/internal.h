/*
 * What the files of the shim share.
 *
 * The shim is the part of p11mux that every host process links: plain C, no
 * threads, no work at load beyond registering the fork handlers. It owns the C
 * memory that must outlive an engine: handles (arena.c), module records
 * (records.c), the stored messages (message.c).
 */
#ifndef P11_INTERNAL_H
#define P11_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "p11-kit/pkcs11.h"
#include "engine_abi.h" /* internal/capi */
#include "stubs.h"
#include "zfunctions.h"

/* The functions by their names, as places in the function list. */
enum {
#define P11_FUNCTION(index, name, major, minor, parameters, arguments) FUNCTION_##name = index,
	P11_FUNCTIONS
#undef P11_FUNCTION
};

#define P11_EXPORT __attribute__((visibility("default")))
#define P11_PRINTF(a, b) __attribute__((format(printf, a, b)))

/* The linker's mark of one build of a file. */
struct p11_build_id {
	unsigned char bytes[32];
	size_t len; /* 0: none found */
};

/* Where a handle is in its life. It never goes back. */
enum p11_life {
	P11_UNUSED,
	P11_LIVE,
	P11_RELEASED,
};

/*
 * One managed function list and what the shim knows of it, at a fixed place
 * beside its stubs. The memory is never unmapped, so a pointer to it may be
 * read at any time; lookups go by address, never by content.
 */
struct p11_handle {
	CK_FUNCTION_LIST_3_2 list;      /* what the caller holds; first, so that the addresses are equal */
	CK_INTERFACE interface;         /* what its C_GetInterface points at */
	struct p11_record *record;      /* the module; NULL once released, and for a proxy instance */
	struct p11_proxy *proxy;        /* the instance, or NULL */
	struct p11_log *log;            /* what logs its calls, or NULL */
	_Atomic uint32_t life;          /* enum p11_life */
	_Atomic uint32_t initialized_in;/* generation of the process that last initialized it; 0: none */
	uint32_t index;                 /* place in its arena */
	struct p11_arena *arena;
};

_Static_assert(offsetof(struct p11_proxy, sessions) == P11_PROXY_SESSIONS && offsetof(struct p11_proxy, slots) == P11_PROXY_SLOTS &&
               sizeof(struct p11_session) == 1 << P11_SESSION_SIZE_LOG && offsetof(struct p11_session, handle) == 0 &&
               offsetof(struct p11_session, real) == P11_SESSION_REAL && offsetof(struct p11_session, table) == P11_SESSION_TABLE &&
               offsetof(struct p11_slots, count) == 0 && offsetof(struct p11_slots, of) == P11_SLOTS_FIRST &&
               sizeof(struct p11_slot) == 1 << P11_SLOT_SIZE_LOG && offsetof(struct p11_slot, real) == 0 &&
               offsetof(struct p11_slot, table) == P11_SLOT_TABLE && P11_PLACE_MASK == P11_SESSIONS - 1,
               "proxy.S counts on these places");
_Static_assert(offsetof(struct p11_log, table) == 0, "words.S counts on it");
_Static_assert(sizeof(struct p11_handle) <= P11_HANDLE_STRIDE, "stubs.S counts on the stride");
_Static_assert(offsetof(struct p11_handle, list) == 0, "a list's address is its handle's");

/* arena.c */
struct p11_handle *p11_handle_new(struct p11_record *record);
struct p11_handle *p11_handle_for_proxy(struct p11_proxy *proxy);
void p11_handle_retire(struct p11_handle *handle);
struct p11_handle *p11_handle_find(const void *list);
bool p11_handle_is_ours(const void *list);
void p11_handle_set_state(struct p11_handle *handle, int on);
void p11_handle_each(void (*visit)(struct p11_handle *, struct p11_record *, struct p11_proxy *, struct p11_log *, void *), void *data);
void p11_handle_log(struct p11_handle *handle, struct p11_log *log);

/* records.c */
struct p11_record *p11_record_head(void);
struct p11_record *p11_record_for(const void *list);
const char *p11_option_in(const char *options, size_t len, const char *key);
const char *p11_global_option(const char *key);
void p11_records_api(struct p11_host *host);
void p11_records_disconnect(void);

/* engine.c */
bool p11_engine_enter(void);
bool p11_engine_enter_if_running(void);
void p11_engine_forget_thread(void);

/*
 * What the library wants of an engine: bind.c, or softtoken.c. bind finds the
 * functions of an engine that has just been loaded and starts it; NULL, or why
 * it is of no use. join does the same with an engine that a Go program in
 * this process has in it, if there is one. warm is the engine's function of that
 * name.
 */
bool p11_engine_join(void);
const char *p11_engine_bind(void *dl);
#define P11_OTHER_BUILD "is of another build than this library: install both from one build"
void p11_engine_warm(void);

/* bind.c: the engine of this process, loaded if need be, or NULL with a message; NULL if it is not running. */
const struct p11_engine *p11_engine_get(void);
const struct p11_engine *p11_engine_if_running(void);
/* The offer that was joined (struct p11_offer); NULL if the engine is the library's own. */
const void *p11_engine_joined(void);

/* engine_file.c */
bool p11_engine_path(char *path, size_t size);
bool p11_build_id(int fd, struct p11_build_id *id);
void *p11_engine_open_copy(int fd);

/* fork.c; the lock guards records, handles and the settings. Nothing is called out or allocated under it. */
void p11_lock_records(void);
void p11_unlock_records(void);
uint32_t p11_generation(void);
void p11_load_lock(void);
void p11_load_unlock(void);

/*
 * What the library does at a fork, under the lock: arena.c, or softtoken.c. The
 * mark is set once in each process and is gone in its children.
 */
bool p11_process_marked(void);
void p11_process_mark(void);
void p11_process_forget(void);
/* In a child of fork, before anything else is done there: what it must not keep of its parent's. */
void p11_process_forked(void);

/* message.c */
void p11_message(const char *format, ...) P11_PRINTF(1, 2);
void p11_message_text(const char *text, size_t len);
void p11_message_clear(void);
void p11_precondition(const char *expression, const char *function);

/* managed.c */
extern void *const p11_managed_entries[P11_NUM_ENTRIES];
void p11_list_init(struct p11_handle *handle, const unsigned char *code);

/* modules.c; false where modules load modules while they are being loaded, without end. */
bool p11_load_enter(void);
void p11_load_leave(void);
/* Loads a module: CKR_OK, or an error with a message. The flags are P11_KIT_MODULE_... and P11_LOAD_... */
CK_RV p11_module_load(const char *path, int flags, void **list);
/* Releases a list, and unloads everything if nothing is in use. */
void p11_module_give_up(void *list);

/* proxy.c */
void p11_proxy_api(struct p11_host *host);

/* log.c; what a call needs from before it to after it */
struct p11_logged {
	struct p11_log *log;
	const struct p11_engine *engine; /* NULL: this call is not logged */
	uintptr_t words[10];
	uint32_t id, number, generation;
};
void p11_log_begin(struct p11_logged *call, struct p11_log *log, int function, const uintptr_t words[10]);
CK_RV p11_log_end(struct p11_logged *call, CK_RV rv);
void p11_log_api(struct p11_host *host);

/* words.S: functions that find the table which they are in by its address in %rax, and one that calls a function in that way */
extern void *const p11_log_functions[P11_FUNCTION_COUNT];
extern void *const p11_remote_functions[P11_FUNCTION_COUNT];
CK_RV p11_table_call(struct p11_table *table, int function, const uintptr_t words[10]);

/* notify.c */
struct p11_notice;
CK_NOTIFY p11_notify(void);
struct p11_notice *p11_notice_new(struct p11_proxy *proxy, CK_NOTIFY function, void *application);
void p11_notice_opened(struct p11_notice *notice, CK_SESSION_HANDLE session);

/* proxy_entry.c and client.c, for entry.c: what function lists the module gives out. */
#define P11_ENTRY_VERSIONS 4
struct p11_entry {
	CK_VERSION versions[P11_ENTRY_VERSIONS]; /* of its interfaces, the default first */
	size_t count;
	CK_RV (*new_list)(CK_VERSION version, struct p11_handle **handle);
	CK_INTERFACE *vendor;                    /* one with a name of its own, or NULL */
};
extern const struct p11_entry p11_entry;

/* arrays.c */
void p11_array_add(void *array);
bool p11_array_take(void *array);
void p11_array_free(void *array);

/* query.c */
int p11_module_flags(const void *module);

/* settings.c */
extern struct p11_settings p11_settings;

/* A violated precondition of a public function: note, then the answer; abort where P11_KIT_STRICT asks for it. */
#define p11_return_if_fail(expression) \
	do { \
		if (!(expression)) { \
			p11_precondition(#expression, __func__); \
			return; \
		} \
	} while (0)
#define p11_return_val_if_fail(expression, value) \
	do { \
		if (!(expression)) { \
			p11_precondition(#expression, __func__); \
			return (value); \
		} \
	} while (0)

#endif
