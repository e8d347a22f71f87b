/*
 * A module with one token that keeps profiles, in the file that PROFILES names, one number on a line: tokens that let profiles be
 * written are rare. Objects are the lines, and their handles count from 1.
 */
#define LABEL "profiles"
#define SLOTS 1
#include "module.h"

enum { MOST = 16 };

static CK_ULONG profiles[MOST]; /* 0 is none */
static CK_ULONG found, wanted;

static void read_all(void)
{
	FILE *f = fopen(getenv("PROFILES"), "r");

	for (int i = 0; f && i < MOST && fscanf(f, "%lu", &profiles[i]) == 1; i++)
		;
	if (f)
		fclose(f);
}

static void write_all(void)
{
	FILE *f = fopen(getenv("PROFILES"), "w");

	for (int i = 0; i < MOST; i++)
		if (profiles[i])
			fprintf(f, "%lu\n", profiles[i]);
	fclose(f);
}

static CK_RV initialize(void *args)
{
	(void)args;
	read_all();
	return CKR_OK;
}

static CK_RV finalize(void *unused)
{
	(void)unused;
	write_all();
	return CKR_OK;
}

static CK_RV find_init(CK_SESSION_HANDLE session, CK_ATTRIBUTE *template, CK_ULONG n)
{
	(void)session;
	wanted = found = 0;
	for (CK_ULONG i = 0; i < n; i++)
		if (template[i].type == CKA_CLASS && *(CK_ULONG *)template[i].pValue == CKO_PROFILE)
			wanted = 1;
	return CKR_OK;
}

static CK_RV find(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE *objects, CK_ULONG most, CK_ULONG *count)
{
	(void)session;
	*count = 0;
	for (; wanted && found < MOST && *count < most; found++)
		if (profiles[found])
			objects[(*count)++] = found + 1;
	return CKR_OK;
}

static CK_RV find_final(CK_SESSION_HANDLE session)
{
	(void)session;
	return CKR_OK;
}

static CK_RV get_attributes(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE *a, CK_ULONG n)
{
	CK_RV rv = CKR_OK;

	(void)session;
	if (object < 1 || object > MOST || !profiles[object - 1])
		return CKR_OBJECT_HANDLE_INVALID;
	for (CK_ULONG i = 0; i < n; i++) {
		CK_ULONG value = a[i].type == CKA_PROFILE_ID ? profiles[object - 1] : CKO_PROFILE;
		if (a[i].type != CKA_PROFILE_ID && a[i].type != CKA_CLASS) {
			a[i].ulValueLen = CK_UNAVAILABLE_INFORMATION;
			rv = CKR_ATTRIBUTE_TYPE_INVALID;
			continue;
		}
		if (a[i].pValue)
			memcpy(a[i].pValue, &value, sizeof value);
		a[i].ulValueLen = sizeof value;
	}
	return rv;
}

static CK_RV create(CK_SESSION_HANDLE session, CK_ATTRIBUTE *template, CK_ULONG n, CK_OBJECT_HANDLE *object)
{
	CK_ULONG id = ~0UL; /* what is no profile takes a line too */

	(void)session;
	for (CK_ULONG i = 0; i < n; i++)
		if (template[i].type == CKA_PROFILE_ID)
			memcpy(&id, template[i].pValue, sizeof id);
	for (int i = 0; i < MOST; i++)
		if (!profiles[i]) {
			profiles[i] = id;
			*object = i + 1;
			return CKR_OK;
		}
	return CKR_DEVICE_MEMORY;
}

static CK_RV destroy(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object)
{
	(void)session;
	profiles[object - 1] = 0;
	return CKR_OK;
}

MODULE(.C_FindObjectsInit = find_init, .C_FindObjects = find, .C_FindObjectsFinal = find_final, .C_GetAttributeValue = get_attributes,
       .C_CreateObject = create, .C_DestroyObject = destroy)
