/* The functions of a libp11-kit.so.0 that another engine serves, callable from Go. */
#ifndef P11_BESIDE_H
#define P11_BESIDE_H

#include "library.h"

/* A module that the library has loaded for us. */
struct p11_lent {
	void *list;
	char *path;         /* malloc'd, or NULL when memory was short */
	char message[1024]; /* why there is none */
};

/* A library in this process that has an engine, and another one than ours; NULL if there is none, or ours serves one. */
const struct p11_library *p11_library_beside(void);

/* Loads a module: CKR_OK or an error, and *lent is filled in. */
unsigned long p11_library_load(const struct p11_library *library, const char *path, struct p11_lent *lent);
void p11_library_release(const struct p11_library *library, void *list);

#endif
