/*
 * A process that is born into a sandbox: it enters a Landlock domain while it has
 * one thread, before Go begins. The domain is that of a thread and of those that
 * it makes, so nothing that comes later can be left out of it. The process that
 * starts it needs no thread of its own for that, which it might not get.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Variable in landlock.go. */
#define VARIABLE "P11MUX_SANDBOX"

static void __attribute__((constructor)) enter(void)
{
	const char *text = getenv(VARIABLE);
	if (!text)
		return;
	int rules = atoi(text);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || syscall(SYS_landlock_restrict_self, rules, 0) != 0) {
		fprintf(stderr, "couldn't enter the sandbox of " VARIABLE ": %s\n", strerror(errno));
		_exit(126);
	}
	close(rules);
	unsetenv(VARIABLE);
}
