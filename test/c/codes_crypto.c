/* Digests, signatures and ciphers: order of calls, room for results, wrong keys. */
#include "codes.h"

static CK_BYTE result[4096];
static CK_ULONG n;

/* Room for the result of the next call. */
static CK_ULONG *room(CK_ULONG octets_wide)
{
	n = octets_wide;
	memset(result, 0xaa, sizeof result);
	return &n;
}

#define show(step, call) do { \
	CK_RV rv_ = (call); \
	report(step, rv_, "length=%lu output=%08x", n, checksum(result, sizeof result)); \
} while (0)

static void digest(void)
{
	show("first", mod->C_Digest(session, octets, 32, result, room(64)));
	report_rv("update-first", mod->C_DigestUpdate(session, octets, 32));
	show("final-first", mod->C_DigestFinal(session, result, room(64)));
	report_rv("init", mod->C_DigestInit(session, &sha_mech));
	report_rv("init-again", mod->C_DigestInit(session, &sha_mech));
	show("query", mod->C_Digest(session, octets, 32, NULL, room(0)));
	show("short", mod->C_Digest(session, octets, 32, result, room(31)));
	show("none", mod->C_Digest(session, octets, 32, result, room(0)));
	show("exact", mod->C_Digest(session, octets, 32, result, room(32)));
	show("over", mod->C_Digest(session, octets, 32, result, room(32)));
	need(mod->C_DigestInit(session, &sha_mech));
	report_rv("update", mod->C_DigestUpdate(session, octets, 7));
	show("mixed", mod->C_Digest(session, octets, 32, result, room(64)));
	report_rv("update-more", mod->C_DigestUpdate(session, octets + 7, 25));
	show("final-query", mod->C_DigestFinal(session, NULL, room(0)));
	show("final-short", mod->C_DigestFinal(session, result, room(5)));
	show("final", mod->C_DigestFinal(session, result, room(32)));
	show("final-again", mod->C_DigestFinal(session, result, room(32)));
}

static void sign(void)
{
	CK_OBJECT_HANDLE key = make_hmac(session);

	report_rv("update-first", mod->C_SignUpdate(session, octets, 32));
	show("final-first", mod->C_SignFinal(session, result, room(64)));
	report_rv("init", mod->C_SignInit(session, &hmac_mech, key));
	report_rv("init-again", mod->C_SignInit(session, &hmac_mech, key));
	show("query", mod->C_Sign(session, octets, 32, NULL, room(0)));
	show("short", mod->C_Sign(session, octets, 32, result, room(31)));
	show("exact", mod->C_Sign(session, octets, 32, result, room(32)));
	show("over", mod->C_Sign(session, octets, 32, result, room(32)));
	need(mod->C_SignInit(session, &hmac_mech, key));
	report_rv("update", mod->C_SignUpdate(session, octets, 32));
	show("mixed", mod->C_Sign(session, octets, 32, result, room(64)));
	show("final-query", mod->C_SignFinal(session, NULL, room(0)));
	show("final-short", mod->C_SignFinal(session, result, room(5)));
	show("final", mod->C_SignFinal(session, result, room(32)));
	report_rv("update-after", mod->C_SignUpdate(session, octets, 32));
}

static void verify(void)
{
	CK_OBJECT_HANDLE key = make_hmac(session);
	CK_BYTE mac[32];
	CK_ULONG length = 32;

	need(mod->C_SignInit(session, &hmac_mech, key));
	need(mod->C_Sign(session, octets, 32, mac, &length));
	report_rv("first", mod->C_Verify(session, octets, 32, mac, 32));
	need(mod->C_VerifyInit(session, &hmac_mech, key));
	report_rv("right", mod->C_Verify(session, octets, 32, mac, 32));
	report_rv("over", mod->C_Verify(session, octets, 32, mac, 32));
	need(mod->C_VerifyInit(session, &hmac_mech, key));
	report_rv("short", mod->C_Verify(session, octets, 32, mac, 31));
	mac[3] ^= 1;
	report_rv("init-after-short", mod->C_VerifyInit(session, &hmac_mech, key));
	report_rv("wrong", mod->C_Verify(session, octets, 32, mac, 32));
	report_rv("init-after-wrong", mod->C_VerifyInit(session, &hmac_mech, key));
	mac[3] ^= 1;
	report_rv("update", mod->C_VerifyUpdate(session, octets, 16));
	report_rv("update-more", mod->C_VerifyUpdate(session, octets + 16, 16));
	report_rv("final", mod->C_VerifyFinal(session, mac, 32));
	report_rv("final-again", mod->C_VerifyFinal(session, mac, 32));
}

static void encrypt(void)
{
	CK_OBJECT_HANDLE key = make_aes(session);

	show("first", mod->C_Encrypt(session, octets, 32, result, room(64)));
	show("update-first", mod->C_EncryptUpdate(session, octets, 32, result, room(64)));
	report_rv("init", mod->C_EncryptInit(session, &cbc_mech, key));
	report_rv("init-again", mod->C_EncryptInit(session, &cbc_mech, key));
	show("query", mod->C_Encrypt(session, octets, 32, NULL, room(0)));
	show("short", mod->C_Encrypt(session, octets, 32, result, room(31)));
	show("exact", mod->C_Encrypt(session, octets, 32, result, room(32)));
	show("over", mod->C_Encrypt(session, octets, 32, result, room(32)));
	need(mod->C_EncryptInit(session, &cbc_mech, key));
	show("odd", mod->C_Encrypt(session, octets, 17, result, room(64)));
	report_rv("init-after-odd", mod->C_EncryptInit(session, &cbc_pad_mech, key));
	show("update", mod->C_EncryptUpdate(session, octets, 20, result, room(64)));
	show("update-query", mod->C_EncryptUpdate(session, octets, 20, NULL, room(64)));
	show("update-short", mod->C_EncryptUpdate(session, octets, 20, result, room(1)));
	show("update-more", mod->C_EncryptUpdate(session, octets, 20, result, room(64)));
	show("final-query", mod->C_EncryptFinal(session, NULL, room(0)));
	show("final-short", mod->C_EncryptFinal(session, result, room(1)));
	show("final", mod->C_EncryptFinal(session, result, room(16)));
	show("final-again", mod->C_EncryptFinal(session, result, room(16)));
	/* The result may take the place of the input. */
	need(mod->C_EncryptInit(session, &cbc_mech, key));
	room(32);
	memcpy(result, octets, 32);
	show("in-place", mod->C_Encrypt(session, result, 32, result, &n));
}

static void decrypt(void)
{
	CK_OBJECT_HANDLE key = make_aes(session);
	CK_BYTE secret[32];
	CK_ULONG length = sizeof secret;

	need(mod->C_EncryptInit(session, &cbc_pad_mech, key));
	need(mod->C_Encrypt(session, octets, 20, secret, &length));
	show("first", mod->C_Decrypt(session, secret, length, result, room(64)));
	report_rv("init", mod->C_DecryptInit(session, &cbc_pad_mech, key));
	show("query", mod->C_Decrypt(session, secret, length, NULL, room(0)));
	show("short", mod->C_Decrypt(session, secret, length, result, room(3)));
	show("right", mod->C_Decrypt(session, secret, length, result, room(64)));
	secret[length - 1] ^= 1;
	report_rv("init-bad", mod->C_DecryptInit(session, &cbc_pad_mech, key));
	show("bad", mod->C_Decrypt(session, secret, length, result, room(64)));
	report_rv("init-odd", mod->C_DecryptInit(session, &cbc_pad_mech, key));
	show("odd", mod->C_Decrypt(session, secret, 17, result, room(64)));
	report_rv("init-empty", mod->C_DecryptInit(session, &cbc_pad_mech, key));
	show("empty", mod->C_Decrypt(session, secret, 0, result, room(64)));
	secret[length - 1] ^= 1;
	report_rv("init-parts", mod->C_DecryptInit(session, &cbc_pad_mech, key));
	show("update", mod->C_DecryptUpdate(session, secret, 16, result, room(64)));
	show("update-more", mod->C_DecryptUpdate(session, secret + 16, 16, result, room(64)));
	show("final", mod->C_DecryptFinal(session, result, room(64)));
}

static void wrong_keys(void)
{
	CK_OBJECT_HANDLE aes = make_aes(session), hmac = make_hmac(session), data = make_data(session, "no key", no, no);
	CK_OBJECT_HANDLE pub, priv;

	make_pair(session, &pub, &priv);
	report_rv("sign-with-aes", mod->C_SignInit(session, &hmac_mech, aes));
	report_rv("sign-with-public", mod->C_SignInit(session, &ecdsa_mech, pub));
	report_rv("sign-with-other", mod->C_SignInit(session, &ecdsa_mech, hmac));
	report_rv("sign-with-data", mod->C_SignInit(session, &hmac_mech, data));
	report_rv("verify-with-private", mod->C_VerifyInit(session, &ecdsa_mech, priv));
	report_rv("encrypt-with-hmac", mod->C_EncryptInit(session, &cbc_mech, hmac));
	report_rv("decrypt-with-hmac", mod->C_DecryptInit(session, &cbc_mech, hmac));
	report_rv("digest-aes", mod->C_DigestInit(session, &hmac_mech));
	report_rv("encrypt-by-digest", mod->C_EncryptInit(session, &sha_mech, aes));
	report_rv("sign-by-nothing", mod->C_SignInit(session, &no_mech, hmac));
	report_rv("sign", mod->C_SignInit(session, &ecdsa_mech, priv));
	show("signature", (mod->C_Sign(session, octets, 32, NULL, room(0))));
}

/* Several operations in one session, and one in each of two. */
static void at_once(void)
{
	CK_OBJECT_HANDLE aes = make_aes(session), hmac = make_hmac(session);
	CK_SESSION_HANDLE s = open_another(0);

	report_rv("digest", mod->C_DigestInit(session, &sha_mech));
	report_rv("sign", mod->C_SignInit(session, &hmac_mech, hmac));
	report_rv("encrypt", mod->C_EncryptInit(session, &cbc_mech, aes));
	report_rv("decrypt", mod->C_DecryptInit(session, &cbc_mech, aes));
	report_rv("verify", mod->C_VerifyInit(session, &hmac_mech, hmac));
	report_rv("other-digest", mod->C_DigestInit(s, &sha_mech));
	report_rv("other-sign", mod->C_SignInit(s, &hmac_mech, hmac));
	show("use-digest", mod->C_Digest(session, octets, 32, result, room(64)));
	show("use-sign", mod->C_Sign(session, octets, 32, result, room(64)));
	show("use-encrypt", mod->C_Encrypt(session, octets, 32, result, room(64)));
	show("use-other", mod->C_Digest(s, octets, 16, result, room(64)));
	show("use-other-sign", mod->C_Sign(s, octets, 16, result, room(64)));
}

/* Logging out and closing end what was begun. */
static void ended(void)
{
	CK_OBJECT_HANDLE pub, priv;

	make_pair(session, &pub, &priv);
	need(mod->C_SignInit(session, &ecdsa_mech, priv));
	report_rv("logout", mod->C_Logout(session));
	show("sign", mod->C_Sign(session, octets, 32, NULL, room(0)));
	report_rv("init", mod->C_SignInit(session, &ecdsa_mech, priv));
	report_rv("close", mod->C_CloseSession(session));
	show("sign-closed", mod->C_Sign(session, octets, 32, result, room(64)));
}

static void two_in_one(void)
{
	CK_OBJECT_HANDLE aes = make_aes(session), hmac = make_hmac(session);

	show("first", mod->C_DigestEncryptUpdate(session, octets, 32, result, room(64)));
	need(mod->C_DigestInit(session, &sha_mech));
	report_rv("encrypt-init", mod->C_EncryptInit(session, &cbc_mech, aes));
	show("digest-encrypt", mod->C_DigestEncryptUpdate(session, octets, 32, result, room(64)));
	report_rv("sign-init", mod->C_SignInit(session, &hmac_mech, hmac));
	show("sign-encrypt", mod->C_SignEncryptUpdate(session, octets, 32, result, room(64)));
}

static const struct code_case cases[] = {
	{ "digest", digest, SESSION },
	{ "sign", sign, USER },
	{ "verify", verify, USER },
	{ "encrypt", encrypt, USER },
	{ "decrypt", decrypt, USER },
	{ "wrong-keys", wrong_keys, USER },
	{ "at-once", at_once, USER },
	{ "ended", ended, USER },
	{ "two-in-one", two_in_one, USER },
};

const struct code_group crypto_group = TABLE("crypto", cases);
