/* The managed list itself: its version, its entry points, its members. */
#include "conformance.h"

struct interface {
	CK_BYTE *name;
	void *list;
	CK_FLAGS flags;
};

static void list_self(void)
{
	list_t m = load_one("a"), got = NULL, raw;

	raw = p11_kit_module_load(module_path("a"), P11_KIT_MODULE_UNMANAGED);
	out("version", "%d.%d", m->version.major, m->version.minor);
	out("raw-version", "%d.%d", raw->version.major, raw->version.minor);
	out_rv("function-list-null", m->C_GetFunctionList(NULL));
	out_rv("function-list", m->C_GetFunctionList(&got));
	out("function-list-same", "%d", got == m);
	out_rv("function-status", m->C_GetFunctionStatus(0));
	out_rv("cancel-function", m->C_CancelFunction(0));
	out("raw-distinct", "%d", raw != m);
}

/* No member is NULL, and none of the 2.40 part is missing in the reference. */
static void list_members(void)
{
	list_t m = load_one("a");
	int n, nulls = 0;

	for (n = 1; n <= M_LAST_240; n++)
		nulls += member(m, n) == NULL;
	out("nulls-240", "%d", nulls);
}

static void list_members_32(void)
{
	static const char *const bases[] = { "a", "v300", "v320" };
	size_t i;
	int n;

	for (i = 0; i < 3; i++) {
		list_t m = load_one(bases[i]);

		must(m->version.major == 3 && m->version.minor == 2);
		for (n = 1; n <= M_LAST_320; n++)
			if (member(m, n) == NULL)
				die("%s: member %d is NULL", bases[i], n);
	}
	out("nulls", "none");
}

static CK_RV get_interface(list_t m, const char *name, int major, int minor, CK_FLAGS flags,
			   struct interface **i)
{
	CK_VERSION v = { major, minor };

	*i = NULL;
	return member(m, M_C_GetInterface)((CK_ULONG)name, (CK_ULONG)(major ? &v : NULL),
					   (CK_ULONG)i, flags, 0, 0, 0, 0, 0, 0);
}

static CK_RV get_interfaces(list_t m, struct interface *out, CK_ULONG *n)
{
	return member(m, M_C_GetInterfaceList)((CK_ULONG)out, (CK_ULONG)n, 0, 0, 0, 0, 0, 0, 0, 0);
}

static void list_interfaces(void)
{
	struct interface all[3] = { { NULL, NULL, 0 } }, *i;
	list_t m = load_one("a"), m2 = load_one("a");
	CK_ULONG n = 7;

	must_rv(get_interfaces(m, all, NULL), CKR_ARGUMENTS_BAD);
	must_ok(get_interfaces(m, NULL, &n));
	must(n == 1);
	n = 0;
	must_rv(get_interfaces(m, all, &n), CKR_BUFFER_TOO_SMALL);
	must(n == 1);
	n = 3;
	must_ok(get_interfaces(m, all, &n));
	must(n == 1 && all[0].list == m && all[0].flags == 0);
	must(strcmp((char *)all[0].name, "PKCS 11") == 0);
	must_ok(get_interfaces(m2, all, &n));
	must(all[0].list == m2);

	must_rv(member(m, M_C_GetInterface)(0, 0, 0, 0, 0, 0, 0, 0, 0, 0), CKR_ARGUMENTS_BAD);
	must_ok(get_interface(m, NULL, 0, 0, 0, &i));
	must(i->list == m);
	must_ok(get_interface(m2, NULL, 0, 0, 0, &i));
	must(i->list == m2);
	must_ok(get_interface(m, "PKCS 11", 0, 0, 0, &i));
	must(i->list == m && strcmp((char *)i->name, "PKCS 11") == 0);
	must_ok(get_interface(m, "PKCS 11", 3, 2, 0, &i));
	must(i->list == m);
	must_rv(get_interface(m, "PKCS 11", 9, 9, 0, &i), CKR_ARGUMENTS_BAD);
	must_rv(get_interface(m, "Vendor", 0, 0, 0, &i), CKR_ARGUMENTS_BAD);
	must_rv(get_interface(m, "PKCS 11", 0, 0, 1, &i), CKR_ARGUMENTS_BAD);
	out("interfaces", "ok");
}

/* Members that the counting module answers with its own code. */
static bool is_plain(int n)
{
	switch (n) {
	case M_C_Initialize: case M_C_Finalize: case M_C_GetInfo: case M_C_GetFunctionList:
	case M_C_GetSlotList: case M_C_GetSlotInfo: case M_C_GetTokenInfo:
	case M_C_OpenSession: case M_C_CloseSession: case M_C_CloseAllSessions:
	case M_C_GetSessionInfo: case M_C_SeedRandom: case M_C_GenerateRandom:
	case M_C_GetFunctionStatus: case M_C_CancelFunction: case M_C_GetInterfaceList:
	case M_C_GetInterface:
		return false;
	}
	return true;
}

/* Calls members first to last with distinct arguments; the count that reached
 * the right member of the module with all their arguments. */
static int call_all(list_t m, counting_t c, int first, int last)
{
	static const struct { const char *name; int args; } info[] = {
#define MEMBER(n, name, args, since) [n] = { #name, args },
		MEMBERS(MEMBER)
#undef MEMBER
	};
	int n, k, good = 0;
	CK_RV rv;

	for (n = first; n <= last; n++) {
		CK_ULONG a[10];
		char arg[32];
		int bad = 0;

		if (!is_plain(n))
			continue;
		for (k = 0; k < 10; k++)
			a[k] = 0x1000 * n + k;
		rv = member(m, n)(a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7], a[8], a[9]);
		if (rv != CKR_VENDOR_DEFINED + (CK_ULONG)n) {
			out(info[n].name, "%s", rv_name(rv));
			continue;
		}
		for (k = 0; k < info[n].args; k++) {
			snprintf(arg, sizeof arg, "arg%d", k);
			bad += (CK_ULONG)c.get(arg) != a[k];
		}
		if (bad)
			out(info[n].name, "%d arguments changed", bad);
		good += !bad;
	}
	return good;
}

static void list_passes(void)
{
	counting_t c = counting_open("a");
	list_t m = load_one("a");

	must_ok(m->C_Initialize(NULL));
	out("passed", "%d", call_all(m, c, 1, M_LAST_240));
}

static void list_passes_3x(void)
{
	counting_t c30 = counting_open("v300"), c32 = counting_open("v320"), c = counting_open("a");
	list_t m30 = load_one("v300"), m32 = load_one("v320"), m = load_one("a");
	int n;

	must_ok(m30->C_Initialize(NULL));
	must_ok(m32->C_Initialize(NULL));
	must_ok(m->C_Initialize(NULL));
	out("passed-30", "%d", call_all(m30, c30, 1, M_LAST_300));
	out("passed-32", "%d", call_all(m32, c32, 1, M_LAST_320));
	for (n = M_LAST_240 + 1; n <= M_LAST_320; n++)
		if (is_plain(n))
			must_rv(member(m, n)(0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
				CKR_FUNCTION_NOT_SUPPORTED);
	for (n = M_LAST_300 + 1; n <= M_LAST_320; n++)
		must_rv(member(m30, n)(0, 0, 0, 0, 0, 0, 0, 0, 0, 0), CKR_FUNCTION_NOT_SUPPORTED);
	out("faults", "%ld %ld %ld", c.get("faults"), c30.get("faults"), c32.get("faults"));
}

/* Before C_Initialize, after C_Finalize and in a child no call reaches the
 * module, whatever other instances do. */
static void check_refused(list_t m, counting_t c, const char *when)
{
	static CK_ULONG some[512]; /* what every pointer may point to */
	CK_ULONG p = (CK_ULONG)some;
	int n;

	c.reset();
	for (n = 1; n <= M_LAST_320; n++) {
		CK_RV rv;

		switch (n) {
		case M_C_Initialize: case M_C_Finalize: case M_C_GetFunctionList:
		case M_C_GetInterfaceList: case M_C_GetInterface:
		case M_C_GetFunctionStatus: case M_C_CancelFunction:
			continue;
		}
		rv = member(m, n)(p, p, p, p, p, p, p, p, p, p);
		if (rv != CKR_CRYPTOKI_NOT_INITIALIZED)
			die("%s: member %d = %s", when, n, rv_name(rv));
	}
	must(c.get("calls") == 0);
}

struct refused {
	list_t m;
	counting_t c;
};

static void refused_child(void *data)
{
	struct refused *r = data;

	check_refused(r->m, r->c, "in a child");
	must_ok(r->m->C_Initialize(NULL));
	must(call_all(r->m, r->c, 1, M_LAST_320) > 80);
	must_ok(r->m->C_Finalize(NULL));
	check_refused(r->m, r->c, "in a child after C_Finalize");
}

static void list_refuses(void)
{
	struct refused r = { load_one("v320"), counting_open("v320") };
	list_t other = load_one("v320");

	check_refused(r.m, r.c, "nobody initialised");
	must_ok(other->C_Initialize(NULL));
	check_refused(r.m, r.c, "another is initialised");
	must_ok(r.m->C_Initialize(NULL));
	must(call_all(r.m, r.c, 1, M_LAST_320) > 80);
	must(run_child(refused_child, &r, 30) == 0);
	must_ok(r.m->C_Finalize(NULL));
	check_refused(r.m, r.c, "after C_Finalize");
	out("refused", "all");
}

const struct check list_checks[] = {
	{ "list-self", list_self, BOTH },
	{ "list-members", list_members, BOTH },
	{ "list-members-32", list_members_32, OURS },
	{ "list-interfaces", list_interfaces, OURS },
	{ "list-passes", list_passes, BOTH },
	{ "list-passes-3x", list_passes_3x, OURS },
	{ "list-refuses", list_refuses, OURS },
	{ NULL, NULL, 0 }
};
