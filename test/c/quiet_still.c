/* A host that compares all it can see of its process before and after. */
#include "quiet.h"

#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

/* The kernel's SA_RESTORER, which libc adds to whatever it is given. */
#define RESTORER 0x04000000

extern char **environ;

/* All that the host can see of itself. */
struct state {
	struct sigaction actions[65];
	sigset_t mask;
	stack_t stack;
	bool fds[1024];
	char *env, *cwd, *locale;
	mode_t umask;
	struct rlimit limits[RLIM_NLIMITS];
	char name[16];
	struct itimerval timer;
	cpu_set_t cpus;
	int priority, dumpable, subreaper;
};

static void look(struct state *s)
{
	size_t size;
	FILE *f;
	char **e;
	int i;

	memset(s, 0, sizeof *s);
	for (i = 1; i <= 64; i++)
		sigaction(i, NULL, &s->actions[i]);
	pthread_sigmask(SIG_SETMASK, NULL, &s->mask);
	sigaltstack(NULL, &s->stack);
	for (i = 0; i < 1024; i++)
		s->fds[i] = fcntl(i, F_GETFD) >= 0;
	f = open_memstream(&s->env, &size);
	for (e = environ; *e; e++)
		fprintf(f, "%s\n", *e);
	fclose(f);
	s->cwd = getcwd(NULL, 0);
	s->locale = strdup(setlocale(LC_ALL, NULL));
	s->umask = umask(0);
	umask(s->umask);
	for (i = 0; i < RLIM_NLIMITS; i++)
		getrlimit(i, &s->limits[i]);
	prctl(PR_GET_NAME, s->name);
	getitimer(ITIMER_REAL, &s->timer);
	sched_getaffinity(0, sizeof s->cpus, &s->cpus);
	s->priority = getpriority(PRIO_PROCESS, 0);
	s->dumpable = prctl(PR_GET_DUMPABLE);
	prctl(PR_GET_CHILD_SUBREAPER, &s->subreaper);
}

/* New descriptors may appear, if they stay out of programs the host starts. */
static int compare_fds(const struct state *a, const struct state *b)
{
	int i, n = 0;

	for (i = 0; i < 1024; i++) {
		if (a->fds[i] && !b->fds[i])
			die("descriptor %d was closed", i);
		if (a->fds[i] || !b->fds[i])
			continue;
		if (!(fcntl(i, F_GETFD) & FD_CLOEXEC))
			die("descriptor %d is new and would be inherited", i);
		n++;
	}
	return n;
}

static void compare(const struct state *a, const struct state *b)
{
	int i, k;

	for (i = 1; i <= 64; i++) {
		const struct sigaction *x = &a->actions[i], *y = &b->actions[i];

		if (x->sa_handler != y->sa_handler || ((x->sa_flags ^ y->sa_flags) & ~RESTORER))
			die("the handler of signal %d was changed", i);
		/* Octets past the kernel's 64 signals are not defined. */
		for (k = 1; k <= 64; k++)
			if (sigismember(&x->sa_mask, k) != sigismember(&y->sa_mask, k))
				die("the mask of signal %d was changed", i);
	}
	must(memcmp(&a->mask, &b->mask, sizeof a->mask) == 0);
	must(a->stack.ss_sp == b->stack.ss_sp && a->stack.ss_flags == b->stack.ss_flags);
	must(strcmp(a->env, b->env) == 0);
	must(strcmp(a->cwd, b->cwd) == 0);
	must(strcmp(a->locale, b->locale) == 0);
	must(a->umask == b->umask);
	for (i = 0; i < RLIM_NLIMITS; i++)
		if (a->limits[i].rlim_cur != b->limits[i].rlim_cur ||
		    a->limits[i].rlim_max != b->limits[i].rlim_max)
			die("resource limit %d was changed", i);
	must(strcmp(a->name, b->name) == 0);
	must(memcmp(&a->timer, &b->timer, sizeof a->timer) == 0);
	must(CPU_EQUAL(&a->cpus, &b->cpus));
	must(a->priority == b->priority && a->dumpable == b->dumpable);
	must(a->subreaper == b->subreaper);
}

static void on_signal(int n)
{
	(void)n;
}

/* A host with opinions: its own handlers, mask, stack, umask and locale. */
static void be_particular(void)
{
	static char stack[65536];
	stack_t ss = { .ss_sp = stack, .ss_size = sizeof stack };
	struct sigaction sa = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
	struct rlimit files;
	sigset_t mask;

	sigaddset(&sa.sa_mask, SIGUSR2);
	must(sigaction(SIGUSR1, &sa, NULL) == 0);
	must(sigaction(SIGSEGV, &sa, NULL) == 0);
	must(sigaction(SIGURG, &sa, NULL) == 0);
	must(sigaction(SIGRTMIN + 3, &sa, NULL) == 0);
	sa.sa_handler = SIG_IGN;
	must(sigaction(SIGHUP, &sa, NULL) == 0);
	must(sigaltstack(&ss, NULL) == 0);
	sigemptyset(&mask);
	sigaddset(&mask, SIGWINCH);
	sigaddset(&mask, SIGRTMIN + 5);
	must(pthread_sigmask(SIG_BLOCK, &mask, NULL) == 0);
	umask(027);
	setlocale(LC_ALL, "C.UTF-8");
	must(prctl(PR_SET_NAME, "particular") == 0);
	must(getrlimit(RLIMIT_NOFILE, &files) == 0);
	files.rlim_cur = 512;
	must(setrlimit(RLIMIT_NOFILE, &files) == 0);
	must(chdir("/usr") == 0);
}

void quiet_still(void)
{
	static struct state before, between, after;
	int pipe_fd[2], saved, new;
	char c;

	quiet_configure();
	be_particular();
	must(pipe2(pipe_fd, O_CLOEXEC | O_NONBLOCK) == 0);
	saved = fcntl(1, F_DUPFD_CLOEXEC, 3);
	must(dup2(pipe_fd[1], 1) == 1);
	look(&before);
	quiet_use_all();
	look(&between);
	quiet_use_all();
	quiet_use_all();
	look(&after);
	must(read(pipe_fd[0], &c, 1) < 0 && errno == EAGAIN); /* silence on stdout */
	dup2(saved, 1);
	compare(&before, &between);
	compare(&before, &after);
	new = compare_fds(&before, &after);
	if (new > 4 || new > compare_fds(&before, &between))
		die("%d descriptors more than before", new);
	must(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD);
}
