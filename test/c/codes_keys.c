/* Making, wrapping and deriving keys, and random numbers. */
#include "codes.h"

static void generate(void)
{
	CK_ULONG right = 16, odd = 17, huge = HUGE_COUNT;
	CK_OBJECT_CLASS public = CKO_PUBLIC_KEY;
	CK_ATTRIBUTE t[] = { ATTR(CKA_VALUE_LEN, right) }, o[] = { ATTR(CKA_VALUE_LEN, odd) }, g[] = { ATTR(CKA_VALUE_LEN, huge) };
	CK_ATTRIBUTE c[] = { ATTR(CKA_VALUE_LEN, right), ATTR(CKA_CLASS, public) };
	CK_OBJECT_HANDLE h = 0xaaaa;

	report("right", mod->C_GenerateKey(session, &aes_gen_mech, t, 1, &h), "given=%d", h != 0xaaaa);
	report_rv("no-length", mod->C_GenerateKey(session, &aes_gen_mech, NULL, 0, &h));
	report_rv("odd-length", mod->C_GenerateKey(session, &aes_gen_mech, o, 1, &h));
	report_rv("huge-length", mod->C_GenerateKey(session, &aes_gen_mech, g, 1, &h));
	report_rv("wrong-class", mod->C_GenerateKey(session, &aes_gen_mech, c, 2, &h));
	report_rv("pair-mechanism", mod->C_GenerateKey(session, &ec_gen_mech, t, 1, &h));
	report_rv("no-mechanism", mod->C_GenerateKey(session, &no_mech, t, 1, &h));
}

static void generate_pair(void)
{
	CK_BYTE odd_curve[] = { 6, 3, 0x2a, 3, 4 };
	CK_ATTRIBUTE t[] = { ATTR(CKA_EC_PARAMS, p256) }, o[] = { ATTR(CKA_EC_PARAMS, odd_curve) }, e[] = { { CKA_EC_PARAMS, NULL, 0 } };
	CK_OBJECT_HANDLE pub = 0, priv = 0;

	report("right", mod->C_GenerateKeyPair(session, &ec_gen_mech, t, 1, NULL, 0, &pub, &priv), "differ=%d", pub != priv);
	report_rv("no-curve", mod->C_GenerateKeyPair(session, &ec_gen_mech, NULL, 0, NULL, 0, &pub, &priv));
	report_rv("odd-curve", mod->C_GenerateKeyPair(session, &ec_gen_mech, o, 1, NULL, 0, &pub, &priv));
	report_rv("empty-curve", mod->C_GenerateKeyPair(session, &ec_gen_mech, e, 1, NULL, 0, &pub, &priv));
	report_rv("secret-mechanism", mod->C_GenerateKeyPair(session, &aes_gen_mech, t, 1, NULL, 0, &pub, &priv));
}

static void wrap(void)
{
	CK_OBJECT_HANDLE by = make_aes(session), key = make_aes(session), hmac = make_hmac(session), again = 0;
	CK_OBJECT_CLASS class = CKO_SECRET_KEY;
	CK_KEY_TYPE type = CKK_AES;
	CK_ATTRIBUTE t[] = { ATTR(CKA_CLASS, class), ATTR(CKA_KEY_TYPE, type), ATTR(CKA_TOKEN, no), ATTR(CKA_EXTRACTABLE, no) };
	CK_BYTE wrapped[64];
	CK_ULONG n = 0;
	CK_RV rv = mod->C_WrapKey(session, &wrap_mech, by, key, NULL, &n);

	report("query", rv, "length=%lu", n);
	n = 23;
	rv = mod->C_WrapKey(session, &wrap_mech, by, key, wrapped, &n);
	report("short", rv, "length=%lu", n);
	n = sizeof wrapped;
	rv = mod->C_WrapKey(session, &wrap_mech, by, key, wrapped, &n);
	report("right", rv, "length=%lu sum=%08x", n, rv == CKR_OK ? checksum(wrapped, n) : 0);
	report_rv("by-hmac", mod->C_WrapKey(session, &wrap_mech, hmac, key, wrapped, &n));
	n = 24;
	report("unwrap", mod->C_UnwrapKey(session, &wrap_mech, by, wrapped, n, t, 4, &again), "given=%d", again != 0);
	wrapped[5] ^= 1;
	report_rv("unwrap-bad", mod->C_UnwrapKey(session, &wrap_mech, by, wrapped, n, t, 4, &again));
	report_rv("unwrap-short", mod->C_UnwrapKey(session, &wrap_mech, by, wrapped, 7, t, 4, &again));
	report_rv("unwrap-nothing", mod->C_UnwrapKey(session, &wrap_mech, by, wrapped, n, NULL, 0, &again));
	if (again) {
		n = sizeof wrapped;
		report_rv("not-extractable", mod->C_WrapKey(session, &wrap_mech, by, again, wrapped, &n));
	}
}

static void derive(void)
{
	CK_OBJECT_HANDLE pub, priv, h = 0, aes = make_aes(session);
	CK_BYTE point[80];
	CK_ATTRIBUTE get = { CKA_EC_POINT, point, sizeof point };
	CK_ECDH1_DERIVE_PARAMS p = { CKD_NULL, 0, NULL, 0, NULL };
	CK_MECHANISM m = { CKM_ECDH1_DERIVE, &p, sizeof p };
	CK_OBJECT_CLASS class = CKO_SECRET_KEY;
	CK_KEY_TYPE type = CKK_GENERIC_SECRET;
	CK_ULONG size = 32;
	CK_ATTRIBUTE t[] = { ATTR(CKA_CLASS, class), ATTR(CKA_KEY_TYPE, type), ATTR(CKA_VALUE_LEN, size), ATTR(CKA_TOKEN, no) };

	make_pair(session, &pub, &priv);
	need(mod->C_GetAttributeValue(session, pub, &get, 1));
	p.pPublicData = point;
	p.ulPublicDataLen = get.ulValueLen;
	report("encoded", mod->C_DeriveKey(session, &m, priv, t, 4, &h), "given=%d", h != 0);
	p.pPublicData = point + 2;
	p.ulPublicDataLen = get.ulValueLen - 2;
	report_rv("plain", mod->C_DeriveKey(session, &m, priv, t, 4, &h));
	p.ulPublicDataLen = 3;
	report_rv("bad-point", mod->C_DeriveKey(session, &m, priv, t, 4, &h));
	p.ulPublicDataLen = get.ulValueLen - 2;
	report_rv("from-public", mod->C_DeriveKey(session, &m, pub, t, 4, &h));
	report_rv("from-aes", mod->C_DeriveKey(session, &m, aes, t, 4, &h));
	m.ulParameterLen = 3;
	report_rv("parameter", mod->C_DeriveKey(session, &m, priv, t, 4, &h));
}

static void random_numbers(void)
{
	static CK_BYTE a[1 << 20];
	CK_BYTE b[32], c[32];

	report_rv("seed", mod->C_SeedRandom(session, octets, 32));
	report_rv("seed-nothing", mod->C_SeedRandom(session, octets, 0));
	need(mod->C_GenerateRandom(session, b, 32));
	need(mod->C_GenerateRandom(session, c, 32));
	report("differ", CKR_OK, "%d", memcmp(b, c, 32) != 0);
	report_rv("megabyte", mod->C_GenerateRandom(session, a, sizeof a));
	report_rv("nothing", mod->C_GenerateRandom(session, b, 0));
	report_rv("null-0", mod->C_GenerateRandom(session, NULL, 0));
}

static const struct code_case cases[] = {
	{ "generate", generate, USER },
	{ "pair", generate_pair, USER },
	{ "wrap", wrap, USER },
	{ "derive", derive, USER },
	{ "random", random_numbers, SESSION },
};

const struct code_group keys_group = TABLE("keys", cases);
