/*
 * Many threads and one module: threads CASE.  The counting module "a" says
 * whether it was initialised once per cycle, never concurrently, and whether a
 * session was left open.
 */
#include "common.h"

#include <malloc.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

#define THREADS 32

static counting_t c;
static atomic_long cycles;
static atomic_bool stop;
static pthread_barrier_t barrier;

static list_t load(void)
{
	list_t m = p11_kit_module_load(module_path("a"), 0);

	if (m == NULL)
		die("loading: %s", p11_kit_message());
	return m;
}

static void run(int n, void *(*fn)(void *), void *arg)
{
	pthread_t t[THREADS];
	int i;

	for (i = 0; i < n; i++)
		must(pthread_create(&t[i], NULL, fn, arg) == 0);
	for (i = 0; i < n; i++)
		must(pthread_join(t[i], NULL) == 0);
}

/* Whatever threads did, the module must be finished and unharmed now. */
static void check_clean(void)
{
	if (c.get("faults"))
		die("%ld faults, first: %s", c.get("faults"), c.text("fault"));
	if (c.get("initialize") != c.get("finalize"))
		die("%ld initialize, %ld finalize", c.get("initialize"), c.get("finalize"));
	must(c.get("initialize") > 0);
	must(c.get("initialized") == 0);
	must(c.get("opened") == c.get("closed"));
	must(c.get("uninit") == 0);
}

static void use(list_t m, int keep)
{
	CK_SESSION_HANDLE s[3];
	CK_SESSION_INFO info;
	CK_INFO i;
	int k;

	must_ok(m->C_GetInfo(&i));
	for (k = 0; k < 3; k++) {
		must_ok(m->C_OpenSession(1 + k % 2, CKF_SERIAL_SESSION, NULL, NULL, &s[k]));
		must_ok(m->C_GetSessionInfo(s[k], &info));
	}
	if (!keep)
		for (k = 0; k < 3; k++)
			must_ok(m->C_CloseSession(s[k]));
}

static void *cycle(void *arg)
{
	int i, n = *(int *)arg;

	for (i = 0; i < n; i++) {
		list_t m = load();

		must_ok(m->C_Initialize(NULL));
		use(m, i % 2);
		must_rv(m->C_Initialize(NULL), CKR_CRYPTOKI_ALREADY_INITIALIZED);
		must_ok(m->C_Finalize(NULL));
		p11_kit_module_release(m);
		atomic_fetch_add(&cycles, 1);
	}
	return NULL;
}

static void case_cycle(void)
{
	int n = 60;

	run(THREADS, cycle, &n);
	must(atomic_load(&cycles) == THREADS * n);
	check_clean();
}

/* The same with an instance that keeps the module initialised meanwhile: the
 * reference can do this too, and the module sees one initialization. */
static void case_cycle_kept(void)
{
	list_t m = load();
	int n = 60;

	must_ok(m->C_Initialize(NULL));
	run(THREADS, cycle, &n);
	must(c.get("initialize") == 1 && c.get("finalize") == 0);
	must_ok(m->C_Finalize(NULL));
	check_clean();
}

static void *once(void *arg)
{
	int i;

	for (i = 0; i < 40; i++) {
		list_t m = load();

		pthread_barrier_wait(&barrier);
		must_ok(m->C_Initialize(NULL));
		pthread_barrier_wait(&barrier);
		if (c.get("initialize") != 1)
			die("%ld real initializations for one cycle", c.get("initialize"));
		pthread_barrier_wait(&barrier);
		must_ok(m->C_Finalize(NULL));
		pthread_barrier_wait(&barrier);
		if (c.get("finalize") != 1)
			die("%ld real finalizations for one cycle", c.get("finalize"));
		p11_kit_module_release(m);
		if (pthread_barrier_wait(&barrier) == PTHREAD_BARRIER_SERIAL_THREAD) {
			must(c.get("faults") == 0);
			c.reset();
		}
		pthread_barrier_wait(&barrier);
	}
	return arg;
}

/* All threads at once, in step: one real call per cycle, made by any of them. */
static void case_once(void)
{
	pthread_barrier_init(&barrier, NULL, THREADS);
	run(THREADS, once, NULL);
}

static void *configured(void *arg)
{
	int i;

	for (i = 0; i < 25; i++) {
		list_t *all = p11_kit_modules_load_and_initialize(0);

		must(all && all[0] && all[1] && all[2] == NULL);
		use(all[0], i % 2);
		use(all[1], i % 3);
		must(p11_kit_module_for_name(all, "a") == all[0]);
		p11_kit_modules_finalize_and_release(all);
		atomic_fetch_add(&cycles, 1);
	}
	return arg;
}

static void case_configured(void)
{
	counting_t b = counting_open("b");

	conf_file("modules/a.module", "module: @MOD@/a.so\n");
	conf_file("modules/b.module", "module: @MOD@/b.so\n");
	run(16, configured, NULL);
	check_clean();
	c = b;
	check_clean();
}

static void *release_array(void *arg)
{
	list_t *array = arg;

	pthread_barrier_wait(&barrier);
	p11_kit_module_release(array[0]);
	p11_kit_module_release(array[1]);
	return NULL;
}

/* Two threads release the same lists: the second release is refused, and a
 * bystander notices nothing. */
static void case_release_twice(void)
{
	list_t bystander = load(), array[2];
	char *text;
	int i;

	must_ok(bystander->C_Initialize(NULL));
	pthread_barrier_init(&barrier, NULL, 2);
	capture_begin();
	for (i = 0; i < 200; i++) {
		array[0] = load();
		array[1] = load();
		must_ok(array[0]->C_Initialize(NULL));
		run(2, release_array, array);
	}
	text = capture_end();
	free(text);
	use(bystander, 1);
	must_ok(bystander->C_Finalize(NULL));
	check_clean();
}

static sem_t gate;

static void wait_at_gate(void *data)
{
	(void)data;
	must(sem_wait(&gate) == 0);
}

static void *slow_call(void *arg)
{
	list_t m = arg;

	must_ok(m->C_SeedRandom(1, NULL, 0));
	return NULL;
}

/* One caller finalises while another is inside a call that does not end before. */
static void case_slow(void)
{
	list_t m1 = load(), m2 = load();
	pthread_t t;
	long calls;

	must(sem_init(&gate, 0, 0) == 0);
	must_ok(m1->C_Initialize(NULL));
	must_ok(m2->C_Initialize(NULL));
	calls = c.get("calls");
	c.hook("call", wait_at_gate, NULL);
	must(pthread_create(&t, NULL, slow_call, m1) == 0);
	while (c.get("calls") == calls)
		sleep_ms(1);
	must_ok(m2->C_Finalize(NULL));
	p11_kit_module_release(m2);
	must(c.get("finalize") == 0);
	must(sem_post(&gate) == 0);
	pthread_join(t, NULL);
	must_ok(m1->C_Finalize(NULL));
	p11_kit_module_release(m1);
	check_clean();
}

static void *opens(void *arg)
{
	list_t m = arg;
	CK_SESSION_HANDLE s;
	CK_RV rv;

	while (!atomic_load(&stop)) {
		must_ok(m->C_OpenSession(1, CKF_SERIAL_SESSION, NULL, NULL, &s));
		rv = m->C_CloseSession(s);
		if (rv != CKR_OK && rv != CKR_SESSION_HANDLE_INVALID)
			die("C_CloseSession: %s", rv_name(rv));
	}
	return NULL;
}

static void *closes(void *arg)
{
	list_t m = arg;
	int i;

	for (i = 0; i < 3000; i++)
		must_ok(m->C_CloseAllSessions(1));
	atomic_store(&stop, true);
	return NULL;
}

/* C_CloseAllSessions races C_OpenSession: whatever wins, nothing is left. */
static void case_close_all(void)
{
	list_t m = load();
	pthread_t t[6];
	int i;

	must_ok(m->C_Initialize(NULL));
	for (i = 0; i < 6; i++)
		must(pthread_create(&t[i], NULL, i < 5 ? opens : closes, m) == 0);
	for (i = 0; i < 6; i++)
		pthread_join(t[i], NULL);
	must_ok(m->C_CloseAllSessions(1));
	must(c.get("open") == 0);
	must_ok(m->C_Finalize(NULL));
	must(c.get("opened") == c.get("closed") && c.get("faults") == 0);
}

static void *opens_until_refused(void *arg)
{
	list_t m = arg;
	CK_SESSION_HANDLE s;

	for (;;) {
		CK_RV rv = m->C_OpenSession(1, CKF_SERIAL_SESSION, NULL, NULL, &s);

		if (rv == CKR_CRYPTOKI_NOT_INITIALIZED)
			return NULL;
		if (rv != CKR_OK && rv != CKR_SESSION_COUNT)
			die("C_OpenSession: %s", rv_name(rv));
	}
}

/* C_Finalize of an instance on which other threads open sessions, while another
 * instance keeps the module alive: every session is closed. */
static void case_finalize_opens(void)
{
	list_t keeper = load();
	int i, k;

	must_ok(keeper->C_Initialize(NULL));
	for (i = 0; i < 50; i++) {
		list_t m = load();
		pthread_t t[4];

		must_ok(m->C_Initialize(NULL));
		for (k = 0; k < 4; k++)
			must(pthread_create(&t[k], NULL, opens_until_refused, m) == 0);
		sleep_ms(i % 4);
		must_ok(m->C_Finalize(NULL));
		for (k = 0; k < 4; k++)
			pthread_join(t[k], NULL);
		if (c.get("open") != 0)
			die("%ld sessions leaked by C_Finalize", c.get("open"));
		p11_kit_module_release(m);
	}
	must_ok(keeper->C_Finalize(NULL));
	must(c.get("opened") == c.get("closed") && c.get("faults") == 0);
}

static void *inits_same(void *arg)
{
	CK_RV rv;

	pthread_barrier_wait(&barrier);
	rv = ((list_t)arg)->C_Initialize(NULL);
	if (rv == CKR_OK)
		atomic_fetch_add(&cycles, 1);
	else if (rv != CKR_CRYPTOKI_ALREADY_INITIALIZED)
		die("C_Initialize: %s", rv_name(rv));
	return NULL;
}

/* Many threads initialise one instance: exactly one of them does it. */
static void case_same(void)
{
	int i;

	pthread_barrier_init(&barrier, NULL, 8);
	for (i = 0; i < 100; i++) {
		list_t m = load();

		atomic_store(&cycles, 0);
		run(8, inits_same, m);
		must(atomic_load(&cycles) == 1);
		must_ok(m->C_Finalize(NULL));
		must_rv(m->C_Finalize(NULL), CKR_CRYPTOKI_NOT_INITIALIZED);
		p11_kit_module_release(m);
	}
	check_clean();
}

static void some_cycles(int n)
{
	int i;

	for (i = 0; i < n; i++) {
		list_t m = load();

		must_ok(m->C_Initialize(NULL));
		use(m, i % 2);
		must_ok(m->C_Finalize(NULL));
		p11_kit_module_release(m);
	}
}

/* What grows with every cycle: the heap of C, and the resident set past what a
 * collected heap needs to find its size. */
struct size {
	size_t heap;
	long rss;
	int fds;
};

static struct size measure(void)
{
	struct size s = { mallinfo2().uordblks, rss_kib(), open_fds() };

	return s;
}

static void check_growth(struct size before, struct size after, int cycles_run)
{
	long heap = after.heap - before.heap;

	if (heap > 8L * cycles_run)
		die("the heap grew by %ld octets in %d cycles", heap, cycles_run);
	if (after.rss - before.rss > 2048)
		die("the process grew by %ld KiB in %d cycles", after.rss - before.rss, cycles_run);
	/* An event loop may be set up late, once. */
	if (after.fds > before.fds + 2)
		die("%d descriptors became %d", before.fds, after.fds);
}

/* Ten thousand cycles and more leave nothing behind. */
static void case_leak(void)
{
	struct size before;

	some_cycles(4000);
	before = measure();
	some_cycles(8000);
	check_growth(before, measure(), 8000);
	check_clean();
}

static void configured_cycles(int n)
{
	int i;

	for (i = 0; i < n; i++) {
		list_t *all = p11_kit_modules_load_and_initialize(0);

		must(all && all[0] && all[1]);
		free(p11_kit_module_get_name(all[0]));
		free(p11_kit_config_option(all[1], "module"));
		p11_kit_modules_finalize_and_release(all);
	}
}

/* The same with reading the configuration each time. */
static void case_leak_configured(void)
{
	struct size before;

	conf_file("modules/a.module", "module: @MOD@/a.so\n");
	conf_file("modules/b.module", "module: @MOD@/b.so\npriority: 3\n");
	configured_cycles(1000);
	before = measure();
	configured_cycles(2000);
	check_growth(before, measure(), 2000);
	check_clean();
}

static void *release_whole(void *arg)
{
	pthread_barrier_wait(&barrier);
	p11_kit_modules_finalize_and_release(arg);
	return p11_kit_message() ? arg : NULL;
}

/* Two threads give back one array: one of them is told that it is gone. */
static void case_release_array(void)
{
	pthread_t t[2];
	void *told[2];
	int i;

	conf_file("modules/a.module", "module: @MOD@/a.so\n");
	pthread_barrier_init(&barrier, NULL, 2);
	for (i = 0; i < 200; i++) {
		list_t *all = p11_kit_modules_load_and_initialize(0);

		must(all && all[0]);
		must(pthread_create(&t[0], NULL, release_whole, all) == 0);
		must(pthread_create(&t[1], NULL, release_whole, all) == 0);
		pthread_join(t[0], &told[0]);
		pthread_join(t[1], &told[1]);
		must((told[0] == NULL) != (told[1] == NULL));
	}
	check_clean();
}

static const struct host_case cases[] = {
	{ "cycle", case_cycle, true },
	{ "cycle-kept", case_cycle_kept, false },
	{ "once", case_once, true },
	{ "configured", case_configured, true },
	{ "release-twice", case_release_twice, true },
	{ "release-array", case_release_array, true },
	{ "slow", case_slow, false },
	{ "close-all", case_close_all, true },
	{ "finalize-opens", case_finalize_opens, true },
	{ "same", case_same, true },
	{ "leak", case_leak, false },
	{ "leak-configured", case_leak_configured, false },
};

static void open_module(void)
{
	c = counting_open("a");
}

int main(int argc, char **argv)
{
	return run_cases(cases, sizeof cases / sizeof cases[0], argc, argv, open_module);
}
