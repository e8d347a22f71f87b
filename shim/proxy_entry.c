/* The function lists of the proxy module (abi.md 7.1): each that entry.c gives out is an instance of its own (proxy.c). */
#include "internal.h"

/* A new instance. */
static CK_RV new_instance(CK_VERSION version, struct p11_handle **handle)
{
	p11_message_clear();
	const struct p11_engine *engine = p11_engine_get();
	if (!engine)
		return CKR_GENERAL_ERROR;
	if (!p11_load_enter()) {
		p11_message("a module loads the proxy module while it is being loaded itself, again and again");
		return CKR_GENERAL_ERROR;
	}
	void *list = NULL;
	CK_RV rv = engine->proxy_load(version.major, version.minor, &list);
	p11_load_leave();
	if (rv == CKR_OK)
		*handle = list; /* the list is the first thing in it */
	return rv;
}

const struct p11_entry p11_entry = {
	.versions = { { 3, 2 }, { 3, 1 }, { 3, 0 }, { 2, 40 } },
	.count = 4,
	.new_list = new_instance,
};
