/*
 * A PKCS#11 module that watches its caller.  It counts the real C_Initialize
 * and C_Finalize, keeps a table of sessions, and records a fault when it is
 * used against the rules: initialised twice, called while C_Initialize or
 * C_Finalize runs, called before or after them (PKCS#11 3.2 §5.4).
 *
 * Built with -DVERSION_300 or -DVERSION_320 it offers C_GetInterface and the
 * members of that version, else it is a 2.40 module.
 *
 * Options are environment variables COUNTING_<OPTION>, or
 * COUNTING_<file name without .so>_<OPTION> for one module of several:
 *   INIT_RV, FINALIZE_RV   code that C_Initialize, C_Finalize return
 *   INIT_MS, FINALIZE_MS, CALL_MS   how long they (and C_SeedRandom) take
 *   INTERFACE_RV, LIST_RV  code of C_GetInterface, C_GetFunctionList
 *   SLOT_COUNT             the count C_GetSlotList claims, whatever it fills
 *   NULL_LIST              all members of the function list are NULL
 *   FORK_IN_INIT           C_Initialize forks a child that exits
 *   REENTER                C_Initialize calls p11_kit_modules_load and releases
 *   REUSE                  closed session handles are used again at once
 *   CLOSE_RV               code that C_CloseSession returns, closing nothing
 */
#include "counting.h"

#include <dlfcn.h>
#include <sys/wait.h>
#include <time.h>

char base[64];
pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
atomic_int initialized, exclusive, inside;
struct counting_session sessions[SESSIONS];
char reserved[256], fault[256];
atomic_long c_initialize, c_finalize, c_calls, c_uninit, c_faults, c_opened,
	c_closed, c_closeall, c_lists, c_interfaces, c_init_flags, c_init_mutexes,
	c_init_null, c_max_inside, c_last, c_interface_version, c_application,
	c_notify;
struct counting_hook hook;

static unsigned long next_session = 1;

static const char *option(const char *name)
{
	char var[128];
	const char *v;

	snprintf(var, sizeof var, "COUNTING_%s_%s", base, name);
	v = getenv(var);
	if (v == NULL) {
		snprintf(var, sizeof var, "COUNTING_%s", name);
		v = getenv(var);
	}
	return v;
}

unsigned long number(const char *name, unsigned long none)
{
	const char *v = option(name);

	return v ? strtoul(v, NULL, 0) : none;
}

static void nap(const char *name)
{
	unsigned long ms = number(name, 0);
	struct timespec ts = { ms / 1000, ms % 1000 * 1000000 };

	while (ms && nanosleep(&ts, &ts) < 0)
		;
}

static void add_fault(const char *what)
{
	if (atomic_fetch_add(&c_faults, 1) == 0)
		snprintf(fault, sizeof fault, "%s", what);
}

static void run_hook(const char *where)
{
	void (*fn)(void *) = hook.fn;

	if (fn != NULL && strcmp(hook.where, where) == 0) {
		hook.fn = NULL; /* once */
		fn(hook.data);
	}
}

CK_RV enter(int n)
{
	int now = atomic_fetch_add(&inside, 1) + 1;
	long max = atomic_load(&c_max_inside);

	while (now > max && !atomic_compare_exchange_weak(&c_max_inside, &max, now))
		;
	atomic_fetch_add(&c_calls, 1);
	atomic_store(&c_last, n);
	if (atomic_load(&exclusive))
		add_fault("called while C_Initialize or C_Finalize runs");
	if (initialized != getpid()) {
		atomic_fetch_add(&c_uninit, 1);
		atomic_fetch_sub(&inside, 1);
		return CKR_CRYPTOKI_NOT_INITIALIZED;
	}
	return CKR_OK;
}

CK_RV leave(CK_RV rv)
{
	atomic_fetch_sub(&inside, 1);
	return rv;
}

static void begin_exclusive(const char *what)
{
	if (atomic_fetch_add(&exclusive, 1) != 0)
		add_fault("C_Initialize and C_Finalize overlap");
	if (atomic_load(&inside) != 0)
		add_fault(what);
}

static CK_RV check_mutexes(CK_C_INITIALIZE_ARGS *args)
{
	void *m = NULL;
	int n = !!args->CreateMutex + !!args->DestroyMutex + !!args->LockMutex +
		!!args->UnlockMutex;

	atomic_store(&c_init_mutexes, n);
	if (n != 0 && n != 4)
		return CKR_ARGUMENTS_BAD;
	if (n == 4 && (args->CreateMutex(&m) || args->LockMutex(m) ||
		       args->UnlockMutex(m) || args->DestroyMutex(m)))
		add_fault("a mutex callback failed");
	return CKR_OK;
}

static CK_RV do_initialize(CK_C_INITIALIZE_ARGS *args)
{
	CK_RV rv = number("INIT_RV", CKR_OK);

	atomic_fetch_add(&c_initialize, 1);
	if (initialized == getpid())
		return CKR_CRYPTOKI_ALREADY_INITIALIZED;
	atomic_store(&c_init_null, args == NULL);
	reserved[0] = '\0';
	if (args != NULL) {
		atomic_store(&c_init_flags, args->flags);
		if (args->pReserved)
			snprintf(reserved, sizeof reserved, "=%s", (char *)args->pReserved);
		if (check_mutexes(args) != CKR_OK)
			return CKR_ARGUMENTS_BAD;
	}
	nap("INIT_MS");
	run_hook("initialize");
	if (number("FORK_IN_INIT", 0)) {
		int status;
		pid_t pid = fork();

		if (pid == 0)
			_exit(0);
		if (pid < 0 || waitpid(pid, &status, 0) != pid)
			add_fault("fork inside C_Initialize failed");
	}
	if (number("REENTER", 0)) {
		void **(*load)(const char *, int);
		void (*release)(void **);
		void **modules;

		*(void **)&load = dlsym(RTLD_DEFAULT, "p11_kit_modules_load");
		*(void **)&release = dlsym(RTLD_DEFAULT, "p11_kit_modules_release");
		modules = load ? load(NULL, 0) : NULL;
		if (modules == NULL)
			add_fault("p11_kit_modules_load inside C_Initialize failed");
		else
			release(modules);
	}
	if (rv == CKR_OK) {
		memset(sessions, 0, sizeof sessions);
		initialized = getpid();
	}
	return rv;
}

static CK_RV count_C_Initialize(void *args)
{
	CK_RV rv;

	begin_exclusive("C_Initialize while another call runs");
	rv = do_initialize(args);
	atomic_fetch_sub(&exclusive, 1);
	return rv;
}

static CK_RV count_C_Finalize(void *arg)
{
	CK_RV rv = number("FINALIZE_RV", CKR_OK);

	atomic_fetch_add(&c_finalize, 1);
	if (arg != NULL)
		return CKR_ARGUMENTS_BAD;
	if (initialized != getpid()) {
		atomic_fetch_add(&c_uninit, 1);
		return CKR_CRYPTOKI_NOT_INITIALIZED;
	}
	begin_exclusive("C_Finalize while another call runs");
	nap("FINALIZE_MS");
	run_hook("finalize");
	if (rv == CKR_OK)
		initialized = 0;
	atomic_fetch_sub(&exclusive, 1);
	return rv;
}

static CK_RV count_C_GetInfo(CK_INFO *info)
{
	ENTER(M_C_GetInfo);
	if (info == NULL)
		return leave(CKR_ARGUMENTS_BAD);
	memset(info, ' ', sizeof *info);
	info->cryptokiVersion.major = 2;
	info->cryptokiVersion.minor = 20;
	memcpy(&info->manufacturerID, "p11mux tests", 12);
	info->flags = 0;
	memcpy(&info->libraryDescription, base, strnlen(base, 32));
	info->libraryVersion.major = 1;
	info->libraryVersion.minor = 7;
	run_hook("call");
	return leave(CKR_OK);
}

static CK_RV count_C_GetSlotList(CK_BBOOL present, CK_SLOT_ID *slots, CK_ULONG *count)
{
	CK_RV rv = CKR_OK;

	ENTER(M_C_GetSlotList);
	(void)present;
	if (count == NULL)
		return leave(CKR_ARGUMENTS_BAD);
	if (slots != NULL && *count < 2)
		rv = CKR_BUFFER_TOO_SMALL;
	else if (slots != NULL)
		slots[0] = 1, slots[1] = 2;
	*count = number("SLOT_COUNT", 2);
	return leave(rv);
}

static CK_RV count_C_GetSlotInfo(CK_SLOT_ID slot, CK_SLOT_INFO *info)
{
	ENTER(M_C_GetSlotInfo);
	if (slot != 1 && slot != 2)
		return leave(CKR_SLOT_ID_INVALID);
	memset(info, 0, sizeof *info);
	memset(info->slotDescription, ' ', sizeof info->slotDescription);
	memset(info->manufacturerID, ' ', sizeof info->manufacturerID);
	info->flags = CKF_TOKEN_PRESENT;
	return leave(CKR_OK);
}

static CK_RV count_C_GetTokenInfo(CK_SLOT_ID slot, CK_TOKEN_INFO *info)
{
	ENTER(M_C_GetTokenInfo);
	if (slot != 1 && slot != 2)
		return leave(CKR_SLOT_ID_INVALID);
	memset(info, 0, sizeof *info);
	memset(info->label, ' ', sizeof info->label);
	memset(info->manufacturerID, ' ', sizeof info->manufacturerID);
	memset(info->model, ' ', sizeof info->model);
	memset(info->serialNumber, ' ', sizeof info->serialNumber);
	info->label[0] = slot == 1 ? '1' : '2';
	info->flags = CKF_TOKEN_INITIALIZED;
	return leave(CKR_OK);
}

static CK_RV count_C_OpenSession(CK_SLOT_ID slot, CK_FLAGS flags, void *app, void *notify,
				 CK_SESSION_HANDLE *session)
{
	CK_RV rv = CKR_SESSION_COUNT;
	int i;

	ENTER(M_C_OpenSession);
	atomic_store(&c_application, (long)app);
	atomic_store(&c_notify, (long)notify);
	if (session == NULL)
		return leave(CKR_ARGUMENTS_BAD);
	if (slot != 1 && slot != 2)
		return leave(CKR_SLOT_ID_INVALID);
	if (!(flags & CKF_SERIAL_SESSION))
		return leave(CKR_SESSION_PARALLEL_NOT_SUPPORTED);
	pthread_mutex_lock(&lock);
	if (number("REUSE", 0))
		next_session = 1;
	for (i = 1; i < SESSIONS; i++, next_session++) {
		unsigned long h = next_session % SESSIONS;

		if (h == 0 || sessions[h].open)
			continue;
		sessions[h].open = true;
		sessions[h].slot = slot;
		sessions[h].flags = flags;
		*session = h;
		next_session++;
		atomic_fetch_add(&c_opened, 1);
		rv = CKR_OK;
		break;
	}
	pthread_mutex_unlock(&lock);
	return leave(rv);
}

static bool is_open(CK_SESSION_HANDLE s)
{
	return s > 0 && s < SESSIONS && sessions[s].open;
}

static CK_RV count_C_CloseSession(CK_SESSION_HANDLE session)
{
	CK_RV rv = number("CLOSE_RV", CKR_OK);

	ENTER(M_C_CloseSession);
	if (rv != CKR_OK)
		return leave(rv);
	pthread_mutex_lock(&lock);
	if (is_open(session)) {
		sessions[session].open = false;
		atomic_fetch_add(&c_closed, 1);
	} else {
		rv = CKR_SESSION_HANDLE_INVALID;
	}
	pthread_mutex_unlock(&lock);
	return leave(rv);
}

static CK_RV count_C_CloseAllSessions(CK_SLOT_ID slot)
{
	unsigned long i;

	ENTER(M_C_CloseAllSessions);
	atomic_fetch_add(&c_closeall, 1);
	pthread_mutex_lock(&lock);
	for (i = 1; i < SESSIONS; i++)
		if (sessions[i].open && sessions[i].slot == slot) {
			sessions[i].open = false;
			atomic_fetch_add(&c_closed, 1);
		}
	pthread_mutex_unlock(&lock);
	return leave(CKR_OK);
}

static CK_RV count_C_GetSessionInfo(CK_SESSION_HANDLE session, CK_SESSION_INFO *info)
{
	CK_RV rv = CKR_OK;

	ENTER(M_C_GetSessionInfo);
	pthread_mutex_lock(&lock);
	if (!is_open(session)) {
		rv = CKR_SESSION_HANDLE_INVALID;
	} else {
		memset(info, 0, sizeof *info);
		info->slotID = sessions[session].slot;
		info->flags = sessions[session].flags;
		info->state = CKS_RO_PUBLIC_SESSION;
	}
	pthread_mutex_unlock(&lock);
	return leave(rv);
}

/* The slow call: it takes CALL_MS. */
static CK_RV count_C_SeedRandom(CK_SESSION_HANDLE session, CK_BYTE *seed, CK_ULONG n)
{
	ENTER(M_C_SeedRandom);
	(void)session;
	(void)seed;
	(void)n;
	nap("CALL_MS");
	run_hook("call");
	/* The caller must not have been finalised under us. */
	if (initialized != getpid())
		add_fault("finalised while a call was running");
	return leave(CKR_OK);
}

static CK_RV count_C_GenerateRandom(CK_SESSION_HANDLE session, CK_BYTE *data, CK_ULONG n)
{
	ENTER(M_C_GenerateRandom);
	(void)session;
	memset(data, 4, n);
	return leave(CKR_OK);
}

static CK_RV count_C_GetFunctionStatus(CK_SESSION_HANDLE session)
{
	ENTER(M_C_GetFunctionStatus);
	(void)session;
	return leave(CKR_FUNCTION_NOT_PARALLEL);
}

static CK_RV count_C_CancelFunction(CK_SESSION_HANDLE session)
{
	ENTER(M_C_CancelFunction);
	(void)session;
	return leave(CKR_FUNCTION_NOT_PARALLEL);
}

void counting_fill(void **list)
{
#define OWN(name) list[M_##name] = (void *)count_##name
	OWN(C_Initialize);
	OWN(C_Finalize);
	OWN(C_GetInfo);
	OWN(C_GetSlotList);
	OWN(C_GetSlotInfo);
	OWN(C_GetTokenInfo);
	OWN(C_OpenSession);
	OWN(C_CloseSession);
	OWN(C_CloseAllSessions);
	OWN(C_GetSessionInfo);
	OWN(C_SeedRandom);
	OWN(C_GenerateRandom);
	OWN(C_GetFunctionStatus);
	OWN(C_CancelFunction);
#undef OWN
}
