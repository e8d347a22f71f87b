/* The counting module's function lists, its entry points, and its reports. */
#include "counting.h"

#include <dlfcn.h>
#include <fcntl.h>

#define EXPORT __attribute__((visibility("default")))

static atomic_ulong args_seen[10];

/* All other members: they note which one was called with which arguments, and
 * answer with a code that says so. */
#define MEMBER(n, name, args, since) \
static CK_RV plain_##name(CK_ULONG a, CK_ULONG b, CK_ULONG c, CK_ULONG d, CK_ULONG e, \
			  CK_ULONG f, CK_ULONG g, CK_ULONG h, CK_ULONG i, CK_ULONG j) \
{ \
	CK_ULONG in[10] = { a, b, c, d, e, f, g, h, i, j }; \
	int k; \
	ENTER(n); \
	for (k = 0; k < args; k++) \
		atomic_store(&args_seen[k], in[k]); \
	for (; k < 10; k++) \
		atomic_store(&args_seen[k], 0); \
	return leave(CKR_VENDOR_DEFINED + n); \
}
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
MEMBERS(MEMBER)
#pragma GCC diagnostic pop
#undef MEMBER

static void *list240[M_LAST_320 + 1];
static void *list300[M_LAST_320 + 1];

static void fill(void **list, int version, int last)
{
#define MEMBER(n, name, args, since) if (n <= last) list[n] = (void *)plain_##name;
	MEMBERS(MEMBER)
#undef MEMBER
	counting_fill(list);
	if (number("NULL_LIST", 0))
		memset(list, 0, (last + 1) * sizeof *list);
	((CK_BYTE *)list)[0] = version / 100;
	((CK_BYTE *)list)[1] = version % 100;
}

EXPORT CK_RV C_GetFunctionList(CK_FUNCTION_LIST **out)
{
	CK_RV rv = number("LIST_RV", CKR_OK);

	atomic_fetch_add(&c_lists, 1);
	if (rv != CKR_OK)
		return rv;
	if (out == NULL)
		return CKR_ARGUMENTS_BAD;
	*out = (CK_FUNCTION_LIST *)list240;
	return CKR_OK;
}

#if defined(VERSION_300) || defined(VERSION_320)
struct interface {
	CK_BYTE *name;
	void *list;
	CK_FLAGS flags;
};

static struct interface interfaces[2] = {
	{ (CK_BYTE *)"PKCS 11", list300, 0 },
	{ (CK_BYTE *)"PKCS 11", list240, 0 },
};

EXPORT CK_RV C_GetInterfaceList(struct interface *out, CK_ULONG *count)
{
	CK_RV rv = CKR_OK;

	if (count == NULL)
		return CKR_ARGUMENTS_BAD;
	if (out != NULL && *count < 2)
		rv = CKR_BUFFER_TOO_SMALL;
	else if (out != NULL)
		memcpy(out, interfaces, sizeof interfaces);
	*count = 2;
	return rv;
}

EXPORT CK_RV C_GetInterface(CK_BYTE *name, CK_VERSION *version, struct interface **out,
			    CK_FLAGS flags)
{
	CK_RV rv = number("INTERFACE_RV", CKR_OK);
	int i;

	atomic_fetch_add(&c_interfaces, 1);
	if (version)
		atomic_store(&c_interface_version, version->major * 100 + version->minor);
	if (rv != CKR_OK)
		return rv;
	if (name != NULL && strcmp((char *)name, "PKCS 11") != 0)
		return CKR_ARGUMENTS_BAD;
	for (i = 0; i < 2; i++) {
		CK_VERSION *v = interfaces[i].list;

		if (version && (v->major != version->major || v->minor != version->minor))
			continue;
		if ((interfaces[i].flags & flags) != flags)
			continue;
		*out = &interfaces[i];
		return CKR_OK;
	}
	return CKR_ARGUMENTS_BAD;
}
#endif

static const struct { const char *name; atomic_long *value; } counters[] = {
	{ "initialize", &c_initialize }, { "finalize", &c_finalize }, { "calls", &c_calls },
	{ "uninit", &c_uninit }, { "faults", &c_faults }, { "opened", &c_opened },
	{ "closed", &c_closed }, { "closeall", &c_closeall }, { "lists", &c_lists },
	{ "interfaces", &c_interfaces }, { "init_flags", &c_init_flags },
	{ "init_mutexes", &c_init_mutexes }, { "init_null", &c_init_null },
	{ "max_inside", &c_max_inside }, { "last", &c_last },
	{ "interface_version", &c_interface_version }, { "application", &c_application },
	{ "notify", &c_notify },
};
#define COUNTERS (sizeof counters / sizeof counters[0])

/* A counter by name; "open" is the number of open sessions, "initialized"
 * whether this process has the module initialised, "arg0" to "arg9" the
 * arguments of the last plain call.  -1 if there is none of that name. */
EXPORT long counting_get(const char *name)
{
	long n = 0;
	size_t i;

	if (strcmp(name, "initialized") == 0)
		return initialized == getpid();
	if (strcmp(name, "open") == 0) {
		pthread_mutex_lock(&lock);
		for (i = 1; i < SESSIONS; i++)
			n += sessions[i].open;
		pthread_mutex_unlock(&lock);
		return initialized == getpid() ? n : 0;
	}
	if (strncmp(name, "arg", 3) == 0 && name[3] >= '0' && name[3] <= '9')
		return atomic_load(&args_seen[name[3] - '0']);
	for (i = 0; i < COUNTERS; i++)
		if (strcmp(counters[i].name, name) == 0)
			return atomic_load(counters[i].value);
	return -1;
}

/* "reserved" is "=" and the string given as pReserved, or "" if it was NULL;
 * "fault" the first rule that was broken, or "". */
EXPORT const char *counting_text(const char *name)
{
	return strcmp(name, "reserved") == 0 ? reserved : fault;
}

/* Sets all counters to zero; state and sessions stay. */
EXPORT void counting_reset(void)
{
	size_t i;

	for (i = 0; i < COUNTERS; i++)
		atomic_store(counters[i].value, 0);
	fault[0] = '\0';
}

/* Runs fn(data) once inside the next "initialize", "finalize" or "call"
 * (C_GetInfo, C_SeedRandom). */
EXPORT void counting_hook(const char *where, void (*fn)(void *), void *data)
{
	hook.where = where;
	hook.data = data;
	hook.fn = fn;
}

/* A fork by another thread must find the module at rest: hosts are tested here,
 * not this module's locks. */
static void before_fork(void)
{
	pthread_mutex_lock(&lock);
}

static void after_fork(void)
{
	pthread_mutex_unlock(&lock);
}

static void in_child(void)
{
	pthread_mutex_unlock(&lock);
	/* Threads that were inside do not exist here. */
	atomic_store(&inside, 0);
	atomic_store(&exclusive, 0);
}

__attribute__((constructor)) static void start(void)
{
	Dl_info info;
	const char *slash;

	if (dladdr((void *)&counters, &info) && info.dli_fname) {
		slash = strrchr(info.dli_fname, '/');
		snprintf(base, sizeof base, "%s", slash ? slash + 1 : info.dli_fname);
		if (strchr(base, '.'))
			*strchr(base, '.') = '\0';
	}
	pthread_atfork(before_fork, after_fork, in_child);
	fill(list240, 240, M_LAST_240);
#if defined(VERSION_320)
	fill(list300, 302, M_LAST_320);
#elif defined(VERSION_300)
	fill(list300, 300, M_LAST_300);
#else
	(void)list300;
#endif
}

__attribute__((destructor)) static void stop(void)
{
	const char *path = getenv("COUNTING_LOG");
	char buf[2048];
	size_t i, n = 0;
	int fd;

	if (path == NULL || (fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644)) < 0)
		return;
	for (i = 0; i < COUNTERS; i++)
		n += snprintf(buf + n, sizeof buf - n, "%s.%s %ld\n", base, counters[i].name,
			      atomic_load(counters[i].value));
	n += snprintf(buf + n, sizeof buf - n, "%s.open %ld\n", base, counting_get("open"));
	if (write(fd, buf, n) != (ssize_t)n)
		perror(path);
	close(fd);
}
