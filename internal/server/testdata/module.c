/*
 * A module that does what it is told, by the seeds of C_SeedRandom: it crashes,
 * waits for ever, or tries what a sandbox may forbid. C_Initialize does the same
 * with what $OBEDIENT_INITIALIZE says, and when it is loaded it crashes if there
 * is a file $OBEDIENT_LOAD. C_GenerateRandom gives the number of its process, or
 * as many octets as are wanted.
 */
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "p11-kit/pkcs11.h"
#include "zfunctions.h"

#pragma GCC diagnostic ignored "-Wunused-parameter"
#pragma GCC diagnostic ignored "-Woverride-init"

#define P11_FUNCTION(index, name, major, minor, parameters, arguments) \
	static CK_RV nothing_##name parameters { return CKR_OK; }
P11_FUNCTIONS_2_40
#undef P11_FUNCTION

static CK_RV get_slot_list(CK_BBOOL with_token, CK_SLOT_ID *slots, CK_ULONG *count)
{
	CK_ULONG room = *count;
	*count = 1;
	if (!slots)
		return CKR_OK;
	if (room < 1)
		return CKR_BUFFER_TOO_SMALL;
	slots[0] = 1;
	return CKR_OK;
}

static CK_RV open_session(CK_SLOT_ID slot, CK_FLAGS flags, void *application, CK_NOTIFY notify, CK_SESSION_HANDLE *session)
{
	static CK_SESSION_HANDLE last;
	*session = __atomic_add_fetch(&last, 1, __ATOMIC_RELAXED);
	return CKR_OK;
}

static CK_RV wait_for_slot_event(CK_FLAGS flags, CK_SLOT_ID *slot, void *reserved)
{
	while (!(flags & CKF_DONT_BLOCK))
		pause();
	return CKR_NO_EVENT;
}

/* Whether a file can be opened. */
static CK_RV try(const char *path, int flags)
{
	int fd = open(path, flags, 0600);
	if (fd < 0)
		return CKR_FUNCTION_REJECTED;
	close(fd);
	return CKR_OK;
}

static CK_RV obey(const char *text)
{
	switch (text[0]) {
	case 'c': /* crash */
		abort();
	case 'h': /* make this file, and hang */
		try(text + 1, O_WRONLY | O_CREAT);
		for (;;)
			pause();
	case 'r': /* read this file */
		return try(text + 1, O_RDONLY);
	case 'w': /* write this file */
		return try(text + 1, O_WRONLY | O_CREAT);
	case 'k': /* signal this process */
		return kill(atoi(text + 1), 0) == 0 ? CKR_OK : CKR_FUNCTION_REJECTED;
	}
	return CKR_ARGUMENTS_BAD;
}

static CK_RV seed_random(CK_SESSION_HANDLE session, CK_BYTE *seed, CK_ULONG len)
{
	char text[256];
	if (len < 1 || len >= sizeof text)
		return CKR_ARGUMENTS_BAD;
	memcpy(text, seed, len);
	text[len] = 0;
	return obey(text);
}

static CK_RV initialize(void *args)
{
	const char *text = getenv("OBEDIENT_INITIALIZE");
	return text ? obey(text) : CKR_OK;
}

static CK_RV generate_random(CK_SESSION_HANDLE session, CK_BYTE *data, CK_ULONG len)
{
	pid_t pid = getpid();
	memset(data, 1, len);
	memcpy(data, &pid, len < sizeof pid ? len : sizeof pid);
	return CKR_OK;
}

CK_RV C_GetFunctionList(CK_FUNCTION_LIST **list);

static CK_FUNCTION_LIST functions = {
	.version = { 2, 40 },
#define P11_FUNCTION(index, name, major, minor, parameters, arguments) .name = nothing_##name,
	P11_FUNCTIONS_2_40
#undef P11_FUNCTION
	.C_GetFunctionList = C_GetFunctionList,
	.C_Initialize = initialize,
	.C_GetSlotList = get_slot_list,
	.C_OpenSession = open_session,
	.C_WaitForSlotEvent = wait_for_slot_event,
	.C_SeedRandom = seed_random,
	.C_GenerateRandom = generate_random,
};

__attribute__((visibility("default"))) CK_RV C_GetFunctionList(CK_FUNCTION_LIST **list)
{
	const char *path = getenv("OBEDIENT_LOAD");
	if (path && access(path, F_OK) == 0)
		abort();
	*list = &functions;
	return CKR_OK;
}
