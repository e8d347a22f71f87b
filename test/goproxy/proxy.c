/* See proxy.h. */
#include "proxy.h"

#include <dlfcn.h>
#include <p11-kit/pkcs11.h>
#include <string.h>

#define TRY(cond) do { if (!(cond)) return __LINE__; } while (0)

static CK_FUNCTION_LIST *m;
static CK_SLOT_ID slot;

int proxy_open(const char *path)
{
	CK_C_INITIALIZE_ARGS args = { .flags = CKF_OS_LOCKING_OK };
	void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	CK_RV (*get_list)(CK_FUNCTION_LIST **);

	TRY(handle != NULL);
	*(void **)&get_list = dlsym(handle, "C_GetFunctionList");
	TRY(get_list != NULL);
	TRY(get_list(&m) == CKR_OK);
	TRY(m->C_Initialize(&args) == CKR_OK);
	return 0;
}

int proxy_login(const char *label, const void *pin, size_t n)
{
	CK_SLOT_ID slots[16];
	CK_ULONG count = 16, i;
	CK_TOKEN_INFO info;
	CK_SESSION_HANDLE session;
	CK_RV rv;
	char padded[sizeof info.label];

	memset(padded, ' ', sizeof padded);
	memcpy(padded, label, strlen(label));
	TRY(m->C_GetSlotList(CK_TRUE, slots, &count) == CKR_OK);
	for (i = 0; i < count; i++) {
		TRY(m->C_GetTokenInfo(slots[i], &info) == CKR_OK);
		if (memcmp(info.label, padded, sizeof padded) == 0)
			break;
	}
	TRY(i < count);
	slot = slots[i];
	/* The login lasts as long as this session, which ends with the module. */
	TRY(m->C_OpenSession(slot, CKF_SERIAL_SESSION, NULL, NULL, &session) == CKR_OK);
	rv = m->C_Login(session, CKU_USER, (CK_BYTE *)pin, n);
	TRY(rv == CKR_OK || rv == CKR_USER_ALREADY_LOGGED_IN); /* by somebody else in the process */
	return 0;
}

int proxy_sign(const char *key, const void *data, void *signature, size_t *n)
{
	CK_OBJECT_CLASS class = CKO_PRIVATE_KEY;
	CK_ATTRIBUTE want[] = {
		{ CKA_CLASS, &class, sizeof class },
		{ CKA_LABEL, (void *)key, strlen(key) },
	};
	CK_MECHANISM mechanism = { strcmp(key, "rsa") == 0 ? CKM_SHA256_RSA_PKCS : CKM_ECDSA, NULL, 0 };
	CK_SESSION_HANDLE session;
	CK_OBJECT_HANDLE object;
	CK_ULONG found, length = *n;

	TRY(m->C_OpenSession(slot, CKF_SERIAL_SESSION, NULL, NULL, &session) == CKR_OK);
	TRY(m->C_FindObjectsInit(session, want, 2) == CKR_OK);
	TRY(m->C_FindObjects(session, &object, 1, &found) == CKR_OK && found == 1);
	TRY(m->C_FindObjectsFinal(session) == CKR_OK);
	TRY(m->C_SignInit(session, &mechanism, object) == CKR_OK);
	TRY(m->C_Sign(session, (CK_BYTE *)data, 32, signature, &length) == CKR_OK);
	TRY(m->C_CloseSession(session) == CKR_OK);
	*n = length;
	return 0;
}

int proxy_close(void)
{
	TRY(m->C_Finalize(NULL) == CKR_OK);
	return 0;
}
