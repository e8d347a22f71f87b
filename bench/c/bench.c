#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

double bench_now(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

void bench_die(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	fprintf(stderr, "%s: ", program_invocation_short_name);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	exit(1);
}

void bench_check(CK_RV rv, const char *what)
{
	if (rv != CKR_OK)
		bench_die("%s gave 0x%lx", what, rv);
}

CK_SLOT_ID bench_begin(CK_FUNCTION_LIST *list, const char *name)
{
	CK_C_INITIALIZE_ARGS args = { .flags = CKF_OS_LOCKING_OK };
	CK_SLOT_ID slots[16];
	CK_ULONG count = sizeof slots / sizeof *slots;
	bench_check(list->C_Initialize(&args), "C_Initialize");
	bench_check(list->C_GetSlotList(CK_TRUE, slots, &count), "C_GetSlotList");
	if (count == 0)
		bench_die("%s has no token", name);
	return slots[0];
}

long bench_number(const char *text, const char *what)
{
	char *end;
	errno = 0;
	long n = strtol(text, &end, 10);
	if (end == text || *end || errno || n < 1 || n > INT_MAX)
		bench_die("%s: %s is not a positive number", what, text);
	return n;
}

static void *symbol(void *object, const char *name)
{
	void *found = dlsym(object, name);
	if (!found)
		bench_die("%s", dlerror());
	return found;
}

static void *open_object(const char *path)
{
	void *object = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!object)
		bench_die("%s", dlerror());
	return object;
}

CK_FUNCTION_LIST *bench_raw(const char *module)
{
	CK_FUNCTION_LIST *list;
	CK_C_GetFunctionList get = (CK_C_GetFunctionList)symbol(open_object(module), "C_GetFunctionList");
	bench_check(get(&list), "C_GetFunctionList");
	return list;
}

void bench_way_open(struct bench_way *way, const char *library)
{
	memset(way, 0, sizeof *way);
	if (strcmp(library, "-") == 0)
		return;
	void *object = open_object(library);
	way->load = (CK_FUNCTION_LIST * (*)(const char *, int)) symbol(object, "p11_kit_module_load");
	way->release = (void (*)(CK_FUNCTION_LIST *))symbol(object, "p11_kit_module_release");
	way->message = (const char *(*)(void))symbol(object, "p11_kit_message");
	way->configure = (void (*)(const char *, const char *, const char *, const char *, const char *))symbol(
		object, "p11_kit_override_system_files");
	way->load_all = (CK_FUNCTION_LIST * *(*)(const char *, int)) symbol(object, "p11_kit_modules_load");
	way->proxy = (CK_C_GetFunctionList)symbol(object, "C_GetFunctionList");
	way->object = object;
}

void *bench_function(const struct bench_way *way, const char *name)
{
	return symbol(way->object, name);
}

void bench_configure(const struct bench_way *way, const char *root)
{
	static const char *const names[5] = { "system.conf", "user.conf", "package", "system", "user" };
	char places[5][4096];
	for (int i = 0; i < 5; i++)
		snprintf(places[i], sizeof places[i], "%s/%s", root, names[i]);
	way->configure(places[0], places[1], places[2], places[3], places[4]);
}

CK_FUNCTION_LIST *bench_load(const struct bench_way *way, const char *module)
{
	if (!way->load)
		return bench_raw(module);
	if (strncmp(module, BENCH_PROXY, strlen(BENCH_PROXY)) == 0) {
		CK_FUNCTION_LIST *proxy;
		bench_configure(way, module + strlen(BENCH_PROXY));
		bench_check(way->proxy(&proxy), "C_GetFunctionList of the proxy");
		return proxy;
	}
	if (strncmp(module, BENCH_LOGGED, strlen(BENCH_LOGGED)) == 0) {
		bench_configure(way, module + strlen(BENCH_LOGGED));
		CK_FUNCTION_LIST **lists = way->load_all(NULL, 0);
		if (!lists || !*lists)
			bench_die("p11_kit_modules_load gave nothing");
		int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
		if (null < 0 || dup2(null, STDERR_FILENO) < 0)
			bench_die("/dev/null: %s", strerror(errno));
		return *lists;
	}
	CK_FUNCTION_LIST *list = way->load(module, 0);
	if (!list) {
		const char *message = way->message();
		bench_die("p11_kit_module_load of %s: %s", module, message ? message : "no message");
	}
	return list;
}

void bench_release(const struct bench_way *way, CK_FUNCTION_LIST *list)
{
	if (way->release)
		way->release(list);
}

static long field(const char *text, const char *name)
{
	const char *at = strstr(text, name);
	if (!at)
		bench_die("/proc/self/smaps_rollup has no %s", name);
	return strtol(at + strlen(name), NULL, 10);
}

/* Without the C library's buffers, which would be counted. */
struct bench_memory bench_memory(void)
{
	char text[4096];
	size_t len = 0;
	ssize_t n = -1;
	int fd = open("/proc/self/smaps_rollup", O_RDONLY | O_CLOEXEC);
	while (fd >= 0 && (n = read(fd, text + len, sizeof text - 1 - len)) > 0)
		len += (size_t)n;
	if (n < 0)
		bench_die("/proc/self/smaps_rollup: %s", strerror(errno));
	close(fd);
	text[len] = '\0';
	return (struct bench_memory){
		.resident = field(text, "\nRss:"),
		.own = field(text, "\nPrivate_Clean:") + field(text, "\nPrivate_Dirty:"),
	};
}
