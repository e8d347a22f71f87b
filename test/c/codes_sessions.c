/* Sessions: flags, states, limits, and handles that are not what they seem. */
#include "codes.h"

static void session_flags(void)
{
	static const CK_FLAGS all[] = {
		0, CKF_SERIAL_SESSION, CKF_RW_SESSION, CKF_SERIAL_SESSION | CKF_RW_SESSION, CKF_SERIAL_SESSION | 1,
		CKF_SERIAL_SESSION | 8, CKF_SERIAL_SESSION | 0x80, CKF_SERIAL_SESSION | 1ul << 31, CKF_SERIAL_SESSION | 1ul << 63,
		HUGE_COUNT, HUGE_COUNT & ~(CK_FLAGS)CKF_SERIAL_SESSION,
	};
	size_t i;

	for (i = 0; i < sizeof all / sizeof *all; i++) {
		CK_SESSION_HANDLE s = 0;
		CK_SESSION_INFO info = { 0 };
		char step[32];
		CK_RV rv = mod->C_OpenSession(slot, all[i], NULL, NULL, &s);

		if (rv == CKR_OK)
			need(mod->C_GetSessionInfo(s, &info));
		snprintf(step, sizeof step, "%#lx", all[i]);
		report(step, rv, "given=%d flags=%#lx state=%lu error=%lu slot=%d", s != 0, info.flags, info.state,
		       info.ulDeviceError, rv == CKR_OK && info.slotID == slot);
	}
}

static CK_RV notified(CK_SESSION_HANDLE s, CK_NOTIFICATION event, void *application)
{
	(void)s;
	(void)event;
	(void)application;
	return CKR_OK;
}

static void open_wrong(void)
{
	CK_SESSION_HANDLE s = 0xaaaa;

	report("slot", mod->C_OpenSession(NEVER, CKF_SERIAL_SESSION, NULL, NULL, &s), "untouched=%d", s == 0xaaaa);
	report("slot-max", mod->C_OpenSession(HUGE_COUNT, CKF_SERIAL_SESSION, NULL, NULL, &s), "untouched=%d", s == 0xaaaa);
	report_rv("slot-flags", mod->C_OpenSession(NEVER, 0, NULL, NULL, &s));
	report_rv("slot-handle", mod->C_OpenSession(NEVER, CKF_SERIAL_SESSION, NULL, NULL, NULL));
	report_rv("handle", mod->C_OpenSession(slot, CKF_SERIAL_SESSION, NULL, NULL, NULL));
	report_rv("handle-flags", mod->C_OpenSession(slot, 0, NULL, NULL, NULL));
	report_rv("notify", mod->C_OpenSession(slot, CKF_SERIAL_SESSION, octets, notified, &s));
}

static void states(void)
{
	CK_SESSION_HANDLE ro = open_another(0);
	CK_SESSION_INFO info;

#define STATE(name, s) do { need(mod->C_GetSessionInfo(s, &info)); \
	report(name, CKR_OK, "state=%lu flags=%#lx", info.state, info.flags); } while (0)
	STATE("rw-public", session);
	STATE("ro-public", ro);
	report_rv("officer", mod->C_Login(session, CKU_SO, SO_PIN, SO_PIN_N));
	need(mod->C_Login(ro, CKU_USER, USER_PIN, USER_PIN_N));
	STATE("rw-user", session);
	STATE("ro-user", ro);
	need(mod->C_Logout(session));
	STATE("rw-out", session);
	STATE("ro-out", ro);
	need(mod->C_CloseSession(ro));
	need(mod->C_Login(session, CKU_SO, SO_PIN, SO_PIN_N));
	STATE("rw-officer", session);
	report_rv("open-ro", mod->C_OpenSession(slot, CKF_SERIAL_SESSION, NULL, NULL, &ro));
	report_rv("open-rw", mod->C_OpenSession(slot, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &ro));
	STATE("second-officer", ro);
#undef STATE
}

static void handles(void)
{
	static const CK_SESSION_HANDLE all[] = { 0, 1, 2, 16, 17, 0xffff, 1ul << 32, 1ul << 63, HUGE_COUNT, NEVER };
	CK_SESSION_INFO info;
	char step[32];
	size_t i;

	need(mod->C_CloseSession(session));
	for (i = 0; i < sizeof all / sizeof *all; i++) {
		snprintf(step, sizeof step, "info-%#lx", all[i]);
		report_rv(step, mod->C_GetSessionInfo(all[i], &info));
		snprintf(step, sizeof step, "close-%#lx", all[i]);
		report_rv(step, mod->C_CloseSession(all[i]));
	}
	/* Handles near one that is open. */
	session = open_another(0);
	for (i = 1; i < 300; i++)
		if (mod->C_GetSessionInfo(session + i, &info) != CKR_SESSION_HANDLE_INVALID ||
		    mod->C_GetSessionInfo(session + (i << 32), &info) != CKR_SESSION_HANDLE_INVALID)
			report("near", CKR_GENERAL_ERROR, "distance=%zu", i);
	report_rv("near", mod->C_GetSessionInfo(session, &info));
}

static void closed(void)
{
	CK_SESSION_HANDLE s = open_another(CKF_RW_SESSION), t;
	CK_SESSION_INFO info;
	CK_ULONG n = 64;
	CK_BYTE out[64];
	int i, reused = 0;

	need(mod->C_DigestInit(s, &sha_mech));
	report_rv("close", mod->C_CloseSession(s));
	report_rv("again", mod->C_CloseSession(s));
	report_rv("info", mod->C_GetSessionInfo(s, &info));
	report_rv("digest", mod->C_Digest(s, octets, 32, out, &n));
	report_rv("random", mod->C_GenerateRandom(s, out, sizeof out));
	report_rv("login", mod->C_Login(s, CKU_USER, USER_PIN, USER_PIN_N));
	for (i = 0; i < 100; i++) {
		t = open_another(0);
		reused += t == s;
		need(mod->C_CloseSession(t));
	}
	report("reuse", CKR_OK, "reused=%d", reused);
	report_rv("info-later", mod->C_GetSessionInfo(s, &info));
}

static void many(void)
{
	CK_SESSION_HANDLE s[300];
	CK_TOKEN_INFO info;
	int i, good = 0;

	for (i = 0; i < 300; i++)
		good += mod->C_OpenSession(slot, CKF_SERIAL_SESSION | (i % 2 ? CKF_RW_SESSION : 0), NULL, NULL, &s[i]) == CKR_OK;
	need(mod->C_GetTokenInfo(slot, &info));
	report("open", CKR_OK, "good=%d count=%ld rw=%ld", good, info.ulSessionCount, info.ulRwSessionCount);
	for (i = 0; i < 300; i += 3)
		good -= mod->C_CloseSession(s[i]) == CKR_OK;
	need(mod->C_GetTokenInfo(slot, &info));
	report("close", CKR_OK, "good=%d count=%ld rw=%ld", good, info.ulSessionCount, info.ulRwSessionCount);
	report_rv("close-all", mod->C_CloseAllSessions(slot));
	for (i = 0; i < 300; i++)
		good += mod->C_CloseSession(s[i]) == CKR_SESSION_HANDLE_INVALID;
	need(mod->C_GetTokenInfo(slot, &info));
	report("closed", CKR_OK, "invalid=%d count=%ld", good, info.ulSessionCount);
}

static void close_all(void)
{
	CK_SESSION_INFO info;

	report_rv("unknown", mod->C_CloseAllSessions(NEVER));
	report_rv("max", mod->C_CloseAllSessions(HUGE_COUNT));
	report_rv("still", mod->C_GetSessionInfo(session, &info));
	report_rv("all", mod->C_CloseAllSessions(slot));
	report_rv("gone", mod->C_GetSessionInfo(session, &info));
	report_rv("none", mod->C_CloseAllSessions(slot));
	session = open_another(CKF_RW_SESSION);
	need(mod->C_GetSessionInfo(session, &info));
	report("state", CKR_OK, "state=%lu", info.state);
}

/* The last session takes the login with it. */
static void last_session(void)
{
	CK_SESSION_HANDLE s = open_another(0);
	CK_SESSION_INFO info;

	need(mod->C_CloseSession(session));
	need(mod->C_GetSessionInfo(s, &info));
	report("one-left", CKR_OK, "state=%lu", info.state);
	need(mod->C_CloseSession(s));
	s = open_another(0);
	need(mod->C_GetSessionInfo(s, &info));
	report("none-left", CKR_OK, "state=%lu", info.state);
}

static void read_only(void)
{
	CK_SESSION_HANDLE ro = open_another(0);
	CK_OBJECT_HANDLE kept = make_data(session, "kept", yes, no), h = 0, pub, priv;
	CK_OBJECT_CLASS class = CKO_DATA;
	CK_ATTRIBUTE on_token[] = { ATTR(CKA_CLASS, class), ATTR(CKA_TOKEN, yes) };
	CK_ATTRIBUTE label = { CKA_LABEL, "new", 3 };
	CK_ULONG size = 16;
	CK_ATTRIBUTE key[] = { ATTR(CKA_TOKEN, yes), ATTR(CKA_VALUE_LEN, size) };
	CK_ATTRIBUTE pair[] = { ATTR(CKA_TOKEN, yes), ATTR(CKA_EC_PARAMS, p256) };

	report_rv("create", mod->C_CreateObject(ro, on_token, 2, &h));
	report_rv("copy", mod->C_CopyObject(ro, kept, &on_token[1], 1, &h));
	report_rv("copy-as-is", mod->C_CopyObject(ro, kept, NULL, 0, &h));
	report_rv("set", mod->C_SetAttributeValue(ro, kept, &label, 1));
	report_rv("destroy", mod->C_DestroyObject(ro, kept));
	report_rv("generate", mod->C_GenerateKey(ro, &aes_gen_mech, key, 2, &h));
	report_rv("pair", mod->C_GenerateKeyPair(ro, &ec_gen_mech, pair, 2, pair, 1, &pub, &priv));
	report_rv("init-pin", mod->C_InitPIN(ro, USER_PIN, USER_PIN_N));
	report_rv("set-pin", mod->C_SetPIN(ro, USER_PIN, USER_PIN_N, USER_PIN, USER_PIN_N));
	report_rv("destroy-rw", mod->C_DestroyObject(session, kept));
}

/* Parallel functions are of the past (PKCS#11 3.2 §5.20). */
static void parallel(void)
{
	report_rv("status", mod->C_GetFunctionStatus(session));
	report_rv("cancel", mod->C_CancelFunction(session));
	report_rv("status-unknown", mod->C_GetFunctionStatus(NEVER));
	report_rv("cancel-unknown", mod->C_CancelFunction(NEVER));
	need(mod->C_Finalize(NULL));
	report_rv("status-finalized", mod->C_GetFunctionStatus(session));
	report_rv("cancel-finalized", mod->C_CancelFunction(session));
}

static const struct code_case cases[] = {
	{ "flags", session_flags, MODULE },
	{ "open-wrong", open_wrong, MODULE },
	{ "states", states, SESSION },
	{ "handles", handles, SESSION },
	{ "closed", closed, SESSION },
	{ "many", many, MODULE },
	{ "close-all", close_all, USER },
	{ "last", last_session, USER },
	{ "read-only", read_only, USER },
	{ "parallel", parallel, SESSION },
};

const struct code_group sessions_group = TABLE("sessions", cases);
