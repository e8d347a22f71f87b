/*
 * token MODULE [OBJECTS]
 *
 * Makes the token of the first slot ready: a label, BENCH_PIN for the officer
 * and the user, an RSA key pair of 2048 bits with the label "bench" and an
 * identifier, and ten public AES keys with the label "find". With OBJECTS it has
 * so many public objects with data in the place of keys.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"

/* Makes the keys that are looked for. What they are does not matter, so their values are what they are numbered by. */
static void make_found(CK_FUNCTION_LIST *list, CK_SESSION_HANDLE session)
{
	CK_OBJECT_CLASS class = CKO_SECRET_KEY;
	CK_KEY_TYPE type = CKK_AES;
	CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
	CK_OBJECT_HANDLE key;

	for (CK_BYTE i = 0; i < 10; i++) {
		CK_BYTE value[16] = { i };
		CK_ATTRIBUTE template[] = {
			{ CKA_CLASS, &class, sizeof class },
			{ CKA_KEY_TYPE, &type, sizeof type },
			{ CKA_TOKEN, &yes, sizeof yes },
			{ CKA_PRIVATE, &no, sizeof no },
			{ CKA_LABEL, "find", 4 },
			{ CKA_ID, &i, sizeof i },
			{ CKA_VALUE, value, sizeof value },
		};
		bench_check(list->C_CreateObject(session, template, sizeof template / sizeof *template, &key), "C_CreateObject");
	}
}

static void make_data(CK_FUNCTION_LIST *list, CK_SESSION_HANDLE session, int count)
{
	CK_OBJECT_CLASS class = CKO_DATA;
	CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
	CK_OBJECT_HANDLE object;
	char name[32];

	for (int i = 0; i < count; i++) {
		CK_ATTRIBUTE template[] = {
			{ CKA_CLASS, &class, sizeof class },
			{ CKA_TOKEN, &yes, sizeof yes },
			{ CKA_PRIVATE, &no, sizeof no },
			{ CKA_LABEL, name, (CK_ULONG)snprintf(name, sizeof name, "object %d", i) },
			{ CKA_VALUE, name, strlen(name) },
		};
		bench_check(list->C_CreateObject(session, template, sizeof template / sizeof *template, &object), "C_CreateObject");
	}
}

int main(int argc, char **argv)
{
	if (argc != 2 && argc != 3)
		bench_die("usage: token MODULE [OBJECTS]");
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
		{ CKA_LABEL, "bench", 5 },
		{ CKA_ID, "1", 1 },
	};
	CK_ATTRIBUTE private[] = {
		{ CKA_TOKEN, &yes, sizeof yes },
		{ CKA_PRIVATE, &yes, sizeof yes },
		{ CKA_SIGN, &yes, sizeof yes },
		{ CKA_LABEL, "bench", 5 },
		{ CKA_ID, "1", 1 },
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
	if (argc == 3) {
		make_data(list, session, atoi(argv[2]));
		bench_check(list->C_Finalize(NULL), "C_Finalize");
		return 0;
	}
	bench_check(list->C_GenerateKeyPair(session, &mechanism, public, sizeof public / sizeof *public, private,
	                                    sizeof private / sizeof *private, &public_key, &private_key),
	            "C_GenerateKeyPair");
	make_found(list, session);
	bench_check(list->C_Finalize(NULL), "C_Finalize");
	return 0;
}
