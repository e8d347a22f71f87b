/* See proxylib.h. */
#include "proxylib.h"

#include <dlfcn.h>

CK_C_GetFunctionList proxy_get_list;
CK_C_GetInterface proxy_get_interface;
CK_C_GetInterfaceList proxy_get_interfaces;

void proxy_open(void)
{
	void *dl = dlopen("p11-kit-proxy.so", RTLD_NOW | RTLD_LOCAL);
	Dl_info linked, loaded;

	if (dl == NULL)
		die("%s", dlerror());
	*(void **)&proxy_get_list = dlsym(dl, "C_GetFunctionList");
	*(void **)&proxy_get_interface = dlsym(dl, "C_GetInterface");
	*(void **)&proxy_get_interfaces = dlsym(dl, "C_GetInterfaceList");
	must(proxy_get_list && proxy_get_interface && proxy_get_interfaces);
	must(dladdr(*(void **)&proxy_get_list, &loaded));
	must(dladdr((void *)p11_kit_modules_load, &linked));
	must(loaded.dli_fbase == linked.dli_fbase);
}

list32_t proxy_new(void)
{
	CK_INTERFACE *interface = NULL;

	must_ok(proxy_get_interface(NULL, NULL, &interface, 0));
	must(interface && interface->pFunctionList);
	return interface->pFunctionList;
}

struct slots proxy_slots(list32_t p)
{
	struct slots s = { .n = 256 };

	must_ok(p->C_GetSlotList(CK_FALSE, s.id, &s.n));
	return s;
}

/* Whether a padded field has the text. */
static bool is_text(const CK_UTF8CHAR *field, size_t n, const char *text)
{
	return p11_kit_space_strlen(field, n) == strlen(text) && memcmp(field, text, strlen(text)) == 0;
}

CK_SLOT_ID proxy_slot_described(list32_t p, const char *description)
{
	struct slots s = proxy_slots(p);
	CK_SLOT_INFO info;
	CK_ULONG i;

	for (i = 0; i < s.n; i++) {
		must_ok(p->C_GetSlotInfo(s.id[i], &info));
		if (is_text(info.slotDescription, sizeof info.slotDescription, description))
			return s.id[i];
	}
	die("no slot of %lu is \"%s\"", s.n, description);
}

CK_SLOT_ID proxy_slot_labelled(list32_t p, const char *label)
{
	struct slots s = proxy_slots(p);
	CK_TOKEN_INFO info;
	CK_ULONG i;

	for (i = 0; i < s.n; i++)
		if (p->C_GetTokenInfo(s.id[i], &info) == CKR_OK && is_text(info.label, sizeof info.label, label))
			return s.id[i];
	die("no token of %lu slots is \"%s\"", s.n, label);
}

bool proxy_has(struct slots s, CK_SLOT_ID id)
{
	while (s.n--)
		if (s.id[s.n] == id)
			return true;
	return false;
}
