/*
 * A host that links libp11-kit.so.0 and also loads p11-kit-proxy.so, as a
 * program does of which one library uses p11-kit and another is told to use a
 * PKCS#11 module.  Both lead to the same module "a", a counting one, which must
 * be initialised once and finalised once, whoever comes first and goes first.
 */
#include "common.h"

#include <dlfcn.h>
#include <pthread.h>

static counting_t counting;
static CK_RV (*get_list)(CK_FUNCTION_LIST **);

/* One of the consumers in this process. */
struct side {
	list_t list;
	CK_SLOT_ID slot;
	CK_SESSION_HANDLE session;
	list_t *all; /* what p11_kit_modules_load gave, or NULL for the proxy */
};

static void prepare(void)
{
	void *handle, *library;
	Dl_info linked, loaded;

	conf_file("modules/a.module", "module: @MOD@/a.so\n");
	counting = counting_open("a");
	handle = dlopen("p11-kit-proxy.so", RTLD_NOW | RTLD_LOCAL);
	if (handle == NULL)
		die("%s", dlerror());
	*(void **)&get_list = dlsym(handle, "C_GetFunctionList");
	library = dlsym(RTLD_DEFAULT, "p11_kit_modules_load");
	must(get_list != NULL && library != NULL);
	/* LD_LIBRARY_PATH may have found the proxy of somebody else. */
	must(dladdr(*(void **)&get_list, &loaded) && dladdr(library, &linked));
	must(loaded.dli_fbase == linked.dli_fbase);
}

static struct side linked(void)
{
	struct side s = { .all = p11_kit_modules_load(NULL, 0) };

	must(s.all != NULL && s.all[0] != NULL && s.all[1] == NULL);
	s.list = s.all[0];
	return s;
}

static struct side proxied(void)
{
	struct side s = { 0 };

	must_ok(get_list(&s.list));
	must(s.list != NULL);
	return s;
}

static void counts(long initialize, long finalize, long open)
{
	long i = counting.get("initialize"), f = counting.get("finalize"), o = counting.get("open");

	if (i != initialize || f != finalize || o != open)
		die("C_Initialize %ld times, C_Finalize %ld times, %ld sessions open; want %ld, %ld, %ld",
		    i, f, o, initialize, finalize, open);
	if (counting.get("faults") != 0 || counting.get("uninit") != 0)
		die("the module was used wrongly: %s", counting.text("fault"));
}

static void use(struct side *s)
{
	CK_SESSION_INFO info;

	must_ok(s->list->C_GetSessionInfo(s->session, &info));
	must(info.slotID == s->slot);
}

static void begin(struct side *s)
{
	CK_SLOT_ID slots[16];
	CK_ULONG n = 16;

	must_ok(s->list->C_Initialize(NULL));
	must_ok(s->list->C_GetSlotList(CK_TRUE, slots, &n));
	must(n > 0);
	s->slot = slots[0];
	must_ok(s->list->C_OpenSession(s->slot, CKF_SERIAL_SESSION, NULL, NULL, &s->session));
	use(s);
}

static void end(struct side *s)
{
	CK_SESSION_INFO info;

	must_ok(s->list->C_Finalize(NULL));
	/* The reference's managed lists live on another's initialization. */
	if (is_ours() || s->all == NULL)
		must_rv(s->list->C_GetSessionInfo(s->session, &info), CKR_CRYPTOKI_NOT_INITIALIZED);
	if (s->all)
		p11_kit_modules_release(s->all);
}

/* Two consumers: the first of them goes first, or last. */
static void pair(struct side first, struct side second, bool first_goes)
{
	struct side *out = first_goes ? &first : &second, *stays = first_goes ? &second : &first;

	begin(&first);
	counts(1, 0, 1);
	begin(&second);
	counts(1, 0, 2);
	use(&first);
	end(out);
	counts(1, 0, 1);
	use(stays);
	end(stays);
	counts(1, 1, 0);
}

static void library_first(void)
{
	pair(linked(), proxied(), true);
}

static void library_around(void)
{
	pair(linked(), proxied(), false);
}

static void proxy_first(void)
{
	pair(proxied(), linked(), true);
}

static void proxy_around(void)
{
	pair(proxied(), linked(), false);
}

/* Each C_GetFunctionList makes a consumer of its own. */
static void two_proxies(void)
{
	struct side a = proxied(), b = proxied();

	must(a.list != b.list);
	pair(a, b, true);
}

/* After everybody has gone the module is initialised again, and finalised again. */
static void again(void)
{
	struct side p = proxied(), l = linked();

	begin(&p);
	begin(&l);
	end(&l);
	end(&p);
	counts(1, 1, 0);
	l = linked();
	begin(&l);
	begin(&p);
	counts(2, 1, 2);
	end(&p);
	counts(2, 1, 1);
	end(&l);
	counts(2, 2, 0);
}

/* What a program is told of its session. */
struct told {
	CK_SESSION_HANDLE session;
	CK_NOTIFICATION event;
	int times;
};

static CK_RV tell(CK_SESSION_HANDLE session, CK_NOTIFICATION event, void *application)
{
	struct told *told = application;

	*told = (struct told){ session, event, told->times + 1 };
	return CKR_CANCEL;
}

/* The module tells of the session that was opened last what it calls it itself. */
static void notify_of(CK_SESSION_HANDLE session, struct told *told)
{
	CK_NOTIFY notify = (CK_NOTIFY)counting.get("notify");
	void *application = (void *)counting.get("application");

	*told = (struct told){ 0 };
	must_rv(notify(3, CKN_SURRENDER, application), CKR_CANCEL);
	must(told->session == session && told->event == CKN_SURRENDER && told->times == 1);
}

/* A notification names the session as the program knows it, also after many others were told of. */
static void notifications(void)
{
	struct side p = proxied();
	struct told told, first;
	CK_NOTIFY notify;
	void *application;
	CK_SESSION_HANDLE session;
	int i;

	begin(&p);
	must_ok(p.list->C_OpenSession(p.slot, CKF_SERIAL_SESSION, &first, tell, &p.session));
	notify = (CK_NOTIFY)counting.get("notify");
	application = (void *)counting.get("application");
	notify_of(p.session, &first);
	for (i = 0; i < 1000; i++) {
		must_ok(p.list->C_OpenSession(p.slot, CKF_SERIAL_SESSION, &told, tell, &session));
		notify_of(session, &told);
		if (i % 3)
			must_ok(p.list->C_CloseSession(session));
	}
	must_rv(p.list->C_OpenSession(p.slot + 1000, CKF_SERIAL_SESSION, &told, tell, &session), CKR_SLOT_ID_INVALID);
	first = (struct told){ 0 };
	must_rv(notify(3, CKN_SURRENDER, application), CKR_CANCEL);
	must(first.session == p.session && first.times == 1);
	must_ok(p.list->C_Finalize(NULL));
	/* All were given back; the next sessions have theirs. */
	begin(&p);
	for (i = 0; i < 300; i++) {
		must_ok(p.list->C_OpenSession(p.slot, CKF_SERIAL_SESSION, &told, tell, &session));
		notify_of(session, &told);
	}
	must_ok(p.list->C_Finalize(NULL));
}

#define CONSUMERS 4
#define ROUNDS 50

static void *rounds(void *data)
{
	struct side *s = data;
	int i;

	for (i = 0; i < ROUNDS; i++) {
		begin(s);
		must_ok(s->list->C_CloseSession(s->session));
		must_ok(s->list->C_Finalize(NULL));
	}
	return NULL;
}

/* Consumers of both kinds come and go at the same time. */
static void threads(void)
{
	struct side sides[CONSUMERS];
	pthread_t ids[CONSUMERS];
	int i;

	for (i = 0; i < CONSUMERS; i++)
		sides[i] = i % 2 ? proxied() : linked();
	for (i = 0; i < CONSUMERS; i++)
		must(pthread_create(&ids[i], NULL, rounds, &sides[i]) == 0);
	for (i = 0; i < CONSUMERS; i++)
		must(pthread_join(ids[i], NULL) == 0);
	must(counting.get("initialize") > 0);
	counts(counting.get("finalize"), counting.get("initialize"), 0);
}

int main(int argc, char **argv)
{
	static const struct host_case cases[] = {
		{ "library_first", library_first, false },
		{ "library_around", library_around, false },
		{ "proxy_first", proxy_first, false },
		{ "proxy_around", proxy_around, false },
		{ "two_proxies", two_proxies, false },
		{ "again", again, false },
		{ "notifications", notifications, true },
		{ "threads", threads, true },
	};

	return run_cases(cases, sizeof cases / sizeof cases[0], argc, argv, prepare);
}
