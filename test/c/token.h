/* Signing with the throw-away SoftHSM token that the Go tests prepare: label
 * "token", PIN 1234, keys "rsa" and "ec". */
#ifndef P11MUX_TEST_TOKEN_H
#define P11MUX_TEST_TOKEN_H

#include "common.h"

struct signature {
	CK_BYTE octets[512];
	CK_ULONG n;
};

/* The slot of the token called "token"; stops the program if there is none. */
CK_SLOT_ID token_slot(list_t m);

/* Opens a session on the token and logs in. */
CK_SESSION_HANDLE token_login(list_t m);

/* Signs data with the key of that label ("rsa": SHA256_RSA_PKCS, "ec": ECDSA)
 * and has the token verify it. */
CK_RV token_sign(list_t m, CK_SESSION_HANDLE s, const char *label, const void *data,
		 CK_ULONG n, struct signature *sig);
CK_RV token_verify(list_t m, CK_SESSION_HANDLE s, const char *label, const void *data,
		   CK_ULONG n, struct signature *sig);

#endif
