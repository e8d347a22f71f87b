/* The functions of a managed list that the shim answers itself or hands to the engine (abi.md 2.3, 2.4). */
#include <string.h>

#include "internal.h"

#define INTERFACE_NAME "PKCS 11"

/* The engine, for a handle whose caller is initialized in this very process; else NULL. */
static const struct p11_engine *engine_of(struct p11_handle *handle)
{
	uint32_t in = atomic_load_explicit(&handle->initialized_in, memory_order_acquire);
	return in != 0 && in == p11_generation() ? p11_engine_if_running() : NULL;
}

static bool released(struct p11_handle *handle)
{
	if (atomic_load(&handle->life) == P11_LIVE)
		return false;
	p11_message("the module of this function list has been released");
	return true;
}

static CK_RV initialize(void *args, struct p11_handle *handle)
{
	if (released(handle))
		return CKR_GENERAL_ERROR;
	const struct p11_engine *engine = p11_engine_get();
	return engine ? engine->initialize(handle, args) : CKR_GENERAL_ERROR;
}

/* Whether a handle is a function list of a module that we are. */
#ifdef P11_CLIENT
#define IS_OURS(handle) true
#else
#define IS_OURS(handle) ((handle)->proxy != NULL)
#endif

static CK_RV finalize(void *reserved, struct p11_handle *handle)
{
	uint32_t in = atomic_load(&handle->initialized_in);
	/* For another module the reference takes anything here, and programs pass it. */
	if (reserved && IS_OURS(handle))
		return in != 0 && in == p11_generation() ? CKR_ARGUMENTS_BAD : CKR_CRYPTOKI_NOT_INITIALIZED;
	if (in != 0 && in != p11_generation()) {
		/* Initialized by the parent: in this process there is nothing to undo. */
		bool undone = atomic_compare_exchange_strong(&handle->initialized_in, &in, 0);
		return undone && !handle->proxy ? CKR_OK : CKR_CRYPTOKI_NOT_INITIALIZED;
	}
	const struct p11_engine *engine = p11_engine_if_running();
	return engine ? engine->finalize(handle) : CKR_CRYPTOKI_NOT_INITIALIZED;
}

static CK_RV open_session(CK_SLOT_ID slot, CK_FLAGS flags, void *application, CK_NOTIFY notify,
                          CK_SESSION_HANDLE *session, struct p11_handle *handle)
{
	const struct p11_engine *engine = engine_of(handle);
	if (!engine)
		return CKR_CRYPTOKI_NOT_INITIALIZED;
	p11_return_val_if_fail(session != NULL, CKR_ARGUMENTS_BAD);
	if (!notify || !handle->proxy)
		return engine->open_session(handle, slot, flags, application, (void *)notify, session);
	struct p11_notice *notice = p11_notice_new(handle->proxy, notify, application);
	if (!notice)
		return CKR_HOST_MEMORY;
	CK_RV rv = engine->open_session(handle, slot, flags, notice, (void *)p11_notify(), session);
	p11_notice_opened(notice, rv == CKR_OK ? *session : CK_INVALID_HANDLE);
	return rv;
}

static CK_RV close_session(CK_SESSION_HANDLE session, struct p11_handle *handle)
{
	const struct p11_engine *engine = engine_of(handle);
	return engine ? engine->close_session(handle, session) : CKR_CRYPTOKI_NOT_INITIALIZED;
}

static CK_RV close_all_sessions(CK_SLOT_ID slot, struct p11_handle *handle)
{
	const struct p11_engine *engine = engine_of(handle);
	return engine ? engine->close_all_sessions(handle, slot) : CKR_CRYPTOKI_NOT_INITIALIZED;
}

static CK_RV get_function_list(CK_FUNCTION_LIST **list, struct p11_handle *handle)
{
	if (!list)
		return CKR_ARGUMENTS_BAD;
	if (released(handle))
		return CKR_GENERAL_ERROR;
	*list = (CK_FUNCTION_LIST *)&handle->list;
	return CKR_OK;
}

static CK_RV get_interface_list(CK_INTERFACE *list, CK_ULONG *count, struct p11_handle *handle)
{
	if (!count)
		return CKR_ARGUMENTS_BAD;
	if (released(handle))
		return CKR_GENERAL_ERROR;
	CK_ULONG room = *count;
	*count = 1;
	if (!list)
		return CKR_OK;
	if (room < 1)
		return CKR_BUFFER_TOO_SMALL;
	*list = handle->interface;
	return CKR_OK;
}

static CK_RV get_interface(CK_UTF8CHAR *name, CK_VERSION *version, CK_INTERFACE **interface, CK_FLAGS flags,
                           struct p11_handle *handle)
{
	if (!interface)
		return CKR_ARGUMENTS_BAD;
	if (released(handle))
		return CKR_GENERAL_ERROR;
	const CK_VERSION *own = &handle->list.version;
	if (name && (strcmp((const char *)name, INTERFACE_NAME) != 0 || flags != 0 ||
	             (version && (version->major != own->major || version->minor != own->minor))))
		return CKR_ARGUMENTS_BAD;
	*interface = &handle->interface;
	return CKR_OK;
}

/* Does a managed call, and has it logged where the handle's calls are. */
#define DO(handle, function, call, ...) \
	do { \
		if (!(handle)->log) \
			return call; \
		struct p11_logged logged; \
		p11_log_begin(&logged, (handle)->log, function, (uintptr_t[10]){ __VA_ARGS__ }); \
		return p11_log_end(&logged, call); \
	} while (0)

static CK_RV managed_initialize(void *args, struct p11_handle *handle)
{
	DO(handle, FUNCTION_C_Initialize, initialize(args, handle), (uintptr_t)args);
}

static CK_RV managed_finalize(void *reserved, struct p11_handle *handle)
{
	DO(handle, FUNCTION_C_Finalize, finalize(reserved, handle), (uintptr_t)reserved);
}

static CK_RV managed_open_session(CK_SLOT_ID slot, CK_FLAGS flags, void *application, CK_NOTIFY notify,
                                  CK_SESSION_HANDLE *session, struct p11_handle *handle)
{
	DO(handle, FUNCTION_C_OpenSession, open_session(slot, flags, application, notify, session, handle), slot, flags, (uintptr_t)application, (uintptr_t)notify, (uintptr_t)session);
}

static CK_RV managed_close_session(CK_SESSION_HANDLE session, struct p11_handle *handle)
{
	DO(handle, FUNCTION_C_CloseSession, close_session(session, handle), session);
}

static CK_RV managed_close_all_sessions(CK_SLOT_ID slot, struct p11_handle *handle)
{
	DO(handle, FUNCTION_C_CloseAllSessions, close_all_sessions(slot, handle), slot);
}

static CK_RV managed_get_function_list(CK_FUNCTION_LIST **list, struct p11_handle *handle)
{
	DO(handle, FUNCTION_C_GetFunctionList, get_function_list(list, handle), (uintptr_t)list);
}

static CK_RV managed_get_interface_list(CK_INTERFACE *list, CK_ULONG *count, struct p11_handle *handle)
{
	DO(handle, FUNCTION_C_GetInterfaceList, get_interface_list(list, count, handle), (uintptr_t)list, (uintptr_t)count);
}

static CK_RV managed_get_interface(CK_UTF8CHAR *name, CK_VERSION *version, CK_INTERFACE **interface, CK_FLAGS flags,
                                   struct p11_handle *handle)
{
	DO(handle, FUNCTION_C_GetInterface, get_interface(name, version, interface, flags, handle), (uintptr_t)name, (uintptr_t)version, (uintptr_t)interface, flags);
}

/* The two functions that PKCS#11 keeps for parallel sessions of old (§5.16). */
static CK_RV not_parallel(CK_SESSION_HANDLE session)
{
	(void)session;
	return CKR_FUNCTION_NOT_PARALLEL;
}

void *const p11_managed_entries[P11_NUM_ENTRIES] = {
	[P11_ENTRY_INITIALIZE] = managed_initialize,
	[P11_ENTRY_FINALIZE] = managed_finalize,
	[P11_ENTRY_GET_FUNCTION_LIST] = managed_get_function_list,
	[P11_ENTRY_OPEN_SESSION] = managed_open_session,
	[P11_ENTRY_CLOSE_SESSION] = managed_close_session,
	[P11_ENTRY_CLOSE_ALL_SESSIONS] = managed_close_all_sessions,
	[P11_ENTRY_GET_INTERFACE_LIST] = managed_get_interface_list,
	[P11_ENTRY_GET_INTERFACE] = managed_get_interface,
};

/* Makes the handle's list point at its stubs, which begin at code. */
void p11_list_init(struct p11_handle *handle, const unsigned char *code)
{
	CK_FUNCTION_LIST_3_2 *list = &handle->list;
	unsigned char *member = (unsigned char *)list + offsetof(CK_FUNCTION_LIST_3_2, C_Initialize);
	for (size_t i = 0; i < P11_NUM_STUBS; i++) {
		const unsigned char *stub = code + i * P11_STUB_SIZE;
		memcpy(member + i * sizeof stub, &stub, sizeof stub);
	}
	list->version = (CK_VERSION){ 3, 2 };
	if (!handle->proxy) { /* the proxy's stubs say it themselves, once it is initialized */
		list->C_GetFunctionStatus = not_parallel;
		list->C_CancelFunction = not_parallel;
	}
	handle->interface = (CK_INTERFACE){ (CK_UTF8CHAR *)INTERFACE_NAME, list, 0 };
}
