/*
 * Many threads and the proxy: proxy_threads CASE.  The counting modules a and b
 * say whether they were initialized once at a time, never called while that was
 * going on, and left without sessions.
 */
#include "proxylib.h"
#include "token.h"

#include <pthread.h>
#include <stdatomic.h>

#define THREADS 32

static counting_t a, b;
static list32_t shared;
static struct slots slots;
static atomic_bool stop;
static atomic_long done;

static void prepare(void)
{
	a = counting_open("a");
	b = counting_open("b");
	conf_file("modules/a.module", "module: @MOD@/a.so\n");
	conf_file("modules/b.module", "module: @MOD@/b.so\n");
	proxy_open();
}

static void run(int n, void *(*fn)(void *))
{
	pthread_t t[THREADS];
	long i;

	for (i = 0; i < n; i++)
		must(pthread_create(&t[i], NULL, fn, (void *)i) == 0);
	for (i = 0; i < n; i++)
		must(pthread_join(t[i], NULL) == 0);
}

static void check_clean(counting_t c)
{
	if (c.get("faults"))
		die("%ld faults, first: %s", c.get("faults"), c.text("fault"));
	must(c.get("initialize") > 0 && c.get("initialize") == c.get("finalize"));
	must(c.get("initialized") == 0 && c.get("uninit") == 0);
	must(c.get("opened") == c.get("closed"));
}

static void use(list32_t p, long i, bool keep)
{
	CK_SESSION_HANDLE s;
	CK_SESSION_INFO info;
	CK_SLOT_ID id = slots.id[i % slots.n];
	CK_BYTE octets[8];

	must_ok(p->C_OpenSession(id, CKF_SERIAL_SESSION, NULL, NULL, &s));
	must_ok(p->C_GetSessionInfo(s, &info));
	must(info.slotID == id);
	must_ok(p->C_GenerateRandom(s, octets, sizeof octets));
	if (!keep)
		must_ok(p->C_CloseSession(s));
}

/* Each thread with an instance of its own, from beginning to end, again and again. */
static void *lives(void *arg)
{
	list32_t p = proxy_new();
	int i;

	for (i = 0; i < 40; i++) {
		struct slots now;

		must_ok(p->C_Initialize(NULL));
		now = proxy_slots(p);
		must(now.n == slots.n && memcmp(now.id, slots.id, now.n * sizeof *now.id) == 0);
		use(p, (long)arg + i, i % 2);
		must_rv(p->C_Initialize(NULL), CKR_CRYPTOKI_ALREADY_INITIALIZED);
		must_ok(p->C_Finalize(NULL));
		must_rv(p->C_Finalize(NULL), CKR_CRYPTOKI_NOT_INITIALIZED);
	}
	return NULL;
}

static void begin_shared(void)
{
	shared = proxy_new();
	must_ok(shared->C_Initialize(NULL));
	slots = proxy_slots(shared);
	must(slots.n == 4);
}

static void case_lives(void)
{
	begin_shared();
	must_ok(shared->C_Finalize(NULL));
	run(THREADS, lives);
	check_clean(a);
	check_clean(b);
}

/* The same with an instance that keeps the modules initialized: they notice none of it. */
static void case_kept(void)
{
	begin_shared();
	run(THREADS, lives);
	must(a.get("initialize") == 1 && a.get("finalize") == 0);
	must(b.get("initialize") == 1 && b.get("finalize") == 0);
	must_ok(shared->C_Finalize(NULL));
	check_clean(a);
	check_clean(b);
}

static void *shares(void *arg)
{
	int i;

	for (i = 0; i < 300; i++)
		use(shared, (long)arg + i, false);
	atomic_fetch_add(&done, 1);
	return NULL;
}

static void *disturbs(void *arg)
{
	list32_t p = proxy_new();

	while (!atomic_load(&stop)) {
		must_ok(p->C_Initialize(NULL));
		use(p, (long)arg, true);
		must_ok(p->C_Finalize(NULL));
	}
	return NULL;
}

/* 32 threads on one instance, while others begin and end. */
static void case_shared(void)
{
	pthread_t t[4];
	long i;

	begin_shared();
	for (i = 0; i < 4; i++)
		must(pthread_create(&t[i], NULL, disturbs, (void *)i) == 0);
	run(THREADS, shares);
	must(atomic_load(&done) == THREADS);
	atomic_store(&stop, true);
	for (i = 0; i < 4; i++)
		must(pthread_join(t[i], NULL) == 0);
	must(a.get("initialize") == 1 && b.get("initialize") == 1);
	must(a.get("open") == 0 && b.get("open") == 0);
	must_ok(shared->C_Finalize(NULL));
	check_clean(a);
	check_clean(b);
}

static void *races(void *arg)
{
	int i;

	(void)arg;
	for (i = 0; i < 200; i++) {
		CK_SESSION_HANDLE s;
		CK_RV rv = shared->C_Initialize(NULL);

		if (rv != CKR_OK && rv != CKR_CRYPTOKI_ALREADY_INITIALIZED)
			die("C_Initialize: %s", rv_name(rv));
		rv = shared->C_OpenSession(slots.id[i % slots.n], CKF_SERIAL_SESSION, NULL, NULL, &s);
		if (rv == CKR_OK)
			rv = shared->C_CloseSession(s);
		if (rv != CKR_OK && rv != CKR_CRYPTOKI_NOT_INITIALIZED && rv != CKR_SESSION_HANDLE_INVALID)
			die("a session: %s", rv_name(rv));
		rv = shared->C_Finalize(NULL);
		if (rv != CKR_OK && rv != CKR_CRYPTOKI_NOT_INITIALIZED)
			die("C_Finalize: %s", rv_name(rv));
	}
	return NULL;
}

/* Threads that begin and end one and the same instance under each other. */
static void case_races(void)
{
	begin_shared();
	run(8, races);
	shared->C_Finalize(NULL);
	/* The calls in between may come when the module is ended: that is the caller's fault, and not looked at here. */
	must(a.get("initialize") == a.get("finalize") && a.get("initialized") == 0);
	must(b.get("initialize") == b.get("finalize") && b.get("initialized") == 0);
	must(a.get("opened") == a.get("closed") && b.get("opened") == b.get("closed"));
	must_ok(shared->C_Initialize(NULL));
	must_ok(shared->C_Finalize(NULL));
}

static void *initializes(void *arg)
{
	CK_RV rv = shared->C_Initialize(NULL);

	(void)arg;
	if (rv == CKR_OK)
		atomic_fetch_add(&done, 1);
	else
		must_rv(rv, CKR_CRYPTOKI_ALREADY_INITIALIZED);
	return NULL;
}

static void *finalizes(void *arg)
{
	CK_RV rv = shared->C_Finalize(NULL);

	(void)arg;
	if (rv == CKR_OK)
		atomic_fetch_sub(&done, 1);
	else
		must_rv(rv, CKR_CRYPTOKI_NOT_INITIALIZED);
	return NULL;
}

/* Exactly one of many initializes an instance, and exactly one finalizes it. */
static void case_one_wins(void)
{
	int i;

	shared = proxy_new();
	for (i = 0; i < 50; i++) {
		run(8, initializes);
		must(atomic_load(&done) == 1);
		run(8, finalizes);
		must(atomic_load(&done) == 0);
	}
	must(a.get("initialize") == 50);
	check_clean(a);
	check_clean(b);
}

static void *closes(void *arg)
{
	(void)arg;
	while (!atomic_load(&stop))
		must_ok(shared->C_CloseAllSessions(slots.id[0]));
	return NULL;
}

static void *opens(void *arg)
{
	CK_SESSION_HANDLE s, t;
	CK_RV rv;
	int i;

	(void)arg;
	for (i = 0; i < 1000; i++) {
		must_ok(shared->C_OpenSession(slots.id[0], CKF_SERIAL_SESSION, NULL, NULL, &s));
		must_ok(shared->C_OpenSession(slots.id[1], CKF_SERIAL_SESSION, NULL, NULL, &t));
		rv = shared->C_CloseSession(s);
		if (rv != CKR_OK && rv != CKR_SESSION_HANDLE_INVALID)
			die("C_CloseSession: %s", rv_name(rv));
		must_ok(shared->C_CloseSession(t)); /* of a slot that nobody clears */
	}
	return NULL;
}

/* C_CloseAllSessions among threads that open and close. */
static void case_close_all(void)
{
	pthread_t t;

	begin_shared();
	must(pthread_create(&t, NULL, closes, NULL) == 0);
	run(8, opens);
	atomic_store(&stop, true);
	must(pthread_join(t, NULL) == 0);
	must_ok(shared->C_CloseAllSessions(slots.id[0]));
	must(a.get("open") == 0 && b.get("open") == 0);
	must_ok(shared->C_Finalize(NULL));
	check_clean(a);
	check_clean(b);
}

static CK_SLOT_ID token;

static void *signs(void *arg)
{
	struct signature sig;
	const char *label = (long)arg % 4 ? "ec" : "rsa";
	list_t p = (list_t)(void *)shared;
	CK_SESSION_HANDLE s;
	int i;

	for (i = 0; i < 10; i++) {
		must_ok(p->C_OpenSession(token, CKF_SERIAL_SESSION, NULL, NULL, &s));
		must_ok(token_sign(p, s, label, "data of many threads", 20, &sig));
		must_ok(token_verify(p, s, label, "data of many threads", 20, &sig));
		must_ok(p->C_CloseSession(s));
	}
	return NULL;
}

/* 32 threads sign with a real token, others begin and end beside them. */
static void case_sign(void)
{
	pthread_t t[4];
	CK_SESSION_HANDLE s;
	long i;

	shared = proxy_new();
	must_ok(shared->C_Initialize(NULL));
	slots = proxy_slots(shared);
	slots.n = 2; /* disturb the counting modules only */
	token = token_slot((list_t)(void *)shared);
	must(token != slots.id[0] && token != slots.id[1]);
	s = token_login((list_t)(void *)shared);
	for (i = 0; i < 4; i++)
		must(pthread_create(&t[i], NULL, disturbs, (void *)i) == 0);
	run(THREADS, signs);
	atomic_store(&stop, true);
	for (i = 0; i < 4; i++)
		must(pthread_join(t[i], NULL) == 0);
	must_ok(shared->C_CloseSession(s));
	must_ok(shared->C_Finalize(NULL));
	check_clean(a);
	check_clean(b);
}

static const struct host_case cases[] = {
	{ "lives", case_lives, true },
	{ "kept", case_kept, true },
	{ "shared", case_shared, true },
	{ "races", case_races, true },
	{ "one-wins", case_one_wins, true },
	{ "close-all", case_close_all, true },
	{ "sign", case_sign, true },
};

int main(int argc, char **argv)
{
	return run_cases(cases, sizeof cases / sizeof cases[0], argc, argv, prepare);
}
