/*
 * fork LIBRARY MODULE TIMES
 *
 * Loads and initializes a module, then forks TIMES children, one after the
 * other, that initialize the inherited list and list the slots. Prints for each
 *
 *	init   ns of C_Initialize in the child
 *	child  ns from before fork to after waitpid
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

static void child(CK_FUNCTION_LIST *list, CK_C_INITIALIZE_ARGS *args, double *took)
{
	CK_SLOT_ID slots[16];
	CK_ULONG count = sizeof slots / sizeof *slots;
	double start = bench_now();
	CK_RV rv = list->C_Initialize(args);
	*took = bench_now() - start;
	if (rv == CKR_OK)
		rv = list->C_GetSlotList(CK_FALSE, slots, &count);
	_exit(rv == CKR_OK && count > 0 ? 0 : 1);
}

int main(int argc, char **argv)
{
	if (argc != 4)
		bench_die("usage: fork LIBRARY MODULE TIMES");
	long times = bench_number(argv[3], "TIMES");
	struct bench_way way;
	bench_way_open(&way, argv[1]);
	CK_FUNCTION_LIST *list = bench_load(&way, argv[2]);
	CK_C_INITIALIZE_ARGS args = { .flags = CKF_OS_LOCKING_OK };
	bench_check(list->C_Initialize(&args), "C_Initialize");
	double *took = mmap(NULL, sizeof *took, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (took == MAP_FAILED)
		bench_die("out of memory");
	for (long i = 0; i < times; i++) {
		int status;
		double start = bench_now();
		pid_t pid = fork();
		if (pid < 0)
			bench_die("cannot fork");
		if (pid == 0)
			child(list, &args, took);
		if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
			bench_die("a child could not use the inherited list");
		double end = bench_now();
		printf("init %.0f\nchild %.0f\n", *took, end - start);
	}
	bench_check(list->C_Finalize(NULL), "C_Finalize");
	bench_release(&way, list);
	return 0;
}
