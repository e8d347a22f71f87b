/*
 * Hosts whose signal handlers know nothing of alternate stacks: each burns
 * 64 KiB of whatever stack it finds, thousands of times a second, while threads
 * open and close sessions.
 */
#include "quiet.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

#define WORKERS 4

static atomic_long taken, foreign;
static atomic_bool stop, unblock;
static __thread volatile sig_atomic_t is_host;

static void burn(int n)
{
	volatile char stack[64 * 1024];
	size_t i;

	(void)n;
	for (i = 0; i < sizeof stack; i += 512)
		stack[i] = i;
	atomic_fetch_add(&taken, 1);
	if (!is_host)
		atomic_fetch_add(&foreign, 1);
}

static void handle(int n)
{
	struct sigaction sa = { .sa_handler = burn, .sa_flags = SA_RESTART };

	must(sigaction(n, &sa, NULL) == 0);
}

static timer_t timer_for_me(void)
{
	struct sigevent ev = { .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGRTMIN + 1 };
	struct itimerspec when = { { 0, 500000 }, { 0, 500000 } };
	timer_t t;

	ev.sigev_notify_thread_id = syscall(SYS_gettid);
	must(timer_create(CLOCK_MONOTONIC, &ev, &t) == 0);
	must(timer_settime(t, 0, &when, NULL) == 0);
	return t;
}

static void *work(void *arg)
{
	CK_SESSION_INFO info;
	CK_SESSION_HANDLE s;
	list_t m = arg;
	sigset_t alarm;
	timer_t t;

	is_host = 1;
	sigemptyset(&alarm);
	sigaddset(&alarm, SIGALRM);
	if (unblock)
		must(pthread_sigmask(SIG_UNBLOCK, &alarm, NULL) == 0);
	t = timer_for_me();
	while (!atomic_load(&stop)) {
		list_t own = quiet_load("b");

		must_ok(m->C_OpenSession(1, CKF_SERIAL_SESSION, NULL, NULL, &s));
		must_ok(m->C_GetSessionInfo(s, &info));
		must_ok(m->C_CloseSession(s));
		must_ok(own->C_Initialize(NULL));
		must_ok(own->C_Finalize(NULL));
		p11_kit_module_release(own);
		must(p11_kit_module_load("/nonexistent/x.so", 0) == NULL);
	}
	timer_delete(t);
	return NULL;
}

static void run(void)
{
	list_t m = quiet_load("a");
	pthread_t t[WORKERS];
	int i;

	must_ok(m->C_Initialize(NULL));
	/* The reference loses count when threads finalise at once. */
	if (!is_ours())
		must_ok(quiet_load("b")->C_Initialize(NULL));
	for (i = 0; i < WORKERS; i++)
		must(pthread_create(&t[i], NULL, work, m) == 0);
	sleep_ms(3000);
	atomic_store(&stop, true);
	for (i = 0; i < WORKERS; i++)
		pthread_join(t[i], NULL);
	must_ok(m->C_Finalize(NULL));
	must(atomic_load(&taken) > 100);
}

static void process_timer(void)
{
	struct itimerval fast = { { 0, 700 }, { 0, 700 } };

	must(setitimer(ITIMER_REAL, &fast, NULL) == 0);
}

static void end_timer(void)
{
	struct itimerval none = { { 0, 0 }, { 0, 0 } };

	must(setitimer(ITIMER_REAL, &none, NULL) == 0);
}

/* Timers aimed at each thread, and one for the whole process. */
void quiet_signals(void)
{
	sigset_t alarm;

	is_host = 1;
	handle(SIGRTMIN + 1);
	handle(SIGALRM);
	/* Until threads know that they are the host's they take no signal. */
	atomic_store(&unblock, true);
	sigemptyset(&alarm);
	sigaddset(&alarm, SIGALRM);
	must(pthread_sigmask(SIG_BLOCK, &alarm, NULL) == 0);
	process_timer();
	run();
	end_timer();
	if (atomic_load(&foreign))
		die("%ld of %ld signals were taken by a thread of the library",
		    atomic_load(&foreign), atomic_load(&taken));
}

/* The host blocks two signals in all its threads: nobody takes them, and they
 * wait for the host. */
static void blocked(int first, int second)
{
	sigset_t set, pending;
	int i;

	is_host = 1;
	handle(SIGRTMIN + 1);
	handle(first);
	handle(second);
	sigemptyset(&set);
	sigaddset(&set, first);
	sigaddset(&set, second);
	must(pthread_sigmask(SIG_BLOCK, &set, NULL) == 0);
	quiet_use(quiet_load("c"));
	for (i = 0; i < 100; i++) {
		must(kill(getpid(), first) == 0);
		must(kill(getpid(), second) == 0);
		sleep_ms(1);
	}
	run();
	if (atomic_load(&foreign))
		die("%ld of %ld signals were taken by a thread of the library",
		    atomic_load(&foreign), atomic_load(&taken));
	sigpending(&pending);
	must(sigismember(&pending, first) && sigismember(&pending, second));
}

void quiet_signals_blocked(void)
{
	blocked(SIGALRM, SIGUSR1);
}

/* Signals of shells and profilers, which Go's run-time treats specially. */
void quiet_signals_special(void)
{
	blocked(SIGCHLD, SIGPROF);
}

static const int taken_over[] = { SIGURG, SIGPIPE, SIGSEGV, SIGBUS, SIGFPE };
static atomic_int owed; /* the signal that was sent and has not been handled */
static atomic_int receiver;
static atomic_bool quit, sent_all;

static void settle(int n)
{
	int expected = n;

	atomic_compare_exchange_strong(&owed, &expected, 0);
}

static void *receive(void *arg)
{
	atomic_store(&receiver, (int)syscall(SYS_gettid));
	while (!atomic_load(&sent_all))
		;
	return arg;
}

/* Sends a signal only when the one before was handled, as run-times do that
 * preempt their threads: one that gets lost stops them for ever. */
static void *send(void *arg)
{
	struct timespec start, now;
	int i, n;

	for (i = 0; !atomic_load(&quit); i++) {
		n = taken_over[i % (sizeof taken_over / sizeof taken_over[0])];
		atomic_store(&owed, n);
		must(syscall(SYS_tgkill, getpid(), atomic_load(&receiver), n) == 0);
		clock_gettime(CLOCK_MONOTONIC, &start);
		while (atomic_load(&owed) != 0) {
			clock_gettime(CLOCK_MONOTONIC, &now);
			if (now.tv_sec > start.tv_sec + 10)
				die("signal %d was sent to the host and never came", n);
		}
	}
	return arg;
}

static void load_under_signals(void *arg)
{
	struct sigaction sa = { .sa_handler = settle, .sa_flags = SA_RESTART };
	pthread_t t[2];
	size_t i;

	(void)arg;
	for (i = 0; i < sizeof taken_over / sizeof taken_over[0]; i++)
		must(sigaction(taken_over[i], &sa, NULL) == 0);
	must(pthread_create(&t[0], NULL, receive, NULL) == 0);
	while (atomic_load(&receiver) == 0)
		sleep_ms(1);
	must(pthread_create(&t[1], NULL, send, NULL) == 0);
	sleep_ms(5);
	quiet_use(quiet_load("a"));
	sleep_ms(5);
	atomic_store(&quit, true);
	pthread_join(t[1], NULL);
	atomic_store(&sent_all, true);
	pthread_join(t[0], NULL);
}

/* Not even for a moment are the host's handlers replaced. */
void quiet_signals_load(void)
{
	int i, status;

	for (i = 0; i < 25; i++) {
		status = run_child(load_under_signals, NULL, 60);
		if (status != 0)
			die("host %d of 25 ended with %d", i, status);
	}
}
