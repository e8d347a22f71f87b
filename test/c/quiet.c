/*
 * What a host must not notice of the library: quiet CASE.  Nothing of the
 * process that belongs to the host is changed, and hosts that treat their
 * process roughly are survived.
 */
#include "quiet.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <ucontext.h>
#include <unistd.h>

list_t quiet_load(const char *base)
{
	list_t m = p11_kit_module_load(module_path(base), 0);

	if (m == NULL)
		die("loading: %s", p11_kit_message());
	return m;
}

void quiet_use(list_t m)
{
	CK_SESSION_HANDLE s;
	CK_INFO info;

	must_ok(m->C_Initialize(NULL));
	must_ok(m->C_GetInfo(&info));
	must_ok(m->C_OpenSession(1, CKF_SERIAL_SESSION, NULL, NULL, &s));
	must_ok(m->C_CloseSession(s));
	must_ok(m->C_OpenSession(2, CKF_SERIAL_SESSION, NULL, NULL, &s));
	must_ok(m->C_Finalize(NULL));
}

void quiet_configure(void)
{
	conf_file("modules/a.module", "module: @MOD@/a.so\n");
	conf_file("modules/b.module", "module: @MOD@/b.so\nlog-calls: no\n");
	conf_file("modules/gone.module", "module: @MOD@/gone.so\n");
}

/* Every way of using the library once. */
void quiet_use_all(void)
{
	list_t *all = p11_kit_modules_load_and_initialize(0), m;
	char *text;

	must(all && all[0] && all[1]);
	p11_kit_modules_finalize_and_release(all);
	m = quiet_load("c");
	quiet_use(m);
	p11_kit_module_release(m);
	must(p11_kit_module_load("/nonexistent/x.so", 0) == NULL);
	capture_begin();
	p11_kit_module_get_name(NULL);
	text = capture_end();
	free(text);
}

/* Calls from a thread whose stack is small. */
static void *on_small_stack(void *arg)
{
	quiet_use_all();
	return arg;
}

static void case_small_stack(void)
{
	pthread_attr_t attr;
	pthread_t t;

	quiet_configure();
	pthread_attr_init(&attr);
	must(pthread_attr_setstacksize(&attr, 96 * 1024) == 0);
	must(pthread_create(&t, &attr, on_small_stack, NULL) == 0);
	pthread_join(t, NULL);
	quiet_use_all();
	must(pthread_create(&t, &attr, on_small_stack, NULL) == 0);
	pthread_join(t, NULL);
}

static ucontext_t caller, coroutine;

static void in_coroutine(void)
{
	quiet_use_all();
}

/* Calls from a stack that is not the thread's, as programs with coroutines do. */
static void case_coroutine(void)
{
	static char stack[256 * 1024];
	int i;

	quiet_configure();
	for (i = 0; i < 5; i++) {
		must(getcontext(&coroutine) == 0);
		coroutine.uc_stack.ss_sp = stack;
		coroutine.uc_stack.ss_size = sizeof stack;
		coroutine.uc_link = &caller;
		makecontext(&coroutine, in_coroutine, 0);
		must(swapcontext(&caller, &coroutine) == 0);
		quiet_use_all();
	}
}

/* Closes every descriptor, then opens its own in their place. */
static void close_all(void)
{
	char path[4096], text[16];
	int i, fd;

	snprintf(path, sizeof path, "%s/stderr", conf_dir());
	for (i = 0; i < 1024; i++)
		close(i);
	must(open("/dev/null", O_RDWR) == 0);
	must(open("/dev/null", O_RDWR) == 1);
	must(open(path, O_WRONLY | O_CREAT, 0644) == 2);
	for (i = 3; i < 60; i++) {
		snprintf(path, sizeof path, "%s/own-%d", conf_dir(), i);
		fd = open(path, O_RDWR | O_CREAT, 0644);
		must(fd == i);
		must(write(fd, text, snprintf(text, sizeof text, "own %d", i)) > 0);
	}
}

static void check_own(void)
{
	char want[16], got[16];
	int i;

	for (i = 3; i < 60; i++) {
		snprintf(want, sizeof want, "own %d", i);
		must(lseek(i, 0, SEEK_CUR) == (off_t)strlen(want));
		memset(got, 0, sizeof got);
		must(pread(i, got, sizeof got - 1, 0) == (ssize_t)strlen(want));
		must(strcmp(got, want) == 0);
	}
}

static void child_uses(void *arg)
{
	quiet_use(arg);
}

static void case_close_before(void)
{
	quiet_configure();
	close_all();
	quiet_use_all();
	check_own();
}

static void case_close_after(void)
{
	list_t m = quiet_load("a");

	quiet_configure();
	quiet_use_all();
	must_ok(m->C_Initialize(NULL));
	close_all();
	must_ok(m->C_Finalize(NULL));
	quiet_use_all();
	must(run_child(child_uses, m, 20) == 0);
	quiet_use(m);
	check_own();
}

/* No descriptor is left: an error and a message, and all is well later. */
static void case_no_descriptors(void)
{
	struct rlimit old, none;
	list_t *all;

	quiet_configure();
	must(getrlimit(RLIMIT_NOFILE, &old) == 0);
	none = old;
	none.rlim_cur = 3;
	must(setrlimit(RLIMIT_NOFILE, &none) == 0);
	must(p11_kit_module_load(module_path("a"), 0) == NULL);
	must(p11_kit_message() != NULL);
	all = p11_kit_modules_load(NULL, 0);
	must(all == NULL || all[0] == NULL);
	if (all)
		p11_kit_modules_release(all);
	must(setrlimit(RLIMIT_NOFILE, &old) == 0);
	quiet_use_all();
}

/* The directory is left before the first use; the test gives LD_LIBRARY_PATH
 * relative to it. */
static void case_chdir(void)
{
	list_t m;

	quiet_configure();
	must(chdir("/") == 0);
	quiet_use_all();
	m = quiet_load("a");
	must_ok(m->C_Initialize(NULL));
	must(run_child(child_uses, m, 20) == 0);
	must_ok(m->C_Finalize(NULL));
}

static void enter_root(void)
{
	char path[4096];

	snprintf(path, sizeof path, "%s/root", conf_dir());
	must(mkdir(path, 0755) == 0);
	if (chroot(path) < 0 || chdir("/") < 0)
		die("chroot: %s", strerror(errno));
}

/* Nothing is left of the file system at the first use: no module, a message. */
static void case_chroot_before(void)
{
	list_t *all;

	quiet_configure();
	enter_root();
	must(p11_kit_module_load(module_path("a"), 0) == NULL);
	must(p11_kit_message() != NULL);
	all = p11_kit_modules_load_and_initialize(0);
	must(all ? all[0] == NULL : p11_kit_message() != NULL);
	must(p11_kit_module_load(module_path("a"), 0) == NULL);
}

static void case_chroot_after(void)
{
	list_t m = quiet_load("a"), n = quiet_load("b");

	must_ok(m->C_Initialize(NULL));
	enter_root();
	quiet_use(n);
	must(p11_kit_module_load(module_path("gone"), 0) == NULL);
	must(p11_kit_message() != NULL);
	must_ok(m->C_Finalize(NULL));
	quiet_use(m);
	p11_kit_module_release(m);
	p11_kit_module_release(n);
}

/* Becomes another user, if it can, before and after the first use. */
static void drop(void)
{
	uid_t to = geteuid() == 0 ? 65534 : geteuid();

	if (setresgid(-1, -1, -1) < 0 || setresuid(to, to, to) < 0)
		die("setresuid: %s", strerror(errno));
}

static void case_setuid_before(void)
{
	drop();
	quiet_use(quiet_load("a"));
}

static void case_setuid_after(void)
{
	list_t m = quiet_load("a");

	must_ok(m->C_Initialize(NULL));
	drop();
	must_ok(m->C_Finalize(NULL));
	quiet_use(m);
	quiet_use(quiet_load("b"));
	must(run_child(child_uses, m, 20) == 0);
}

static const struct host_case cases[] = {
	{ "still", quiet_still, false },
	{ "coroutine", case_coroutine, false },
	{ "small-stack", case_small_stack, false },
	{ "no-finalize", quiet_no_finalize, false },
	{ "quick-exit", quiet_quick_exit, true },
	{ "underscore-exit", quiet_underscore_exit, true },
	{ "exit-thread", quiet_exit_thread, false },
	{ "exit-busy", quiet_exit_busy, true },
	{ "main-ends", quiet_main_ends, false },
	{ "close-before", case_close_before, false },
	{ "close-after", case_close_after, false },
	{ "no-descriptors", case_no_descriptors, false },
	{ "chdir", case_chdir, false },
	{ "chroot-before", case_chroot_before, false },
	{ "chroot-after", case_chroot_after, false },
	{ "setuid-before", case_setuid_before, false },
	{ "setuid-after", case_setuid_after, false },
	{ "no-threads", quiet_no_threads, false },
	{ "no-memory", quiet_no_memory, false },
	{ "signals", quiet_signals, false },
	{ "signals-blocked", quiet_signals_blocked, false },
	{ "signals-load", quiet_signals_load, false },
	{ "signals-special", quiet_signals_special, false },
};

int main(int argc, char **argv)
{
	return run_cases(cases, sizeof cases / sizeof cases[0], argc, argv, NULL);
}
