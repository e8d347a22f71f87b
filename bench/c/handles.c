/*
 * handles LIBRARY MODULE N
 *
 * Loads and initializes the module once, so that what is measured is one more
 * caller; then loads N more lists of it, uses each once, and releases them.
 * Prints
 *
 *	first    ns of the first load in the process
 *	load     ns of one of the N loads
 *	release  ns of one of the N releases
 *	memory   bytes that one of the N lists takes when loaded
 *	used     bytes that it takes when it has been initialized, called and finalized
 */
#include <stdio.h>
#include <stdlib.h>

#include "bench.h"

static void use(CK_FUNCTION_LIST *list)
{
	CK_SESSION_HANDLE session;
	CK_SESSION_INFO info;
	CK_C_INITIALIZE_ARGS args = { .flags = CKF_OS_LOCKING_OK };
	bench_check(list->C_Initialize(&args), "C_Initialize");
	bench_check(list->C_OpenSession(1, CKF_SERIAL_SESSION, NULL, NULL, &session), "C_OpenSession");
	bench_check(list->C_GetSessionInfo(session, &info), "C_GetSessionInfo");
	bench_check(list->C_CloseSession(session), "C_CloseSession");
	bench_check(list->C_Finalize(NULL), "C_Finalize");
}

int main(int argc, char **argv)
{
	if (argc != 4)
		bench_die("usage: handles LIBRARY MODULE N");
	long n = bench_number(argv[3], "N");
	struct bench_way way;
	bench_way_open(&way, argv[1]);
	CK_FUNCTION_LIST **lists = malloc((size_t)n * sizeof *lists);
	if (!lists)
		bench_die("out of memory");
	for (long i = 0; i < n; i++)
		lists[i] = NULL; /* in memory before the memory is looked at */

	double start = bench_now();
	CK_FUNCTION_LIST *first = bench_load(&way, argv[2]);
	printf("first %.0f\n", bench_now() - start);
	use(first);
	CK_C_INITIALIZE_ARGS args = { .flags = CKF_OS_LOCKING_OK };
	bench_check(first->C_Initialize(&args), "C_Initialize");
	bench_memory();

	struct bench_memory before = bench_memory();
	start = bench_now();
	for (long i = 0; i < n; i++)
		lists[i] = bench_load(&way, argv[2]);
	double loaded = bench_now();
	struct bench_memory with = bench_memory();
	for (long i = 0; i < n; i++)
		use(lists[i]);
	struct bench_memory used = bench_memory();
	double end = bench_now();
	for (long i = 0; i < n; i++)
		bench_release(&way, lists[i]);
	double released = bench_now();

	printf("load %.1f\nrelease %.1f\n", (loaded - start) / (double)n, (released - end) / (double)n);
	printf("memory %.1f\nused %.1f\n", (double)(with.resident - before.resident) * 1024 / (double)n,
	       (double)(used.resident - before.resident) * 1024 / (double)n);
	bench_check(first->C_Finalize(NULL), "C_Finalize");
	bench_release(&way, first);
	free(lists);
	return 0;
}
