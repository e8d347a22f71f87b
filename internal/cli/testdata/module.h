/*
 * What the modules of these tests have in common. A file defines initialize and finalize, and MODULE with the functions that it has
 * besides. What it may define before it includes this:
 *
 *   DESCRIPTION   what C_GetInfo says of the module
 *   INFO_RV       what C_GetInfo answers
 *   LABEL, FLAGS  of its tokens, which are all alike
 *   SLOTS         how many slots there are, each with a token
 */
#include <p11-kit/pkcs11.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef DESCRIPTION
#define DESCRIPTION ""
#endif
#ifndef INFO_RV
#define INFO_RV CKR_OK
#endif
#ifndef LABEL
#define LABEL ""
#endif
#ifndef FLAGS
#define FLAGS 0
#endif
#ifndef SLOTS
#define SLOTS 0
#endif

static CK_RV initialize(void *args);
static CK_RV finalize(void *unused);

static CK_RV get_info(CK_INFO *info)
{
	memset(info, ' ', sizeof *info);
	memcpy(info->libraryDescription, DESCRIPTION, strlen(DESCRIPTION));
	info->libraryVersion = (CK_VERSION){ 1, 0 };
	return INFO_RV;
}

static CK_RV get_slot_list(CK_BBOOL present, CK_SLOT_ID *list, CK_ULONG *count)
{
	(void)present;
	for (CK_ULONG i = 0; list && i < SLOTS; i++)
		list[i] = i;
	*count = SLOTS;
	return CKR_OK;
}

static CK_RV get_token_info(CK_SLOT_ID slot, CK_TOKEN_INFO *info)
{
	(void)slot;
	memset(info, ' ', sizeof *info);
	memcpy(info->label, LABEL, strlen(LABEL));
	info->flags = CKF_TOKEN_INITIALIZED | FLAGS;
	info->ulMaxSessionCount = info->ulMaxRwSessionCount = CK_EFFECTIVELY_INFINITE;
	return CKR_OK;
}

static CK_RV open_session(CK_SLOT_ID slot, CK_FLAGS flags, void *data, CK_NOTIFY notify, CK_SESSION_HANDLE *session)
{
	static CK_SESSION_HANDLE last;

	(void)slot;
	(void)flags;
	(void)data;
	(void)notify;
	*session = ++last;
	return CKR_OK;
}

static CK_RV close_session(CK_SESSION_HANDLE session)
{
	(void)session;
	return CKR_OK;
}

static CK_RV get_session_info(CK_SESSION_HANDLE session, CK_SESSION_INFO *info)
{
	(void)session;
	*info = (CK_SESSION_INFO){ .state = CKS_RW_PUBLIC_SESSION, .flags = CKF_SERIAL_SESSION | CKF_RW_SESSION };
	return CKR_OK;
}

CK_RV C_GetFunctionList(CK_FUNCTION_LIST **list);

#define MODULE(...)                                                                                     \
	static CK_FUNCTION_LIST functions = {                                                           \
		.version = { 2, 40 },                                                                   \
		.C_Initialize = initialize,                                                             \
		.C_Finalize = finalize,                                                                 \
		.C_GetInfo = get_info,                                                                  \
		.C_GetSlotList = get_slot_list,                                                         \
		.C_GetTokenInfo = get_token_info,                                                       \
		.C_OpenSession = open_session,                                                          \
		.C_CloseSession = close_session,                                                        \
		.C_GetSessionInfo = get_session_info,                                                   \
		__VA_ARGS__                                                                             \
	};                                                                                              \
                                                                                                        \
	__attribute__((visibility("default"))) CK_RV C_GetFunctionList(CK_FUNCTION_LIST **list)         \
	{                                                                                               \
		*list = &functions;                                                                     \
		return CKR_OK;                                                                          \
	}
