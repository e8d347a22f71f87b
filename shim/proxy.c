/*
 * The proxy module (abi.md 7): this library, loaded as a PKCS#11 module, has all
 * configured modules behind one function list.
 *
 * Each function list is an instance of its own: a handle (arena.c) whose state
 * word leads to a struct p11_proxy instead of a module's table. The functions in
 * that table put the module's numbers in the place of the instance's (proxy.S);
 * what is more than a translation is here or in the engine.
 */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "internal.h"

/* proxy.S */
extern void *const p11_proxy_functions[P11_FUNCTION_COUNT];

static CK_RV in_engine(struct p11_proxy *proxy, int function, uintptr_t a, uintptr_t b, uintptr_t c)
{
	const struct p11_engine *engine = p11_engine_if_running();
	return engine ? engine->call(proxy->handle, function, (uintptr_t[10]){ a, b, c }) : CKR_CRYPTOKI_NOT_INITIALIZED;
}

/* Called from proxy.S, so the linker must find them, and nobody else. */
#define FROM_STUB __attribute__((visibility("hidden"), used))
CK_RV p11_proxy_get_info(CK_INFO *info, struct p11_proxy *proxy);
CK_RV p11_proxy_get_slot_list(CK_BBOOL present, CK_SLOT_ID *slots, CK_ULONG *count, struct p11_proxy *proxy);
CK_RV p11_proxy_wait_for_slot_event(CK_FLAGS flags, CK_SLOT_ID *slot, void *reserved, struct p11_proxy *proxy);
CK_RV p11_proxy_get_session_info(CK_SESSION_HANDLE session, CK_SESSION_INFO *info, struct p11_proxy *proxy);

FROM_STUB CK_RV p11_proxy_get_info(CK_INFO *info, struct p11_proxy *proxy)
{
	return in_engine(proxy, FUNCTION_C_GetInfo, (uintptr_t)info, 0, 0);
}

FROM_STUB CK_RV p11_proxy_get_slot_list(CK_BBOOL present, CK_SLOT_ID *slots, CK_ULONG *count, struct p11_proxy *proxy)
{
	return in_engine(proxy, FUNCTION_C_GetSlotList, present, (uintptr_t)slots, (uintptr_t)count);
}

FROM_STUB CK_RV p11_proxy_wait_for_slot_event(CK_FLAGS flags, CK_SLOT_ID *slot, void *reserved, struct p11_proxy *proxy)
{
	return in_engine(proxy, FUNCTION_C_WaitForSlotEvent, flags, (uintptr_t)slot, (uintptr_t)reserved);
}

/* The one call with a slot in its result. */
FROM_STUB CK_RV p11_proxy_get_session_info(CK_SESSION_HANDLE session, CK_SESSION_INFO *info, struct p11_proxy *proxy)
{
	struct p11_session *entry = &proxy->sessions[session & P11_PLACE_MASK];
	if (__atomic_load_n(&entry->handle, __ATOMIC_ACQUIRE) != session)
		return CKR_SESSION_HANDLE_INVALID;
	CK_SESSION_HANDLE real = __atomic_load_n(&entry->real, __ATOMIC_ACQUIRE);
	struct p11_table *table = __atomic_load_n(&entry->table, __ATOMIC_ACQUIRE);
	CK_SLOT_ID slot = __atomic_load_n(&entry->slot, __ATOMIC_ACQUIRE);
	if (__atomic_load_n(&entry->handle, __ATOMIC_ACQUIRE) != session)
		return CKR_SESSION_HANDLE_INVALID;
	CK_RV rv = p11_table_call(table, FUNCTION_C_GetSessionInfo, (uintptr_t[10]){ real, (uintptr_t)info });
	if (rv == CKR_OK && info)
		info->slotID = slot;
	return rv;
}

static struct p11_proxy *proxy_new(const struct p11_member *members, size_t count, int major, int minor)
{
	struct p11_proxy *proxy = calloc(1, sizeof *proxy);
	struct p11_member *copy = calloc(count ? count : 1, sizeof *copy);
	if (!proxy || !copy || !(proxy->handle = p11_handle_for_proxy(proxy))) {
		if (!proxy || !copy)
			p11_message("no memory for another instance of the proxy module");
		free(proxy);
		free(copy);
		return NULL;
	}
	memcpy(proxy->table.functions, p11_proxy_functions, sizeof proxy->table.functions);
	if (count)
		memcpy(copy, members, count * sizeof *copy);
	proxy->members = copy;
	proxy->count = count;
	proxy->major = (uint8_t)major;
	proxy->minor = (uint8_t)minor;
	proxy->handle->list.version = (CK_VERSION){ proxy->major, proxy->minor };
	return proxy;
}

static int proxy_prepare(struct p11_proxy *proxy)
{
	if (proxy->sessions)
		return 0;
	void *sessions = mmap(NULL, P11_SESSIONS * sizeof(struct p11_session), PROT_READ | PROT_WRITE,
	                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (sessions == MAP_FAILED)
		return -1;
	proxy->sessions = sessions;
	proxy->sessions[0].handle = 1; /* so that handle 0, whose place this is, is none */
	return 0;
}

/* A larger array takes the place of the old one, which stays: somebody may be reading it. */
static int proxy_slots(struct p11_proxy *proxy, uint64_t room)
{
	struct p11_slots *old = proxy->slots;
	if (old && old->room >= room)
		return 0;
	uint64_t size = old ? old->room : 32;
	while (size < room)
		size *= 2;
	struct p11_slots *slots = calloc(1, sizeof *slots + size * sizeof *slots->of);
	if (!slots)
		return -1;
	slots->room = size;
	if (old) {
		slots->count = old->count;
		memcpy(slots->of, old->of, old->count * sizeof *old->of);
	}
	__atomic_store_n(&proxy->slots, slots, __ATOMIC_RELEASE);
	return 0;
}

void p11_proxy_api(struct p11_host *host)
{
	host->own_entry = (void *)C_GetFunctionList;
	host->proxy_new = proxy_new;
	host->proxy_prepare = proxy_prepare;
	host->proxy_slots = proxy_slots;
}
