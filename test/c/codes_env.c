/* Keys, mechanisms and memory for the cases; see codes.h. */
#include "codes.h"

#include <sys/mman.h>

CK_BBOOL yes = CK_TRUE, no = CK_FALSE;

CK_BYTE octets[64] = {
	0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31,
};

/* The object identifier of the curve. */
CK_BYTE p256[10] = { 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7 };

CK_MECHANISM hmac_mech = { CKM_SHA256_HMAC, NULL, 0 };
CK_MECHANISM cbc_mech = { CKM_AES_CBC, octets, 16 };
CK_MECHANISM cbc_pad_mech = { CKM_AES_CBC_PAD, octets, 16 };
CK_MECHANISM sha_mech = { CKM_SHA256, NULL, 0 };
CK_MECHANISM ecdsa_mech = { CKM_ECDSA, NULL, 0 };
CK_MECHANISM wrap_mech = { CKM_AES_KEY_WRAP, NULL, 0 };
CK_MECHANISM aes_gen_mech = { CKM_AES_KEY_GEN, NULL, 0 };
CK_MECHANISM ec_gen_mech = { CKM_EC_KEY_PAIR_GEN, NULL, 0 };
CK_MECHANISM no_mech = { 0x7fffffff, NULL, 0 };

void *guarded(size_t n)
{
	size_t page = sysconf(_SC_PAGESIZE), room = (n + page - 1) / page * page;
	CK_BYTE *start = mmap(NULL, room + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	must(start != MAP_FAILED);
	must(mprotect(start + room, page, PROT_NONE) == 0);
	return start + room - n;
}

unsigned checksum(const void *data, size_t n)
{
	const CK_BYTE *p = data;
	unsigned sum = 2166136261u; /* FNV-1a */

	while (n--)
		sum = (sum ^ *p++) * 16777619u;
	return sum;
}

static CK_OBJECT_HANDLE make_secret(CK_SESSION_HANDLE s, CK_KEY_TYPE type, CK_ULONG n, CK_BBOOL crypts, CK_BBOOL signs)
{
	CK_OBJECT_CLASS class = CKO_SECRET_KEY;
	CK_ATTRIBUTE t[] = {
		ATTR(CKA_CLASS, class), ATTR(CKA_KEY_TYPE, type), ATTR(CKA_TOKEN, no), ATTR(CKA_PRIVATE, no),
		ATTR(CKA_SENSITIVE, no), ATTR(CKA_EXTRACTABLE, yes), ATTR(CKA_ENCRYPT, crypts), ATTR(CKA_DECRYPT, crypts),
		ATTR(CKA_WRAP, crypts), ATTR(CKA_UNWRAP, crypts), ATTR(CKA_DERIVE, crypts), ATTR(CKA_SIGN, signs),
		ATTR(CKA_VERIFY, signs), { CKA_VALUE, octets, n },
	};
	CK_OBJECT_HANDLE h = 0;

	need(mod->C_CreateObject(s, t, sizeof t / sizeof *t, &h));
	return h;
}

CK_OBJECT_HANDLE make_aes(CK_SESSION_HANDLE s)
{
	return make_secret(s, CKK_AES, 16, yes, no);
}

CK_OBJECT_HANDLE make_hmac(CK_SESSION_HANDLE s)
{
	return make_secret(s, CKK_GENERIC_SECRET, 32, no, yes);
}

void make_pair(CK_SESSION_HANDLE s, CK_OBJECT_HANDLE *public, CK_OBJECT_HANDLE *private)
{
	CK_ATTRIBUTE pub[] = { ATTR(CKA_TOKEN, no), ATTR(CKA_EC_PARAMS, p256), ATTR(CKA_VERIFY, yes) };
	CK_ATTRIBUTE priv[] = { ATTR(CKA_TOKEN, no), ATTR(CKA_SIGN, yes), ATTR(CKA_DERIVE, yes) };

	need(mod->C_GenerateKeyPair(s, &ec_gen_mech, pub, 3, priv, 3, public, private));
}

CK_OBJECT_HANDLE make_data(CK_SESSION_HANDLE s, const char *label, CK_BBOOL on_token, CK_BBOOL private)
{
	CK_OBJECT_CLASS class = CKO_DATA;
	CK_ATTRIBUTE t[] = {
		ATTR(CKA_CLASS, class), ATTR(CKA_TOKEN, on_token), ATTR(CKA_PRIVATE, private),
		{ CKA_LABEL, (void *)label, strlen(label) }, { CKA_VALUE, "data", 4 },
	};
	CK_OBJECT_HANDLE h = 0;

	need(mod->C_CreateObject(s, t, 5, &h));
	return h;
}
