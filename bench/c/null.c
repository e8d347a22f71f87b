/*
 * A module that does nothing, so that what remains is the way to it: every
 * function of a 2.40 list is there and answers CKR_OK. It has one slot, and it
 * counts the sessions, to notice one that is closed twice.
 */
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>

#include "p11-kit/pkcs11.h"
#include "zfunctions.h"

#pragma GCC diagnostic ignored "-Wunused-parameter"
#pragma GCC diagnostic ignored "-Woverride-init"

#define P11_FUNCTION(index, name, major, minor, parameters, arguments) \
	static CK_RV nothing_##name parameters { return CKR_OK; }
P11_FUNCTIONS_2_40
#undef P11_FUNCTION

static atomic_ulong last_session, open_sessions;

static CK_RV get_info(CK_INFO *info)
{
	memset(info, 0, sizeof *info);
	info->cryptokiVersion = (CK_VERSION){ 2, 40 };
	memset(info->manufacturerID, ' ', sizeof info->manufacturerID);
	memset(info->libraryDescription, ' ', sizeof info->libraryDescription);
	return CKR_OK;
}

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

/* The reference's proxy lists a slot only if there is a token in it. */
static CK_RV get_slot_info(CK_SLOT_ID slot, CK_SLOT_INFO *info)
{
	memset(info, 0, sizeof *info);
	info->flags = CKF_TOKEN_PRESENT;
	return CKR_OK;
}

static CK_RV open_session(CK_SLOT_ID slot, CK_FLAGS flags, void *application, CK_NOTIFY notify, CK_SESSION_HANDLE *session)
{
	atomic_fetch_add_explicit(&open_sessions, 1, memory_order_relaxed);
	*session = atomic_fetch_add_explicit(&last_session, 1, memory_order_relaxed) + 1;
	return CKR_OK;
}

static CK_RV close_session(CK_SESSION_HANDLE session)
{
	if (atomic_fetch_sub_explicit(&open_sessions, 1, memory_order_relaxed) > 0)
		return CKR_OK;
	atomic_fetch_add_explicit(&open_sessions, 1, memory_order_relaxed);
	return CKR_SESSION_HANDLE_INVALID;
}

CK_RV C_GetFunctionList(CK_FUNCTION_LIST **list);

static CK_FUNCTION_LIST functions = {
	.version = { 2, 40 },
#define P11_FUNCTION(index, name, major, minor, parameters, arguments) .name = nothing_##name,
	P11_FUNCTIONS_2_40
#undef P11_FUNCTION
	.C_GetInfo = get_info,
	.C_GetFunctionList = C_GetFunctionList,
	.C_GetSlotList = get_slot_list,
	.C_GetSlotInfo = get_slot_info,
	.C_OpenSession = open_session,
	.C_CloseSession = close_session,
};

__attribute__((visibility("default"))) CK_RV C_GetFunctionList(CK_FUNCTION_LIST **list)
{
	*list = &functions;
	return CKR_OK;
}
