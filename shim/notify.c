/*
 * Notifications of a proxy instance's sessions (PKCS#11 3.2 §5.21): a module
 * names the session by its own handle, and the program knows it by another. So
 * the module gets our function, and a notice of what the program gave.
 *
 * A notice is never freed, for a module may notify late; it serves again once
 * its session is closed.
 */
#include <stdlib.h>

#include "internal.h"

struct p11_notice {
	CK_NOTIFY notify;
	void *application;
	struct p11_proxy *proxy;
	_Atomic CK_SESSION_HANDLE session; /* 0 until it is open */
	bool busy;                         /* its session is being opened, so it is nobody else's */
	struct p11_notice *next;           /* of all */
	struct p11_notice *next_free;
};

/* Guarded by p11_lock_records. */
static struct p11_notice *all, *unused;
static size_t count, sweep_at = 64;

static CK_RV notify(CK_SESSION_HANDLE session, CK_NOTIFICATION event, void *application)
{
	(void)session;
	struct p11_notice *notice = application;
	return notice->notify(atomic_load(&notice->session), event, notice->application);
}

CK_NOTIFY p11_notify(void) { return notify; }

/* Whether the session is closed. One that is being closed may stay open. */
static bool over(const struct p11_notice *notice)
{
	CK_SESSION_HANDLE session = atomic_load(&notice->session);
	const struct p11_session *entry = &notice->proxy->sessions[session & P11_PLACE_MASK];
	uint64_t handle = __atomic_load_n(&entry->handle, __ATOMIC_ACQUIRE);
	return handle != session && (handle != 0 || __atomic_load_n(&entry->real, __ATOMIC_ACQUIRE) == 0);
}

/* Finds the notices that can serve again. Each time there may be twice as many before the next, so it costs little. */
static void sweep(void)
{
	size_t in_use = 0;
	unused = NULL;
	for (struct p11_notice *n = all; n; n = n->next) {
		if (n->busy || !over(n)) {
			in_use++;
			continue;
		}
		n->next_free = unused;
		unused = n;
	}
	sweep_at = in_use < 32 ? 64 : 2 * in_use;
}

/* Takes a notice that can serve again; NULL if there is none. */
static struct p11_notice *take_unused(void)
{
	p11_lock_records();
	if (!unused && count >= sweep_at)
		sweep();
	struct p11_notice *notice = unused;
	if (notice) {
		unused = notice->next_free;
		notice->busy = true;
	}
	p11_unlock_records();
	return notice;
}

/* A notice for a session that is about to be opened; NULL when memory is short. */
struct p11_notice *p11_notice_new(struct p11_proxy *proxy, CK_NOTIFY function, void *application)
{
	struct p11_notice *notice = take_unused();
	bool fresh = !notice;
	if (fresh && !(notice = malloc(sizeof *notice)))
		return NULL;
	notice->notify = function;
	notice->application = application;
	notice->proxy = proxy;
	atomic_store(&notice->session, 0);
	if (fresh) {
		p11_lock_records();
		notice->busy = true;
		notice->next = all;
		all = notice;
		count++;
		p11_unlock_records();
	}
	return notice;
}

/* Says how the session is known; 0 if it could not be opened. */
void p11_notice_opened(struct p11_notice *notice, CK_SESSION_HANDLE session)
{
	p11_lock_records();
	atomic_store(&notice->session, session);
	notice->busy = false;
	if (session == 0) {
		notice->next_free = unused;
		unused = notice;
	}
	p11_unlock_records();
}
