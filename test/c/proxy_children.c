/*
 * Hosts that fork while they use the proxy: proxy_children CASE.  The modules are
 * SoftHSM and the counting modules a and b.  In a child every list that was
 * inherited is shut until C_Initialize, and the parent notices nothing.
 */
#include "proxylib.h"
#include "token.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

static const char data[] = "signed in many processes";
static char rsa[] = "rsa", ec[] = "ec";

static list_t p;
static CK_SESSION_HANDLE session;
static struct slots slots;
static CK_SLOT_ID token;

static void sign(list_t list, CK_SESSION_HANDLE s, const char *label)
{
	struct signature sig;

	must_ok(token_sign(list, s, label, data, sizeof data, &sig));
	must_ok(token_verify(list, s, label, data, sizeof data, &sig));
}

/* Initializes, signs, and finalizes again. */
static void use(list_t list, const char *label)
{
	must_ok(list->C_Initialize(NULL));
	must(token_slot(list) == token);
	sign(list, token_login(list), label);
	must_ok(list->C_Finalize(NULL));
}

/* The parent is in the middle of its work. */
static void begin(void)
{
	conf_file("modules/a.module", "module: @MOD@/a.so\npriority: 5\n");
	conf_file("modules/b.module", "module: @MOD@/b.so\n");
	proxy_open();
	p = (list_t)(void *)proxy_new();
	must_ok(p->C_Initialize(NULL));
	slots = proxy_slots((list32_t)(void *)p);
	token = token_slot(p);
	session = token_login(p);
}

/* And goes on with it. */
static void go_on(void)
{
	struct slots now = proxy_slots((list32_t)(void *)p);

	must(now.n == slots.n && memcmp(now.id, slots.id, now.n * sizeof *now.id) == 0);
	sign(p, session, "rsa");
	must_ok(p->C_CloseSession(session));
	must_ok(p->C_Finalize(NULL));
}

static void expect_child(void (*fn)(void *), void *arg)
{
	int status = run_child(fn, arg, 30);

	if (status != 0)
		die("the child ended with %d", status);
}

/* The functions that tell of the list itself answer always, and those of the past do not look (PKCS#11 3.2 §5.20). */
static bool answers(int n)
{
	return n == M_C_GetFunctionList || n == M_C_GetInterfaceList || n == M_C_GetInterface ||
	       n == M_C_GetFunctionStatus || n == M_C_CancelFunction || n == M_C_Initialize;
}

static void check_shut(void)
{
	int n;

	for (n = 1; n <= M_LAST_320; n++) {
		CK_ULONG first = n == M_C_GetSlotInfo || n == M_C_OpenSession ? token : session;

		if (answers(n))
			continue;
		if (n == M_C_Finalize)
			first = 0;
		CK_RV rv = member(p, n)(first, 0, 0, 0, 0, 0, 0, 0, 0, 0);

		if (rv != CKR_CRYPTOKI_NOT_INITIALIZED)
			die("member %d answers %s in a child", n, rv_name(rv));
	}
}

static void child_shut(void *arg)
{
	(void)arg;
	check_shut();
	check_shut(); /* also after C_Finalize */
}

static void case_shut(void)
{
	begin();
	expect_child(child_shut, NULL);
	go_on();
}

static void child_exits(void *arg)
{
	(void)arg;
	exit(0);
}

static void case_exit(void)
{
	begin();
	expect_child(child_exits, NULL);
	go_on();
}

/* On the inherited list, with the parent's slots; its sessions are not the child's. */
static void child_uses(void *label)
{
	CK_SESSION_INFO info;
	struct slots now;

	must_ok(p->C_Initialize(NULL));
	must_rv(p->C_Initialize(NULL), CKR_CRYPTOKI_ALREADY_INITIALIZED);
	must_rv(p->C_GetSessionInfo(session, &info), CKR_SESSION_HANDLE_INVALID);
	must_rv(p->C_CloseSession(session), CKR_SESSION_HANDLE_INVALID);
	now = proxy_slots((list32_t)(void *)p);
	must(now.n == slots.n && memcmp(now.id, slots.id, now.n * sizeof *now.id) == 0);
	sign(p, token_login(p), label);
	must_ok(p->C_Finalize(NULL));
	use(p, label);
}

static void case_sign(void)
{
	begin();
	expect_child(child_uses, rsa);
	expect_child(child_uses, ec);
	go_on();
}

static void child_finalizes(void *label)
{
	must_rv(p->C_Finalize(NULL), CKR_CRYPTOKI_NOT_INITIALIZED);
	child_uses(label);
	must_rv(p->C_Finalize(NULL), CKR_CRYPTOKI_NOT_INITIALIZED);
}

static void case_finalize(void)
{
	begin();
	expect_child(child_finalizes, ec);
	go_on();
}

/* Slots by their ids before any was listed in the child, and in an instance of its own. */
static void child_ids(void *arg)
{
	list32_t other = proxy_new();
	struct slots now;
	CK_TOKEN_INFO info;
	CK_SESSION_HANDLE s;

	(void)arg;
	must_ok(p->C_Initialize(NULL));
	must_ok(p->C_GetTokenInfo(token, &info));
	must(memcmp(info.label, "token ", 6) == 0);
	must_ok(p->C_OpenSession(token, CKF_SERIAL_SESSION, NULL, NULL, &s));
	must_ok(other->C_Initialize(NULL));
	now = proxy_slots(other);
	must(now.n == slots.n && memcmp(now.id, slots.id, now.n * sizeof *now.id) == 0);
	must_ok(other->C_OpenSession(token, CKF_SERIAL_SESSION, NULL, NULL, &s));
	must_ok(other->C_Finalize(NULL));
	must_ok(p->C_Finalize(NULL));
}

static void case_ids(void)
{
	begin();
	expect_child(child_ids, NULL);
	go_on();
}

/* Lists that the parent has not used yet, or has finalized. */
static void case_unused(void)
{
	list_t initialized;

	begin();
	initialized = p;
	p = (list_t)(void *)proxy_new();
	expect_child(child_uses, rsa);
	must_ok(p->C_Initialize(NULL));
	must_ok(p->C_Finalize(NULL));
	expect_child(child_uses, ec);
	p = initialized;
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
			child_uses(i % 2 ? rsa : ec);
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

static void child_has_child(void *label)
{
	child_shut(NULL);
	use(p, label);
	expect_child(child_uses, label);
	must_ok(p->C_Initialize(NULL));
	session = token_login(p);
	expect_child(child_shut, NULL);
	expect_child(child_uses, label);
	go_on();
}

static void case_grandchild(void)
{
	begin();
	expect_child(child_has_child, ec);
	go_on();
}

static atomic_bool stop;

/* Threads in all kinds of calls, so that a fork finds every lock held at times. */
static void *work(void *arg)
{
	long n = (long)arg;
	list_t mine = n % 4 == 3 ? (list_t)(void *)proxy_new() : p;

	while (!atomic_load(&stop)) {
		CK_SESSION_HANDLE s;
		CK_SESSION_INFO info;
		CK_BYTE octets[16];
		CK_ULONG count = 0;

		if (mine != p)
			must_ok(mine->C_Initialize(NULL));
		must_ok(mine->C_GetSlotList(CK_FALSE, NULL, &count));
		must_ok(mine->C_OpenSession(slots.id[n % 2], CKF_SERIAL_SESSION, NULL, NULL, &s));
		must_ok(mine->C_GetSessionInfo(s, &info));
		must(info.slotID == slots.id[n % 2]);
		must_ok(mine->C_GenerateRandom(s, octets, sizeof octets));
		must_ok(mine->C_CloseSession(s));
		if (mine != p)
			must_ok(mine->C_Finalize(NULL));
	}
	return NULL;
}

static void case_busy(void)
{
	counting_t c = counting_open("a");
	pthread_t t[8];
	long i;

	begin();
	for (i = 0; i < 8; i++)
		must(pthread_create(&t[i], NULL, work, (void *)i) == 0);
	for (i = 0; i < 25; i++) {
		expect_child(i % 5 == 4 ? child_shut : child_uses, i % 2 ? rsa : ec);
		sleep_ms(i % 7);
	}
	atomic_store(&stop, true);
	for (i = 0; i < 8; i++)
		must(pthread_join(t[i], NULL) == 0);
	must(c.get("open") == 0);
	if (c.get("faults"))
		die("%s", c.text("fault"));
	go_on();
}

/* A thread waits for a slot event while another forks. */
static void *waits(void *arg)
{
	CK_SLOT_ID id;

	*(atomic_int *)arg = gettid();
	must_rv(p->C_WaitForSlotEvent(0, &id, NULL), CKR_CRYPTOKI_NOT_INITIALIZED);
	return NULL;
}

static void case_waiting(void)
{
	atomic_int tid = 0;
	pthread_t t;

	begin();
	must(pthread_create(&t, NULL, waits, &tid) == 0);
	while (atomic_load(&tid) == 0)
		;
	wait_asleep(atomic_load(&tid));
	expect_child(child_shut, NULL);
	expect_child(child_uses, rsa);
	go_on();
	must(pthread_join(t, NULL) == 0);
}

static const struct host_case cases[] = {
	{ "exit", case_exit, true },
	{ "shut", case_shut, true },
	{ "sign", case_sign, true },
	{ "finalize", case_finalize, true },
	{ "ids", case_ids, true },
	{ "unused", case_unused, true },
	{ "many", case_many, true },
	{ "grandchild", case_grandchild, true },
	{ "busy", case_busy, true },
	{ "waiting", case_waiting, true },
};

int main(int argc, char **argv)
{
	return run_cases(cases, sizeof cases / sizeof cases[0], argc, argv, NULL);
}
