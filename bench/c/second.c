/*
 * second LIBRARY MODULE SAMPLES PAIRS
 *
 * One caller keeps the module initialized. Prints how many ns it takes another
 * to initialize and finalize ("pair"), for each sample of PAIRS times.
 */
#include <stdio.h>

#include "bench.h"

int main(int argc, char **argv)
{
	if (argc != 5)
		bench_die("usage: second LIBRARY MODULE SAMPLES PAIRS");
	long samples = bench_number(argv[3], "SAMPLES"), pairs = bench_number(argv[4], "PAIRS");
	struct bench_way way;
	bench_way_open(&way, argv[1]);
	CK_FUNCTION_LIST *first = bench_load(&way, argv[2]), *second = bench_load(&way, argv[2]);
	CK_C_INITIALIZE_ARGS args = { .flags = CKF_OS_LOCKING_OK };
	bench_check(first->C_Initialize(&args), "C_Initialize");
	for (long i = -1; i < samples; i++) { /* the first one warms up and is not counted */
		double start = bench_now();
		for (long j = 0; j < pairs; j++) {
			bench_check(second->C_Initialize(&args), "the second caller's C_Initialize");
			bench_check(second->C_Finalize(NULL), "the second caller's C_Finalize");
		}
		if (i >= 0)
			printf("pair %.2f\n", (bench_now() - start) / (double)pairs);
	}
	bench_check(first->C_Finalize(NULL), "C_Finalize");
	bench_release(&way, second);
	bench_release(&way, first);
	return 0;
}
