/* Loading PKCS#11 modules with the dynamic linker; see load.go. */
#ifndef P11_NATIVE_LOAD_H
#define P11_NATIVE_LOAD_H

#include <stddef.h>

/* Which step of loading a module failed. */
enum p11_native_step {
	P11_NATIVE_LOADED,
	P11_NATIVE_NO_FILE,     /* text says why */
	P11_NATIVE_NO_ENTRY,    /* no C_GetFunctionList; text says why */
	P11_NATIVE_REFUSED,     /* C_GetFunctionList answered rv */
	P11_NATIVE_SELF,        /* the proxy module, which would hold itself */
	P11_NATIVE_NO_LIST,     /* C_GetFunctionList answered CKR_OK and gave no list */
};

struct p11_native_module {
	void *dl;          /* from dlopen */
	void *list;        /* the module's function list */
	size_t list_bytes; /* how much of a CK_FUNCTION_LIST_3_2 is there */
	unsigned long rv;
	char text[512];
};

/*
 * Called around each use of the dynamic linker, so that an embedding program
 * can keep forks away meanwhile; NULL for none.
 */
extern void (*p11_native_guard_enter)(void);
extern void (*p11_native_guard_leave)(void);

/* The proxy module's C_GetFunctionList, NULL if there is none in the process. */
extern void *p11_native_self;

enum p11_native_step p11_native_load(const char *path, struct p11_native_module *module);
/*
 * Tells p11-kit's client module at path where the server of its next function
 * list is. A dlopen handle that keeps what it was told, or NULL where it is no
 * such module.
 */
void *p11_native_tell_server(const char *path, const char *address);
void p11_native_unload(void *dl);

/* How much of a function list there is by the version it begins with. */
size_t p11_native_list_bytes(const void *list);

/* Mutex callbacks for CK_C_INITIALIZE_ARGS, for modules that want them. */
unsigned long p11_native_create_mutex(void **mutex);
unsigned long p11_native_destroy_mutex(void *mutex);
unsigned long p11_native_lock_mutex(void *mutex);
unsigned long p11_native_unlock_mutex(void *mutex);

#endif
