/*
 * What PKCS#11 3.0 and 3.2 brought: messages, cancelling, users with names.  The
 * cases are for lists that have the functions; each ends at once for others.
 */
#include "codes.h"

static CK_BYTE result[256];
static CK_ULONG n;

static bool has(int since)
{
	if (last < since)
		report_rv("absent", CKR_FUNCTION_NOT_SUPPORTED);
	return last >= since;
}

static void cancel(void)
{
	static const struct { const char *name; CK_FLAGS flags; } all[] = {
		{ "nothing", 0 }, { "encrypt", CKF_ENCRYPT }, { "sign", CKF_SIGN }, { "digest", CKF_DIGEST },
		{ "find", CKF_FIND_OBJECTS }, { "several", CKF_SIGN | CKF_DIGEST | CKF_ENCRYPT }, { "inactive", CKF_DECRYPT },
		{ "unknown", 1ul << 31 }, { "all", HUGE_COUNT }, { "message", CKF_MESSAGE_ENCRYPT },
	};
	char step[48];
	size_t i;

	if (!has(M_C_SessionCancel))
		return;
	for (i = 0; i < sizeof all / sizeof *all; i++) {
#define STEP(what) (snprintf(step, sizeof step, "%s-%s", all[i].name, what), step)
		session = open_another(CKF_RW_SESSION);
		need(mod->C_DigestInit(session, &sha_mech));
		report_rv(STEP("cancel"), mod->C_SessionCancel(session, all[i].flags));
		n = sizeof result;
		report_rv(STEP("digest"), mod->C_Digest(session, octets, 32, result, &n));
		need(mod->C_SignInit(session, &hmac_mech, make_hmac(session)));
		report_rv(STEP("cancel-again"), mod->C_SessionCancel(session, all[i].flags));
		n = sizeof result;
		report_rv(STEP("signature"), mod->C_Sign(session, octets, 32, result, &n));
		need(mod->C_FindObjectsInit(session, NULL, 0));
		report_rv(STEP("cancel-search"), mod->C_SessionCancel(session, all[i].flags));
		report_rv(STEP("search"), mod->C_FindObjectsFinal(session));
#undef STEP
	}
	report_rv("closed", mod->C_SessionCancel(NEVER, 0));
}

static void login_user(void)
{
	if (!has(M_C_LoginUser))
		return;
	report_rv("name", mod->C_LoginUser(session, CKU_USER, USER_PIN, USER_PIN_N, octets, 4));
	report_rv("no-name", mod->C_LoginUser(session, CKU_USER, USER_PIN, USER_PIN_N, NULL, 0));
	report_rv("logout", mod->C_Logout(session));
	report_rv("wrong", mod->C_LoginUser(session, CKU_USER, octets, 4, NULL, 0));
	report_rv("type", mod->C_LoginUser(session, 99, USER_PIN, USER_PIN_N, octets, 4));
	report_rv("session", mod->C_LoginUser(NEVER, CKU_USER, USER_PIN, USER_PIN_N, octets, 4));
}

/* AES-GCM, message by message. */
static void encrypt_messages(void)
{
	CK_BYTE iv[12] = { 1 }, tag[16] = { 0 };
	CK_GCM_MESSAGE_PARAMS p = { .pIv = iv, .ulIvLen = 12, .ivGenerator = CKG_NO_GENERATE, .pTag = tag, .ulTagBits = 128 };
	CK_MECHANISM gcm = { CKM_AES_GCM, NULL, 0 };

	if (!has(M_C_EncryptMessage))
		return;
	report_rv("init", mod->C_MessageEncryptInit(session, &gcm, make_aes(session)));
	report_rv("init-again", mod->C_MessageEncryptInit(session, &gcm, make_aes(session)));
	n = sizeof result;
	report("message", mod->C_EncryptMessage(session, &p, sizeof p, octets, 8, octets, 32, result, &n), "length=%lu sum=%08x", n,
	       checksum(tag, 16));
	report_rv("begin", mod->C_EncryptMessageBegin(session, &p, sizeof p, octets, 8));
	n = sizeof result;
	report("next", mod->C_EncryptMessageNext(session, &p, sizeof p, octets, 16, result, &n, 0), "length=%lu", n);
	report("last", mod->C_EncryptMessageNext(session, &p, sizeof p, octets, 16, result, &n, CKF_END_OF_MESSAGE), "length=%lu", n);
	report_rv("final", mod->C_MessageEncryptFinal(session));
	report_rv("final-again", mod->C_MessageEncryptFinal(session));
	report_rv("decrypt-init", mod->C_MessageDecryptInit(session, &gcm, make_aes(session)));
	n = sizeof result;
	report("decrypt", mod->C_DecryptMessage(session, &p, sizeof p, octets, 8, result, 32, result, &n), "length=%lu", n);
	report_rv("decrypt-final", mod->C_MessageDecryptFinal(session));
}

static void sign_messages(void)
{
	if (!has(M_C_SignMessage))
		return;
	n = sizeof result;
	report_rv("first", mod->C_SignMessage(session, NULL, 0, octets, 32, result, &n));
	report_rv("init", mod->C_MessageSignInit(session, &hmac_mech, make_hmac(session)));
	n = sizeof result;
	report("message", mod->C_SignMessage(session, NULL, 0, octets, 32, result, &n), "length=%lu", n);
	report_rv("final", mod->C_MessageSignFinal(session));
	report_rv("verify-init", mod->C_MessageVerifyInit(session, &hmac_mech, make_hmac(session)));
	report_rv("verify", mod->C_VerifyMessage(session, NULL, 0, octets, 32, result, 32));
	report_rv("verify-final", mod->C_MessageVerifyFinal(session));
}

static void later(void)
{
	CK_ASYNC_DATA data = { 0 };
	CK_FLAGS flags = 0xaaaa;

	if (!has(M_LAST_320))
		return;
	report("validation", mod->C_GetSessionValidationFlags(session, CKS_LAST_VALIDATION_OK, &flags), "flags=%#lx", flags);
	report_rv("validation-type", mod->C_GetSessionValidationFlags(session, 99, &flags));
	report_rv("complete", mod->C_AsyncComplete(session, (CK_BYTE *)"C_Sign", &data));
	report_rv("id", mod->C_AsyncGetID(session, (CK_BYTE *)"C_Sign", &n));
	report_rv("join", mod->C_AsyncJoin(session, (CK_BYTE *)"C_Sign", 1, result, sizeof result));
	report_rv("join-name", mod->C_AsyncJoin(session, (CK_BYTE *)"C_Nothing", 1, result, sizeof result));
}

static const struct code_case cases[] = {
	{ "cancel", cancel, USER },
	{ "login-user", login_user, SESSION },
	{ "encrypt", encrypt_messages, USER },
	{ "sign", sign_messages, USER },
	{ "later", later, USER },
};

const struct code_group messages_group = TABLE("messages", cases);
