/* C_Initialize and C_Finalize of managed lists: counts, arguments, recursion. */
#include "conformance.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <unistd.h>

static void init_counts(void)
{
	counting_t c = counting_open("a");
	list_t m1 = load_one("a"), m2 = load_one("a");
	CK_INFO info;

	out("distinct", "%d", m1 != m2);
	out_rv("info-before", m1->C_GetInfo(&info));
	out_rv("m1-init", m1->C_Initialize(NULL));
	out_rv("m1-init-again", m1->C_Initialize(NULL));
	out_rv("m1-info", m1->C_GetInfo(&info));
	out_rv("m2-init", m2->C_Initialize(NULL));
	out("initialize-both", "%ld", c.get("initialize"));
	out_rv("m1-fini", m1->C_Finalize(NULL));
	out("finalize-one", "%ld", c.get("finalize"));
	out_rv("m2-info", m2->C_GetInfo(&info));
	out_rv("m1-info-after-fini", m1->C_GetInfo(&info));
	out_rv("m1-fini-again", m1->C_Finalize(NULL));
	out_rv("m2-fini", m2->C_Finalize(NULL));
	out("finalize-both", "%ld", c.get("finalize"));
	out_rv("m1-init-once-more", m1->C_Initialize(NULL));
	out("initialize-again", "%ld", c.get("initialize"));
	out_rv("m1-fini-once-more", m1->C_Finalize(NULL));
	out("finalize-again", "%ld", c.get("finalize"));
	out("faults", "%ld", c.get("faults"));
}

/* An instance that is not initialised while another one is. */
static void init_other_instance(void)
{
	list_t m1 = load_one("a"), m2 = load_one("a");
	CK_SLOT_ID slots[2];
	CK_SLOT_INFO slot;
	CK_TOKEN_INFO token;
	CK_BYTE random[4];
	CK_ULONG n = 2;

	must_ok(m1->C_Initialize(NULL));
	out_rv("slot-list", m2->C_GetSlotList(0, slots, &n));
	out_rv("slot-info", m2->C_GetSlotInfo(1, &slot));
	out_rv("token-info", m2->C_GetTokenInfo(1, &token));
	out_rv("random", m2->C_GenerateRandom(1, random, sizeof random));
	out_rv("function-status", m2->C_GetFunctionStatus(1));
	out_rv("cancel-function", m2->C_CancelFunction(1));
}

static CK_RV mutex_create(void **m)
{
	*m = malloc(1);
	return CKR_OK;
}

static CK_RV mutex_destroy(void *m)
{
	free(m);
	return CKR_OK;
}

static CK_RV mutex_use(void *m)
{
	return m ? CKR_OK : CKR_MUTEX_BAD;
}

static void init_args(void)
{
	static char text[] = "reserved";
	static const struct { const char *name; int mutexes; CK_FLAGS flags; int reserved; } cases[] = {
		{ "null", -1, 0, 0 },
		{ "zero", 0, 0, 0 },
		{ "os-locking", 0, CKF_OS_LOCKING_OK, 0 },
		{ "no-threads", 0, CKF_LIBRARY_CANT_CREATE_OS_THREADS | CKF_OS_LOCKING_OK, 0 },
		{ "mutexes", 4, 0, 0 },
		{ "mutexes-or-os", 4, CKF_OS_LOCKING_OK, 0 },
		{ "some-mutexes", 2, CKF_OS_LOCKING_OK, 0 },
		{ "reserved", 0, CKF_OS_LOCKING_OK, 1 },
	};
	counting_t c = counting_open("a");
	list_t m = load_one("a");
	char name[64];
	size_t i;

	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		CK_C_INITIALIZE_ARGS args = { .flags = cases[i].flags };
		CK_RV rv;

		if (cases[i].mutexes >= 2) {
			args.CreateMutex = mutex_create;
			args.DestroyMutex = mutex_destroy;
		}
		if (cases[i].mutexes == 4) {
			args.LockMutex = mutex_use;
			args.UnlockMutex = mutex_use;
		}
		if (cases[i].reserved)
			args.pReserved = text;
		c.reset();
		rv = m->C_Initialize(cases[i].mutexes < 0 ? NULL : &args);
		out_rv(cases[i].name, rv);
		if (rv != CKR_OK)
			continue;
		snprintf(name, sizeof name, "%s-seen", cases[i].name);
		out(name, "null=%ld flags=%ld mutexes=%ld reserved=%s", c.get("init_null"),
		    c.get("init_flags"), c.get("init_mutexes"), c.text("reserved"));
		must_ok(m->C_Finalize(NULL));
	}
	out("faults", "%ld", c.get("faults"));
}

/* The arguments of a second instance are still checked, but change nothing. */
static void init_args_second(void)
{
	CK_C_INITIALIZE_ARGS bad = { .CreateMutex = mutex_create };
	CK_C_INITIALIZE_ARGS other = { .flags = CKF_LIBRARY_CANT_CREATE_OS_THREADS };
	list_t m1 = load_one("a"), m2 = load_one("a"), m3 = load_one("a");

	must_ok(m1->C_Initialize(NULL));
	out_rv("bad-args-when-initialized", m1->C_Initialize(&bad));
	out_rv("other-args", m2->C_Initialize(&other));
	out_rv("bad-args", m3->C_Initialize(&bad));
}

static void init_configured_reserved(void)
{
	static char text[] = "callers";
	CK_C_INITIALIZE_ARGS args = { .flags = CKF_OS_LOCKING_OK, .pReserved = text };
	counting_t c = counting_open("a");
	list_t *m;

	conf_file("modules/a.module", "module: @MOD@/a.so\nx-init-reserved: configured\n");
	m = p11_kit_modules_load(NULL, 0);
	must(m && m[0]);
	out_rv("with-reserved", m[0]->C_Initialize(&args));
	out("with-reserved-ok", "%d", c.get("initialized") == 1);
	m[0]->C_Finalize(NULL);
	args.pReserved = NULL;
	must_ok(m[0]->C_Initialize(&args));
	must_ok(m[0]->C_Finalize(NULL));
	must_ok(m[0]->C_Initialize(NULL));
	out("null-args", "%s", c.text("reserved"));
}

static void init_fails(void)
{
	counting_t c = counting_open("a");
	list_t m = load_one("a");

	setenv("COUNTING_INIT_RV", "0x80000042", 1);
	out_rv("vendor", m->C_Initialize(NULL));
	out_rv("fini", m->C_Finalize(NULL));
	setenv("COUNTING_INIT_RV", "2", 1);
	out_rv("memory", m->C_Initialize(NULL));
	setenv("COUNTING_INIT_RV", "0", 1);
	out_rv("retry", m->C_Initialize(NULL));
	out("initialize", "%ld", c.get("initialize"));
	out_rv("fini-retry", m->C_Finalize(NULL));
	out("finalize", "%ld", c.get("finalize"));
}

/* Someone else in the process initialised the module behind our back. */
static void init_already(void)
{
	counting_t c = counting_open("a");
	list_t raw = p11_kit_module_load(module_path("a"), P11_KIT_MODULE_UNMANAGED);
	list_t m1 = load_one("a"), m2 = load_one("a");
	CK_INFO info;

	must_ok(raw->C_Initialize(NULL));
	out_rv("m1-init", m1->C_Initialize(NULL));
	out_rv("m2-init", m2->C_Initialize(NULL));
	out_rv("m1-info", m1->C_GetInfo(&info));
	out_rv("m2-fini", m2->C_Finalize(NULL));
	out_rv("m1-fini", m1->C_Finalize(NULL));
	out("finalize", "%ld", c.get("finalize"));
	out_rv("raw-info", raw->C_GetInfo(&info));
	out_rv("raw-fini", raw->C_Finalize(NULL));
	out("finalize-raw", "%ld", c.get("finalize"));
	out_rv("raw-fini-again", raw->C_Finalize(NULL));
}

struct recursion {
	list_t list;
	CK_RV rv;
	bool message;
};

static void call_initialize(void *data)
{
	struct recursion *r = data;

	r->rv = r->list->C_Initialize(NULL);
	r->message = p11_kit_message() != NULL;
}

static void call_finalize(void *data)
{
	struct recursion *r = data;

	r->rv = r->list->C_Finalize(NULL);
}

static void init_recursive(void)
{
	counting_t c = counting_open("a");
	struct recursion r = { .list = load_one("a") };
	list_t m = load_one("a");

	c.hook("initialize", call_initialize, &r);
	out_rv("outer", m->C_Initialize(NULL));
	out_rv("inner", r.rv);
	out("inner-message", "%d", r.message);
	must_ok(m->C_Finalize(NULL));
	r.list = m;
	c.hook("initialize", call_initialize, &r);
	out_rv("outer-same", m->C_Initialize(NULL));
	out_rv("inner-same", r.rv);
	out_rv("fini", m->C_Finalize(NULL));
	out("balanced", "%d", c.get("initialize") == c.get("finalize"));
}

static void init_recursive_other(void)
{
	counting_t a = counting_open("a");
	struct recursion r = { .list = load_one("b") };
	list_t m = load_one("a");

	a.hook("initialize", call_initialize, &r);
	out_rv("outer", m->C_Initialize(NULL));
	out_rv("inner", r.rv);
	out_rv("fini", m->C_Finalize(NULL));
	out_rv("fini-inner", r.list->C_Finalize(NULL));
}

static void fini_recursive(void)
{
	counting_t c = counting_open("a");
	struct recursion r;
	list_t m = load_one("a");

	r.list = m;
	must_ok(m->C_Initialize(NULL));
	c.hook("finalize", call_finalize, &r);
	out_rv("outer", m->C_Finalize(NULL));
	out_rv("inner", r.rv);
	out_rv("again", m->C_Initialize(NULL));
	out_rv("fini", m->C_Finalize(NULL));
}

static void load_and_release(void *data)
{
	list_t m = p11_kit_module_load(module_path(data), 0);

	must(m);
	must_ok(m->C_Initialize(NULL));
	must_ok(m->C_Finalize(NULL));
	p11_kit_module_release(m);
}

/* The library can be used from inside a module. */
static void init_reenters(void)
{
	static char b[] = "b";
	counting_t c = counting_open("a");
	list_t m = load_one("a");

	configure("a", "b", NULL);
	setenv("COUNTING_a_REENTER", "1", 1);
	c.hook("initialize", load_and_release, b);
	out_rv("init", m->C_Initialize(NULL));
	c.hook("finalize", load_and_release, b);
	out_rv("fini", m->C_Finalize(NULL));
	setenv("COUNTING_a_FORK_IN_INIT", "1", 1);
	out_rv("init-forks", m->C_Initialize(NULL));
	out("faults", "%ld %s", c.get("faults"), c.text("fault"));
}

/* A thread that initialises a list. */
struct initializer {
	list_t list;
	pthread_t thread;
	atomic_int tid;
	CK_RV rv;
};

static void *initialize(void *data)
{
	struct initializer *i = data;

	atomic_store(&i->tid, gettid());
	i->rv = i->list->C_Initialize(NULL);
	return NULL;
}

static void start(struct initializer *i)
{
	must(pthread_create(&i->thread, NULL, initialize, i) == 0);
	while (atomic_load(&i->tid) == 0)
		sleep_ms(1);
}

static void wait_for(void *gate)
{
	must(sem_wait(gate) == 0);
}

/* A second thread waits for the first one's slow C_Initialize; other calls do not. */
static void init_waits(void)
{
	counting_t c = counting_open("a");
	struct initializer i1 = { .list = load_one("a") }, i2 = { .list = load_one("a") };
	list_t other;
	sem_t gate;

	must(sem_init(&gate, 0, 0) == 0);
	c.hook("initialize", wait_for, &gate);
	start(&i1);
	while (c.get("initialize") == 0)
		sleep_ms(1);
	start(&i2);
	wait_asleep(i2.tid);
	other = load_one("b");
	must_ok(other->C_Initialize(NULL));
	must_ok(other->C_Finalize(NULL));
	out("not-yet", "%ld", c.get("initialized"));
	must(sem_post(&gate) == 0);
	pthread_join(i1.thread, NULL);
	pthread_join(i2.thread, NULL);
	out_rv("first", i1.rv);
	out_rv("second", i2.rv);
	out("initialize", "%ld", c.get("initialize"));
}

/* Two threads initialise the same instance: one of them is told so. */
static void init_same_instance(void)
{
	counting_t c = counting_open("a");
	struct initializer i1 = { .list = load_one("a") }, i2 = { .list = i1.list };
	sem_t gate;

	must(sem_init(&gate, 0, 0) == 0);
	c.hook("initialize", wait_for, &gate);
	start(&i1);
	while (c.get("initialize") == 0)
		sleep_ms(1);
	start(&i2);
	wait_asleep(i2.tid);
	must(sem_post(&gate) == 0);
	pthread_join(i1.thread, NULL);
	pthread_join(i2.thread, NULL);
	out_rv("first", i1.rv);
	out_rv("second", i2.rv);
	out_rv("fini", i1.list->C_Finalize(NULL));
	out("finalize", "%ld", c.get("finalize"));
}

static void fini_results(void)
{
	counting_t c = counting_open("a");
	list_t m = load_one("a");
	int x = 0;

	out_rv("before", m->C_Finalize(NULL));
	must_ok(m->C_Initialize(NULL));
	out_rv("reserved", m->C_Finalize(&x));
	out("finalize", "%ld", c.get("finalize"));
	must_ok(m->C_Initialize(NULL));
	setenv("COUNTING_FINALIZE_RV", "5", 1);
	out_rv("module-fails", m->C_Finalize(NULL));
	out_rv("again", m->C_Finalize(NULL));
}

static void init_forked_child(void *data)
{
	list_t m = data;
	CK_INFO info;

	out_rv("child-info", m->C_GetInfo(&info));
	out_rv("child-fini", m->C_Finalize(NULL));
	out_rv("child-fini-again", m->C_Finalize(NULL));
	out_rv("child-init", m->C_Initialize(NULL));
	out_rv("child-info-after", m->C_GetInfo(&info));
	out_rv("child-fini-after", m->C_Finalize(NULL));
}

static void init_forked(void)
{
	list_t m = load_one("a");
	CK_INFO info;

	must_ok(m->C_Initialize(NULL));
	out("exit", "%d", run_child(init_forked_child, m, 20));
	out_rv("parent-info", m->C_GetInfo(&info));
	out_rv("parent-fini", m->C_Finalize(NULL));
}

const struct check init_checks[] = {
	{ "init-counts", init_counts, BOTH },
	{ "init-other-instance", init_other_instance, BOTH },
	{ "init-args", init_args, BOTH },
	{ "init-args-second", init_args_second, BOTH },
	{ "init-configured-reserved", init_configured_reserved, BOTH },
	{ "init-fails", init_fails, BOTH },
	{ "init-already", init_already, BOTH },
	{ "init-recursive", init_recursive, BOTH },
	{ "init-recursive-other", init_recursive_other, BOTH },
	{ "init-reenters", init_reenters, BOTH },
	{ "init-waits", init_waits, BOTH },
	{ "init-same-instance", init_same_instance, BOTH },
	{ "init-forked", init_forked, BOTH },
	{ "fini-results", fini_results, BOTH },
	{ "fini-recursive", fini_recursive, OURS },
	{ NULL, NULL, 0 }
};
