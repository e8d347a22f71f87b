/*
 * What all C test programs share, also those that use PKCS#11 modules only and
 * are not linked to libp11-kit.so.0.
 */
#ifndef P11MUX_TEST_BASE_H
#define P11MUX_TEST_BASE_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <p11-kit/pkcs11.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "die.h"
#include "members.h"

typedef CK_FUNCTION_LIST *list_t;

#define must_rv(call, want) do { CK_RV rv_ = (call); if (rv_ != (want)) \
	die("%s = %s, want %s; message: %s", #call, rv_name(rv_), rv_name(want), \
	    last_message()); } while (0)
#define must_ok(call) must_rv(call, CKR_OK)

/* The name of a return code, or its hexadecimal value in one of four rotating
 * buffers of this thread. */
const char *rv_name(CK_RV rv);

/* Member n (see members.h) of a list, as a function taking ten words. */
typedef CK_RV (*member_t)(CK_ULONG, CK_ULONG, CK_ULONG, CK_ULONG, CK_ULONG,
			  CK_ULONG, CK_ULONG, CK_ULONG, CK_ULONG, CK_ULONG);
static inline member_t member(list_t list, int n)
{
	return ((member_t *)(void *)list)[n];
}

/* Waits until a thread of this process sleeps in the kernel, or has ended. */
void wait_asleep(int tid);

/* Sleeps without using signals. */
void sleep_ms(long ms);

#endif
