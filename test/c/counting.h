/* What the files of the counting module share; see counting.c. */
#ifndef P11MUX_TEST_COUNTING_H
#define P11MUX_TEST_COUNTING_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <p11-kit/pkcs11.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "members.h"

#define SESSIONS 4096

struct counting_session {
	bool open;
	CK_SLOT_ID slot;
	CK_FLAGS flags;
};

/* The file's name without ".so", for options and reports. */
extern char base[64];

/* The state, guarded by lock unless atomic.  initialized is the process that
 * called C_Initialize, or 0; exclusive counts threads inside C_Initialize or
 * C_Finalize, and inside those in any other call. */
extern pthread_mutex_t lock;
extern atomic_int initialized, exclusive, inside;
extern struct counting_session sessions[SESSIONS];
extern char reserved[256], fault[256];

/* The counters that counting_get tells. */
extern atomic_long c_initialize, c_finalize, c_calls, c_uninit, c_faults, c_opened,
	c_closed, c_closeall, c_lists, c_interfaces, c_init_flags, c_init_mutexes,
	c_init_null, c_max_inside, c_last, c_interface_version, c_application,
	c_notify;

/* What runs inside a call, once. */
struct counting_hook {
	const char *where;
	void (*fn)(void *);
	void *data;
};
extern struct counting_hook hook;

/* An option as a number, or "none" if it is not set. */
unsigned long number(const char *name, unsigned long none);

/* Begin and end of every call but C_Initialize and C_Finalize; enter returns
 * CKR_OK or what the call is to return at once. */
CK_RV enter(int n);
CK_RV leave(CK_RV rv);
#define ENTER(n) do { CK_RV e_ = enter(n); if (e_) return e_; } while (0)

/* Puts the members that do something into a list. */
void counting_fill(void **list);

#endif
