/*
 * A module whose tokens are odd. LABEL, FLAGS and SLOTS are those of module.h, and
 *
 *   -DOBJECTS=n   each token has so many data objects
 *
 * No PIN is right. Each one that is tried is a line in the file that LOGINS names.
 */
#include "module.h"

#ifndef OBJECTS
#define OBJECTS 0
#endif

static const CK_ULONG all = OBJECTS;
static CK_ULONG found;

static CK_RV initialize(void *args)
{
	(void)args;
	return CKR_OK;
}

static CK_RV finalize(void *unused)
{
	(void)unused;
	return CKR_OK;
}

static CK_RV login(CK_SESSION_HANDLE session, CK_USER_TYPE user, unsigned char *pin, CK_ULONG length)
{
	FILE *f = fopen(getenv("LOGINS"), "a");

	(void)session;
	(void)user;
	fprintf(f, "%.*s\n", (int)length, (char *)pin);
	fclose(f);
	return CKR_PIN_INCORRECT;
}

static CK_RV find_init(CK_SESSION_HANDLE session, CK_ATTRIBUTE *template, CK_ULONG n)
{
	(void)session;
	(void)template;
	(void)n;
	found = 0;
	return CKR_OK;
}

static CK_RV find(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE *objects, CK_ULONG most, CK_ULONG *count)
{
	(void)session;
	for (*count = 0; found < all && *count < most; found++)
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
	char label[32];
	CK_ULONG class = CKO_DATA;
	CK_RV rv = CKR_OK;

	(void)session;
	snprintf(label, sizeof label, "object %lu", object);
	for (CK_ULONG i = 0; i < n; i++) {
		const void *value = NULL;
		CK_ULONG length = 0;
		if (a[i].type == CKA_CLASS)
			value = &class, length = sizeof class;
		else if (a[i].type == CKA_LABEL)
			value = label, length = strlen(label);
		if (!value) {
			a[i].ulValueLen = CK_UNAVAILABLE_INFORMATION;
			rv = CKR_ATTRIBUTE_TYPE_INVALID;
		} else if (a[i].pValue && a[i].ulValueLen < length) {
			a[i].ulValueLen = CK_UNAVAILABLE_INFORMATION;
			rv = CKR_BUFFER_TOO_SMALL;
		} else {
			if (a[i].pValue)
				memcpy(a[i].pValue, value, length);
			a[i].ulValueLen = length;
		}
	}
	return rv;
}

MODULE(.C_Login = login, .C_FindObjectsInit = find_init, .C_FindObjects = find, .C_FindObjectsFinal = find_final,
       .C_GetAttributeValue = get_attributes)
