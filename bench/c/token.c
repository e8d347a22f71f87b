/*
 * token MODULE
 *
 * Makes the token of the first slot ready: a label, BENCH_PIN for the officer
 * and the user, and an RSA key of 2048 bits.
 */
#include <string.h>

#include "bench.h"

int main(int argc, char **argv)
{
	if (argc != 2)
		bench_die("usage: token MODULE");
	CK_FUNCTION_LIST *list = bench_raw(argv[1]);
	CK_UTF8CHAR *pin = (CK_UTF8CHAR *)BENCH_PIN, label[32];
	CK_ULONG pin_len = strlen(BENCH_PIN), count = 1, bits = 2048;
	CK_SLOT_ID slot;
	CK_SESSION_HANDLE session;
	CK_MECHANISM mechanism = { CKM_RSA_PKCS_KEY_PAIR_GEN, NULL, 0 };
	CK_BBOOL yes = CK_TRUE;
	CK_ATTRIBUTE public[] = {
		{ CKA_TOKEN, &yes, sizeof yes },
		{ CKA_VERIFY, &yes, sizeof yes },
		{ CKA_MODULUS_BITS, &bits, sizeof bits },
	};
	CK_ATTRIBUTE private[] = {
		{ CKA_TOKEN, &yes, sizeof yes },
		{ CKA_PRIVATE, &yes, sizeof yes },
		{ CKA_SIGN, &yes, sizeof yes },
	};
	CK_OBJECT_HANDLE public_key, private_key;

	memset(label, ' ', sizeof label);
	memcpy(label, "bench", 5);
	bench_check(list->C_Initialize(NULL), "C_Initialize");
	bench_check(list->C_GetSlotList(CK_FALSE, &slot, &count), "C_GetSlotList");
	bench_check(list->C_InitToken(slot, pin, pin_len, label), "C_InitToken");
	bench_check(list->C_OpenSession(slot, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &session), "C_OpenSession");
	bench_check(list->C_Login(session, CKU_SO, pin, pin_len), "C_Login of the officer");
	bench_check(list->C_InitPIN(session, pin, pin_len), "C_InitPIN");
	bench_check(list->C_Logout(session), "C_Logout");
	bench_check(list->C_Login(session, CKU_USER, pin, pin_len), "C_Login of the user");
	bench_check(list->C_GenerateKeyPair(session, &mechanism, public, 3, private, 3, &public_key, &private_key),
	            "C_GenerateKeyPair");
	bench_check(list->C_Finalize(NULL), "C_Finalize");
	return 0;
}
