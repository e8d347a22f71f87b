/* C_Initialize with all kinds of arguments, C_Finalize, and what both leave. */
#include "codes.h"

#include <pthread.h>

static CK_RV create_mutex(void **mutex)
{
	*mutex = malloc(sizeof(pthread_mutex_t));
	return pthread_mutex_init(*mutex, NULL) ? CKR_HOST_MEMORY : CKR_OK;
}

static CK_RV destroy_mutex(void *mutex)
{
	free(mutex);
	return CKR_OK;
}

static CK_RV lock_mutex(void *mutex)
{
	return pthread_mutex_lock(mutex) ? CKR_MUTEX_BAD : CKR_OK;
}

static CK_RV unlock_mutex(void *mutex)
{
	return pthread_mutex_unlock(mutex) ? CKR_MUTEX_NOT_LOCKED : CKR_OK;
}

/* Some of the mutex functions, by the bits of which. */
static CK_C_INITIALIZE_ARGS mutexes(int which, CK_FLAGS flags)
{
	CK_C_INITIALIZE_ARGS args = { 0 };

	args.CreateMutex = which & 1 ? create_mutex : NULL;
	args.DestroyMutex = which & 2 ? destroy_mutex : NULL;
	args.LockMutex = which & 4 ? lock_mutex : NULL;
	args.UnlockMutex = which & 8 ? unlock_mutex : NULL;
	args.flags = flags;
	return args;
}

/* Initializes, and tells whether that is what it then is. */
static void try(const char *step, void *args)
{
	CK_RV rv = mod->C_Initialize(args);
	CK_ULONG n = 0;
	CK_RV alive = mod->C_GetSlotList(CK_FALSE, NULL, &n), finalize = mod->C_Finalize(NULL);

	report(step, rv, "slots=%lu list=%s finalize=%s", alive == CKR_OK ? n - extra_slots : 0, rv_name(alive),
	       rv_name(finalize));
}

static void flags(void)
{
	static const CK_FLAGS all[] = {
		0, CKF_OS_LOCKING_OK, CKF_LIBRARY_CANT_CREATE_OS_THREADS, 3, 4, 0x80, 1ul << 31, 1ul << 63, HUGE_COUNT,
	};
	char step[32];
	size_t i;

	for (i = 0; i < sizeof all / sizeof *all; i++) {
		CK_C_INITIALIZE_ARGS args = mutexes(0, all[i]);

		snprintf(step, sizeof step, "%#lx", all[i]);
		try(step, &args);
	}
}

static void some_mutexes(void)
{
	char step[32];
	int which;

	for (which = 1; which < 32; which++) {
		CK_C_INITIALIZE_ARGS args = mutexes(which, which & 16 ? CKF_OS_LOCKING_OK : 0);

		snprintf(step, sizeof step, "%d", which);
		try(step, &args);
	}
}

static void null(void)
{
	try(NULL, NULL);
}

static void reserved(void)
{
	CK_C_INITIALIZE_ARGS args = mutexes(0, CKF_OS_LOCKING_OK);

	args.pReserved = octets;
	try("reserved", &args);
	args = mutexes(15, CKF_OS_LOCKING_OK);
	args.pReserved = octets;
	try("reserved-mutexes", &args);
	args = mutexes(3, 0);
	args.pReserved = octets;
	try("reserved-some", &args);
}

static void twice(void)
{
	CK_C_INITIALIZE_ARGS args = mutexes(0, CKF_OS_LOCKING_OK), bad = mutexes(3, 0);
	CK_INFO info;

	need(mod->C_Initialize(NULL));
	report_rv("null", mod->C_Initialize(NULL));
	report_rv("args", mod->C_Initialize(&args));
	report_rv("bad", mod->C_Initialize(&bad));
	report_rv("info", mod->C_GetInfo(&info));
	report_rv("finalize", mod->C_Finalize(NULL));
	report_rv("finalize-again", mod->C_Finalize(NULL));
	report_rv("info-again", mod->C_GetInfo(&info));
}

static void finalize_reserved(void)
{
	CK_INFO info;

	report_rv("reserved", mod->C_Finalize(octets));
	report_rv("info", mod->C_GetInfo(&info));
	report_rv("session", mod->C_Logout(session));
	report_rv("finalize", mod->C_Finalize(NULL));
	report_rv("info-again", mod->C_GetInfo(&info));
	report_rv("reserved-again", mod->C_Finalize(octets));
}

static void finalize_first(void)
{
	report_rv("finalize", mod->C_Finalize(NULL));
	report_rv("reserved", mod->C_Finalize(octets));
}

/* A life knows nothing of the one before but the slots. */
static void again(void)
{
	CK_SESSION_HANDLE old = session;
	CK_OBJECT_HANDLE object = make_data(old, "of a life before", no, no);
	CK_SESSION_INFO info;
	CK_TOKEN_INFO token;
	CK_ULONG size;
	int i;

	for (i = 0; i < 5; i++) {
		need(mod->C_Finalize(NULL));
		need(mod->C_Initialize(NULL));
	}
	report_rv("slot", mod->C_GetTokenInfo(slot, &token));
	report_rv("session", mod->C_GetSessionInfo(old, &info));
	report_rv("close", mod->C_CloseSession(old));
	session = open_another(CKF_RW_SESSION);
	need(mod->C_GetSessionInfo(session, &info));
	report("state", CKR_OK, "state=%lu slot=%d", info.state, info.slotID == slot);
	report_rv("object", mod->C_GetObjectSize(session, object, &size));
}

static void get_info(void)
{
	CK_INFO info;
	CK_RV rv = mod->C_GetInfo(&info);

	report("manufacturer", rv, "%.32s", info.manufacturerID);
	report("description", rv, "%.32s", info.libraryDescription);
	report("version", rv, "%d.%d", info.libraryVersion.major, info.libraryVersion.minor);
	report("cryptoki", rv, "%d.%d", info.cryptokiVersion.major, info.cryptokiVersion.minor);
	report("flags", rv, "%lu", info.flags);
}

static void own_list(void)
{
	CK_FUNCTION_LIST *list = NULL;
	CK_INFO info;
	CK_RV rv = mod->C_GetFunctionList(&list);

	report("list", rv, "version=%d", list ? list->version.major * 100 + list->version.minor : 0);
	/* The member shows the life of the very list that it belongs to. */
	if (list)
		report_rv("info", list->C_GetInfo(&info));
}

static const struct code_case cases[] = {
	{ "null", null, NOTHING },
	{ "flags", flags, NOTHING },
	{ "mutexes", some_mutexes, NOTHING },
	{ "reserved", reserved, NOTHING },
	{ "twice", twice, NOTHING },
	{ "finalize-first", finalize_first, NOTHING },
	{ "finalize-reserved", finalize_reserved, SESSION },
	{ "again", again, USER },
	{ "info", get_info, MODULE },
	{ "own-list", own_list, MODULE },
};

const struct code_group life_group = TABLE("life", cases);
