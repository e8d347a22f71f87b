/*
 * A module that does not work, in one of many ways.
 *
 *   -DCRASH        its initialization ends the process by a signal
 *   -DLEAVE        its initialization ends the process with status 0
 *   -DHANG         its initialization never ends
 *   -DINIT_RV=n    what its initialization answers
 *   -DINFO_RV=n    what C_GetInfo answers
 *   -DMISSING      it needs a function that no library has
 *   -DNOISY        it writes to the standard output, as no module should
 */
#include <p11-kit/pkcs11.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifndef INIT_RV
#define INIT_RV CKR_OK
#endif
#ifndef INFO_RV
#define INFO_RV CKR_OK
#endif

#ifdef MISSING
void p11mux_test_no_library_has_this(void);
#endif

static CK_RV initialize(void *args)
{
	(void)args;
#ifdef CRASH
	signal(SIGABRT, SIG_DFL);
	abort();
#endif
#ifdef LEAVE
	_exit(0);
#endif
#ifdef HANG
	for (;;)
		pause();
#endif
#ifdef MISSING
	p11mux_test_no_library_has_this();
#endif
#ifdef NOISY
	printf("{\"noise\": 1}\n");
	fflush(stdout);
#endif
	return INIT_RV;
}

static CK_RV finalize(void *unused)
{
	(void)unused;
	return CKR_OK;
}

static CK_RV get_info(CK_INFO *info)
{
	memset(info, ' ', sizeof *info);
	memcpy(info->libraryDescription, "bad", 3);
	info->libraryVersion = (CK_VERSION){ 1, 0 };
	return INFO_RV;
}

static CK_RV get_slot_list(CK_BBOOL present, CK_SLOT_ID *list, CK_ULONG *count)
{
	(void)present;
	(void)list;
	*count = 0;
	return CKR_OK;
}

static CK_FUNCTION_LIST functions = {
	.version = { 2, 40 },
	.C_Initialize = initialize,
	.C_Finalize = finalize,
	.C_GetInfo = get_info,
	.C_GetSlotList = get_slot_list,
};

CK_RV C_GetFunctionList(CK_FUNCTION_LIST **list);

__attribute__((visibility("default"))) CK_RV C_GetFunctionList(CK_FUNCTION_LIST **list)
{
	*list = &functions;
	return CKR_OK;
}
