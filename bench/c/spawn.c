/*
 * spawn ROUNDS -- PROGRAM [ARGUMENT...] -- PROGRAM [ARGUMENT...] ...
 *
 * Runs the programs one after the other, ROUNDS times, each round beginning
 * with another one, and prints what each run took; X is the program's number:
 *
 *	wall.X    ns from before the start to the end
 *	cpu.X     ns of processor time, user and system
 *	memory.X  kB of memory at its highest, resident
 *
 * A word NAME=VALUE before PROGRAM goes to its environment. This program is
 * small and has to be: what the kernel calls a process's highest memory begins
 * with that of the process that started it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MAX_PROGRAMS 8
#define MAX_EXTRA    8

static double now(void)
{
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

static double ns(struct timeval time)
{
	return (double)time.tv_sec * 1e9 + (double)time.tv_usec * 1e3;
}

static int run(char **argv, int number)
{
	char *environment[MAX_EXTRA + 64];
	size_t n = 0;
	for (; *argv && strchr(*argv, '=') && n < MAX_EXTRA; argv++)
		environment[n++] = *argv;
	for (char **e = environ; *e && n < sizeof environment / sizeof *environment - 1; e++)
		environment[n++] = *e;
	environment[n] = NULL;
	if (!*argv)
		return fprintf(stderr, "spawn: program %d is missing\n", number), 1;

	pid_t pid;
	int status;
	struct rusage used;
	double start = now();
	int error = posix_spawn(&pid, argv[0], NULL, NULL, argv, environment);
	if (error)
		return fprintf(stderr, "spawn: %s: %s\n", argv[0], strerror(error)), 1;
	while (wait4(pid, &status, 0, &used) < 0)
		if (errno != EINTR)
			return fprintf(stderr, "spawn: %s: %s\n", argv[0], strerror(errno)), 1;
	double end = now();
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		return fprintf(stderr, "spawn: %s failed: status 0x%x\n", argv[0], (unsigned)status), 1;
	printf("wall.%d %.0f\ncpu.%d %.0f\nmemory.%d %ld\n", number, end - start, number,
	       ns(used.ru_utime) + ns(used.ru_stime), number, used.ru_maxrss);
	return 0;
}

int main(int argc, char **argv)
{
	char **programs[MAX_PROGRAMS];
	int n = 0;
	for (int i = 2; i < argc; i++) {
		if (strcmp(argv[i], "--") != 0)
			continue;
		argv[i] = NULL;
		if (n == MAX_PROGRAMS)
			return fprintf(stderr, "spawn: more than %d programs\n", MAX_PROGRAMS), 1;
		programs[n++] = argv + i + 1;
	}
	int rounds = argc > 1 ? atoi(argv[1]) : 0;
	if (rounds < 1 || n == 0)
		return fprintf(stderr, "usage: spawn ROUNDS -- PROGRAM [ARGUMENT...] ...\n"), 1;
	for (int round = 0; round < rounds; round++)
		for (int i = 0; i < n; i++) {
			int number = (round + i) % n;
			int failed = run(programs[number], number);
			if (failed)
				return failed;
		}
	return 0;
}
