/* See host.h. */
#include "host.h"

#include <dlfcn.h>
#include <p11-kit/pkcs11.h>

static CK_FUNCTION_LIST *(*load)(const char *, int);
static void (*release)(CK_FUNCTION_LIST *);

int host_open(void)
{
	void *handle = dlopen("libp11-kit.so.0", RTLD_NOW | RTLD_LOCAL);

	if (handle == NULL)
		return 1;
	*(void **)&load = dlsym(handle, "p11_kit_module_load");
	*(void **)&release = dlsym(handle, "p11_kit_module_release");
	return load && release ? 0 : 2;
}

#define TRY(cond) do { if (!(cond)) return __LINE__; } while (0)

int host_cycle(const char *path)
{
	CK_FUNCTION_LIST *m = load(path, 0);
	CK_SESSION_HANDLE s[4];
	CK_SESSION_INFO info;
	int i;

	TRY(m != NULL);
	TRY(m->C_Initialize(NULL) == CKR_OK);
	for (i = 0; i < 4; i++) {
		TRY(m->C_OpenSession(1, CKF_SERIAL_SESSION, NULL, NULL, &s[i]) == CKR_OK);
		TRY(m->C_GetSessionInfo(s[i], &info) == CKR_OK);
	}
	TRY(m->C_CloseSession(s[0]) == CKR_OK);
	TRY(m->C_CloseAllSessions(1) == CKR_OK);
	TRY(m->C_Finalize(NULL) == CKR_OK);
	release(m);
	return 0;
}
