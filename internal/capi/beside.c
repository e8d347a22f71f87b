/* The way to a libp11-kit.so.0 that another engine serves; see library.h. */
#define _GNU_SOURCE
#include "beside.h"

#include <stdio.h>

#include "host.h"
#include "note.h"

#define LIBRARIES 8 /* copies of the library in one process; one is usual */

struct found {
	const struct p11_library *of[LIBRARIES];
	size_t count;
};

static int note_library(void *structure, void *data)
{
	const struct p11_library *library = structure;
	struct found *found = data;
	if (library->version == P11_LIBRARY_VERSION)
		found->of[found->count++] = library;
	return found->count == LIBRARIES;
}

const struct p11_library *p11_library_beside(void)
{
	struct found found = { .count = 0 };
	const struct p11_library *beside = NULL;
	p11_visit_notes(P11_NOTE_LIBRARY, note_library, &found);
	for (size_t i = 0; i < found.count; i++) {
		const void *engine = found.of[i]->engine();
		if (engine == p11_offer_made())
			return NULL;
		if (engine && !beside)
			beside = found.of[i];
	}
	return beside;
}

unsigned long p11_library_load(const struct p11_library *library, const char *path, struct p11_lent *lent)
{
	const char *message = NULL;
	unsigned long rv = library->load(path, &lent->list, &message);
	lent->path = rv == CKR_OK ? library->path(lent->list) : NULL;
	/* At once: the message belongs to this thread. */
	snprintf(lent->message, sizeof lent->message, "%s", message ? message : "");
	return rv;
}

void p11_library_release(const struct p11_library *library, void *list)
{
	library->release(list);
}
