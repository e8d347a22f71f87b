/*
 * Hosts whose module is at the other end of a connection: elsewhere CASE.  The
 * module "softhsm" is a program that writes its process id to $TEST_CONF_DIR/pids
 * when it begins.  What is at its other end is killed, stopped and replaced.
 */
#include "token.h"

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

#define THREADS 8

static list_t *modules;
static list_t m;
static const char data[] = "signed elsewhere";

static void load(void)
{
	modules = p11_kit_modules_load(NULL, 0);
	if (modules == NULL || (m = p11_kit_module_for_name(modules, "softhsm")) == NULL)
		die("loading: %s", p11_kit_message());
}

/* Replaces the module by one with another address. */
static void elsewhere(const char *address)
{
	conf_file("modules/softhsm.module", "remote: %s\nremote-timeout: 1\n", address);
}

static void sign(CK_SESSION_HANDLE s)
{
	struct signature sig;

	must_ok(token_sign(m, s, "rsa", data, sizeof data, &sig));
	must_ok(token_verify(m, s, "rsa", data, sizeof data, &sig));
}

static void use(void)
{
	must_ok(m->C_Initialize(NULL));
	sign(token_login(m));
	must_ok(m->C_Finalize(NULL));
}

/* How many programs have been started, and the process id of the last one. */
static int started(pid_t *last)
{
	char path[4096];
	FILE *f;
	int n = 0, pid;

	snprintf(path, sizeof path, "%s/pids", conf_dir());
	if ((f = fopen(path, "re")) == NULL)
		return 0;
	while (fscanf(f, "%d", &pid) == 1) {
		n++;
		*last = pid;
	}
	fclose(f);
	return n;
}

static pid_t worker(void)
{
	pid_t pid = 0;

	must(started(&pid) > 0);
	return pid;
}

/* Whether a process has ended; who has adopted it may not have noticed yet. */
/* The state of a process or thread, as its stat file in /proc has it: R, S, T, Z or X. */
static char state_in(const char *stat)
{
	char state = 'X';
	FILE *f;

	if ((f = fopen(stat, "re")) == NULL)
		return 'X';
	if (fscanf(f, "%*d (%*[^)]) %c", &state) != 1)
		state = 'Z';
	fclose(f);
	return state;
}

static bool ended(pid_t pid)
{
	char path[64], state;

	snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
	state = state_in(path);
	return state == 'Z' || state == 'X';
}

static void wait_ended(pid_t pid)
{
	while (!ended(pid)) /* the test has a time limit */
		sleep_ms(5);
}

static bool stopped(pid_t pid)
{
	char path[600];
	struct dirent *task;
	bool all = true;
	DIR *tasks;

	snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
	must((tasks = opendir(path)) != NULL);
	while (all && (task = readdir(tasks)) != NULL) {
		if (task->d_name[0] == '.')
			continue;
		snprintf(path, sizeof path, "/proc/%d/task/%s/stat", (int)pid, task->d_name);
		all = state_in(path) == 'T';
	}
	closedir(tasks);
	return all;
}

/* Stops a process. The signal is sent at once; a thread of it that runs on another processor may answer a call before it
 * takes note. */
static void stop(pid_t pid)
{
	must(kill(pid, SIGSTOP) == 0);
	while (!stopped(pid)) /* the test has a time limit */
		sleep_ms(1);
}

static void no_signal(int signal)
{
	(void)signal;
	die("the host got a signal");
}

/* The host has no child that it would have to wait for, and is not told of one. */
static void case_unseen(void)
{
	signal(SIGCHLD, no_signal);
	load();
	must_ok(m->C_Initialize(NULL));
	must(waitpid(-1, NULL, 0) == -1 && errno == ECHILD);
	sign(token_login(m));
	must_ok(m->C_Finalize(NULL));
	must(waitpid(-1, NULL, 0) == -1 && errno == ECHILD);
	must(ended(worker()));
	p11_kit_modules_release(modules);
}

/* Nothing is left of many connections. */
static void case_leaves_nothing(void)
{
	int before, i;
	pid_t pid = 0;

	load();
	use();
	before = open_fds();
	for (i = 0; i < 20; i++)
		use();
	must(open_fds() == before);
	must(started(&pid) == 21);
	p11_kit_modules_release(modules);
	must(open_fds() == before);
}

/* The program is killed between two calls. */
static void case_killed(void)
{
	CK_SESSION_HANDLE s;
	CK_SESSION_INFO info;
	CK_SLOT_ID slot;
	CK_ULONG n = 0;
	pid_t first;
	int before;

	load();
	use();
	before = open_fds();
	must_ok(m->C_Initialize(NULL));
	s = token_login(m);
	slot = token_slot(m);
	first = worker();
	must(kill(first, SIGKILL) == 0);
	wait_ended(first);
	must_rv(m->C_GetSessionInfo(s, &info), CKR_DEVICE_ERROR);
	must_rv(m->C_GetSlotList(CK_TRUE, NULL, &n), CKR_DEVICE_ERROR);
	must_rv(m->C_OpenSession(slot, CKF_SERIAL_SESSION, NULL, NULL, &s), CKR_DEVICE_ERROR);
	must_ok(m->C_Finalize(NULL));
	must(open_fds() == before);
	use();
	must(worker() != first);
	must(open_fds() == before);
	p11_kit_modules_release(modules);
}

static atomic_int calls;

/* Calls until there is nobody who answers. */
static void *until_lost(void *slot)
{
	CK_SESSION_HANDLE s;
	CK_BYTE octets[256];
	CK_RV rv;

	rv = m->C_OpenSession(*(CK_SLOT_ID *)slot, CKF_SERIAL_SESSION, NULL, NULL, &s);
	while (rv == CKR_OK) {
		rv = m->C_GenerateRandom(s, octets, sizeof octets);
		calls++;
	}
	must_rv(rv, CKR_DEVICE_ERROR);
	return NULL;
}

/* The program is killed in the middle of many threads' calls. */
static void case_killed_busy(void)
{
	pthread_t threads[THREADS];
	CK_SLOT_ID slot;
	int i, before;

	load();
	use();
	before = open_fds();
	must_ok(m->C_Initialize(NULL));
	slot = token_slot(m);
	for (i = 0; i < THREADS; i++) /* one may begin when all is over */
		must(pthread_create(&threads[i], NULL, until_lost, &slot) == 0);
	while (calls < 100 * THREADS)
		sleep_ms(1);
	must(kill(worker(), SIGKILL) == 0);
	for (i = 0; i < THREADS; i++)
		must(pthread_join(threads[i], NULL) == 0);
	must_ok(m->C_Finalize(NULL));
	must(open_fds() == before);
	use();
	p11_kit_modules_release(modules);
}

static void *signs(void *unused)
{
	CK_SESSION_HANDLE s;
	int i;

	(void)unused;
	s = token_login(m);
	for (i = 0; i < 20; i++)
		sign(s);
	must_ok(m->C_CloseSession(s));
	return NULL;
}

/* Many threads sign at once. */
static void case_threads(void)
{
	pthread_t threads[THREADS];
	CK_SESSION_HANDLE keep;
	int i;

	load();
	must_ok(m->C_Initialize(NULL));
	keep = token_login(m);
	for (i = 0; i < THREADS; i++)
		must(pthread_create(&threads[i], NULL, signs, NULL) == 0);
	for (i = 0; i < THREADS; i++)
		must(pthread_join(threads[i], NULL) == 0);
	must_ok(m->C_CloseSession(keep));
	must_ok(m->C_Finalize(NULL));
	p11_kit_modules_release(modules);
}

/* The program does not answer any more: that is noticed, and it is ended. */
static void case_stalled(void)
{
	CK_SESSION_HANDLE s;
	CK_SESSION_INFO info;
	pid_t first;
	char path[4096], line[4096];
	FILE *f;

	snprintf(path, sizeof path, "%s/modules/softhsm.module", conf_dir());
	must((f = fopen(path, "re")) != NULL && fgets(line, sizeof line, f) != NULL);
	fclose(f);
	conf_file("modules/softhsm.module", "%sremote-timeout: 2\n", line);
	load();
	must_ok(m->C_Initialize(NULL));
	s = token_login(m);
	first = worker();
	stop(first);
	must_rv(m->C_GetSessionInfo(s, &info), CKR_DEVICE_ERROR);
	must_rv(m->C_GetSessionInfo(s, &info), CKR_DEVICE_ERROR);
	must_ok(m->C_Finalize(NULL));
	wait_ended(first);
	use();
	p11_kit_modules_release(modules);
}

static void in_child(void *unused)
{
	CK_INFO info;
	pid_t parents = worker();

	(void)unused;
	must_rv(m->C_GetInfo(&info), CKR_CRYPTOKI_NOT_INITIALIZED);
	use();
	must(worker() != parents && ended(worker()) && !ended(parents));
}

/* A child has a connection of its own, and leaves its parent's alone. */
static void case_fork(void)
{
	CK_SESSION_HANDLE s;

	load();
	must_ok(m->C_Initialize(NULL));
	s = token_login(m);
	must(run_child(in_child, NULL, 30) == 0);
	sign(s);
	must_ok(m->C_Finalize(NULL));
	p11_kit_modules_release(modules);
}

/* A host that ends without a word while its child lives on. */
static void dies_with_child(void *end)
{
	int *hold = end;
	char c;

	load();
	must_ok(m->C_Initialize(NULL));
	sign(token_login(m));
	if (fork() == 0) {
		close(hold[1]);
		(void)!read(hold[0], &c, 1); /* until the case is over */
		_exit(0);
	}
	kill(getpid(), SIGKILL);
}

static void case_orphan(void)
{
	int hold[2];

	must(pipe(hold) == 0);
	must(run_child(dies_with_child, hold, 30) == 1000 + SIGKILL);
	wait_ended(worker());
	close(hold[1]);
}

/* The other end says what makes no sense, or nothing, or there is none. */
static void case_nonsense(void)
{
	static const char *const addresses[] = {
		"|cat", "|true", "|yes", "|/nonexistent/program", "|sleep 1000", "|sh -c 'echo; cat >/dev/null'",
	};
	CK_ULONG n = 7;
	int before = 0;
	size_t i;

	for (i = 0; i < sizeof addresses / sizeof *addresses; i++) {
		elsewhere(addresses[i]);
		load();
		must_rv(m->C_Initialize(NULL), CKR_DEVICE_ERROR);
		must(p11_kit_message() != NULL);
		must_rv(m->C_GetSlotList(CK_TRUE, NULL, &n), CKR_CRYPTOKI_NOT_INITIALIZED);
		must_rv(m->C_Initialize(NULL), CKR_DEVICE_ERROR);
		p11_kit_modules_release(modules);
		if (i == 0)
			before = open_fds();
		must(open_fds() == before);
	}
	must(waitpid(-1, NULL, 0) == -1 && errno == ECHILD);
}

/* Where there is no server there are no slots. */
static void case_nobody(void)
{
	CK_ULONG n = 7;
	CK_INFO info;

	elsewhere("unix:path=/nonexistent/socket");
	load();
	must_ok(m->C_Initialize(NULL));
	must_ok(m->C_GetSlotList(CK_TRUE, NULL, &n));
	must(n == 0);
	must_ok(m->C_GetInfo(&info));
	must(memcmp(info.libraryDescription, "p11-kit (no connection) ", 24) == 0);
	must_ok(m->C_Finalize(NULL));
	p11_kit_modules_release(modules);
}

/* Descriptors 0, 1 and 2 may be closed, and other ones be open, and the program has only its own. */
static void case_descriptors(void)
{
	int spare;

	conf_file("modules/softhsm.module", "remote: |sh -c 'ls /proc/self/fd | tr -d \"\\\\n\" > %s/fds; exec cat'\n", conf_dir());
	must((spare = dup(1)) > 2);
	load();
	close(0);
	must_rv(m->C_Initialize(NULL), CKR_DEVICE_ERROR);
	p11_kit_modules_release(modules);
	/* ls has one more, for the directory; the shell has replaced 1 by the file. */
	char path[4096], text[64] = "";
	snprintf(path, sizeof path, "%s/fds", conf_dir());
	FILE *f = fopen(path, "re");
	must(f != NULL && fgets(text, sizeof text, f) != NULL);
	if (strcmp(text, "0123") != 0)
		die("the program has descriptors %s", text);
	fclose(f);
}

/* Two names of one program are two modules; one name is one. */
static void case_shared(void)
{
	list_t *again;
	list_t other;
	CK_SESSION_HANDLE s;
	CK_SESSION_INFO info;
	pid_t pid = 0;

	load();
	again = p11_kit_modules_load(NULL, 0);
	must(again != NULL && (other = p11_kit_module_for_name(again, "softhsm")) != NULL && other != m);
	must_ok(m->C_Initialize(NULL));
	must_ok(other->C_Initialize(NULL));
	must(started(&pid) == 1);
	s = token_login(m);
	must_rv(other->C_CloseSession(s), CKR_SESSION_HANDLE_INVALID);
	must_ok(other->C_Finalize(NULL));
	must_ok(m->C_GetSessionInfo(s, &info));
	must(p11_kit_module_get_filename(m) == NULL);
	must_ok(m->C_Finalize(NULL));
	p11_kit_modules_release(again);
	p11_kit_modules_release(modules);
}

int main(int argc, char **argv)
{
	static const struct host_case cases[] = {
		{ "unseen", case_unseen, true },
		{ "leaves_nothing", case_leaves_nothing, false },
		{ "killed", case_killed, true },
		{ "killed_busy", case_killed_busy, true },
		{ "threads", case_threads, false },
		{ "stalled", case_stalled, true },
		{ "fork", case_fork, false },
		{ "orphan", case_orphan, true },
		{ "nonsense", case_nonsense, true },
		{ "nobody", case_nobody, false },
		{ "descriptors", case_descriptors, false },
		{ "shared", case_shared, true },
	};

	return run_cases(cases, sizeof cases / sizeof *cases, argc, argv, NULL);
}
