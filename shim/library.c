/* The library as a Go program in its process finds it that has another engine in it; see internal/capi/library.h. */
#define _GNU_SOURCE
#include "internal.h"
#include "library.h"
#include "note.h"
#include "p11-kit/p11-kit.h"

extern const struct p11_library p11_library;

static const void *engine(void)
{
	if (!p11_engine_get())
		return NULL;
	const void *joined = p11_engine_joined();
	return joined ? joined : &p11_library;
}

static unsigned long load(const char *path, void **list, const char **message)
{
	CK_RV rv = p11_module_load(path, P11_LOAD_RESERVED, list);
	*message = p11_kit_message();
	return rv;
}

static char *path_of(void *list)
{
	return p11_kit_module_get_filename(list);
}

__attribute__((visibility("hidden"), used)) const struct p11_library p11_library = {
	.version = P11_LIBRARY_VERSION,
	.engine = engine,
	.load = load,
	.path = path_of,
	.release = p11_module_give_up,
};

P11_NOTE(P11_NOTE_LIBRARY, p11_library);
