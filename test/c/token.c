/* Signing with a SoftHSM token; see token.h. */
#include "token.h"

CK_SLOT_ID token_slot(list_t m)
{
	CK_SLOT_ID slots[16];
	CK_ULONG n = 16, i;
	CK_TOKEN_INFO info;

	must_ok(m->C_GetSlotList(CK_TRUE, slots, &n));
	for (i = 0; i < n; i++) {
		must_ok(m->C_GetTokenInfo(slots[i], &info));
		if (p11_kit_space_strlen(info.label, sizeof info.label) == 5 &&
		    memcmp(info.label, "token", 5) == 0)
			return slots[i];
	}
	die("no slot of %lu has the token", n);
}

CK_SESSION_HANDLE token_login(list_t m)
{
	CK_SESSION_HANDLE s;
	CK_RV rv;

	must_ok(m->C_OpenSession(token_slot(m), CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &s));
	rv = m->C_Login(s, CKU_USER, (CK_BYTE *)"1234", 4);
	if (rv != CKR_OK && rv != CKR_USER_ALREADY_LOGGED_IN)
		die("C_Login: %s", rv_name(rv));
	return s;
}

static CK_OBJECT_HANDLE find(list_t m, CK_SESSION_HANDLE s, const char *label, CK_OBJECT_CLASS class)
{
	CK_ATTRIBUTE want[] = {
		{ CKA_CLASS, &class, sizeof class },
		{ CKA_LABEL, (void *)label, strlen(label) },
	};
	CK_OBJECT_HANDLE key = 0;
	CK_ULONG n = 0;

	must_ok(m->C_FindObjectsInit(s, want, 2));
	must_ok(m->C_FindObjects(s, &key, 1, &n));
	must_ok(m->C_FindObjectsFinal(s));
	if (n != 1)
		die("no key %s of class %lu", label, class);
	return key;
}

static CK_MECHANISM mechanism(const char *label)
{
	CK_MECHANISM m = { strcmp(label, "rsa") == 0 ? CKM_SHA256_RSA_PKCS : CKM_ECDSA, NULL, 0 };

	return m;
}

CK_RV token_sign(list_t m, CK_SESSION_HANDLE s, const char *label, const void *data,
		 CK_ULONG n, struct signature *sig)
{
	CK_MECHANISM mech = mechanism(label);
	CK_RV rv = m->C_SignInit(s, &mech, find(m, s, label, CKO_PRIVATE_KEY));

	if (rv != CKR_OK)
		return rv;
	sig->n = 0;
	rv = m->C_Sign(s, (CK_BYTE *)data, n, NULL, &sig->n);
	if (rv != CKR_OK)
		return rv;
	must(sig->n > 0 && sig->n <= sizeof sig->octets);
	sig->n = sizeof sig->octets;
	return m->C_Sign(s, (CK_BYTE *)data, n, sig->octets, &sig->n);
}

CK_RV token_verify(list_t m, CK_SESSION_HANDLE s, const char *label, const void *data,
		   CK_ULONG n, struct signature *sig)
{
	CK_MECHANISM mech = mechanism(label);
	CK_RV rv = m->C_VerifyInit(s, &mech, find(m, s, label, CKO_PUBLIC_KEY));

	if (rv != CKR_OK)
		return rv;
	return m->C_Verify(s, (CK_BYTE *)data, n, sig->octets, sig->n);
}
