/* See library.h. */
#include "library.h"

#include "../c/counter.h"

#include <dlfcn.h>
#include <p11-kit/pkcs11.h>
#include <sys/wait.h>
#include <unistd.h>

static CK_FUNCTION_LIST *(*load)(const char *, int);
static void (*release)(CK_FUNCTION_LIST *);
static CK_FUNCTION_LIST *m;

#define TRY(cond) do { if (!(cond)) return __LINE__; } while (0)

int library_load(const char *path)
{
	void *handle = dlopen("libp11-kit.so.0", RTLD_NOW | RTLD_LOCAL);

	TRY(handle != NULL);
	*(void **)&load = dlsym(handle, "p11_kit_module_load");
	*(void **)&release = dlsym(handle, "p11_kit_module_release");
	TRY(load && release);
	m = load(path, 0);
	TRY(m != NULL);
	return 0;
}

int library_begin(void)
{
	TRY(m->C_Initialize(NULL) == CKR_OK);
	return library_use();
}

int library_use(void)
{
	CK_SESSION_HANDLE s;
	CK_SESSION_INFO info;

	TRY(m->C_OpenSession(1, CKF_SERIAL_SESSION, NULL, NULL, &s) == CKR_OK);
	TRY(m->C_GetSessionInfo(s, &info) == CKR_OK);
	TRY(m->C_CloseSession(s) == CKR_OK);
	return 0;
}

int library_end(void)
{
	TRY(m->C_Finalize(NULL) == CKR_OK);
	TRY(m->C_Finalize(NULL) == CKR_CRYPTOKI_NOT_INITIALIZED);
	release(m);
	return 0;
}

int library_fork(void)
{
	CK_SESSION_HANDLE s;
	int status;
	pid_t pid = fork();

	TRY(pid >= 0);
	if (pid == 0) {
		alarm(30);
		_exit(m->C_OpenSession(1, CKF_SERIAL_SESSION, NULL, NULL, &s) == CKR_CRYPTOKI_NOT_INITIALIZED &&
		      library_begin() == 0 && m->C_Finalize(NULL) == CKR_OK ? 0 : 1);
	}
	TRY(waitpid(pid, &status, 0) == pid);
	TRY(status == 0);
	return 0;
}

long library_count(const char *path, const char *counter)
{
	return counter_of(path, counter);
}
