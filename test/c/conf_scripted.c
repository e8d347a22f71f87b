/* The module of scripted.h. */
#include "scripted.h"

#include <stdarg.h>

struct script script;

static char trace[1 << 14];
static size_t trace_len;
static CK_SESSION_HANDLE next_session = 100;
static CK_ULONG found; /* of the search */

void note_call(const char *fmt, ...)
{
	va_list va;

	if (script.silent)
		return;
	va_start(va, fmt);
	trace_len += (size_t)vsnprintf(trace + trace_len, sizeof trace - trace_len, fmt, va);
	va_end(va);
	if (trace_len >= sizeof trace)
		die("too many calls");
}

const char *calls_made(void)
{
	static char copy[sizeof trace];

	memcpy(copy, trace, trace_len + 1);
	trace_len = 0;
	trace[0] = '\0';
	return copy;
}

void script_reset(void)
{
	memset(&script, 0, sizeof script);
	next_session = 100;
	calls_made();
}

static CK_RV of_slot(CK_RV rv, CK_SLOT_ID slot)
{
	return script.only == 0 || script.only == slot ? rv : CKR_OK;
}

static CK_RV get_info(CK_INFO *info)
{
	note_call(" Info");
	memset(info, ' ', sizeof *info);
	info->libraryVersion.major = 1;
	info->libraryVersion.minor = 0;
	memcpy(info->libraryDescription, "scripted", 8);
	return script.info;
}

static CK_RV get_slot_list(CK_BBOOL present, CK_SLOT_ID *slots, CK_ULONG *n)
{
	CK_ULONG room = *n;

	note_call(" Slots(%d", present);
	if (slots)
		note_call(",%lu", room);
	note_call(")");
	*n = script.claimed_slots ? script.claimed_slots : 2;
	if (slots && script.grows) {
		*n = room + 1;
		return CKR_BUFFER_TOO_SMALL;
	}
	if (slots && room > 0)
		slots[0] = 5;
	if (slots && room > 1)
		slots[1] = 6;
	return script.slots;
}

static CK_RV get_slot_info(CK_SLOT_ID slot, CK_SLOT_INFO *info)
{
	note_call(" Slot(%lu)", slot);
	memset(info, ' ', sizeof *info);
	info->slotDescription[0] = (CK_UTF8CHAR)('0' + slot);
	info->flags = CKF_TOKEN_PRESENT;
	return of_slot(script.slot_info, slot);
}

static CK_RV get_token_info(CK_SLOT_ID slot, CK_TOKEN_INFO *info)
{
	note_call(" Token(%lu)", slot);
	memset(info, ' ', sizeof *info);
	memcpy(info->label, "token", 5);
	info->label[5] = (CK_UTF8CHAR)('0' + slot);
	info->flags = CKF_TOKEN_INITIALIZED | (script.write_protected ? CKF_WRITE_PROTECTED : 0);
	return of_slot(script.token_info, slot);
}

static CK_RV open_it(CK_SLOT_ID slot, CK_FLAGS flags, void *application, CK_NOTIFY notify, CK_SESSION_HANDLE *session)
{
	CK_RV rv = of_slot(script.open, slot);

	note_call(" Open(%lu,%lx%s)", slot, flags, application || notify ? ",?" : "");
	if (rv == CKR_OK)
		*session = next_session++;
	return rv;
}

static CK_RV close_it(CK_SESSION_HANDLE session)
{
	note_call(" Close(%lu)", session);
	return script.close;
}

static CK_RV get_session_info(CK_SESSION_HANDLE session, CK_SESSION_INFO *info)
{
	note_call(" Session(%lu)", session);
	memset(info, 0, sizeof *info);
	info->slotID = 9;
	return CKR_OK;
}

static CK_RV log_in(CK_SESSION_HANDLE session, CK_USER_TYPE user, CK_UTF8CHAR *pin, CK_ULONG len)
{
	note_call(" Login(%lu,%lu,%.*s)", session, user, (int)len, (const char *)pin);
	return script.login;
}

static CK_RV find_init(CK_SESSION_HANDLE session, CK_ATTRIBUTE *attrs, CK_ULONG n)
{
	CK_ULONG i;

	note_call(" Init(%lu", session);
	for (i = 0; i < n; i++)
		if (attrs[i].pValue)
			note_call(",%lx=%.*s", attrs[i].type, (int)attrs[i].ulValueLen, (const char *)attrs[i].pValue);
		else
			note_call(",%lx?%ld", attrs[i].type, (long)attrs[i].ulValueLen);
	note_call(")");
	found = 0;
	return script.init;
}

static CK_RV find(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE *objects, CK_ULONG most, CK_ULONG *n)
{
	CK_ULONG i;

	(void)session;
	for (i = 0; i < most && (script.objects == ENDLESS || found < script.objects); i++)
		objects[i] = 1000 + found++;
	*n = script.claimed_found ? script.claimed_found : i;
	note_call(" Find(%lu)", most);
	return script.find;
}

static CK_RV find_final(CK_SESSION_HANDLE session)
{
	note_call(" Final(%lu)", session);
	return script.final;
}

static CK_RV get_attributes(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE *attrs, CK_ULONG n)
{
	note_call(" Get(%lu,%lu,%lu)", session, object, n);
	return script.attributes ? script.attributes(object, attrs, n) : script.get;
}

static CK_RV destroy(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object)
{
	note_call(" Destroy(%lu,%lu)", session, object);
	return CKR_OK;
}

#define SCRIPTED { \
	.version = { 2, 40 }, .C_GetInfo = get_info, .C_GetSlotList = get_slot_list, .C_GetSlotInfo = get_slot_info, \
	.C_GetTokenInfo = get_token_info, .C_OpenSession = open_it, .C_CloseSession = close_it, \
	.C_GetSessionInfo = get_session_info, .C_Login = log_in, .C_FindObjectsInit = find_init, .C_FindObjects = find, \
	.C_FindObjectsFinal = find_final, .C_GetAttributeValue = get_attributes, .C_DestroyObject = destroy, \
}
CK_FUNCTION_LIST scripted = SCRIPTED, scripted_too = SCRIPTED;
CK_FUNCTION_LIST *const one_module[2] = { &scripted }, *const two_modules[3] = { &scripted, &scripted_too };
