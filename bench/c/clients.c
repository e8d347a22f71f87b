/*
 * clients MODULE PROCESSES CALLS
 *
 * Starts processes which initialize the module and open a session each. With
 * CALLS 0 it then prints "ready", and ends when its standard input does. Else all
 * do CALLS times C_Sign at the same time, and it prints
 *
 *	rate  calls per second of all together
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

struct times {
	pthread_barrier_t turnstile; /* of all processes and who has started them */
	double start[1024], end[1024];
};

static void be_client(const char *module, long number, long calls, struct times *times)
{
	CK_FUNCTION_LIST *list = bench_raw(module);
	CK_SESSION_HANDLE session;
	CK_MECHANISM mechanism = { CKM_SHA256_RSA_PKCS, NULL, 0 };
	CK_BYTE data[32] = { 0 }, signature[256];
	bench_check(list->C_OpenSession(bench_begin(list, module), CKF_SERIAL_SESSION, NULL, NULL, &session), "C_OpenSession");
	bench_check(list->C_SignInit(session, &mechanism, 1), "C_SignInit");
	pthread_barrier_wait(&times->turnstile);
	times->start[number] = bench_now();
	for (long i = 0; i < calls; i++) {
		CK_ULONG len = sizeof signature;
		bench_check(list->C_Sign(session, data, sizeof data, signature, &len), "C_Sign");
	}
	times->end[number] = bench_now();
	pthread_barrier_wait(&times->turnstile);
	bench_check(list->C_Finalize(NULL), "C_Finalize");
	exit(0);
}

static struct times *share(long processes)
{
	pthread_barrierattr_t shared;
	struct times *times = mmap(NULL, sizeof *times, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (times == MAP_FAILED || pthread_barrierattr_init(&shared) != 0 ||
	    pthread_barrierattr_setpshared(&shared, PTHREAD_PROCESS_SHARED) != 0 ||
	    pthread_barrier_init(&times->turnstile, &shared, (unsigned)processes + 1) != 0)
		bench_die("no memory to share");
	return times;
}

/* One that fails would be waited for at the turnstile for ever. */
static void fail(int number)
{
	(void)number;
	int status;
	if (waitpid(-1, &status, WNOHANG) > 0 && status != 0)
		_exit(1);
}

int main(int argc, char **argv)
{
	if (argc < 4)
		bench_die("usage: clients MODULE PROCESSES CALLS");
	long processes = bench_number(argv[2], "PROCESSES");
	long calls = strcmp(argv[3], "0") == 0 ? 0 : bench_number(argv[3], "CALLS");
	if (processes > 1024)
		bench_die("no more than 1024 processes");
	struct times *times = share(processes);
	signal(SIGCHLD, fail);
	for (long i = 0; i < processes; i++) {
		switch (fork()) {
		case -1:
			bench_die("fork: %s", strerror(errno));
		case 0:
			signal(SIGCHLD, SIG_DFL);
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			be_client(argv[1], i, calls, times);
		}
	}
	pthread_barrier_wait(&times->turnstile);
	if (calls == 0) {
		char octet;
		puts("ready");
		fflush(stdout);
		while (read(STDIN_FILENO, &octet, 1) > 0)
			;
	}
	pthread_barrier_wait(&times->turnstile);
	double start = times->start[0], end = times->end[0];
	for (long i = 1; i < processes; i++) {
		start = times->start[i] < start ? times->start[i] : start;
		end = times->end[i] > end ? times->end[i] : end;
	}
	if (calls > 0)
		printf("rate %.1f\n", (double)(processes * calls) / (end - start) * 1e9);
	signal(SIGCHLD, SIG_DFL);
	for (int status; wait(&status) > 0;)
		if (status != 0)
			return 1;
	return 0;
}
