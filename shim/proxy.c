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

#define INTERFACE_NAME "PKCS 11"

/* proxy.S */
extern void *const p11_proxy_functions[P11_FUNCTION_COUNT];

/* The versions that the proxy has an interface of, the default first. */
static const CK_VERSION versions[] = { { 3, 2 }, { 3, 1 }, { 3, 0 }, { 2, 40 } };
#define VERSIONS (sizeof versions / sizeof *versions)

/* A new instance. */
static CK_RV new_instance(CK_VERSION version, struct p11_handle **handle)
{
	p11_message_clear();
	const struct p11_engine *engine = p11_engine_get();
	if (!engine)
		return CKR_GENERAL_ERROR;
	if (!p11_load_enter()) {
		p11_message("a module loads the proxy module while it is being loaded itself, again and again");
		return CKR_GENERAL_ERROR;
	}
	void *list = NULL;
	CK_RV rv = engine->proxy_load(version.major, version.minor, &list);
	p11_load_leave();
	if (rv == CKR_OK)
		*handle = list; /* the list is the first thing in it */
	return rv;
}

/*
 * C_GetFunctionList of the proxy module: a new instance, with a 2.40 list. It
 * lives as long as the process. CKR_ARGUMENTS_BAD for NULL, otherwise what
 * loading the configured modules gives. From any thread (PKCS#11 3.2 §5.4.4,
 * abi.md 7.1).
 */
P11_EXPORT CK_RV C_GetFunctionList(CK_FUNCTION_LIST_PTR_PTR ppFunctionList)
{
	if (!ppFunctionList)
		return CKR_ARGUMENTS_BAD;
	struct p11_handle *handle;
	CK_RV rv = new_instance((CK_VERSION){ 2, 40 }, &handle);
	if (rv == CKR_OK)
		*ppFunctionList = (CK_FUNCTION_LIST *)&handle->list;
	return rv;
}

/*
 * C_GetInterfaceList of the proxy module: its interfaces, each a new instance.
 * With a NULL list only their number; CKR_BUFFER_TOO_SMALL where they do not
 * fit (PKCS#11 3.2 §5.4.5, abi.md 7.1).
 */
P11_EXPORT CK_RV C_GetInterfaceList(CK_INTERFACE_PTR pInterfacesList, CK_ULONG_PTR pulCount)
{
	if (!pulCount)
		return CKR_ARGUMENTS_BAD;
	CK_ULONG room = *pulCount;
	*pulCount = VERSIONS;
	if (!pInterfacesList)
		return CKR_OK;
	if (room < VERSIONS)
		return CKR_BUFFER_TOO_SMALL;
	CK_INTERFACE interfaces[VERSIONS];
	for (size_t i = 0; i < VERSIONS; i++) {
		struct p11_handle *handle;
		CK_RV rv = new_instance(versions[i], &handle);
		if (rv != CKR_OK)
			return rv;
		interfaces[i] = handle->interface;
	}
	memcpy(pInterfacesList, interfaces, sizeof interfaces);
	return CKR_OK;
}

/*
 * C_GetInterface of the proxy module: a new instance, with a list of the version
 * that is asked for, 3.2 if none is. CKR_ARGUMENTS_BAD for a name or version
 * that there is none of, and for any flags: the one that is defined,
 * CKF_INTERFACE_FORK_SAFE, would promise that sessions outlive a fork (PKCS#11
 * 3.2 §5.4.6, abi.md 7.1).
 */
P11_EXPORT CK_RV C_GetInterface(CK_UTF8CHAR_PTR pInterfaceName, CK_VERSION_PTR pVersion,
                                CK_INTERFACE_PTR_PTR ppInterface, CK_FLAGS flags)
{
	if (!ppInterface || flags != 0 || (pInterfaceName && strcmp((const char *)pInterfaceName, INTERFACE_NAME) != 0))
		return CKR_ARGUMENTS_BAD;
	for (size_t i = 0; i < VERSIONS; i++) {
		if (pVersion && (pVersion->major != versions[i].major || pVersion->minor != versions[i].minor))
			continue;
		struct p11_handle *handle;
		CK_RV rv = new_instance(versions[i], &handle);
		if (rv == CKR_OK)
			*ppInterface = &handle->interface;
		return rv;
	}
	return CKR_ARGUMENTS_BAD;
}

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
