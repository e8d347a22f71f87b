/* Sessions of managed lists: who owns them and who may close them. */
#include "conformance.h"

static void session_ownership(void)
{
	counting_t c = counting_open("a");
	list_t m1 = load_one("a"), m2 = load_one("a");
	CK_SESSION_HANDLE s1, s2, s3;
	CK_SESSION_INFO info;

	must_ok(m1->C_Initialize(NULL));
	must_ok(m2->C_Initialize(NULL));
	out_rv("open-1", open_session(m1, 1, &s1));
	out_rv("open-2", open_session(m2, 1, &s2));
	out_rv("open-3", open_session(m2, 2, &s3));
	out("distinct", "%d", s1 != s2 && s2 != s3 && s1 != s3);
	out_rv("info", m2->C_GetSessionInfo(s3, &info));
	out("info-slot", "%lu", info.slotID);
	out_rv("close-all", m2->C_CloseAllSessions(1));
	out("open-after-close-all", "%ld", c.get("open"));
	out("module-close-all", "%ld", c.get("closeall"));
	out_rv("info-1", m1->C_GetSessionInfo(s1, &info));
	out_rv("info-2", m2->C_GetSessionInfo(s2, &info));
	out_rv("close-unknown", m1->C_CloseSession(4000));
	out_rv("close-all-unknown", m1->C_CloseAllSessions(99));
	out_rv("fini-2", m2->C_Finalize(NULL));
	out("open-after-fini", "%ld", c.get("open"));
	out_rv("close-1", m1->C_CloseSession(s1));
	out_rv("close-1-again", m1->C_CloseSession(s1));
	out_rv("fini-1", m1->C_Finalize(NULL));
	out("faults", "%ld", c.get("faults"));
}

static CK_RV notified(CK_SESSION_HANDLE session, CK_NOTIFICATION event, void *application)
{
	(void)session;
	(void)event;
	(void)application;
	return CKR_OK;
}

/* What the caller gives for notifications reaches the module. */
static void session_notify(void)
{
	counting_t c = counting_open("a");
	list_t m = load_one("a");
	CK_SESSION_HANDLE s;
	CK_SESSION_INFO info;

	must_ok(m->C_Initialize(NULL));
	must_ok(m->C_OpenSession(2, CKF_SERIAL_SESSION | CKF_RW_SESSION, &s, notified, &s));
	out("application", "%d", c.get("application") == (long)&s);
	out("notify", "%d", c.get("notify") == (long)notified);
	must_ok(m->C_GetSessionInfo(s, &info));
	out("flags", "%lu", info.flags);
	out("slot", "%lu", info.slotID);
}

static void session_foreign(void)
{
	counting_t c = counting_open("a");
	list_t m1 = load_one("a"), m2 = load_one("a");
	CK_SESSION_HANDLE s;

	must_ok(m1->C_Initialize(NULL));
	must_ok(m2->C_Initialize(NULL));
	must_ok(open_session(m1, 1, &s));
	out_rv("close-foreign", m2->C_CloseSession(s));
	out("still-open", "%ld", c.get("open"));
	out_rv("close-own", m1->C_CloseSession(s));
	out("open-at-end", "%ld", c.get("open"));
}

/* A handle that the module uses again belongs to its new owner. */
static void session_reused(void)
{
	counting_t c = counting_open("a");
	list_t m1 = load_one("a"), m2 = load_one("a");
	CK_SESSION_HANDLE s, t;
	CK_SESSION_INFO info;

	setenv("COUNTING_REUSE", "1", 1);
	must_ok(m1->C_Initialize(NULL));
	must_ok(m2->C_Initialize(NULL));
	must_ok(open_session(m1, 1, &s));
	must_ok(m1->C_CloseSession(s));
	must_ok(open_session(m2, 1, &t));
	out("same-handle", "%d", s == t);
	out_rv("fini", m1->C_Finalize(NULL));
	out("open", "%ld", c.get("open"));
	out_rv("info", m2->C_GetSessionInfo(t, &info));
}

static void session_errors(void)
{
	counting_t c = counting_open("a");
	list_t m = load_one("a");
	CK_SESSION_HANDLE s;
	char *text;

	must_ok(m->C_Initialize(NULL));
	out_rv("bad-slot", open_session(m, 9, &s));
	out_rv("parallel", m->C_OpenSession(1, 0, NULL, NULL, &s));
	capture_begin();
	out_rv("null-handle", open_session(m, 1, NULL));
	text = capture_end();
	out("null-note", "%d", text[0] != '\0');
	must_ok(open_session(m, 1, &s));
	setenv("COUNTING_CLOSE_RV", "0x30", 1);
	out_rv("close-fails", m->C_CloseSession(s));
	out_rv("close-all-fails", m->C_CloseAllSessions(1));
	setenv("COUNTING_CLOSE_RV", "0", 1);
	out("open", "%ld", c.get("open"));
	out_rv("fini", m->C_Finalize(NULL));
	free(text);
}

static void session_fini_close_fails(void)
{
	counting_t c = counting_open("a");
	list_t m = load_one("a");
	CK_SESSION_HANDLE s;

	must_ok(m->C_Initialize(NULL));
	must_ok(open_session(m, 1, &s));
	setenv("COUNTING_CLOSE_RV", "0x30", 1);
	out_rv("fini", m->C_Finalize(NULL));
	out("finalize", "%ld", c.get("finalize"));
}

static void session_again(void)
{
	counting_t c = counting_open("a");
	list_t m = load_one("a");
	CK_SESSION_HANDLE s;
	int i;

	for (i = 0; i < 3; i++) {
		must_ok(m->C_Initialize(NULL));
		must_ok(open_session(m, 1, &s));
		must_ok(open_session(m, 2, &s));
		must_ok(m->C_Finalize(NULL));
	}
	out("opened", "%ld", c.get("opened"));
	out("closed", "%ld", c.get("closed"));
	out("initialize", "%ld", c.get("initialize"));
	out("finalize", "%ld", c.get("finalize"));
}

/* The reference aborts or crashes on these. */
static void session_uninitialized(void)
{
	counting_t c = counting_open("a");
	list_t m1 = load_one("a"), m2 = load_one("a");
	CK_SESSION_HANDLE s = 7, own;

	out_rv("open-nobody", open_session(m2, 1, &s));
	out_rv("close-all-nobody", m2->C_CloseAllSessions(1));
	must_ok(m1->C_Initialize(NULL));
	must_ok(open_session(m1, 1, &own));
	c.reset();
	out_rv("open", open_session(m2, 1, &s));
	out_rv("close", m2->C_CloseSession(own));
	out_rv("close-all", m2->C_CloseAllSessions(1));
	out("module-calls", "%ld", c.get("calls"));
	must_ok(m2->C_Initialize(NULL));
	must_ok(m2->C_Finalize(NULL));
	out_rv("open-after-fini", open_session(m2, 1, &s));
	out_rv("close-after-fini", m2->C_CloseSession(own));
	out_rv("close-all-after-fini", m2->C_CloseAllSessions(1));
	out("open-at-end", "%ld", c.get("open"));
}

struct family {
	list_t m;
	counting_t c;
	CK_SESSION_HANDLE s;
};

static void session_child(void *data)
{
	struct family *f = data;
	CK_SESSION_HANDLE s;
	CK_SESSION_INFO info;

	f->c.reset();
	out_rv("child-open", open_session(f->m, 1, &s));
	out_rv("child-close", f->m->C_CloseSession(f->s));
	out_rv("child-close-all", f->m->C_CloseAllSessions(1));
	out_rv("child-info", f->m->C_GetSessionInfo(f->s, &info));
	out("child-calls", "%ld", f->c.get("calls"));
	out_rv("child-init", f->m->C_Initialize(NULL));
	out_rv("child-own-open", open_session(f->m, 1, &s));
	out("child-open-count", "%ld", f->c.get("open"));
	out_rv("child-fini", f->m->C_Finalize(NULL));
	out("child-opened", "%ld", f->c.get("opened"));
	out("child-closed", "%ld", f->c.get("closed"));
}

/* Differs from the reference in every line: there the parent's handles are used. */
static void session_forked(void)
{
	struct family f = { load_one("a"), counting_open("a"), 0 };
	CK_SESSION_INFO info;

	must_ok(f.m->C_Initialize(NULL));
	must_ok(open_session(f.m, 1, &f.s));
	out("exit", "%d", run_child(session_child, &f, 20));
	out_rv("parent-info", f.m->C_GetSessionInfo(f.s, &info));
	out_rv("parent-close", f.m->C_CloseSession(f.s));
	out_rv("parent-fini", f.m->C_Finalize(NULL));
}

const struct check session_checks[] = {
	{ "session-ownership", session_ownership, BOTH },
	{ "session-notify", session_notify, BOTH },
	{ "session-foreign", session_foreign, BOTH },
	{ "session-reused", session_reused, BOTH },
	{ "session-errors", session_errors, BOTH },
	{ "session-fini-close-fails", session_fini_close_fails, BOTH },
	{ "session-again", session_again, BOTH },
	{ "session-uninitialized", session_uninitialized, OURS },
	{ "session-forked", session_forked, OURS },
	{ NULL, NULL, 0 }
};
