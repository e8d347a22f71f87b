/*
 * objects LIBRARY MODULE MAKE SAMPLES [alone]
 *
 * Makes MAKE objects on the module's first token, unless MAKE is 1: then the
 * module has them. The program has another thread, which sleeps, unless it is to
 * be alone. Prints for each sample the ns for each object of an iteration
 * ("iterate"), and of one that loads five attributes of each ("load"). Without a
 * library both are written out.
 */
#define P11_KIT_FUTURE_UNSTABLE_API
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"
#include "p11-kit/iter.h"

#define ATTRIBUTES 5
#define BATCH 64

/* The library's functions. */
static __typeof__(p11_kit_iter_new) *iter_new;
static __typeof__(p11_kit_iter_free) *iter_free;
static __typeof__(p11_kit_iter_add_filter) *iter_add_filter;
static __typeof__(p11_kit_iter_begin_with) *iter_begin_with;
static __typeof__(p11_kit_iter_next) *iter_next;
static __typeof__(p11_kit_iter_load_attributes) *iter_load_attributes;

static CK_FUNCTION_LIST *list;
static CK_SLOT_ID slot;
static CK_OBJECT_CLASS class = CKO_DATA;
static CK_ATTRIBUTE filter = { CKA_CLASS, &class, sizeof class };

static void make(long n)
{
	CK_SESSION_HANDLE session;
	CK_BBOOL no = CK_FALSE;
	CK_ATTRIBUTE attributes[] = {
		{ CKA_CLASS, &class, sizeof class }, { CKA_TOKEN, &no, 1 }, { CKA_PRIVATE, &no, 1 },
		{ CKA_LABEL, "an object", 9 },       { CKA_VALUE, "value", 5 },
	};
	CK_OBJECT_HANDLE object;
	bench_check(list->C_OpenSession(slot, CKF_SERIAL_SESSION, NULL, NULL, &session), "C_OpenSession");
	for (long i = 0; i < n; i++)
		bench_check(list->C_CreateObject(session, attributes, 5, &object), "C_CreateObject");
	/* They last as long as the session. */
}

static void begin_attributes(CK_ATTRIBUTE *attributes)
{
	static const CK_ATTRIBUTE_TYPE types[ATTRIBUTES] = { CKA_CLASS, CKA_LABEL, CKA_VALUE, CKA_TOKEN, CKA_MODIFIABLE };
	for (int i = 0; i < ATTRIBUTES; i++)
		attributes[i] = (CK_ATTRIBUTE){ types[i], NULL, 0 };
}

static void end_attributes(CK_ATTRIBUTE *attributes)
{
	for (int i = 0; i < ATTRIBUTES; i++) {
		if (attributes[i].ulValueLen == CK_UNAVAILABLE_INFORMATION || !attributes[i].pValue)
			bench_die("an attribute is missing");
		free(attributes[i].pValue);
	}
}

static void load_raw(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object)
{
	CK_ATTRIBUTE attributes[ATTRIBUTES];
	begin_attributes(attributes);
	bench_check(list->C_GetAttributeValue(session, object, attributes, ATTRIBUTES), "C_GetAttributeValue");
	for (int i = 0; i < ATTRIBUTES; i++)
		attributes[i].pValue = malloc(attributes[i].ulValueLen);
	bench_check(list->C_GetAttributeValue(session, object, attributes, ATTRIBUTES), "C_GetAttributeValue");
	end_attributes(attributes);
}

static long iterate_raw(bool load)
{
	CK_OBJECT_HANDLE *objects = NULL;
	CK_SESSION_HANDLE session;
	CK_ULONG n, len = 0;
	bench_check(list->C_OpenSession(slot, CKF_SERIAL_SESSION, NULL, NULL, &session), "C_OpenSession");
	bench_check(list->C_FindObjectsInit(session, &filter, 1), "C_FindObjectsInit");
	do {
		if (!(objects = realloc(objects, (len + BATCH) * sizeof *objects)))
			bench_die("out of memory");
		bench_check(list->C_FindObjects(session, objects + len, BATCH, &n), "C_FindObjects");
		len += n;
	} while (n == BATCH);
	bench_check(list->C_FindObjectsFinal(session), "C_FindObjectsFinal");
	for (CK_ULONG i = 0; load && i < len; i++)
		load_raw(session, objects[i]);
	bench_check(list->C_CloseSession(session), "C_CloseSession");
	free(objects);
	return (long)len;
}

static long iterate(bool load)
{
	P11KitIter *iter = iter_new(NULL, 0);
	long n = 0;
	CK_RV rv;
	iter_add_filter(iter, &filter, 1);
	iter_begin_with(iter, list, slot, 0);
	for (; (rv = iter_next(iter)) == CKR_OK; n++) {
		if (!load)
			continue;
		CK_ATTRIBUTE attributes[ATTRIBUTES];
		begin_attributes(attributes);
		bench_check(iter_load_attributes(iter, attributes, ATTRIBUTES), "p11_kit_iter_load_attributes");
		end_attributes(attributes);
	}
	if (rv != CKR_CANCEL)
		bench_check(rv, "p11_kit_iter_next");
	iter_free(iter);
	return n;
}

static void *sleep_on(void *unused)
{
	for (;;)
		pause();
	return unused;
}

int main(int argc, char **argv)
{
	pthread_t thread;
	if (argc != 5 && argc != 6)
		bench_die("usage: objects LIBRARY MODULE MAKE SAMPLES [alone]");
	if (argc == 5 && pthread_create(&thread, NULL, sleep_on, NULL) != 0)
		bench_die("no thread");
	long objects = bench_number(argv[3], "MAKE"), samples = bench_number(argv[4], "SAMPLES");
	CK_ULONG count = 1;
	struct bench_way way;
	bench_way_open(&way, argv[1]);
	list = bench_load(&way, argv[2]);
	long (*all)(bool) = iterate_raw;
	if (way.load) {
		iter_new = (__typeof__(iter_new))bench_function(&way, "p11_kit_iter_new");
		iter_free = (__typeof__(iter_free))bench_function(&way, "p11_kit_iter_free");
		iter_add_filter = (__typeof__(iter_add_filter))bench_function(&way, "p11_kit_iter_add_filter");
		iter_begin_with = (__typeof__(iter_begin_with))bench_function(&way, "p11_kit_iter_begin_with");
		iter_next = (__typeof__(iter_next))bench_function(&way, "p11_kit_iter_next");
		iter_load_attributes = (__typeof__(iter_load_attributes))bench_function(&way, "p11_kit_iter_load_attributes");
		all = iterate;
	}
	CK_C_INITIALIZE_ARGS args = { .flags = CKF_OS_LOCKING_OK };
	bench_check(list->C_Initialize(&args), "C_Initialize");
	CK_SLOT_ID slots[16];
	count = 16;
	bench_check(list->C_GetSlotList(CK_TRUE, slots, &count), "C_GetSlotList");
	slot = slots[0];
	if (objects > 1)
		make(objects);
	for (long i = -1; i < samples; i++) { /* the first one warms up and is not counted */
		static const char *const names[] = { "iterate", "load" };
		for (int load = 0; load < 2; load++) {
			double start = bench_now();
			long n = all(load);
			if (n != 1000)
				bench_die("%ld objects", n);
			if (i >= 0)
				printf("%s %.2f\n", names[load], (bench_now() - start) / (double)n);
		}
	}
	bench_check(list->C_Finalize(NULL), "C_Finalize");
	bench_release(&way, list);
	return 0;
}
