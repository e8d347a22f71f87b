/*
 * Slots of several modules behind the proxy: proxy_events CASE.  Their events
 * are delivered once each, blocking and not; their ids stay while they come and
 * go; and a module that fails takes nothing from the others.  The modules ea, eb
 * and ec are events.c.
 */
#include "proxylib.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#define MODULES 3
#define SLOTS 4 /* of each module, at first */

static struct {
	const char *name;
	void (*raise)(CK_SLOT_ID);
	void (*slots)(unsigned long);
	long (*get)(const char *);
} mods[MODULES] = { { .name = "ea" }, { .name = "eb" }, { .name = "ec" } };

static void configure(int i, const char *more)
{
	char file[64];

	snprintf(file, sizeof file, "modules/%s.module", mods[i].name);
	conf_file(file, "module: @MOD@/%s.so\npriority: %d\n%s", mods[i].name, MODULES - i, more);
}

static void prepare(void)
{
	int i;

	for (i = 0; i < MODULES; i++) {
		void *dl = dlopen(module_path(mods[i].name), RTLD_NOW | RTLD_LOCAL);

		if (dl == NULL)
			die("%s", dlerror());
		*(void **)&mods[i].raise = dlsym(dl, "events_raise");
		*(void **)&mods[i].slots = dlsym(dl, "events_slots");
		*(void **)&mods[i].get = dlsym(dl, "events_get");
		must(mods[i].raise && mods[i].slots && mods[i].get);
		mods[i].slots((1ul << SLOTS) - 1);
		configure(i, "");
	}
	proxy_open();
}

static void option(const char *module, const char *name, const char *value)
{
	char var[64];

	snprintf(var, sizeof var, "EVENTS_%s_%s", module, name);
	if (value)
		must(setenv(var, value, 1) == 0);
	else
		must(unsetenv(var) == 0);
}

static list32_t begin(void)
{
	list32_t p = proxy_new();

	must_ok(p->C_Initialize(NULL));
	return p;
}

/* At the end of all cases: nothing was used wrongly, and nobody waited in a module. */
static void end(list32_t p)
{
	int i;

	must_ok(p->C_Finalize(NULL));
	for (i = 0; i < MODULES; i++) {
		must(mods[i].get("faults") == 0);
		must(mods[i].get("initialize") == mods[i].get("finalize"));
		must(mods[i].get("blocked") == 0);
	}
}

/* How often each slot had an event, as raised and as told. */
static long raised[MODULES][64];
static atomic_long told[MODULES][64], told_all;

static void raise_event(int module, CK_SLOT_ID slot)
{
	raised[module][slot]++;
	mods[module].raise(slot);
}

/* Writes down an event, by what the slot says of itself. */
static void note(list32_t p, CK_SLOT_ID id)
{
	CK_SLOT_INFO info;
	char name[8];
	unsigned long n;
	int i;

	must_ok(p->C_GetSlotInfo(id, &info));
	must(sscanf((char *)info.slotDescription, "%7s %lu", name, &n) == 2 && n < 64);
	for (i = 0; i < MODULES && strcmp(name, mods[i].name) != 0; i++)
		;
	must(i < MODULES);
	atomic_fetch_add(&told[i][n], 1);
	atomic_fetch_add(&told_all, 1);
}

static void check_told(void)
{
	int i, n;

	for (i = 0; i < MODULES; i++) {
		for (n = 0; n < 64; n++)
			if (atomic_load(&told[i][n]) != raised[i][n])
				die("%s %d: %ld events, %ld told", mods[i].name, n, raised[i][n], atomic_load(&told[i][n]));
		must(mods[i].get("pending") == 0);
	}
}

static int poll_all(list32_t p)
{
	CK_SLOT_ID id;
	CK_RV rv;
	int n = 0;

	while ((rv = p->C_WaitForSlotEvent(CKF_DONT_BLOCK, &id, NULL)) == CKR_OK) {
		note(p, id);
		n++;
	}
	must_rv(rv, CKR_NO_EVENT);
	return n;
}

static void case_poll(void)
{
	list32_t p = begin();
	int i;

	must(poll_all(p) == 0);
	raise_event(0, 0);
	raise_event(0, 1);
	raise_event(1, 2);
	raise_event(2, 3);
	raise_event(1, 2);
	must(poll_all(p) == 5);
	check_told();
	for (i = 0; i < 3000; i++)
		raise_event(i % MODULES, i % 7 % SLOTS);
	must(poll_all(p) == 3000);
	check_told();
	end(p);
}

/* Nobody's events wait behind another's that never end. */
static void case_starve(void)
{
	list32_t p = begin();
	int i;

	for (i = 0; i < 1000; i++)
		raise_event(0, 0);
	raise_event(1, 1);
	raise_event(2, 2);
	for (i = 0; i < MODULES; i++) {
		CK_SLOT_ID id;

		must_ok(p->C_WaitForSlotEvent(CKF_DONT_BLOCK, &id, NULL));
		note(p, id);
	}
	must(atomic_load(&told[1][1]) == 1 && atomic_load(&told[2][2]) == 1);
	must(poll_all(p) == 999);
	check_told();
	end(p);
}

static void *wait_for_all(void *arg)
{
	list32_t p = arg;
	CK_SLOT_ID id;
	CK_RV rv;

	while ((rv = p->C_WaitForSlotEvent(0, &id, NULL)) == CKR_OK)
		note(p, id);
	must_rv(rv, CKR_CRYPTOKI_NOT_INITIALIZED);
	return NULL;
}

/* Some threads wait on two instances, the main thread raises events. */
static void wait_with(int threads, int events)
{
	list32_t p[2] = { begin(), begin() };
	pthread_t t[16];
	int i;

	for (i = 0; i < threads; i++)
		must(pthread_create(&t[i], NULL, wait_for_all, p[i % 2]) == 0);
	for (i = 0; i < events; i++) {
		raise_event(i % MODULES, i % 11 % SLOTS);
		if (i % 50 == 0)
			sleep_ms(1);
	}
	while (atomic_load(&told_all) < events)
		sleep_ms(1);
	must_ok(p[0]->C_Finalize(NULL));
	/* The other instance goes on waiting. */
	if (threads > 1) {
		raise_event(1, 3);
		while (atomic_load(&told_all) < events + 1)
			sleep_ms(1);
	}
	must_ok(p[1]->C_Finalize(NULL));
	for (i = 0; i < threads; i++)
		must(pthread_join(t[i], NULL) == 0);
	check_told();
	must_ok(p[0]->C_Initialize(NULL));
	must(poll_all(p[0]) == 0);
	end(p[0]);
}

static void case_block(void)
{
	wait_with(1, 300);
}

static void case_waiters(void)
{
	wait_with(8, 2000);
}

struct waiter {
	list32_t p;
	atomic_int tid;
	CK_RV rv;
};

static void *wait_once(void *arg)
{
	struct waiter *w = arg;
	CK_SLOT_ID id;

	atomic_store(&w->tid, gettid());
	w->rv = w->p->C_WaitForSlotEvent(0, &id, NULL);
	return NULL;
}

/* C_Finalize of another thread ends the wait, early or late. */
static void case_finalize(void)
{
	list32_t p = proxy_new();
	int i;

	for (i = 0; i < 40; i++) {
		struct waiter w = { .p = p };
		pthread_t t;

		must_ok(p->C_Initialize(NULL));
		must(pthread_create(&t, NULL, wait_once, &w) == 0);
		while (atomic_load(&w.tid) == 0)
			;
		if (i % 2)
			wait_asleep(atomic_load(&w.tid));
		must_ok(p->C_Finalize(NULL));
		must(pthread_join(t, NULL) == 0);
		must_rv(w.rv, CKR_CRYPTOKI_NOT_INITIALIZED);
	}
	must_ok(p->C_Initialize(NULL));
	end(p);
}

/* A module is not finalized while it is asked for events: it may not survive that. */
static void case_finalize_asked(void)
{
	list32_t p = proxy_new();
	int i;

	option("eb", "WAIT_MS", "20");
	for (i = 0; i < 5; i++) {
		struct waiter w = { .p = p };
		pthread_t t;

		must_ok(p->C_Initialize(NULL));
		must(pthread_create(&t, NULL, wait_once, &w) == 0);
		while (mods[1].get("inside") == 0)
			;
		must_ok(p->C_Finalize(NULL));
		must(pthread_join(t, NULL) == 0);
		must_rv(w.rv, CKR_CRYPTOKI_NOT_INITIALIZED);
	}
	must_ok(p->C_Initialize(NULL));
	end(p);
}

static void case_arguments(void)
{
	list32_t p = proxy_new();
	CK_SLOT_ID id;

	must_rv(p->C_WaitForSlotEvent(CKF_DONT_BLOCK, &id, NULL), CKR_CRYPTOKI_NOT_INITIALIZED);
	must_rv(p->C_WaitForSlotEvent(0, &id, NULL), CKR_CRYPTOKI_NOT_INITIALIZED);
	must_ok(p->C_Initialize(NULL));
	raise_event(0, 1);
	must_rv(p->C_WaitForSlotEvent(CKF_DONT_BLOCK, NULL, NULL), CKR_ARGUMENTS_BAD);
	must_rv(p->C_WaitForSlotEvent(0, NULL, NULL), CKR_ARGUMENTS_BAD);
	must_rv(p->C_WaitForSlotEvent(CKF_DONT_BLOCK, &id, &id), CKR_ARGUMENTS_BAD);
	must_rv(p->C_WaitForSlotEvent(0, &id, &id), CKR_ARGUMENTS_BAD);
	/* None of that cost the event. */
	must(poll_all(p) == 1);
	check_told();
	end(p);
}

/* A module that cannot tell events, or fails to, is no obstacle for the others. */
static void case_wait_fails(void)
{
	list32_t p = begin();
	CK_SLOT_ID id;

	option("ea", "WAIT_RV", "0x54");
	option("ec", "WAIT_RV", "0x30");
	must_rv(p->C_WaitForSlotEvent(CKF_DONT_BLOCK, &id, NULL), CKR_NO_EVENT);
	raise_event(1, 1);
	raise_event(1, 2);
	must_ok(p->C_WaitForSlotEvent(CKF_DONT_BLOCK, &id, NULL));
	note(p, id);
	must_ok(p->C_WaitForSlotEvent(0, &id, NULL));
	note(p, id);
	check_told();
	option("eb", "WAIT_RV", "0x54");
	must_rv(p->C_WaitForSlotEvent(CKF_DONT_BLOCK, &id, NULL), CKR_DEVICE_ERROR);
	option("ec", "WAIT_RV", "0x54");
	must_rv(p->C_WaitForSlotEvent(CKF_DONT_BLOCK, &id, NULL), CKR_FUNCTION_NOT_SUPPORTED);
	must_rv(p->C_WaitForSlotEvent(0, &id, NULL), CKR_FUNCTION_NOT_SUPPORTED);
	end(p);
}

static void case_ids(void)
{
	list32_t p = begin(), other = begin();
	CK_SLOT_ID ea1 = proxy_slot_described(p, "ea 1"), eb3 = proxy_slot_described(p, "eb 3"), ea9;
	struct slots all = proxy_slots(p), now, third;
	CK_SLOT_INFO info;
	CK_ULONG i;

	must(all.n == MODULES * SLOTS);
	now = proxy_slots(other);
	must(now.n == all.n && memcmp(now.id, all.id, all.n * sizeof *all.id) == 0);

	mods[0].slots(1);
	now = proxy_slots(p);
	must(now.n == all.n - 3 && !proxy_has(now, ea1) && proxy_has(now, eb3));
	must_rv(p->C_GetSlotInfo(ea1, &info), CKR_SLOT_ID_INVALID);
	must_rv(other->C_GetSlotInfo(ea1, &info), CKR_SLOT_ID_INVALID);
	must_ok(p->C_GetSlotInfo(eb3, &info));

	mods[0].slots(1 | 1ul << 9);
	ea9 = proxy_slot_described(p, "ea 9");
	must(!proxy_has(all, ea9));
	mods[0].slots(0);
	must(proxy_slots(p).n == all.n - 4);
	mods[0].slots((1ul << SLOTS) - 1);
	now = proxy_slots(p);
	must(now.n == all.n && memcmp(now.id, all.id, all.n * sizeof *all.id) == 0);
	must(proxy_slot_described(p, "ea 1") == ea1 && proxy_slot_described(p, "eb 3") == eb3);
	mods[0].slots(1ul << 9);
	must(proxy_slot_described(other, "ea 9") == ea9);
	mods[0].slots((1ul << SLOTS) - 1);

	/* Other lives and other instances have the same ids. */
	must_ok(p->C_Finalize(NULL));
	must_ok(other->C_Finalize(NULL));
	must_rv(p->C_GetSlotInfo(eb3, &info), CKR_CRYPTOKI_NOT_INITIALIZED);
	must_ok(p->C_Initialize(NULL));
	must_ok(p->C_GetSlotInfo(eb3, &info)); /* also before they were listed */
	now = proxy_slots(p);
	must(now.n == all.n && memcmp(now.id, all.id, all.n * sizeof *all.id) == 0);
	must_ok(p->C_Finalize(NULL));
	p = begin();
	third = proxy_slots(p);
	must(third.n == all.n && memcmp(third.id, all.id, all.n * sizeof *all.id) == 0);
	for (i = 0; i < all.n; i++)
		must(all.id[i] > 16);
	end(p);
}

/* An event of a slot that nobody has listed yet. */
static void case_new_slot(void)
{
	list32_t p = begin();
	CK_SLOT_ID id;

	must(proxy_slots(p).n == MODULES * SLOTS);
	mods[1].slots(0xff);
	raise_event(1, 7);
	must_ok(p->C_WaitForSlotEvent(0, &id, NULL));
	note(p, id);
	check_told();
	must(proxy_slot_described(p, "eb 7") == id);
	end(p);
}

/* A list that grows while it is read, also between the two calls of the caller. */
static void case_grow(void)
{
	list32_t p = begin();
	CK_SLOT_ID ids[256];
	CK_ULONG n = 0, room;

	option("eb", "GROW", "64");
	must_ok(p->C_GetSlotList(CK_TRUE, NULL, &n));
	must(n >= MODULES * SLOTS);
	room = n;
	must_rv(p->C_GetSlotList(CK_TRUE, ids, &n), CKR_BUFFER_TOO_SMALL);
	must(n > room);
	while (n < 2 * SLOTS + 64) {
		room = n;
		n = 256;
		must_ok(p->C_GetSlotList(CK_TRUE, ids, &n));
		must(n > room);
	}
	must(n == 2 * SLOTS + 64);
	end(p);
}

/* One module fails to initialize: the others are there, and it is when it can. */
static void case_init_fails(void)
{
	list32_t p = begin();
	CK_SLOT_ID eb1 = proxy_slot_described(p, "eb 1");
	CK_SLOT_INFO info;
	CK_SESSION_HANDLE s;
	struct slots all = proxy_slots(p), now;

	must_ok(p->C_Finalize(NULL));
	option("eb", "INIT_RV", "0x30");
	must_ok(p->C_Initialize(NULL));
	now = proxy_slots(p);
	must(now.n == all.n - SLOTS && !proxy_has(now, eb1));
	must(proxy_has(now, proxy_slot_described(p, "ea 1")) && proxy_has(now, proxy_slot_described(p, "ec 1")));
	must_rv(p->C_GetSlotInfo(eb1, &info), CKR_SLOT_ID_INVALID);
	must_rv(p->C_OpenSession(eb1, CKF_SERIAL_SESSION, NULL, NULL, &s), CKR_SLOT_ID_INVALID);
	must_rv(p->C_CloseAllSessions(eb1), CKR_SLOT_ID_INVALID);
	raise_event(0, 1);
	raise_event(2, 2);
	must(poll_all(p) == 2);
	check_told();
	must_ok(p->C_Finalize(NULL));
	option("eb", "INIT_RV", NULL);
	must_ok(p->C_Initialize(NULL));
	now = proxy_slots(p);
	must(now.n == all.n && memcmp(now.id, all.id, all.n * sizeof *all.id) == 0);
	end(p);
}

/* All fail: that is a proxy without slots. */
static void case_all_fail(void)
{
	list32_t p;
	int i;

	for (i = 0; i < MODULES; i++)
		option(mods[i].name, "INIT_RV", "0x5");
	p = begin();
	must(proxy_slots(p).n == 0);
	end(p);
}

static void case_critical(void)
{
	CK_SLOT_INFO info;
	list32_t p;

	configure(1, "critical: yes\n");
	option("eb", "INIT_RV", "0x30");
	p = proxy_new();
	must_rv(p->C_Initialize(NULL), CKR_DEVICE_ERROR);
	must(mods[0].get("initialize") == 1 && mods[0].get("finalize") == 1);
	must_rv(p->C_GetSlotInfo(17, &info), CKR_CRYPTOKI_NOT_INITIALIZED);
	must_rv(p->C_Finalize(NULL), CKR_CRYPTOKI_NOT_INITIALIZED);
	option("eb", "INIT_RV", NULL);
	must_ok(p->C_Initialize(NULL));
	must(proxy_slots(p).n == MODULES * SLOTS);
	end(p);
}

/* Checks that the slots of eb are left out, and nothing else. */
static void left_out(list32_t p, CK_SLOT_ID eb1, const char *name, const char *value)
{
	struct slots now;
	CK_SLOT_INFO info;
	CK_ULONG n = 0;

	option("eb", name, value);
	now = proxy_slots(p);
	must(now.n == 2 * SLOTS && !proxy_has(now, eb1));
	must_ok(p->C_GetSlotList(CK_TRUE, NULL, &n));
	must(n == 2 * SLOTS);
	must_ok(p->C_GetSlotInfo(eb1, &info));
	must_ok(p->C_Finalize(NULL));
	must_ok(p->C_Initialize(NULL));
	must(proxy_slots(p).n == 2 * SLOTS);
	option("eb", name, NULL);
	must(proxy_slots(p).n == 3 * SLOTS && proxy_slot_described(p, "eb 1") == eb1);
}

static void case_list_fails(void)
{
	list32_t p = begin();
	CK_SLOT_ID eb1 = proxy_slot_described(p, "eb 1");
	long before = rss_kib();

	left_out(p, eb1, "LIST_RV", "0x30");
	left_out(p, eb1, "LIST_RV", "0x150");
	left_out(p, eb1, "LIST_COUNT", "0x1000000000000000");
	left_out(p, eb1, "LIST_COUNT", "0xffffffffffffffff");
	left_out(p, eb1, "LIST_COUNT", "0x20000000");
	must(rss_kib() < before + 64 * 1024);
	end(p);
}

/* No module at all. */
static void case_none(void)
{
	struct waiter w = { 0 };
	CK_SLOT_ID id;
	CK_ULONG n = 77;
	CK_INFO info;
	CK_SESSION_HANDLE s;
	pthread_t t;
	list32_t p;
	int i;

	for (i = 0; i < MODULES; i++) {
		char file[64];

		snprintf(file, sizeof file, "modules/%s.module", mods[i].name);
		conf_remove(file);
	}
	p = begin();
	must_ok(p->C_GetInfo(&info));
	must_ok(p->C_GetSlotList(CK_FALSE, NULL, &n));
	must(n == 0);
	must_ok(p->C_GetSlotList(CK_FALSE, &id, &n));
	must(n == 0);
	n = 1;
	must_ok(p->C_GetSlotList(CK_TRUE, &id, &n));
	must(n == 0);
	must_rv(p->C_OpenSession(17, CKF_SERIAL_SESSION, NULL, NULL, &s), CKR_SLOT_ID_INVALID);
	must_rv(p->C_Logout(17), CKR_SESSION_HANDLE_INVALID);
	must_rv(p->C_WaitForSlotEvent(CKF_DONT_BLOCK, &id, NULL), CKR_NO_EVENT);
	must_rv(p->C_Initialize(NULL), CKR_CRYPTOKI_ALREADY_INITIALIZED);
	w.p = p;
	must(pthread_create(&t, NULL, wait_once, &w) == 0);
	while (atomic_load(&w.tid) == 0)
		;
	wait_asleep(atomic_load(&w.tid));
	must_ok(p->C_Finalize(NULL));
	must(pthread_join(t, NULL) == 0);
	must_rv(w.rv, CKR_CRYPTOKI_NOT_INITIALIZED);
}

static const struct host_case cases[] = {
	{ "poll", case_poll, true },
	{ "starve", case_starve, true },
	{ "block", case_block, true },
	{ "waiters", case_waiters, true },
	{ "finalize", case_finalize, true },
	{ "finalize-asked", case_finalize_asked, true },
	{ "arguments", case_arguments, true },
	{ "wait-fails", case_wait_fails, true },
	{ "ids", case_ids, true },
	{ "new-slot", case_new_slot, true },
	{ "grow", case_grow, true },
	{ "init-fails", case_init_fails, true },
	{ "all-fail", case_all_fail, true },
	{ "critical", case_critical, true },
	{ "list-fails", case_list_fails, true },
	{ "none", case_none, true },
};

int main(int argc, char **argv)
{
	return run_cases(cases, sizeof cases / sizeof cases[0], argc, argv, prepare);
}
