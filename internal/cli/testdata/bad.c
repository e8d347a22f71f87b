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
#define DESCRIPTION "bad"
#include "module.h"
#include <unistd.h>

#ifndef INIT_RV
#define INIT_RV CKR_OK
#endif

#ifdef MISSING
void p11mux_test_no_library_has_this(void);
#endif

static CK_RV initialize(void *args)
{
	(void)args;
#ifdef CRASH
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

MODULE()
