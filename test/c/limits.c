/*
 * Limits: limits CASE.  Many live handles of one module, and pointers that were
 * remembered from handles that are gone.
 */
#include "common.h"

#define HANDLES 1100

static counting_t c;

static list_t load(const char *base)
{
	list_t m = p11_kit_module_load(module_path(base), 0);

	if (m == NULL)
		die("loading: %s", p11_kit_message());
	return m;
}

/* All handles live at once, and each of them is its own. */
static void case_many(void)
{
	static list_t m[HANDLES];
	static CK_SESSION_HANDLE s[HANDLES];
	CK_SESSION_INFO info;
	list_t self;
	int i, round;

	for (round = 0; round < 2; round++) {
		for (i = 0; i < HANDLES; i++) {
			m[i] = load("a");
			must_ok(m[i]->C_GetFunctionList(&self));
			must(self == m[i]);
		}
		for (i = 0; i < HANDLES; i++) {
			must_ok(m[i]->C_Initialize(NULL));
			must_rv(m[i]->C_Initialize(NULL), CKR_CRYPTOKI_ALREADY_INITIALIZED);
			must_ok(m[i]->C_OpenSession(1, CKF_SERIAL_SESSION, NULL, NULL, &s[i]));
		}
		must(c.get("initialize") == 1 + round);
		for (i = 0; i < HANDLES; i += 2) {
			must_ok(m[i]->C_GetSessionInfo(s[i], &info));
			must_ok(m[i]->C_CloseAllSessions(1));
		}
		must(c.get("open") == HANDLES / 2);
		for (i = 0; i < HANDLES; i++)
			must_ok(m[i]->C_Finalize(NULL));
		must(c.get("finalize") == 1 + round);
		for (i = 0; i < HANDLES; i++)
			p11_kit_module_release(m[i]);
	}
	must(c.get("opened") == c.get("closed") && c.get("faults") == 0);
}

/* As many handles as the library likes: past its limit it says so, and goes on
 * when some were given back. */
static void case_limit(void)
{
	static list_t m[20000];
	int i, n;

	for (n = 0; n < 20000; n++) {
		m[n] = p11_kit_module_load(module_path("a"), 0);
		if (m[n] == NULL) {
			must(p11_kit_message() != NULL && *p11_kit_message());
			break;
		}
	}
	must(n >= 1024);
	must_ok(m[n - 1]->C_Initialize(NULL));
	must_ok(m[n - 1]->C_Finalize(NULL));
	for (i = 0; i < n; i++)
		p11_kit_module_release(m[i]);
	m[0] = load("a");
	must_ok(m[0]->C_Initialize(NULL));
	must_ok(m[0]->C_Finalize(NULL));
	must(c.get("faults") == 0);
}

/* Every entry of a released handle, called through a copy of its list, leaves
 * other handles alone.  Ours only: the reference acts on whoever came next. */
static void case_remembered(void)
{
	static void *old[M_LAST_320 + 1];
	counting_t b = counting_open("b");
	list_t m, keeper, others[80];
	CK_SESSION_HANDLE s;
	long opened;
	int n, i, round;

	keeper = load("a");
	must_ok(keeper->C_Initialize(NULL));
	must_ok(keeper->C_OpenSession(1, CKF_SERIAL_SESSION, NULL, NULL, &s));
	for (round = 0; round < 20; round++) {
		m = load("a");
		must_ok(m->C_Initialize(NULL));
		memcpy(old, m, sizeof old);
		must_ok(m->C_Finalize(NULL));
		p11_kit_module_release(m);
		/* Somebody else's handles, which may take the same place. */
		for (i = 0; i < 80; i++) {
			others[i] = load("b");
			if (i % 2)
				must_ok(others[i]->C_Initialize(NULL));
		}
		c.reset();
		b.reset();
		opened = b.get("open");
		for (n = 1; n <= M_LAST_320; n++) {
			CK_ULONG out[64] = { 0 };
			CK_RV rv;

			switch (n) {
			case M_C_GetFunctionStatus: case M_C_CancelFunction:
				continue;
			}
			rv = ((member_t *)old)[n](0, (CK_ULONG)out, (CK_ULONG)out, 0, (CK_ULONG)out,
						  0, 0, 0, 0, 0);
			if (n == M_C_GetFunctionList || n == M_C_GetInterface ||
			    n == M_C_GetInterfaceList)
				continue; /* any answer but another's list, checked below */
			if (rv == CKR_OK)
				die("member %d of a released handle returned CKR_OK", n);
		}
		m = NULL;
		((CK_RV (*)(list_t *))old[M_C_GetFunctionList])(&m);
		for (i = 0; i < 80; i++) {
			CK_INFO info;

			must(m != others[i]);
			must_rv(others[i]->C_GetInfo(&info),
				i % 2 ? CKR_OK : CKR_CRYPTOKI_NOT_INITIALIZED);
		}
		must(c.get("calls") == 0 && c.get("initialize") == 0 && c.get("finalize") == 0);
		must(b.get("initialize") == 0 && b.get("finalize") == 0);
		must(b.get("open") == opened && b.get("uninit") == 0);
		for (i = 0; i < 80; i++) {
			if (i % 2)
				must_ok(others[i]->C_Finalize(NULL));
			p11_kit_module_release(others[i]);
		}
	}
	must_ok(keeper->C_CloseSession(s));
	must_ok(keeper->C_Finalize(NULL));
}

static const struct host_case cases[] = {
	{ "many", case_many, false },
	{ "limit", case_limit, true },
	{ "remembered", case_remembered, true },
};

static void open_module(void)
{
	c = counting_open("a");
}

int main(int argc, char **argv)
{
	return run_cases(cases, sizeof cases / sizeof cases[0], argc, argv, open_module);
}
