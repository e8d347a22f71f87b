/*
 * A PKCS#11 module that counts. C_GetSlotInfo(n) gives the count n as flags,
 * and the reserved string of the last C_Initialize as the description.
 *
 *   -DLIST_RV=n       what C_GetFunctionList answers
 *   -DLIST_NULL       C_GetFunctionList answers CKR_OK and gives nothing
 *   -DLIST_MAJOR=n    the version that the list of C_GetFunctionList claims
 *   -DNO_LIST         there is no C_GetFunctionList
 *   -DINTERFACE=n     there is C_GetInterface, for version 3.n
 *   -DINTERFACE_RV=n  what C_GetInterface answers
 *   -DINTERFACE_NULL  C_GetInterface answers CKR_OK and gives nothing
 *   -DINIT_RV=n       what C_Initialize answers
 */
#include <p11-kit/pkcs11.h>
#include <stddef.h>
#include <string.h>

enum { INITIALIZED, FINALIZED, LISTED, ASKED, COUNTS };

static unsigned long counts[COUNTS];
static char reserved[64];

#ifndef LIST_RV
#define LIST_RV CKR_OK
#endif
#ifndef LIST_MAJOR
#define LIST_MAJOR 2
#endif
#ifndef INTERFACE_RV
#define INTERFACE_RV CKR_OK
#endif
#ifndef INIT_RV
#define INIT_RV CKR_OK
#endif

static CK_RV initialize(void *args)
{
	const CK_C_INITIALIZE_ARGS *init = args;

	counts[INITIALIZED]++;
	strncpy(reserved, init && init->pReserved ? init->pReserved : "", sizeof reserved - 1);
	return INIT_RV;
}

static CK_RV finalize(void *unused)
{
	counts[FINALIZED]++;
	return unused ? CKR_ARGUMENTS_BAD : CKR_OK;
}

static CK_RV get_slot_info(CK_SLOT_ID slot, CK_SLOT_INFO *info)
{
	if (slot >= COUNTS)
		return CKR_SLOT_ID_INVALID;
	memset(info, 0, sizeof *info);
	memset(info->slotDescription, ' ', sizeof info->slotDescription);
	memcpy(info->slotDescription, reserved, strlen(reserved));
	info->flags = counts[slot];
	return CKR_OK;
}

__attribute__((unused)) static CK_FUNCTION_LIST list = {
	.version = { LIST_MAJOR, 40 },
	.C_Initialize = initialize,
	.C_Finalize = finalize,
	.C_GetSlotInfo = get_slot_info,
};

#ifndef NO_LIST
CK_RV C_GetFunctionList(CK_FUNCTION_LIST **out)
{
	counts[LISTED]++;
#ifndef LIST_NULL
	*out = &list;
#endif
	return LIST_RV;
}
#endif

#ifdef INTERFACE
static CK_FUNCTION_LIST_3_2 list3 = {
	.version = { 3, INTERFACE },
	.C_Initialize = initialize,
	.C_Finalize = finalize,
	.C_GetSlotInfo = get_slot_info,
};

static CK_INTERFACE interface = { (CK_UTF8CHAR *)"PKCS 11", &list3, 0 };

CK_RV C_GetInterface(CK_UTF8CHAR *name, CK_VERSION *version, CK_INTERFACE **out, CK_FLAGS flags)
{
	counts[ASKED]++;
	if (strcmp((char *)name, "PKCS 11") != 0 || version != NULL || flags != 0)
		return CKR_ARGUMENTS_BAD;
	if (INTERFACE_RV != CKR_OK)
		return INTERFACE_RV;
#ifndef INTERFACE_NULL
	*out = &interface;
#else
	(void)interface, (void)out;
#endif
	return CKR_OK;
}
#endif
