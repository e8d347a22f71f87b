/*
 * Makes every call of 2.40 in right and in wrong ways, on a list whose calls are
 * logged, so that the logs of two libraries can be compared. The module does
 * what it is told (log_module.c), and all memory that calls lead to is static.
 *
 *   log_calls
 */
#include "common.h"

#include <dlfcn.h>

#include "log_module.h"

/* The arguments of each function, a letter for each; capitals stand for two words. */
static const struct {
	int n;
	const char *kinds;
} functions[] = {
	{ M_C_Initialize, "a" }, { M_C_GetInfo, "1" }, { M_C_GetSlotList, "yL" }, { M_C_GetSlotInfo, "i2" },
	{ M_C_GetTokenInfo, "i3" }, { M_C_GetMechanismList, "iL" }, { M_C_GetMechanismInfo, "ie5" },
	{ M_C_InitToken, "iBv" }, { M_C_InitPIN, "sB" }, { M_C_SetPIN, "sBB" }, { M_C_OpenSession, "ifpph" },
	{ M_C_GetSessionInfo, "s4" }, { M_C_GetOperationState, "sO" },
	{ M_C_SetOperationState, "sBoo" }, { M_C_Login, "suB" }, { M_C_Logout, "s" },
	{ M_C_CreateObject, "sTh" }, { M_C_CopyObject, "soTh" }, { M_C_DestroyObject, "so" }, { M_C_GetObjectSize, "soh" },
	{ M_C_GetAttributeValue, "soA" }, { M_C_SetAttributeValue, "soT" }, { M_C_FindObjectsInit, "sT" },
	{ M_C_FindObjects, "sq" }, { M_C_FindObjectsFinal, "s" }, { M_C_EncryptInit, "smo" }, { M_C_Encrypt, "sBO" },
	{ M_C_EncryptUpdate, "sBO" }, { M_C_EncryptFinal, "sO" }, { M_C_DecryptInit, "smo" }, { M_C_Decrypt, "sBO" },
	{ M_C_DecryptUpdate, "sBO" }, { M_C_DecryptFinal, "sO" }, { M_C_DigestInit, "sm" }, { M_C_Digest, "sBO" },
	{ M_C_DigestUpdate, "sB" }, { M_C_DigestKey, "so" }, { M_C_DigestFinal, "sO" }, { M_C_SignInit, "smo" },
	{ M_C_Sign, "sBO" }, { M_C_SignUpdate, "sB" }, { M_C_SignFinal, "sO" }, { M_C_SignRecoverInit, "smo" },
	{ M_C_SignRecover, "sBO" }, { M_C_VerifyInit, "smo" }, { M_C_Verify, "sBB" }, { M_C_VerifyUpdate, "sB" },
	{ M_C_VerifyFinal, "sB" }, { M_C_VerifyRecoverInit, "smo" }, { M_C_VerifyRecover, "sBO" },
	{ M_C_DigestEncryptUpdate, "sBO" }, { M_C_DecryptDigestUpdate, "sBO" }, { M_C_SignEncryptUpdate, "sBO" },
	{ M_C_DecryptVerifyUpdate, "sBO" }, { M_C_GenerateKey, "smTh" }, { M_C_GenerateKeyPair, "smTThh" },
	{ M_C_WrapKey, "smooO" }, { M_C_UnwrapKey, "smoBTh" }, { M_C_DeriveKey, "smoTh" }, { M_C_SeedRandom, "sB" },
	{ M_C_GenerateRandom, "sw" }, { M_C_GetFunctionStatus, "s" }, { M_C_CancelFunction, "s" }, { M_C_WaitForSlotEvent, "fhp" },
	{ M_C_CloseSession, "s" }, { M_C_CloseAllSessions, "i" },
};

/* Octets that a log has to show in some way or other. */
static CK_BYTE odd[200] = "plain \"text\" \\ with\ttabs\nand\r\x01\x7f\x80\xff ends";
static CK_BYTE a_119[119], a_118[118];
static CK_BYTE out_room[400], out_new[400];
static CK_ULONG counts[4], new_counts[4];
static CK_ULONG handles[8], new_handles[8] = { CKM_RSA_X9_31, 0x21, 0x8000abcd, CKM_AES_CBC_PAD, CKM_SHA256_RSA_PKCS, 0x80001234, 0, ~0ul };
static CK_ULONG handle, new_handle = 42;
static CK_INFO info = { { 2, 40 }, "a maker                         ", 0x2a, "a library                       ", { 1, 2 } };
static CK_SLOT_INFO slot_info = {
	"a slot with some words                                          ", "its maker                       ",
	CKF_TOKEN_PRESENT | CKF_HW_SLOT | 0x80, { 3, 4 }, { 5, 6 }
};
static CK_SESSION_INFO session_info = { 9, CKS_RW_USER_FUNCTIONS, CKF_RW_SESSION | CKF_SERIAL_SESSION, 7 };
static CK_MECHANISM_INFO mechanism_info = { 128, 4096, CKF_HW | CKF_ENCRYPT | CKF_SIGN | CKF_WRAP | CKF_DERIVE };
static CK_C_INITIALIZE_ARGS init_args;
static CK_BYTE iv[16] = { 1, 2, 3 };
static CK_MECHANISM mechanisms[] = {
	{ CKM_AES_CBC, iv, sizeof iv }, { CKM_RSA_PKCS, NULL, 0 }, { 0x80001234, NULL, 5 }, { CKM_CAST5_CBC, iv, 0 },
};
static CK_BBOOL yes = CK_TRUE;
static CK_ULONG class = CKO_PRIVATE_KEY, key_type = CKK_EC, certificate_type = CKC_X_509, big = 0x80000001, category = 2, bits = 2048;
static CK_ATTRIBUTE zoo[] = {
	{ CKA_CLASS, &class, sizeof class }, { CKA_CLASS, &big, sizeof big }, { CKA_CLASS, &class, 3 }, { CKA_CLASS, NULL, 8 },
	{ CKA_KEY_TYPE, &key_type, sizeof key_type }, { CKA_CERTIFICATE_TYPE, &certificate_type, sizeof certificate_type },
	{ CKA_CERTIFICATE_CATEGORY, &category, sizeof category }, { CKA_TOKEN, &yes, sizeof yes },
	{ CKA_LABEL, odd, 60 }, { CKA_LABEL, NULL, 9 }, { CKA_LABEL, odd, (CK_ULONG)-1 }, { CKA_ID, out_new, 129 }, { CKA_ID, out_new, 128 },
	{ CKA_VALUE, odd, 16 }, { CKA_MODULUS, odd, 16 }, { CKA_PRIVATE_EXPONENT, odd, 16 }, { CKA_MODULUS_BITS, &bits, sizeof bits },
	{ 0x80001234, odd, 4 }, { CKA_SUBJECT, odd, 0 }, { CKA_TRUSTED, NULL, 0 }, { CKA_ECDSA_PARAMS, odd, 5 },
};
#define ZOO (sizeof zoo / sizeof *zoo)

/* A way to make a call. */
enum way { FINE, EMPTY, NULLS, SMALL, FAILS, UNKNOWN, LONG, HUGE_LENGTHS, WAYS };

static struct log_script script;

static void will_write(void *to, const void *from, size_t n)
{
	script.write[script.writes].to = to;
	script.write[script.writes].from = from;
	script.write[script.writes++].n = n;
}

/* Adds an argument; gives how many words it has. */
static int argument(char kind, enum way way, int which, CK_ULONG *w)
{
	bool null = way == NULLS;
	bool fills = script.rv == CKR_OK && !null;
	CK_ULONG n = way == EMPTY ? 0 : way == HUGE_LENGTHS ? (CK_ULONG)-1 : 20;
	switch (kind) {
	case 's': w[0] = way == FINE ? 1 : 77; return 1;
	case 'i': w[0] = way == FINE ? 3 : ~0ul; return 1;
	case 'o': w[0] = way == FINE ? 5 + (CK_ULONG)which : 0; return 1;
	case 'e': w[0] = way == FINE ? CKM_AES_CBC : 0x80001234; return 1;
	case 'f': w[0] = way == FINE ? 5 : way == LONG ? 0xff : 0; return 1;
	case 'u': w[0] = way == FINE ? CKU_USER : way == LONG ? CKU_CONTEXT_SPECIFIC : 9; return 1;
	case 'y': w[0] = way == FINE; return 1;
	case 'p': w[0] = null ? 0 : way == EMPTY ? 0x12 : (CK_ULONG)odd; return 1;
	case 'a':
		init_args.flags = way == FINE ? CKF_OS_LOCKING_OK : way == LONG ? CKF_LIBRARY_CANT_CREATE_OS_THREADS : 0;
		w[0] = null ? 0 : (CK_ULONG)&init_args;
		return 1;
	case 'v': w[0] = null ? 0 : (CK_ULONG)(way == FINE ? "a label of a token              " : "short\0and hidden                "); return 1;
	case 'm': w[0] = (CK_ULONG)&mechanisms[way % 4]; return 1; /* the reference cannot log NULL */
	case 'h':
		w[0] = null ? 0 : (CK_ULONG)&handle;
		if (fills)
			will_write(&handle, &new_handle, sizeof handle);
		return 1;
	case 'B':
		w[0] = null ? 0 : (CK_ULONG)odd;
		w[1] = n;
		if (way == LONG) {
			w[0] = (CK_ULONG)(which % 2 ? a_119 : a_118);
			w[1] = which % 2 ? sizeof a_119 : sizeof a_118;
		} else if (way == FAILS) {
			w[1] = sizeof odd;
		}
		return 2;
	case 'T':
		w[0] = null ? 0 : (CK_ULONG)zoo;
		w[1] = way == EMPTY ? 0 : way == FINE ? 2 : ZOO;
		return 2;
	case 'A':
		w[0] = null ? 0 : (CK_ULONG)zoo;
		w[1] = way == EMPTY ? 0 : ZOO;
		return 2;
	case 'O':
		w[0] = null ? 0 : (CK_ULONG)out_room;
		w[1] = way == EMPTY ? 0 : (CK_ULONG)&counts[0];
		counts[0] = sizeof out_room;
		new_counts[0] = way == LONG ? 300 : way == HUGE_LENGTHS ? (CK_ULONG)-1 : 20;
		will_write(&counts[0], &new_counts[0], sizeof *counts);
		if (fills)
			will_write(out_room, out_new, sizeof out_room);
		return 2;
	case 'L':
		w[0] = null || way == EMPTY ? 0 : (CK_ULONG)handles;
		w[1] = null ? 0 : (CK_ULONG)&counts[1];
		counts[1] = 8;
		new_counts[1] = way == FINE ? 3 : way == LONG ? 8 : 0;
		if (w[1])
			will_write(&counts[1], &new_counts[1], sizeof *counts);
		if (fills)
			will_write(handles, new_handles, sizeof handles);
		return 2;
	case 'q':
		w[0] = null || way == EMPTY ? 0 : (CK_ULONG)handles;
		w[1] = 8;
		w[2] = null ? 0 : (CK_ULONG)&counts[2];
		new_counts[2] = way == FINE ? 3 : 0;
		if (w[2])
			will_write(&counts[2], &new_counts[2], sizeof *counts);
		if (fills)
			will_write(handles, new_handles, sizeof handles);
		return 3;
	case 'w':
		w[0] = null ? 0 : (CK_ULONG)out_room;
		w[1] = way == EMPTY ? 0 : 12;
		if (fills)
			will_write(out_room, odd, 12);
		return 2;
	case '1': w[0] = null ? 0 : (CK_ULONG)&info; return 1;
	case '2': w[0] = null ? 0 : (CK_ULONG)&slot_info; return 1;
	case '4': w[0] = null ? 0 : (CK_ULONG)&session_info; return 1;
	case '5': w[0] = null ? 0 : (CK_ULONG)&mechanism_info; return 1;
	}
	die("no kind %c", kind);
}

static CK_TOKEN_INFO token_info = {
	"a token                         ", "its maker                       ", "a model         ", "0123456789abcdef", 0x40d,
	10, 2, 5, 1, 8, 4, 1000, 500, 2000, 1500, { 1, 2 }, { 3, 4 }, "2026010203040500"
};

static void call(list_t list, size_t f, enum way way)
{
	CK_ULONG w[10] = { 0 };
	int n = 0;
	script.writes = 0;
	script.rv = way == SMALL ? CKR_BUFFER_TOO_SMALL : way == FAILS ? CKR_GENERAL_ERROR : way == UNKNOWN ? 0x80001234 : CKR_OK;
	for (int i = 0; functions[f].kinds[i]; i++) {
		if (functions[f].kinds[i] == '3')
			w[n++] = way == NULLS ? 0 : (CK_ULONG)&token_info;
		else
			n += argument(functions[f].kinds[i], way, i, w + n);
	}
	member(list, functions[f].n)(w[0], w[1], w[2], w[3], w[4], w[5], w[6], w[7], w[8], w[9]);
}

int main(void)
{
	memset(odd + 40, 'x', sizeof odd - 41);
	memset(a_119, 'a', sizeof a_119);
	memset(a_118, 'b', sizeof a_118);
	for (size_t i = 0; i < sizeof out_new; i++)
		out_new[i] = (CK_BYTE)i;
	use_conf();
	list_t *modules = (list_t *)p11_kit_modules_load_and_initialize(0);
	must(modules && modules[0]);
	void *dl = dlopen(module_path("logged"), RTLD_NOW);
	must(dl);
	void (*set)(struct log_script *) = (void (*)(struct log_script *))dlsym(dl, "log_script_set");
	must(set);
	set(&script);
	for (size_t f = 0; f < sizeof functions / sizeof *functions; f++) {
		for (enum way way = 0; way < WAYS; way++) {
			fprintf(stderr, "# way %d\n", way);
			call(modules[0], f, way);
		}
	}
	script.rv = CKR_OK;
	script.writes = 0;
	p11_kit_modules_finalize_and_release((CK_FUNCTION_LIST **)modules);
	return 0;
}
