/*
 * The arrays that p11_kit_modules_load has given out. Of two threads that
 * release one array, one must not touch it: it is gone, or will be at any
 * moment.
 */
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/uio.h>
#include <unistd.h>

#include "internal.h"

#define GONE_MAX 64 /* released arrays whose addresses are remembered */

struct known_array {
	struct known_array *next;
	void *array;
};

/* Guarded by p11_lock_records. */
static struct known_array *known;
static struct {
	void *array;
	bool busy; /* it is being released */
} gone[GONE_MAX];
static size_t next_gone;

/* Remembers an array that is given out. Without memory for that it is treated as one of the caller's own. */
void p11_array_add(void *array)
{
	struct known_array *entry = malloc(sizeof *entry), *same;
	p11_lock_records();
	for (size_t i = 0; i < GONE_MAX; i++)
		if (gone[i].array == array)
			gone[i].array = NULL;
	/* A caller may have freed one by itself, and malloc given its place to this one. */
	for (same = known; same && same->array != array; same = same->next)
		;
	if (entry && !same) {
		*entry = (struct known_array){ known, array };
		known = entry;
		entry = NULL;
	}
	p11_unlock_records();
	free(entry);
}

/* The first list of an array that may be gone: the kernel reads it, and finds out if there is no memory any more. */
static void *first_of(void *array)
{
	void *list = NULL;
	struct iovec to = { &list, sizeof list }, from = { array, sizeof list };
	return process_vm_readv(getpid(), &to, 1, &from, 1, 0) == sizeof list ? list : NULL;
}

/*
 * Takes an array for release; false, with a message, if it has been released.
 * An array that we did not make is the caller's to give, also where malloc has
 * put it in the place of one that is gone: then there is a loaded module in it.
 */
bool p11_array_take(void *array)
{
	bool there = true;
	struct known_array *entry = NULL;
	p11_lock_records();
	for (struct known_array **at = &known; *at; at = &(*at)->next) {
		if ((*at)->array == array) {
			entry = *at;
			*at = entry->next;
			gone[next_gone].array = array;
			gone[next_gone].busy = true;
			next_gone = (next_gone + 1) % GONE_MAX;
			break;
		}
	}
	for (size_t i = 0; !entry && i < GONE_MAX; i++)
		if (gone[i].array == array)
			there = !gone[i].busy && p11_record_for(first_of(array));
	p11_unlock_records();
	free(entry);
	if (!there)
		p11_message("these modules have been released already");
	return there;
}

/* Frees an array that was taken. */
void p11_array_free(void *array)
{
	free(array);
	p11_lock_records();
	for (size_t i = 0; i < GONE_MAX; i++)
		if (gone[i].array == array)
			gone[i].busy = false;
	p11_unlock_records();
}
