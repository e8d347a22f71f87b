/*
 * A module that does nothing, so that what remains is the way to it: every
 * function of a 2.40 list is there and answers CKR_OK. It has one slot, and it
 * counts the sessions, to notice one that is closed twice.
 *
 * With ANSWERS it gives what bindings cannot do without: a signature of 256
 * octets, and ten objects of which each tells four attributes. With MANY there
 * are MANY objects, each with every attribute. With SLOW a
 * signature takes SLOW microseconds, in which it waits.
 */
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>
#include <time.h>

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

#ifdef ANSWERS
/* Gives n octets by the convention of two calls. */
static CK_RV give(CK_BYTE *out, CK_ULONG *room, const void *octets, CK_ULONG n)
{
	CK_ULONG had = *room;
	*room = n;
	if (!out)
		return CKR_OK;
	if (had < n)
		return CKR_BUFFER_TOO_SMALL;
	memcpy(out, octets, n);
	return CKR_OK;
}

static CK_RV sign(CK_SESSION_HANDLE session, CK_BYTE *data, CK_ULONG data_len, CK_BYTE *signature, CK_ULONG *signature_len)
{
	static const CK_BYTE octets[256] = { 1 };
	return give(signature, signature_len, octets, sizeof octets);
}

enum { OBJECTS = 10, SESSIONS = 64 };

/* How many objects the search in a session has left, by the session's number. */
static CK_ULONG left[SESSIONS];

static CK_RV find_init(CK_SESSION_HANDLE session, CK_ATTRIBUTE *template, CK_ULONG n)
{
	left[session % SESSIONS] = OBJECTS;
	return CKR_OK;
}

static CK_RV find(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE *objects, CK_ULONG room, CK_ULONG *count)
{
	CK_ULONG *rest = &left[session % SESSIONS];
	for (*count = 0; *count < room && *rest > 0; ++*count)
		objects[*count] = (*rest)--;
	return CKR_OK;
}

static CK_RV get_attributes(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE *template, CK_ULONG n)
{
	static const CK_ULONG class = CKO_SECRET_KEY, type = CKK_AES;
	for (CK_ULONG i = 0; i < n; i++) {
		CK_ATTRIBUTE *a = &template[i];
		CK_RV rv = CKR_ATTRIBUTE_TYPE_INVALID;
		switch (a->type) {
		case CKA_CLASS:
			rv = give(a->pValue, &a->ulValueLen, &class, sizeof class);
			break;
		case CKA_KEY_TYPE:
			rv = give(a->pValue, &a->ulValueLen, &type, sizeof type);
			break;
		case CKA_LABEL:
			rv = give(a->pValue, &a->ulValueLen, "bench", 5);
			break;
		case CKA_ID:
			rv = give(a->pValue, &a->ulValueLen, &object, sizeof object);
			break;
		}
		if (rv != CKR_OK)
			return rv;
	}
	return CKR_OK;
}
#endif

#ifdef MANY
enum { SESSIONS = 64 };

static CK_ULONG found[SESSIONS]; /* objects, by the search in a session, by the session's number */

static CK_RV find_objects_init(CK_SESSION_HANDLE session, CK_ATTRIBUTE *template, CK_ULONG count)
{
	found[session % SESSIONS] = 0;
	return CKR_OK;
}

static CK_RV find_objects(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE *objects, CK_ULONG room, CK_ULONG *count)
{
	CK_ULONG *last = &found[session % SESSIONS];
	for (*count = 0; *count < room && *last < MANY; (*count)++)
		objects[*count] = ++*last;
	return CKR_OK;
}

static CK_RV get_attribute_value(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE *template, CK_ULONG count)
{
	for (CK_ULONG i = 0; i < count; i++) {
		CK_ULONG n = template[i].type == CKA_TOKEN || template[i].type == CKA_MODIFIABLE ? sizeof(CK_BBOOL) : sizeof object;
		if (template[i].pValue)
			memcpy(template[i].pValue, &object, n);
		template[i].ulValueLen = n;
	}
	return CKR_OK;
}
#endif

#ifdef SLOW
static CK_RV slow_sign(CK_SESSION_HANDLE session, CK_BYTE *data, CK_ULONG data_len, CK_BYTE *signature, CK_ULONG *signature_len)
{
	const struct timespec time = { 0, SLOW * 1000L };
	nanosleep(&time, NULL);
	return CKR_OK;
}
#endif

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
#ifdef ANSWERS
	.C_Sign = sign,
	.C_FindObjectsInit = find_init,
	.C_FindObjects = find,
	.C_GetAttributeValue = get_attributes,
#endif
#ifdef MANY
	.C_FindObjectsInit = find_objects_init,
	.C_FindObjects = find_objects,
	.C_GetAttributeValue = get_attribute_value,
#endif
#ifdef SLOW
	.C_Sign = slow_sign,
#endif
};

__attribute__((visibility("default"))) CK_RV C_GetFunctionList(CK_FUNCTION_LIST **list)
{
	*list = &functions;
	return CKR_OK;
}
