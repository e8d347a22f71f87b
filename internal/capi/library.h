/*
 * A libp11-kit.so.0 of p11mux as a Go program in its process sees it, in which
 * another engine than the program's own serves the library. The note
 * P11_NOTE_LIBRARY (note.h) leads to it.
 *
 * Program and library may be of different builds. So this structure is no part
 * of what P11_ENGINE_ABI marks: whoever changes it changes P11_LIBRARY_VERSION.
 */
#ifndef P11_LIBRARY_H
#define P11_LIBRARY_H

#include <stdint.h>

#define P11_LIBRARY_VERSION 1

/* All functions may be called from any thread, but not from where the dynamic linker's lock is held. */
struct p11_library {
	uint32_t version; /* P11_LIBRARY_VERSION; the rest is of this version */
	/*
	 * Tells engines from each other: the address of the struct p11_offer that the
	 * library has joined, else one of its own. Starts the engine, or joins one, if
	 * need be; waits while another thread does. NULL if there can be none.
	 */
	const void *(*engine)(void);
	/*
	 * p11_kit_module_load, for a caller that has read the configuration itself: the
	 * list that it gets takes a reserved pointer at C_Initialize. CKR_OK, or an error,
	 * and *message says why until this thread calls the library again.
	 */
	unsigned long (*load)(const char *path, void **list, const char **message);
	/* The path of the module behind a list, malloc'd; NULL when memory is short. The same for all lists of one module. */
	char *(*path)(void *list);
	/* Gives up a list, and unloads everything if nothing is in use. */
	void (*release)(void *list);
};

#endif
