/*
 * Hosts that fork: fork CASE.  The parent uses SoftHSM (configured as "softhsm")
 * and some cases a counting module; children do what real programs do with
 * lists they inherited.  Exits with 0 if all of it worked.
 */
#include "fork.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

static list_t *modules;
static const char data[] = "signed in many processes";

list_t m;

void fork_load(void)
{
	modules = p11_kit_modules_load(NULL, 0);
	if (modules == NULL || (m = p11_kit_module_for_name(modules, "softhsm")) == NULL)
		die("loading: %s", p11_kit_message());
}

void fork_use(const char *label)
{
	struct signature sig;
	CK_SESSION_HANDLE s;

	must_ok(m->C_Initialize(NULL));
	s = token_login(m);
	must_ok(token_sign(m, s, label, data, sizeof data, &sig));
	must_ok(token_verify(m, s, label, data, sizeof data, &sig));
	must_ok(m->C_Finalize(NULL));
}

/* The usual beginning: the parent is in the middle of its work. */
static CK_SESSION_HANDLE session;

static void begin(void)
{
	fork_load();
	must_ok(m->C_Initialize(NULL));
	session = token_login(m);
}

/* And it goes on with it afterwards. */
static void go_on(void)
{
	struct signature sig;

	must_ok(token_sign(m, session, "rsa", data, sizeof data, &sig));
	must_ok(token_verify(m, session, "rsa", data, sizeof data, &sig));
	must_ok(m->C_CloseSession(session));
	must_ok(m->C_Finalize(NULL));
	p11_kit_modules_release(modules);
}

void fork_expect_child(void (*fn)(void *), void *arg)
{
	int status = run_child(fn, arg, 30);

	if (status != 0)
		die("the child ended with %d", status);
}

static void child_returns(void *arg)
{
	(void)arg;
}

static void child_exits(void *arg)
{
	(void)arg;
	exit(0);
}

static void case_exit(void)
{
	begin();
	fork_expect_child(child_returns, NULL);
	fork_expect_child(child_exits, NULL);
	go_on();
}

static void child_signs(void *label)
{
	fork_use(label);
	fork_use(label);
	exit(0);
}

char rsa[] = "rsa", ec[] = "ec";

static void case_sign(void)
{
	begin();
	fork_expect_child(child_signs, rsa);
	fork_expect_child(child_signs, ec);
	go_on();
}

static void case_sign_loaded_only(void)
{
	fork_load();
	fork_expect_child(child_signs, rsa);
	must_ok(m->C_Initialize(NULL));
	session = token_login(m);
	go_on();
}

static void child_finalizes(void *arg)
{
	(void)arg;
	must_ok(m->C_Finalize(NULL));
	must_rv(m->C_Finalize(NULL), CKR_CRYPTOKI_NOT_INITIALIZED);
	fork_use("rsa");
}

static void case_finalize(void)
{
	begin();
	fork_expect_child(child_finalizes, NULL);
	go_on();
}

static void child_releases(void *arg)
{
	(void)arg;
	p11_kit_modules_finalize_and_release(modules);
	exit(0);
}

static void child_releases_only(void *arg)
{
	(void)arg;
	p11_kit_modules_release(modules);
	fork_load();
	fork_use("ec");
	p11_kit_modules_release(modules);
	exit(0);
}

static void case_release(void)
{
	begin();
	fork_expect_child(child_releases, NULL);
	fork_expect_child(child_releases_only, NULL);
	go_on();
}

/* Ours only: nothing may work by accident on what the parent did. */
static void child_uninitialized(void *arg)
{
	CK_INFO info;
	CK_SESSION_INFO si;
	CK_ULONG n = 0;
	CK_SESSION_HANDLE s;

	(void)arg;
	must_rv(m->C_GetInfo(&info), CKR_CRYPTOKI_NOT_INITIALIZED);
	must_rv(m->C_GetSlotList(CK_TRUE, NULL, &n), CKR_CRYPTOKI_NOT_INITIALIZED);
	must_rv(m->C_GetSessionInfo(session, &si), CKR_CRYPTOKI_NOT_INITIALIZED);
	must_rv(m->C_OpenSession(0, CKF_SERIAL_SESSION, NULL, NULL, &s), CKR_CRYPTOKI_NOT_INITIALIZED);
	must_rv(m->C_CloseSession(session), CKR_CRYPTOKI_NOT_INITIALIZED);
	must_rv(m->C_CloseAllSessions(0), CKR_CRYPTOKI_NOT_INITIALIZED);
	must_rv(m->C_Logout(session), CKR_CRYPTOKI_NOT_INITIALIZED);
}

static void case_uninitialized(void)
{
	begin();
	fork_expect_child(child_uninitialized, NULL);
	go_on();
}

static void child_asks(void *arg)
{
	char *name = p11_kit_module_get_name(m), *file = p11_kit_module_get_filename(m);

	(void)arg;
	must(name && strcmp(name, "softhsm") == 0);
	must(file && strstr(file, "softhsm") != NULL);
	must(p11_kit_module_get_flags(m) == 0);
	must(p11_kit_config_option(m, "module") != NULL);
	must(p11_kit_module_for_name(modules, "softhsm") == m);
	must(p11_kit_module_load("/nonexistent/x.so", 0) == NULL && p11_kit_message());
}

static void case_ask(void)
{
	begin();
	fork_expect_child(child_asks, NULL);
	go_on();
}

static void case_many(void)
{
	pid_t pids[20];
	int i, status;

	begin();
	fflush(stdout);
	for (i = 0; i < 20; i++) {
		pids[i] = fork();
		must(pids[i] >= 0);
		if (pids[i] == 0) {
			fork_use(i % 2 ? "rsa" : "ec");
			exit(0);
		}
	}
	for (i = 0; i < 20; i++) {
		must(waitpid(pids[i], &status, 0) == pids[i]);
		if (status != 0)
			die("child %d of 20 ended with status %#x", i, status);
	}
	go_on();
}

static void child_has_child(void *arg)
{
	fork_use("rsa");
	fork_expect_child(child_signs, arg);
	must_ok(m->C_Initialize(NULL));
	session = token_login(m);
	fork_expect_child(child_signs, arg);
	go_on();
}

static void case_grandchild(void)
{
	begin();
	fork_expect_child(child_has_child, ec);
	go_on();
}

static void child_begins(void *arg)
{
	(void)arg;
	fork_load();
	fork_use("rsa");
	p11_kit_modules_release(modules);
}

static void case_before(void)
{
	fork_expect_child(child_begins, NULL);
	begin();
	go_on();
}

static void child_afresh(void *arg)
{
	(void)arg;
	modules = p11_kit_modules_load_and_initialize(0);
	if (modules == NULL)
		die("loading again: %s", p11_kit_message());
	m = p11_kit_module_for_name(modules, "softhsm");
	must(m);
	session = token_login(m);
	go_on();
	exit(0);
}

static void case_afresh(void)
{
	begin();
	fork_expect_child(child_afresh, NULL);
	go_on();
}

/* A daemon: forks twice, leaves its session, directory and descriptors behind. */
static void case_daemon(void)
{
	char path[4096], line[64] = "";
	int i, fd, n;
	pid_t pid;

	snprintf(path, sizeof path, "%s/daemon.result", conf_dir());
	begin();
	fflush(stdout);
	pid = fork();
	must(pid >= 0);
	if (pid == 0) {
		must(setsid() > 0);
		pid = fork();
		if (pid != 0)
			_exit(pid < 0);
		for (i = 0; i < 1024; i++)
			close(i);
		if (chdir("/") < 0)
			_exit(4);
		must(open("/dev/null", O_RDWR) == 0);
		/* What goes wrong is told by the file, since stderr is closed. */
		fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
		must(dup2(fd, 2) == 2);
		fork_use("rsa");
		fork_use("ec");
		must(write(fd, "done\n", 5) == 5);
		exit(0);
	}
	must(waitpid(pid, &i, 0) == pid && i == 0);
	for (i = 0; i < 3000; i++) {
		fd = open(path, O_RDONLY | O_CLOEXEC);
		n = fd < 0 ? 0 : read(fd, line, sizeof line - 1);
		if (fd >= 0)
			close(fd);
		if (n > 0)
			break;
		sleep_ms(10);
	}
	if (strcmp(line, "done\n") != 0)
		die("the daemon says \"%s\"", line);
	go_on();
}

static void *thread_signs(void *arg)
{
	sleep_ms(50);
	fork_use(arg);
	exit(0);
}

static void child_pthread_exit(void *arg)
{
	pthread_t t;

	must(pthread_create(&t, NULL, thread_signs, arg) == 0);
	pthread_exit(NULL);
}

static void case_pthread_exit(void)
{
	begin();
	fork_expect_child(child_pthread_exit, rsa);
	go_on();
}

static void *thread_forks(void *arg)
{
	fork_expect_child(child_signs, arg);
	return NULL;
}

static void case_thread(void)
{
	pthread_t t;

	begin();
	must(pthread_create(&t, NULL, thread_forks, ec) == 0);
	pthread_join(t, NULL);
	go_on();
}

static void child_ends_thread(void *arg)
{
	pthread_exit(arg);
}

static void *thread_enters_and_forks(void *arg)
{
	CK_SESSION_HANDLE s;

	must_ok(m->C_OpenSession(token_slot(m), CKF_SERIAL_SESSION, NULL, NULL, &s));
	fork_expect_child(child_ends_thread, arg);
	must_ok(m->C_CloseSession(s));
	return NULL;
}

/* A child that is the copy of a thread which was inside the library, and ends as a thread does. */
static void case_thread_exit(void)
{
	pthread_t t;
	int i;

	begin();
	for (i = 0; i < 20; i++) {
		must(pthread_create(&t, NULL, thread_enters_and_forks, NULL) == 0);
		pthread_join(t, NULL);
	}
	go_on();
}

static volatile sig_atomic_t handler_forks;

static void fork_in_handler(int n)
{
	int saved = errno, status;
	pid_t pid = fork();

	(void)n;
	if (pid == 0)
		_exit(0);
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0)
		_exit(4);
	handler_forks++;
	errno = saved;
}

/* A signal handler forks, as crash reporters do, whatever its thread is doing in the library. */
static void case_handler(void)
{
	struct sigaction sa = { .sa_handler = fork_in_handler, .sa_flags = SA_RESTART };
	struct itimerval often = { { 0, 2000 }, { 0, 2000 } }, never = { { 0, 0 }, { 0, 0 } };

	begin();
	must(sigaction(SIGALRM, &sa, NULL) == 0);
	must(setitimer(ITIMER_REAL, &often, NULL) == 0);
	while (handler_forks < 300) {
		p11_kit_module_get_flags(m);
		free(p11_kit_module_get_name(m));
	}
	must(setitimer(ITIMER_REAL, &never, NULL) == 0);
	go_on();
}

static void at_exit(void)
{
	p11_kit_modules_finalize_and_release(modules);
}

/* The exit handlers of libraries like GnuTLS run in children too. */
static void case_atexit(void)
{
	begin();
	must(atexit(at_exit) == 0);
	fork_expect_child(child_exits, NULL);
	fork_expect_child(child_signs, rsa);
}

static void case_system(void)
{
	FILE *f;
	char line[8] = "";

	begin();
	must(system("exit 7") == 7 << 8);
	f = popen("echo piped", "re");
	must(f && fgets(line, sizeof line, f) && strcmp(line, "piped\n") == 0);
	must(pclose(f) == 0);
	go_on();
}

static const struct host_case cases[] = {
	{ "exit", case_exit, false },
	{ "sign", case_sign, false },
	{ "sign-loaded-only", case_sign_loaded_only, false },
	{ "finalize", case_finalize, false },
	{ "release", case_release, false },
	{ "uninitialized", case_uninitialized, true },
	{ "ask", case_ask, false },
	{ "many", case_many, false },
	{ "grandchild", case_grandchild, false },
	{ "before", case_before, false },
	{ "afresh", case_afresh, false },
	{ "daemon", case_daemon, false },
	{ "pthread-exit", case_pthread_exit, false },
	{ "thread-exit", case_thread_exit, false },
	{ "handler", case_handler, true },
	{ "thread", case_thread, false },
	{ "atexit", case_atexit, false },
	{ "system", case_system, false },
	{ "busy", fork_busy, true },
	{ "atfork", fork_atfork, false },
	{ "no-memfd", fork_no_memfd, false },
	{ "no-files", fork_no_files, true },
};

int main(int argc, char **argv)
{
	return run_cases(cases, sizeof cases / sizeof cases[0], argc, argv, NULL);
}
