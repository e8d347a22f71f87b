/* Searching for objects: order of calls, batches, templates. */
#include "codes.h"

static void order(void)
{
	CK_OBJECT_HANDLE h[4];
	CK_ULONG n = 0;

	report_rv("next-first", mod->C_FindObjects(session, h, 4, &n));
	report_rv("final-first", mod->C_FindObjectsFinal(session));
	report_rv("init", mod->C_FindObjectsInit(session, NULL, 0));
	report_rv("init-again", mod->C_FindObjectsInit(session, NULL, 0));
	report_rv("final", mod->C_FindObjectsFinal(session));
	report_rv("final-again", mod->C_FindObjectsFinal(session));
	report_rv("next-after", mod->C_FindObjects(session, h, 4, &n));
}

/* Seven objects of this case's own, in batches of three. */
static void batches(void)
{
	CK_ATTRIBUTE t = { CKA_LABEL, "batch", 5 };
	CK_OBJECT_HANDLE h[3];
	CK_ULONG n, total = 0;
	char step[32];
	int i;

	for (i = 0; i < 7; i++)
		make_data(session, "batch", no, no);
	need(mod->C_FindObjectsInit(session, &t, 1));
	for (i = 0; i < 4; i++) {
		n = 0xaaaa;
		CK_RV rv = mod->C_FindObjects(session, h, 3, &n);

		snprintf(step, sizeof step, "batch-%d", i);
		report(step, rv, "found=%lu", n);
		total += n;
	}
	report("total", mod->C_FindObjectsFinal(session), "found=%lu", total);
}

static void counts(void)
{
	CK_OBJECT_HANDLE h[64];
	CK_ATTRIBUTE t = { CKA_LABEL, "counted", 7 };
	CK_ULONG n = 0xaaaa;

	make_data(session, "counted", no, no);
	need(mod->C_FindObjectsInit(session, &t, 1));
	report("zero", mod->C_FindObjects(session, h, 0, &n), "found=%lu", n);
	report("zero-null", mod->C_FindObjects(session, NULL, 0, &n), "found=%lu", n);
	report("huge", mod->C_FindObjects(session, h, HUGE_COUNT, &n), "found=%lu", n);
	report_rv("null-count", mod->C_FindObjects(session, h, 64, NULL));
	report_rv("null-all", mod->C_FindObjects(session, NULL, 64, NULL));
	report_rv("final", mod->C_FindObjectsFinal(session));
}

static CK_ULONG count(CK_ATTRIBUTE *t, CK_ULONG n)
{
	CK_OBJECT_HANDLE h[64];
	CK_ULONG found = 0;

	need(mod->C_FindObjectsInit(session, t, n));
	need(mod->C_FindObjects(session, h, 64, &found));
	need(mod->C_FindObjectsFinal(session));
	return found;
}

static void templates(void)
{
	CK_OBJECT_CLASS data = CKO_DATA, private = CKO_PRIVATE_KEY, odd = 0x7fffffff;
	CK_ATTRIBUTE by_class[] = { ATTR(CKA_CLASS, data), { CKA_LABEL, "template", 8 } };
	CK_ATTRIBUTE keys[] = { ATTR(CKA_CLASS, private) };
	CK_ATTRIBUTE none[] = { ATTR(CKA_CLASS, odd) };
	CK_ATTRIBUTE unknown[] = { { 0x7ffffff0, "x", 1 } };
	CK_ATTRIBUTE empty[] = { { CKA_LABEL, NULL, 0 } };

	report("all", CKR_OK, "found=%lu", count(NULL, 0));
	make_data(session, "template", no, no);
	report("data", CKR_OK, "found=%lu", count(by_class, 2));
	report("keys", CKR_OK, "found=%lu", count(keys, 1));
	report("none", CKR_OK, "found=%lu", count(none, 1));
	report("unknown", CKR_OK, "found=%lu", count(unknown, 1));
	report("empty", CKR_OK, "found=%lu", count(empty, 1));
}

/* A search does not keep the session from other work. */
static void beside(void)
{
	CK_BYTE out[64];
	CK_ULONG n = sizeof out, found = 0;
	CK_OBJECT_HANDLE h = make_data(session, "beside", no, no), first;

	need(mod->C_FindObjectsInit(session, NULL, 0));
	report_rv("digest-init", mod->C_DigestInit(session, &sha_mech));
	report("digest", mod->C_Digest(session, octets, 32, out, &n), "length=%lu", n);
	report_rv("destroy", mod->C_DestroyObject(session, h));
	report_rv("next", mod->C_FindObjects(session, &first, 1, &found));
	report_rv("logout", mod->C_Logout(session));
	report_rv("next-out", mod->C_FindObjects(session, &first, 1, &found));
	report_rv("final", mod->C_FindObjectsFinal(session));
}

static void other_session(void)
{
	CK_SESSION_HANDLE s = open_another(0);
	CK_OBJECT_HANDLE h;
	CK_ULONG n = 0;

	need(mod->C_FindObjectsInit(s, NULL, 0));
	report_rv("next", mod->C_FindObjects(session, &h, 1, &n));
	report_rv("final", mod->C_FindObjectsFinal(session));
	report_rv("init", mod->C_FindObjectsInit(session, NULL, 0));
	need(mod->C_CloseSession(s));
	report_rv("next-closed", mod->C_FindObjects(s, &h, 1, &n));
	report_rv("final-closed", mod->C_FindObjectsFinal(s));
}

static const struct code_case cases[] = {
	{ "order", order, SESSION },
	{ "batches", batches, SESSION },
	{ "counts", counts, SESSION },
	{ "templates", templates, USER },
	{ "templates-public", templates, SESSION },
	{ "beside", beside, USER },
	{ "other-session", other_session, SESSION },
};

const struct code_group search_group = TABLE("search", cases);
