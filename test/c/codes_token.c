/* Making tokens new, and tokens that go away under the hands of their users. */
#include "codes.h"

#include <ftw.h>

static CK_BYTE name[33] = "token                           ";
static CK_BYTE wrong_pin[] = "0000";

static void with_session(void)
{
	report_rv("init", mod->C_InitToken(slot, SO_PIN, SO_PIN_N, name));
	report_rv("init-wrong", mod->C_InitToken(slot, wrong_pin, 4, name));
	report_rv("init-elsewhere", mod->C_InitToken(NEVER, SO_PIN, SO_PIN_N, name));
	report_rv("session", mod->C_Logout(session));
}

static void wrong(void)
{
	report_rv("slot", mod->C_InitToken(NEVER, SO_PIN, SO_PIN_N, name));
	report_rv("pin", mod->C_InitToken(slot, wrong_pin, 4, name));
	report_rv("null-pin", mod->C_InitToken(slot, NULL, 0, name));
	report_rv("null-label", mod->C_InitToken(slot, SO_PIN, SO_PIN_N, NULL));
	report_rv("short-pin", mod->C_InitToken(slot, SO_PIN, 1, name));
}

static void all_new(void)
{
	CK_TOKEN_INFO info;

	report_rv("init", mod->C_InitToken(slot, SO_PIN, SO_PIN_N, name));
	need(mod->C_GetTokenInfo(slot, &info));
	report("info", CKR_OK, "label=%.8s flags=%#lx", info.label, info.flags);
	session = open_another(CKF_RW_SESSION);
	report_rv("user", mod->C_Login(session, CKU_USER, USER_PIN, USER_PIN_N));
	report_rv("officer", mod->C_Login(session, CKU_SO, SO_PIN, SO_PIN_N));
	report_rv("init-pin", mod->C_InitPIN(session, USER_PIN, USER_PIN_N));
	report_rv("logout", mod->C_Logout(session));
	report_rv("user-now", mod->C_Login(session, CKU_USER, USER_PIN, USER_PIN_N));
	need(mod->C_GetTokenInfo(slot, &info));
	report("info-now", CKR_OK, "flags=%#lx", info.flags);
}

/* A token for the slot that has none yet. */
static void in_free_slot(void)
{
	CK_SLOT_ID ids[64];
	CK_ULONG n = 64, i, before, after = 0;
	CK_TOKEN_INFO info;
	CK_BYTE fresh[33] = "fresh                           ";

	if (!has_free_slot) {
		report_rv("none", CKR_FUNCTION_NOT_SUPPORTED);
		return;
	}
	need(mod->C_GetSlotList(CK_FALSE, ids, &n));
	before = n;
	for (i = 0; i < n; i++) {
		need(mod->C_GetTokenInfo(ids[i], &info));
		if (!(info.flags & CKF_TOKEN_INITIALIZED))
			break;
	}
	must(i < n);
	report_rv("init", mod->C_InitToken(ids[i], SO_PIN, SO_PIN_N, fresh));
	need(mod->C_GetTokenInfo(ids[i], &info));
	report("info", CKR_OK, "label=%.8s flags=%#lx", info.label, info.flags);
	n = 64;
	need(mod->C_GetSlotList(CK_FALSE, NULL, &after));
	report("query", CKR_OK, "more=%ld", after - before);
	need(mod->C_GetSlotList(CK_FALSE, ids, &n));
	report("slots", CKR_OK, "more=%ld", n - before);
	need(mod->C_Finalize(NULL));
	need(mod->C_Initialize(NULL));
	n = 64;
	need(mod->C_GetSlotList(CK_FALSE, ids, &n));
	report("slots-next-life", CKR_OK, "more=%ld", n - before);
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *where)
{
	(void)st;
	(void)kind;
	(void)where;
	return remove(path);
}

/* The token's files vanish, as when a card is pulled out. */
static void removed(void)
{
	CK_OBJECT_HANDLE h = make_hmac(session), found;
	CK_BYTE out[64];
	CK_ULONG n = sizeof out, size;
	CK_SESSION_HANDLE s;
	CK_SESSION_INFO info;
	CK_TOKEN_INFO token;
	CK_OBJECT_CLASS class = CKO_DATA;
	CK_ATTRIBUTE t[] = { ATTR(CKA_CLASS, class), ATTR(CKA_TOKEN, yes) };

	if (token_dir == NULL) {
		report_rv("no-files", CKR_FUNCTION_NOT_SUPPORTED);
		return;
	}
	need(mod->C_SignInit(session, &hmac_mech, h));
	must(nftw(token_dir, remove_one, 16, FTW_DEPTH | FTW_PHYS) == 0);
	report("sign", mod->C_Sign(session, octets, 32, out, &n), "length=%lu", n);
	report_rv("info", mod->C_GetSessionInfo(session, &info));
	report_rv("token-info", mod->C_GetTokenInfo(slot, &token));
	report_rv("size", mod->C_GetObjectSize(session, h, &size));
	report_rv("create", mod->C_CreateObject(session, t, 2, &found));
	report_rv("find-init", mod->C_FindObjectsInit(session, NULL, 0));
	report("find", mod->C_FindObjects(session, &found, 1, &n), "found=%lu", n);
	report_rv("find-final", mod->C_FindObjectsFinal(session));
	report_rv("open", mod->C_OpenSession(slot, CKF_SERIAL_SESSION, NULL, NULL, &s));
	report_rv("logout", mod->C_Logout(session));
	report_rv("login", mod->C_Login(session, CKU_USER, USER_PIN, USER_PIN_N));
	n = 0;
	report("slots", mod->C_GetSlotList(CK_TRUE, NULL, &n), "count=%lu", n - extra_slots);
	report_rv("close", mod->C_CloseSession(session));
	report_rv("close-all", mod->C_CloseAllSessions(slot));
	report_rv("finalize", mod->C_Finalize(NULL));
	report_rv("initialize", mod->C_Initialize(NULL));
	n = 0;
	report("slots-now", mod->C_GetSlotList(CK_TRUE, NULL, &n), "count=%lu", n - extra_slots);
	report_rv("token-info-now", mod->C_GetTokenInfo(slot, &token));
	report_rv("open-now", mod->C_OpenSession(slot, CKF_SERIAL_SESSION, NULL, NULL, &s));
}

static const struct code_case cases[] = {
	{ "with-session", with_session, SESSION },
	{ "wrong", wrong, MODULE },
	{ "free-slot", in_free_slot, MODULE },
	{ "new", all_new, MODULE },
};

static const struct code_case removed_cases[] = {
	{ "mid-use", removed, USER },
};

const struct code_group token_group = TABLE("token", cases);
const struct code_group removed_group = TABLE("removed", removed_cases);
