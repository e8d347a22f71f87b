/*
 * The ways to a function list of the proxy, and what is in it: proxy_versions
 * CASE.  The modules are SoftHSM, which is a 2.40 one, and v320, a counting
 * module with 3.2 functions.
 */
#include "proxylib.h"

#include <dlfcn.h>

static const CK_VERSION known[] = { { 2, 40 }, { 3, 0 }, { 3, 1 }, { 3, 2 } };
#define KNOWN (sizeof known / sizeof *known)

static int number(CK_VERSION v)
{
	return v.major * 100 + v.minor;
}

/* How many functions a list of a version has. */
static int members_of(CK_VERSION v)
{
	return v.major == 2 ? M_LAST_240 : v.minor < 2 ? M_LAST_300 : M_LAST_320;
}

static list_t by_version(CK_VERSION v, CK_INTERFACE **interface)
{
	*interface = NULL;
	must_ok(proxy_get_interface((CK_UTF8CHAR *)"PKCS 11", &v, interface, 0));
	must(*interface && (*interface)->pFunctionList);
	return (*interface)->pFunctionList;
}

/* A list is whole, and shut: C_Initialize has not been called. */
static void check_list(list_t p, CK_VERSION v)
{
	CK_INFO info;
	int i;

	must(number(p->version) == number(v));
	for (i = 1; i <= members_of(v); i++)
		if (member(p, i) == NULL)
			die("member %d of the %d list is NULL", i, number(v));
	must_rv(p->C_GetInfo(&info), CKR_CRYPTOKI_NOT_INITIALIZED);
	must_ok(p->C_Initialize(NULL));
	must_ok(p->C_GetInfo(&info));
	must(number(info.cryptokiVersion) == number(v));
	must_ok(p->C_Finalize(NULL));
}

static void check_interface(CK_INTERFACE *i, CK_VERSION v)
{
	must(strcmp((char *)i->pInterfaceName, "PKCS 11") == 0);
	must(i->flags == 0);
	check_list(i->pFunctionList, v);
}

static void case_list(void)
{
	CK_FUNCTION_LIST *p = NULL, *q = NULL;

	must_rv(proxy_get_list(NULL), CKR_ARGUMENTS_BAD);
	must_ok(proxy_get_list(&p));
	must_ok(proxy_get_list(&q));
	must(p && q && p != q);
	check_list(p, known[0]);
	check_list(q, known[0]);
}

static void case_interface(void)
{
	CK_INTERFACE *i = NULL, *j = NULL;
	size_t n;

	must_ok(proxy_get_interface(NULL, NULL, &i, 0));
	check_interface(i, known[3]);
	must_ok(proxy_get_interface((CK_UTF8CHAR *)"PKCS 11", NULL, &j, 0));
	check_interface(j, known[3]);
	must(i != j && i->pFunctionList != j->pFunctionList);
	for (n = 0; n < KNOWN; n++) {
		CK_VERSION v = known[n];

		by_version(v, &i);
		check_interface(i, known[n]);
		must_ok(proxy_get_interface(NULL, &v, &i, 0));
		check_interface(i, known[n]);
	}
}

static void case_interface_wrong(void)
{
	static const CK_VERSION unknown[] = { { 0, 0 }, { 2, 0 }, { 2, 20 }, { 2, 41 }, { 3, 3 }, { 3, 40 }, { 4, 0 }, { 255, 255 } };
	static const char *const names[] = { "", "PKCS 1", "PKCS 111", "pkcs 11", "PKCS#11", "Vendor p11-kit client", "%s%n" };
	static const CK_FLAGS flags[] = { CKF_INTERFACE_FORK_SAFE, 2, 1ul << 31, 1ul << 63, ~0ul };
	CK_INTERFACE *i = (void *)&unknown;
	CK_VERSION right = { 3, 2 };
	size_t n;

	for (n = 0; n < sizeof unknown / sizeof *unknown; n++) {
		CK_VERSION v = unknown[n];

		must_rv(proxy_get_interface(NULL, &v, &i, 0), CKR_ARGUMENTS_BAD);
	}
	for (n = 0; n < sizeof names / sizeof *names; n++)
		must_rv(proxy_get_interface((CK_UTF8CHAR *)names[n], NULL, &i, 0), CKR_ARGUMENTS_BAD);
	for (n = 0; n < sizeof flags / sizeof *flags; n++)
		must_rv(proxy_get_interface(NULL, NULL, &i, flags[n]), CKR_ARGUMENTS_BAD);
	must_rv(proxy_get_interface(NULL, NULL, NULL, 0), CKR_ARGUMENTS_BAD);
	must_rv(proxy_get_interface((CK_UTF8CHAR *)"PKCS 11", &right, NULL, 0), CKR_ARGUMENTS_BAD);
	must(i == (void *)&unknown);
}

static void case_interface_list(void)
{
	CK_INTERFACE all[16], again[16];
	CK_ULONG n = 77, m, k;

	must_rv(proxy_get_interfaces(NULL, NULL), CKR_ARGUMENTS_BAD);
	must_rv(proxy_get_interfaces(all, NULL), CKR_ARGUMENTS_BAD);
	must_ok(proxy_get_interfaces(NULL, &n));
	must(n == KNOWN);
	for (m = 0; m < n; m++) {
		k = m;
		all[0].flags = 0xaaaa;
		must_rv(proxy_get_interfaces(all, &k), CKR_BUFFER_TOO_SMALL);
		must(k == n && all[0].flags == 0xaaaa);
	}
	k = n;
	must_ok(proxy_get_interfaces(all, &k));
	must(k == n);
	k = 16;
	must_ok(proxy_get_interfaces(again, &k));
	must(k == n);
	/* The default first, and each version once. */
	for (m = 0; m < n; m++) {
		check_interface(&all[m], known[n - 1 - m]);
		check_interface(&again[m], known[n - 1 - m]);
		must(all[m].pFunctionList != again[m].pFunctionList);
	}
	k = ~0ul;
	must_ok(proxy_get_interfaces(again, &k));
	must(k == n);
}

/* The functions of that kind that are members of an instance's list. */
static void case_own(void)
{
	list32_t p = proxy_new();
	CK_VERSION right = { 3, 2 }, wrong = { 2, 1 };
	CK_FUNCTION_LIST *q = NULL;
	CK_INTERFACE *i = NULL, all[8];
	CK_ULONG n = 0;

	must_ok(p->C_GetFunctionList(&q));
	must((void *)q == (void *)p);
	must_rv(p->C_GetFunctionList(NULL), CKR_ARGUMENTS_BAD);
	must_ok(p->C_GetInterface(NULL, &right, &i, 0));
	must(i && i->pFunctionList == (void *)p && i->flags == 0);
	must_rv(p->C_GetInterface((CK_UTF8CHAR *)"PKCS 11", &wrong, &i, 0), CKR_ARGUMENTS_BAD);
	must_rv(p->C_GetInterface((CK_UTF8CHAR *)"other", NULL, &i, 0), CKR_ARGUMENTS_BAD);
	must_rv(p->C_GetInterface(NULL, NULL, NULL, 0), CKR_ARGUMENTS_BAD);
	must_rv(p->C_GetInterfaceList(NULL, NULL), CKR_ARGUMENTS_BAD);
	must_ok(p->C_GetInterfaceList(NULL, &n));
	must(n >= 1 && n <= 8);
	must_ok(p->C_GetInterfaceList(all, &n));
	must(all[0].pFunctionList == (void *)p);
	/* They answer whatever the state of the instance. */
	must_ok(p->C_Initialize(NULL));
	must_ok(p->C_GetFunctionList(&q));
	must_ok(p->C_Finalize(NULL));
	must_ok(p->C_GetFunctionList(&q));
	must((void *)q == (void *)p);
}

/* Instances know nothing of each other. */
static void case_instances(void)
{
	CK_INTERFACE *i;
	list_t p[KNOWN + 1];
	CK_SESSION_HANDLE s[KNOWN + 1];
	CK_SESSION_INFO info;
	CK_INFO about;
	size_t n, m;

	must_ok(proxy_get_list(&p[KNOWN]));
	for (n = 0; n < KNOWN; n++)
		p[n] = by_version(known[n], &i);
	for (n = 0; n <= KNOWN; n++) {
		for (m = 0; m <= KNOWN; m++)
			must_rv(p[m]->C_GetInfo(&about), m < n ? CKR_OK : CKR_CRYPTOKI_NOT_INITIALIZED);
		must_ok(p[n]->C_Initialize(NULL));
		must_rv(p[n]->C_Initialize(NULL), CKR_CRYPTOKI_ALREADY_INITIALIZED);
		must_ok(p[n]->C_OpenSession(proxy_slot_labelled((list32_t)(void *)p[n], "token"), CKF_SERIAL_SESSION, NULL, NULL, &s[n]));
	}
	for (n = 0; n <= KNOWN; n++)
		for (m = 0; m <= KNOWN; m++) {
			if (s[m] == s[n] && m != n)
				die("instances %zu and %zu have a session of the same number: no case can tell them apart", n, m);
			must_rv(p[n]->C_GetSessionInfo(s[m], &info), m == n ? CKR_OK : CKR_SESSION_HANDLE_INVALID);
			must_rv(p[n]->C_FindObjectsInit(s[m], NULL, 0), m == n ? CKR_OK : CKR_SESSION_HANDLE_INVALID);
			if (m != n)
				must_rv(p[n]->C_CloseSession(s[m]), CKR_SESSION_HANDLE_INVALID);
		}
	/* One closes its sessions, or ends: the others' stay. */
	must_ok(p[1]->C_CloseAllSessions(proxy_slot_labelled((list32_t)(void *)p[1], "token")));
	must_rv(p[1]->C_GetSessionInfo(s[1], &info), CKR_SESSION_HANDLE_INVALID);
	must_ok(p[0]->C_Finalize(NULL));
	must_rv(p[0]->C_GetSessionInfo(s[0], &info), CKR_CRYPTOKI_NOT_INITIALIZED);
	for (n = 2; n <= KNOWN; n++)
		must_ok(p[n]->C_GetSessionInfo(s[n], &info));
	for (n = 1; n <= KNOWN; n++)
		must_ok(p[n]->C_Finalize(NULL));
}

/* 3.x functions: a 2.40 module does not have them, a 3.2 module gets them. */
static void case_functions(void)
{
	list32_t p = proxy_new();
	counting_t c = counting_open("v320");
	CK_SESSION_HANDLE old, new;
	struct slots all;
	CK_TOKEN_INFO info;
	CK_ULONG i;
	int n;

	must_ok(p->C_Initialize(NULL));
	must_ok(p->C_OpenSession(proxy_slot_labelled(p, "token"), CKF_SERIAL_SESSION, NULL, NULL, &old));
	all = proxy_slots(p);
	for (i = 0; i < all.n; i++) {
		must_ok(p->C_GetTokenInfo(all.id[i], &info));
		if (info.label[0] == '2')
			break;
	}
	must(i < all.n);
	must_ok(p->C_OpenSession(all.id[i], CKF_SERIAL_SESSION, NULL, NULL, &new));
	for (n = M_C_LoginUser; n <= M_LAST_320; n++) {
		must_rv(member((list_t)(void *)p, n)(old, 0, 0, 0, 0, 0, 0, 0, 0, 0), CKR_FUNCTION_NOT_SUPPORTED);
		must_rv(member((list_t)(void *)p, n)(77, 0, 0, 0, 0, 0, 0, 0, 0, 0), CKR_SESSION_HANDLE_INVALID);
		must_rv(member((list_t)(void *)p, n)(new, 11, 12, 13, 14, 15, 16, 17, 18, 19), CKR_VENDOR_DEFINED + n);
		must(c.get("arg0") != (long)new || c.get("open") == 1);
		must(c.get("last") == n);
	}
	/* The last has ten arguments, which all arrive. */
	for (n = 1; n < 10; n++) {
		char arg[16];

		snprintf(arg, sizeof arg, "arg%d", n);
		must(c.get(arg) == 10 + n);
	}
	must_ok(p->C_Finalize(NULL));
	must(c.get("open") == 0 && c.get("faults") == 0);
}

/* What the library says of a list of the proxy (abi.md 7.1): it is no module of its own. */
static void case_library(void)
{
	list_t p, *all = p11_kit_modules_load(NULL, 0);

	must(all != NULL);
	must_ok(proxy_get_list(&p));
	must(p11_kit_module_get_name(p) == NULL);
	must(p11_kit_module_get_filename(p) == NULL);
	must(p11_kit_module_get_flags(p) == P11_KIT_MODULE_CRITICAL); /* no configuration says otherwise */
	must(p11_kit_config_option(p, "module") == NULL);
	p11_kit_module_release(p);
	must(p11_kit_message() && strstr(p11_kit_message(), "invalid module pointer"));
	must_ok(p->C_Initialize(NULL));
	must_ok(p->C_Finalize(NULL));
	p11_kit_modules_release(all);
	must_ok(p->C_Initialize(NULL));
	must(proxy_slots((list32_t)(void *)p).n > 2);
	must_ok(p->C_Finalize(NULL));
}

/* A configuration that cannot be used: the entry points say so, and recover. */
static void case_critical(void)
{
	CK_FUNCTION_LIST *p = NULL;
	CK_INTERFACE *i = NULL, all[8];
	CK_ULONG n = 8;

	conf_file("modules/gone.module", "module: @MOD@/gone.so\ncritical: yes\n");
	must(proxy_get_list(&p) != CKR_OK && p == NULL);
	must(p11_kit_message() != NULL);
	must(proxy_get_interface(NULL, NULL, &i, 0) != CKR_OK && i == NULL);
	must(proxy_get_interfaces(all, &n) != CKR_OK);
	conf_remove("modules/gone.module");
	must_ok(proxy_get_list(&p));
	check_list(p, known[0]);
}

static const struct host_case cases[] = {
	{ "list", case_list, true },
	{ "interface", case_interface, true },
	{ "interface-wrong", case_interface_wrong, true },
	{ "interface-list", case_interface_list, true },
	{ "own", case_own, true },
	{ "instances", case_instances, true },
	{ "functions", case_functions, true },
	{ "library", case_library, true },
	{ "critical", case_critical, true },
};

static void prepare(void)
{
	conf_file("modules/v320.module", "module: @MOD@/v320.so\n");
	proxy_open();
}

int main(int argc, char **argv)
{
	return run_cases(cases, sizeof cases / sizeof cases[0], argc, argv, prepare);
}
