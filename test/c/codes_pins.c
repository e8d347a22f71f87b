/* PINs: logging in and out, wrong ones, and changing them. */
#include "codes.h"

static CK_BYTE other_pin[] = "4321", wrong_pin[] = "0000", long_pin[5000];

/* Which warnings of wrong PINs the token shows. */
static CK_FLAGS warnings(void)
{
	CK_TOKEN_INFO info;

	need(mod->C_GetTokenInfo(slot, &info));
	return info.flags & (CKF_USER_PIN_COUNT_LOW | CKF_USER_PIN_FINAL_TRY | CKF_USER_PIN_LOCKED | CKF_SO_PIN_COUNT_LOW |
			     CKF_SO_PIN_FINAL_TRY | CKF_SO_PIN_LOCKED);
}

static void login(void)
{
	CK_SESSION_HANDLE s = open_another(0);

	report_rv("right", mod->C_Login(session, CKU_USER, USER_PIN, USER_PIN_N));
	report_rv("again", mod->C_Login(session, CKU_USER, USER_PIN, USER_PIN_N));
	report_rv("other-session", mod->C_Login(s, CKU_USER, USER_PIN, USER_PIN_N));
	report_rv("again-wrong", mod->C_Login(s, CKU_USER, wrong_pin, 4));
	report_rv("officer", mod->C_Login(session, CKU_SO, SO_PIN, SO_PIN_N));
	report_rv("context", mod->C_Login(session, CKU_CONTEXT_SPECIFIC, USER_PIN, USER_PIN_N));
	report_rv("out", mod->C_Logout(s));
	report_rv("out-again", mod->C_Logout(session));
}

/* One wrong PIN is one wrong try, whoever passes it on. */
static void wrong(void)
{
	CK_FLAGS before = warnings(), after;

	report_rv("user", mod->C_Login(session, CKU_USER, wrong_pin, 4));
	after = warnings();
	report("flags", CKR_OK, "before=%#lx after=%#lx", before, after);
	report_rv("then-right", mod->C_Login(session, CKU_USER, USER_PIN, USER_PIN_N));
	report("flags-right", CKR_OK, "%#lx", warnings());
	need(mod->C_Logout(session));
	report_rv("officer", mod->C_Login(session, CKU_SO, wrong_pin, 4));
	report("flags-officer", CKR_OK, "%#lx", warnings());
	report_rv("officer-right", mod->C_Login(session, CKU_SO, SO_PIN, SO_PIN_N));
	report("flags-officer-right", CKR_OK, "%#lx", warnings());
}

/* Nine wrong ones in a row: the flags tell how often the token was asked. */
static void wrong_often(void)
{
	char step[32];
	int i;

	for (i = 1; i <= 9; i++) {
		CK_RV rv = mod->C_Login(session, CKU_USER, wrong_pin, 4);

		snprintf(step, sizeof step, "try-%d", i);
		report(step, rv, "flags=%#lx", warnings());
	}
	report_rv("right", mod->C_Login(session, CKU_USER, USER_PIN, USER_PIN_N));
	report("flags", CKR_OK, "%#lx", warnings());
}

static void odd_lengths(void)
{
	memset(long_pin, 'x', sizeof long_pin);
	report_rv("empty", mod->C_Login(session, CKU_USER, wrong_pin, 0));
	report_rv("null", mod->C_Login(session, CKU_USER, NULL, 0));
	report_rv("null-4", mod->C_Login(session, CKU_USER, NULL, 4));
	report_rv("long", mod->C_Login(session, CKU_USER, long_pin, sizeof long_pin));
	report_rv("short", mod->C_Login(session, CKU_USER, USER_PIN, 3));
	report_rv("type", mod->C_Login(session, 3, USER_PIN, USER_PIN_N));
	report_rv("type-max", mod->C_Login(session, HUGE_COUNT, USER_PIN, USER_PIN_N));
	report_rv("session", mod->C_Login(NEVER, CKU_USER, USER_PIN, USER_PIN_N));
	report_rv("context", mod->C_Login(session, CKU_CONTEXT_SPECIFIC, USER_PIN, USER_PIN_N));
	report_rv("out", mod->C_Logout(session));
}

static void officer(void)
{
	CK_SESSION_HANDLE ro = open_another(0);

	report_rv("with-ro", mod->C_Login(session, CKU_SO, SO_PIN, SO_PIN_N));
	need(mod->C_CloseSession(ro));
	report_rv("right", mod->C_Login(session, CKU_SO, SO_PIN, SO_PIN_N));
	report_rv("again", mod->C_Login(session, CKU_SO, SO_PIN, SO_PIN_N));
	report_rv("user", mod->C_Login(session, CKU_USER, USER_PIN, USER_PIN_N));
	report_rv("open-ro", mod->C_OpenSession(slot, CKF_SERIAL_SESSION, NULL, NULL, &ro));
	report_rv("init-pin-short", mod->C_InitPIN(session, other_pin, 1));
	report_rv("init-pin-long", mod->C_InitPIN(session, long_pin, sizeof long_pin));
	report_rv("init-pin-null", mod->C_InitPIN(session, NULL, 0));
	report_rv("init-pin", mod->C_InitPIN(session, other_pin, 4));
	need(mod->C_Logout(session));
	report_rv("old", mod->C_Login(session, CKU_USER, USER_PIN, USER_PIN_N));
	report_rv("new", mod->C_Login(session, CKU_USER, other_pin, 4));
	report_rv("back", mod->C_SetPIN(session, other_pin, 4, USER_PIN, USER_PIN_N));
}

static void set_pin(void)
{
	report_rv("public-wrong", mod->C_SetPIN(session, wrong_pin, 4, other_pin, 4));
	report_rv("public", mod->C_SetPIN(session, USER_PIN, USER_PIN_N, other_pin, 4));
	report_rv("public-back", mod->C_SetPIN(session, other_pin, 4, USER_PIN, USER_PIN_N));
	need(mod->C_Login(session, CKU_USER, USER_PIN, USER_PIN_N));
	report_rv("wrong", mod->C_SetPIN(session, wrong_pin, 4, other_pin, 4));
	report_rv("short", mod->C_SetPIN(session, USER_PIN, USER_PIN_N, other_pin, 1));
	report_rv("empty", mod->C_SetPIN(session, USER_PIN, USER_PIN_N, other_pin, 0));
	report_rv("long", mod->C_SetPIN(session, USER_PIN, USER_PIN_N, long_pin, sizeof long_pin));
	report_rv("null-old", mod->C_SetPIN(session, NULL, 0, other_pin, 4));
	report_rv("null-new", mod->C_SetPIN(session, USER_PIN, USER_PIN_N, NULL, 0));
	report_rv("right", mod->C_SetPIN(session, USER_PIN, USER_PIN_N, other_pin, 4));
	need(mod->C_Logout(session));
	report_rv("old", mod->C_Login(session, CKU_USER, USER_PIN, USER_PIN_N));
	report_rv("new", mod->C_Login(session, CKU_USER, other_pin, 4));
	report_rv("back", mod->C_SetPIN(session, other_pin, 4, USER_PIN, USER_PIN_N));
	need(mod->C_Logout(session));
	need(mod->C_Login(session, CKU_SO, SO_PIN, SO_PIN_N));
	report_rv("officer-wrong", mod->C_SetPIN(session, wrong_pin, 4, other_pin, 4));
	report_rv("officer", mod->C_SetPIN(session, SO_PIN, SO_PIN_N, other_pin, 4));
	report_rv("officer-back", mod->C_SetPIN(session, other_pin, 4, SO_PIN, SO_PIN_N));
}

/* What needs a login says so without one. */
static void without_login(void)
{
	CK_OBJECT_CLASS class = CKO_DATA;
	CK_ATTRIBUTE private[] = { ATTR(CKA_CLASS, class), ATTR(CKA_PRIVATE, yes) };
	CK_OBJECT_HANDLE h = 0, pub, priv;
	CK_ULONG found = 0;
	CK_ATTRIBUTE pair[] = { ATTR(CKA_EC_PARAMS, p256) };

	report_rv("create", mod->C_CreateObject(session, private, 2, &h));
	report_rv("pair", mod->C_GenerateKeyPair(session, &ec_gen_mech, pair, 1, &private[1], 1, &pub, &priv));
	report_rv("init-pin", mod->C_InitPIN(session, USER_PIN, USER_PIN_N));
	report_rv("logout", mod->C_Logout(session));
	need(mod->C_FindObjectsInit(session, private, 2));
	report("find", mod->C_FindObjects(session, &h, 1, &found), "found=%lu", found);
	need(mod->C_FindObjectsFinal(session));
}

/* A private object is gone with the login. */
static void private_object(void)
{
	CK_OBJECT_HANDLE kept = make_data(session, "private and kept", yes, yes), mine = make_data(session, "private", no, yes);
	CK_ULONG size;

	report_rv("in", mod->C_GetObjectSize(session, kept, &size));
	need(mod->C_Logout(session));
	report_rv("kept-out", mod->C_GetObjectSize(session, kept, &size));
	report_rv("mine-out", mod->C_GetObjectSize(session, mine, &size));
	report_rv("destroy-out", mod->C_DestroyObject(session, kept));
	need(mod->C_Login(session, CKU_USER, USER_PIN, USER_PIN_N));
	report_rv("kept-in", mod->C_GetObjectSize(session, kept, &size));
	report_rv("mine-in", mod->C_GetObjectSize(session, mine, &size));
	report_rv("destroy-in", mod->C_DestroyObject(session, kept));
}

static const struct code_case cases[] = {
	{ "login", login, SESSION },
	{ "wrong", wrong, SESSION },
	{ "wrong-often", wrong_often, SESSION },
	{ "odd-lengths", odd_lengths, SESSION },
	{ "officer", officer, SESSION },
	{ "set-pin", set_pin, SESSION },
	{ "without-login", without_login, SESSION },
	{ "private", private_object, USER },
};

const struct code_group pins_group = TABLE("pins", cases);
