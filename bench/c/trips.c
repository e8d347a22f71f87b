/*
 * trips LIBRARY MODULE CALLS
 *
 * Does each of some calls CALLS times, one after the other, on one thread, and
 * prints the ns that one takes: what half and what 99 of 100 take at most, as
 * NAME.50 and NAME.99. NAME is info for C_GetSessionInfo, sign for C_Sign of 32
 * octets and large for C_Sign of 64 KiB.
 *
 * Before that it initializes and finalizes the module ROUNDS times; connect and
 * disconnect are the ns of each.
 */
#include <stdio.h>
#include <stdlib.h>

#include "bench.h"

#define ROUNDS 20

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static void print(const char *name, double *times, long n)
{
	qsort(times, (size_t)n, sizeof *times, compare);
	printf("%s.50 %.0f\n%s.99 %.0f\n", name, times[n / 2], name, times[n - 1 - n / 100]);
}

static void connect(CK_FUNCTION_LIST *list)
{
	CK_C_INITIALIZE_ARGS args = { .flags = CKF_OS_LOCKING_OK };
	CK_INFO info;
	for (int i = -1; i < ROUNDS; i++) { /* the first one warms up and is not counted */
		double start = bench_now();
		bench_check(list->C_Initialize(&args), "C_Initialize");
		double connected = bench_now();
		bench_check(list->C_GetInfo(&info), "C_GetInfo");
		double end = bench_now();
		bench_check(list->C_Finalize(NULL), "C_Finalize");
		if (i >= 0)
			printf("connect %.0f\ndisconnect %.0f\n", connected - start, bench_now() - end);
	}
}

static void sign(CK_FUNCTION_LIST *list, CK_SESSION_HANDLE session, CK_ULONG octets, const char *name, double *times, long calls)
{
	CK_MECHANISM mechanism = { CKM_SHA256_RSA_PKCS, NULL, 0 };
	CK_BYTE *data = calloc(octets, 1), signature[256];
	if (!data)
		bench_die("out of memory");
	bench_check(list->C_SignInit(session, &mechanism, 1), "C_SignInit"); /* enough for all, for the module does nothing */
	for (long i = 0; i < calls; i++) {
		CK_ULONG len = sizeof signature;
		double start = bench_now();
		CK_RV rv = list->C_Sign(session, data, octets, signature, &len);
		times[i] = bench_now() - start;
		bench_check(rv, "C_Sign");
	}
	print(name, times, calls);
	free(data);
}

int main(int argc, char **argv)
{
	if (argc < 4)
		bench_die("usage: trips LIBRARY MODULE CALLS");
	long calls = bench_number(argv[3], "CALLS");
	double *times = calloc((size_t)calls, sizeof *times);
	if (!times)
		bench_die("out of memory");

	struct bench_way way;
	bench_way_open(&way, argv[1]);
	CK_FUNCTION_LIST *list = bench_load(&way, argv[2]);
	connect(list);
	CK_SLOT_ID slot = bench_begin(list, argv[2]);
	CK_SESSION_HANDLE session;
	CK_SESSION_INFO info;
	bench_check(list->C_OpenSession(slot, CKF_SERIAL_SESSION, NULL, NULL, &session), "C_OpenSession");
	for (long i = 0; i < calls; i++) {
		double start = bench_now();
		CK_RV rv = list->C_GetSessionInfo(session, &info);
		times[i] = bench_now() - start;
		bench_check(rv, "C_GetSessionInfo");
	}
	print("info", times, calls);
	sign(list, session, 32, "sign", times, calls);
	sign(list, session, 64 << 10, "large", times, calls);
	bench_check(list->C_Finalize(NULL), "C_Finalize");
	free(times);
	return 0;
}
