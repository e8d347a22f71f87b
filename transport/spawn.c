/*
 * Starting a program in somebody else's process.
 *
 * A program that waits for any of its children would wait for ours too, and one
 * that handles SIGCHLD would be told of a process that it does not know. So the
 * program is a grandchild, which init adopts: the process between ends at once,
 * sends no signal, and is seen by nobody who does not ask for such children.
 * A descriptor of the process is passed back through a socket, so that there is
 * no moment at which its number could mean another one.
 *
 * Both are made without copying the host's memory, which they share until the
 * program is executed, while the host's thread waits. They must not run a
 * handler of the host, or leave anything changed.
 */
#define _GNU_SOURCE
#include "spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define STACK (128 << 10) /* octets: execvp has a path and an argument list on it */

struct spawn {
	char *const *argv;
	char **environment;
	int socket;
	int report;    /* what becomes of it is told there */
	char *stacks;  /* two of them */
};

/* One message of the report. */
struct report {
	int error;
};

static void tell(int report, int error, int process)
{
	struct report text = { error };
	struct iovec part = { &text, sizeof text };
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof process)];
	} control;
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
	if (process >= 0) {
		memset(&control, 0, sizeof control);
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(sizeof process);
		memcpy(CMSG_DATA(&control.header), &process, sizeof process);
		message.msg_control = &control;
		message.msg_controllen = sizeof control;
	}
	sendmsg(report, &message, MSG_NOSIGNAL);
}

/* Has all descriptors but the first three be closed when the program begins. */
static void close_others(void)
{
#ifdef SYS_close_range
	if (syscall(SYS_close_range, 3U, ~0U, 4U /* CLOSE_RANGE_CLOEXEC */) == 0)
		return;
#endif
	long count = sysconf(_SC_OPEN_MAX);
	if (count < 0 || count > 1 << 16)
		count = 1 << 16;
	for (int fd = 3; fd < count; fd++)
		fcntl(fd, F_SETFD, FD_CLOEXEC);
}

/* The program begins with no signal blocked, and with the usual answer to those that the host answers. */
static void reset_signals(void)
{
	sigset_t none;
	for (int signal = 1; signal < NSIG; signal++) {
		struct sigaction now, usual = { .sa_handler = SIG_DFL };
		if (sigaction(signal, NULL, &now) != 0)
			continue;
		if (now.sa_handler != SIG_IGN || signal == SIGPIPE || signal == SIGCHLD)
			sigaction(signal, &usual, NULL);
	}
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static int program(void *data)
{
	const struct spawn *spawn = data;
	close_others();
	/* Should the host have closed its own 0, 1 and 2, ours may have these numbers: they are moved first. */
	int socket = fcntl(spawn->socket, F_DUPFD_CLOEXEC, 3);
	int report = fcntl(spawn->report, F_DUPFD_CLOEXEC, 3);
	if (socket >= 0 && report >= 0 && dup2(socket, 0) == 0 && dup2(socket, 1) == 1) {
		if (fcntl(2, F_GETFD) < 0 || spawn->socket == 2 || spawn->report == 2)
			dup2(open("/dev/null", O_WRONLY | O_CLOEXEC), 2);
		reset_signals();
		execvpe(spawn->argv[0], spawn->argv, spawn->environment);
	}
	tell(report >= 0 ? report : spawn->report, errno, -1);
	_exit(127);
}

static int between(void *data)
{
	struct spawn *spawn = data;
	pid_t pid = clone(program, spawn->stacks + 2 * STACK, CLONE_VM | CLONE_VFORK | SIGCHLD, spawn);
	if (pid < 0) {
		tell(spawn->report, errno, -1);
	} else {
#ifdef SYS_pidfd_open
		/* As long as nobody has waited for it, the number is its own. */
		tell(spawn->report, 0, (int)syscall(SYS_pidfd_open, pid, 0));
#else
		tell(spawn->report, 0, -1);
#endif
	}
	_exit(0);
}

/* Reads what is in the report: the first error there is, and the descriptor. */
static int read_report(int report, int *process)
{
	int error = 0, messages = 0;
	for (;;) {
		struct report text = { 0 };
		struct iovec part = { &text, sizeof text };
		union {
			struct cmsghdr header;
			char room[CMSG_SPACE(sizeof *process)];
		} control;
		struct msghdr message = {
			.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control,
		};
		if (recvmsg(report, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) != (ssize_t)sizeof text)
			break;
		messages++;
		if (text.error)
			error = text.error;
		struct cmsghdr *header = CMSG_FIRSTHDR(&message);
		if (header && header->cmsg_type == SCM_RIGHTS && header->cmsg_len == CMSG_LEN(sizeof *process))
			memcpy(process, CMSG_DATA(header), sizeof *process);
	}
	return messages ? error : ECHILD;
}

/* The host's environment with a variable in place of the one of that name. The strings stay where they are. */
static char **environment_with(const char *variable)
{
	size_t name = strcspn(variable, "=") + 1, all = 0, n = 0;
	while (environ && environ[all])
		all++;
	char **made = calloc(all + 2, sizeof *made);
	if (!made)
		return NULL;
	for (size_t i = 0; i < all; i++)
		if (strncmp(environ[i], variable, name) != 0)
			made[n++] = environ[i];
	made[n] = (char *)variable;
	return made;
}

int p11_transport_spawn(char *const argv[], const char *variable, int socket, int *process)
{
	int report[2], error = 0, state = 0;
	struct spawn spawn = { .argv = argv, .socket = socket };
	sigset_t all, before;

	*process = -1;
	spawn.environment = environment_with(variable);
	if (!spawn.environment)
		return ENOMEM;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, report) != 0) {
		error = errno;
		free(spawn.environment);
		return error;
	}
	spawn.report = report[1];
	spawn.stacks = mmap(NULL, 2 * STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
	if (spawn.stacks == MAP_FAILED) {
		error = errno;
	} else {
		sigfillset(&all);
		pthread_sigmask(SIG_SETMASK, &all, &before);
		pid_t pid = clone(between, spawn.stacks + STACK, CLONE_VM | CLONE_VFORK, &spawn);
		if (pid < 0)
			error = errno;
		while (pid > 0 && waitpid(pid, &state, __WALL) < 0 && errno == EINTR)
			;
		pthread_sigmask(SIG_SETMASK, &before, NULL);
		if (!error)
			error = read_report(report[0], process);
		munmap(spawn.stacks, 2 * STACK);
	}
	close(report[0]);
	close(report[1]);
	free(spawn.environment);
	if (error && *process >= 0) {
		close(*process);
		*process = -1;
	}
	return error;
}
