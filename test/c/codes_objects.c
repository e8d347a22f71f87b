/* Objects: making, reading, changing and losing them. */
#include "codes.h"

static void create(void)
{
	CK_OBJECT_CLASS class = CKO_DATA, odd_class = 0x7fffffff;
	CK_ATTRIBUTE t[] = { ATTR(CKA_CLASS, class), ATTR(CKA_TOKEN, no), { CKA_LABEL, "x", 1 } };
	CK_ATTRIBUTE odd[] = { ATTR(CKA_CLASS, odd_class) };
	CK_ATTRIBUTE twice[] = { ATTR(CKA_CLASS, class), { CKA_LABEL, "x", 1 }, { CKA_LABEL, "y", 1 } };
	CK_ATTRIBUTE unknown[] = { ATTR(CKA_CLASS, class), { 0x7ffffff0, "x", 1 } };
	CK_ATTRIBUTE wrong[] = { ATTR(CKA_CLASS, class), { CKA_TOKEN, "xyz", 3 } };
	CK_ATTRIBUTE huge[] = { ATTR(CKA_CLASS, class), { CKA_VALUE, NULL, HUGE_COUNT } };
	CK_OBJECT_HANDLE h = 0xaaaa;

	report("right", mod->C_CreateObject(session, t, 3, &h), "given=%d", h != 0xaaaa);
	h = 0xaaaa;
	report_rv("nothing", mod->C_CreateObject(session, t, 0, &h));
	report_rv("null-0", mod->C_CreateObject(session, NULL, 0, &h));
	report_rv("no-class", mod->C_CreateObject(session, t + 1, 2, &h));
	report_rv("odd-class", mod->C_CreateObject(session, odd, 1, &h));
	report_rv("twice", mod->C_CreateObject(session, twice, 3, &h));
	report_rv("unknown", mod->C_CreateObject(session, unknown, 2, &h));
	report_rv("wrong-length", mod->C_CreateObject(session, wrong, 2, &h));
	report_rv("huge", mod->C_CreateObject(session, huge, 2, &h));
}

static void keys_without(void)
{
	CK_OBJECT_CLASS class = CKO_SECRET_KEY;
	CK_KEY_TYPE type = CKK_AES, odd = 0x7fffffff;
	CK_ATTRIBUTE no_type[] = { ATTR(CKA_CLASS, class), { CKA_VALUE, octets, 16 } };
	CK_ATTRIBUTE no_value[] = { ATTR(CKA_CLASS, class), ATTR(CKA_KEY_TYPE, type) };
	CK_ATTRIBUTE odd_type[] = { ATTR(CKA_CLASS, class), ATTR(CKA_KEY_TYPE, odd), { CKA_VALUE, octets, 16 } };
	CK_ATTRIBUTE odd_size[] = { ATTR(CKA_CLASS, class), ATTR(CKA_KEY_TYPE, type), { CKA_VALUE, octets, 15 } };
	CK_OBJECT_HANDLE h = 0;

	report_rv("type", mod->C_CreateObject(session, no_type, 2, &h));
	report_rv("value", mod->C_CreateObject(session, no_value, 2, &h));
	report_rv("known-type", mod->C_CreateObject(session, odd_type, 3, &h));
	report_rv("right-size", mod->C_CreateObject(session, odd_size, 3, &h));
}

static void handles(void)
{
	static const CK_OBJECT_HANDLE all[] = { 0, NEVER, 1ul << 32, 1ul << 63, HUGE_COUNT };
	CK_ATTRIBUTE label = { CKA_LABEL, "x", 1 };
	CK_ULONG size;
	char step[48];
	size_t i;

	for (i = 0; i < sizeof all / sizeof *all; i++) {
		CK_OBJECT_HANDLE h = 0;

#define STEP(name) (snprintf(step, sizeof step, "%s-%#lx", name, all[i]), step)
		report_rv(STEP("size"), mod->C_GetObjectSize(session, all[i], &size));
		report_rv(STEP("get"), mod->C_GetAttributeValue(session, all[i], &label, 1));
		report_rv(STEP("set"), mod->C_SetAttributeValue(session, all[i], &label, 1));
		report_rv(STEP("copy"), mod->C_CopyObject(session, all[i], &label, 1, &h));
		report_rv(STEP("destroy"), mod->C_DestroyObject(session, all[i]));
		report_rv(STEP("sign"), mod->C_SignInit(session, &hmac_mech, all[i]));
		report_rv(STEP("encrypt"), mod->C_EncryptInit(session, &cbc_mech, all[i]));
#undef STEP
	}
}

static void read_attributes(void)
{
	CK_OBJECT_HANDLE h = make_data(session, "a label", no, no);
	CK_BYTE text[16], value[16];
	CK_OBJECT_CLASS class = 0;
	CK_ATTRIBUTE t[] = { ATTR(CKA_CLASS, class), { CKA_LABEL, NULL, 0 }, { CKA_VALUE, NULL, 77 } };
	CK_ATTRIBUTE mixed[] = {
		{ CKA_LABEL, text, 2 }, { 0x7ffffff0, text, 16 }, { CKA_VALUE, value, 16 }, { CKA_MODULUS, value, 16 },
	};
	CK_RV rv = mod->C_GetAttributeValue(session, h, t, 3);

	report("lengths", rv, "%ld %ld %ld class=%lu", t[0].ulValueLen, t[1].ulValueLen, t[2].ulValueLen, class);
	rv = mod->C_GetAttributeValue(session, h, mixed, 4);
	report("mixed", rv, "%ld %ld %ld %ld", mixed[0].ulValueLen, mixed[1].ulValueLen, mixed[2].ulValueLen,
	       mixed[3].ulValueLen);
	mixed[0].ulValueLen = 7;
	rv = mod->C_GetAttributeValue(session, h, mixed, 1);
	report("exact", rv, "%ld %.7s", mixed[0].ulValueLen, text);
	mixed[0].ulValueLen = 6;
	rv = mod->C_GetAttributeValue(session, h, mixed, 1);
	report("short", rv, "%ld", mixed[0].ulValueLen);
	mixed[0].ulValueLen = HUGE_COUNT;
	rv = mod->C_GetAttributeValue(session, h, mixed, 1);
	report("huge", rv, "%ld", mixed[0].ulValueLen);
	report_rv("none", mod->C_GetAttributeValue(session, h, mixed, 0));
	report_rv("null-0", mod->C_GetAttributeValue(session, h, NULL, 0));
}

static void sensitive(void)
{
	CK_OBJECT_HANDLE pub, priv;
	CK_BYTE value[64];
	CK_ATTRIBUTE secret = { CKA_VALUE, value, sizeof value };
	CK_RV rv;

	make_pair(session, &pub, &priv);
	rv = mod->C_GetAttributeValue(session, priv, &secret, 1);
	report("value", rv, "%ld", secret.ulValueLen);
	secret = (CK_ATTRIBUTE){ CKA_VALUE, NULL, 0 };
	rv = mod->C_GetAttributeValue(session, priv, &secret, 1);
	report("length", rv, "%ld", secret.ulValueLen);
}

static void change(void)
{
	CK_OBJECT_HANDLE h = make_data(session, "a label", no, no), key = make_aes(session), copy = 0;
	CK_OBJECT_CLASS class = CKO_DATA;
	CK_ATTRIBUTE label = { CKA_LABEL, "another", 7 };
	CK_ATTRIBUTE read_only[] = { ATTR(CKA_CLASS, class) };
	CK_ATTRIBUTE on_token = ATTR(CKA_TOKEN, yes);
	CK_ATTRIBUTE unknown = { 0x7ffffff0, "x", 1 };
	CK_ATTRIBUTE extractable = ATTR(CKA_EXTRACTABLE, no), again = ATTR(CKA_EXTRACTABLE, yes);
	CK_ATTRIBUTE sensitive = ATTR(CKA_SENSITIVE, yes), open = ATTR(CKA_SENSITIVE, no);

	report_rv("label", mod->C_SetAttributeValue(session, h, &label, 1));
	report_rv("class", mod->C_SetAttributeValue(session, h, read_only, 1));
	report_rv("token", mod->C_SetAttributeValue(session, h, &on_token, 1));
	report_rv("unknown", mod->C_SetAttributeValue(session, h, &unknown, 1));
	report_rv("none", mod->C_SetAttributeValue(session, h, &label, 0));
	report_rv("extractable", mod->C_SetAttributeValue(session, key, &extractable, 1));
	report_rv("extractable-again", mod->C_SetAttributeValue(session, key, &again, 1));
	report_rv("sensitive", mod->C_SetAttributeValue(session, key, &sensitive, 1));
	report_rv("sensitive-not", mod->C_SetAttributeValue(session, key, &open, 1));
	report("copy", mod->C_CopyObject(session, h, &label, 1, &copy), "given=%d", copy != 0);
	report_rv("copy-to-token", mod->C_CopyObject(session, h, &on_token, 1, &copy));
	report_rv("copy-unknown", mod->C_CopyObject(session, h, &unknown, 1, &copy));
}

static void destroyed(void)
{
	CK_OBJECT_HANDLE h = make_data(session, "short-lived", no, no), key = make_hmac(session);
	CK_BYTE out[64];
	CK_ULONG n = sizeof out;

	need(mod->C_SignInit(session, &hmac_mech, key));
	report_rv("destroy", mod->C_DestroyObject(session, h));
	report_rv("again", mod->C_DestroyObject(session, h));
	report_rv("size", mod->C_GetObjectSize(session, h, &n));
	report_rv("destroy-key", mod->C_DestroyObject(session, key));
	n = sizeof out;
	/* The operation began while the key was there. */
	report("sign", mod->C_Sign(session, octets, 32, out, &n), "length=%lu", n);
	report_rv("sign-init", mod->C_SignInit(session, &hmac_mech, key));
}

/* Session objects go with their session, and are seen by the others until then. */
static void of_session(void)
{
	CK_SESSION_HANDLE s = open_another(CKF_RW_SESSION);
	CK_OBJECT_HANDLE h = make_data(s, "of the other session", no, no);
	CK_ULONG size;

	report_rv("seen", mod->C_GetObjectSize(session, h, &size));
	need(mod->C_CloseSession(s));
	report_rv("gone", mod->C_GetObjectSize(session, h, &size));
	report_rv("through-closed", mod->C_GetObjectSize(s, h, &size));
}

static const struct code_case cases[] = {
	{ "create", create, USER },
	{ "create-public", create, SESSION },
	{ "keys-without", keys_without, USER },
	{ "handles", handles, USER },
	{ "read", read_attributes, USER },
	{ "sensitive", sensitive, USER },
	{ "change", change, USER },
	{ "destroyed", destroyed, USER },
	{ "of-session", of_session, USER },
};

const struct code_group objects_group = TABLE("objects", cases);
