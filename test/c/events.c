/*
 * A PKCS#11 module whose slots come and go and have events, as the test that has
 * it open says (events_slots, events_raise).  Slot n is described as "name n".
 *
 * Options are environment variables EVENTS_<file name without .so>_<OPTION>,
 * read at every call:
 *   INIT_RV, LIST_RV, WAIT_RV   code that C_Initialize, C_GetSlotList,
 *                               C_WaitForSlotEvent return
 *   WAIT_MS                     how long C_WaitForSlotEvent takes to look
 *   LIST_COUNT                  the count that C_GetSlotList claims
 *   GROW                        each C_GetSlotList leaves one slot more, up to that number
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dlfcn.h>
#include <p11-kit/pkcs11.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "members.h"

#define EXPORT __attribute__((visibility("default")))
#define QUEUE 65536

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static char base[32];
static bool initialized;
static unsigned long present;
static CK_SLOT_ID queue[QUEUE];
static unsigned head, tail;
static long initializations, finalizations, delivered, blocked, faults;
static atomic_long inside; /* C_WaitForSlotEvent */

static unsigned long number(const char *name, unsigned long none)
{
	char var[128];
	const char *v;

	snprintf(var, sizeof var, "EVENTS_%s_%s", base, name);
	v = getenv(var);
	return v ? strtoul(v, NULL, 0) : none;
}

static CK_RV event_C_Initialize(void *args)
{
	CK_RV rv = number("INIT_RV", CKR_OK);

	(void)args;
	pthread_mutex_lock(&lock);
	if (rv == CKR_OK) {
		faults += initialized;
		initialized = true;
		initializations++;
	}
	pthread_mutex_unlock(&lock);
	return rv;
}

static CK_RV event_C_Finalize(void *reserved)
{
	(void)reserved;
	pthread_mutex_lock(&lock);
	faults += !initialized || inside != 0;
	initialized = false;
	finalizations++;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
	return CKR_OK;
}

static CK_RV event_C_GetSlotList(CK_BBOOL with_token, CK_SLOT_ID *slots, CK_ULONG *count)
{
	CK_RV rv = number("LIST_RV", CKR_OK);
	CK_ULONG n = 0, id, most = number("GROW", 0);

	(void)with_token;
	if (rv != CKR_OK)
		return rv;
	pthread_mutex_lock(&lock);
	for (id = 0; id < 64; id++)
		if (present >> id & 1) {
			if (slots != NULL && n < *count)
				slots[n] = id;
			n++;
		}
	if (n < most)
		present |= present + 1; /* the lowest that is not there yet */
	pthread_mutex_unlock(&lock);
	if (slots != NULL && n > *count)
		rv = CKR_BUFFER_TOO_SMALL;
	*count = number("LIST_COUNT", n);
	return rv;
}

static CK_RV event_C_GetSlotInfo(CK_SLOT_ID slot, CK_SLOT_INFO *info)
{
	char text[65];
	bool here;

	pthread_mutex_lock(&lock);
	here = slot < 64 && (present >> slot & 1);
	pthread_mutex_unlock(&lock);
	if (!here)
		return CKR_SLOT_ID_INVALID;
	memset(info, 0, sizeof *info);
	snprintf(text, sizeof text, "%s %lu", base, slot);
	memset(info->slotDescription, ' ', sizeof info->slotDescription);
	memcpy(info->slotDescription, text, strlen(text));
	memset(info->manufacturerID, ' ', sizeof info->manufacturerID);
	info->flags = CKF_TOKEN_PRESENT;
	return CKR_OK;
}

static CK_RV wait_for_event(CK_FLAGS flags, CK_SLOT_ID *slot, void *reserved)
{
	unsigned long ms = number("WAIT_MS", 0);
	struct timespec ts = { ms / 1000, ms % 1000 * 1000000 };
	CK_RV rv = number("WAIT_RV", CKR_OK);

	while (ms && nanosleep(&ts, &ts) < 0)
		;
	if (rv != CKR_OK)
		return rv;
	if (slot == NULL || reserved != NULL)
		return CKR_ARGUMENTS_BAD;
	pthread_mutex_lock(&lock);
	while (!(flags & CKF_DONT_BLOCK) && initialized && head == tail) {
		blocked++;
		pthread_cond_wait(&changed, &lock);
	}
	if (!initialized) {
		rv = CKR_CRYPTOKI_NOT_INITIALIZED;
	} else if (head == tail) {
		rv = CKR_NO_EVENT;
	} else {
		*slot = queue[head++ % QUEUE];
		delivered++;
	}
	pthread_mutex_unlock(&lock);
	return rv;
}

static CK_RV event_C_WaitForSlotEvent(CK_FLAGS flags, CK_SLOT_ID *slot, void *reserved)
{
	CK_RV rv;

	atomic_fetch_add(&inside, 1);
	rv = wait_for_event(flags, slot, reserved);
	atomic_fetch_sub(&inside, 1);
	return rv;
}

static CK_RV event_nothing(void)
{
	return CKR_FUNCTION_NOT_SUPPORTED;
}

static void *list[M_LAST_240 + 1];

EXPORT CK_RV C_GetFunctionList(CK_FUNCTION_LIST **out)
{
	*out = (CK_FUNCTION_LIST *)list;
	return CKR_OK;
}

/* An event of a slot. */
EXPORT void events_raise(CK_SLOT_ID slot)
{
	pthread_mutex_lock(&lock);
	queue[tail++ % QUEUE] = slot;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
}

/* The slots that there are, by the bits of the number. */
EXPORT void events_slots(unsigned long mask)
{
	pthread_mutex_lock(&lock);
	present = mask;
	pthread_mutex_unlock(&lock);
}

/* What has happened, by name: "initialize", "finalize", "delivered", "pending",
 * "blocked" (waits inside the module), "inside" (C_WaitForSlotEvent now), "faults"
 * (initialized twice, finalized under somebody who asks for events, and the like). */
EXPORT long events_get(const char *name)
{
	const struct { const char *name; long value; } all[] = {
		{ "initialize", initializations }, { "finalize", finalizations }, { "delivered", delivered },
		{ "pending", tail - head }, { "inside", inside }, { "blocked", blocked }, { "faults", faults },
	};
	size_t i;

	for (i = 0; i < sizeof all / sizeof *all; i++)
		if (strcmp(all[i].name, name) == 0)
			return all[i].value;
	abort();
}

__attribute__((constructor)) static void start(void)
{
	Dl_info info;
	const char *slash;
	int i;

	if (dladdr((void *)list, &info) && info.dli_fname) {
		slash = strrchr(info.dli_fname, '/');
		snprintf(base, sizeof base, "%s", slash ? slash + 1 : info.dli_fname);
		if (strchr(base, '.'))
			*strchr(base, '.') = '\0';
	}
	for (i = 1; i <= M_LAST_240; i++)
		list[i] = (void *)event_nothing;
	((CK_BYTE *)list)[0] = 2;
	((CK_BYTE *)list)[1] = 40;
	list[M_C_Initialize] = (void *)event_C_Initialize;
	list[M_C_Finalize] = (void *)event_C_Finalize;
	list[M_C_GetFunctionList] = (void *)C_GetFunctionList;
	list[M_C_GetSlotList] = (void *)event_C_GetSlotList;
	list[M_C_GetSlotInfo] = (void *)event_C_GetSlotInfo;
	list[M_C_WaitForSlotEvent] = (void *)event_C_WaitForSlotEvent;
}
