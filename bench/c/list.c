/*
 * list ROOT N [memory]
 *
 * Loads and initializes the N modules that are configured below ROOT, lists
 * their slots, and finalizes them. Built with WITHOUT_LIBRARY it does the same
 * to ROOT/modules/00.so and so on by itself. With "memory" it prints "own", the
 * kB of memory that are not shared with any other process, while all is loaded.
 */
#define P11_KIT_FUTURE_UNSTABLE_API
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"

static void list_slots(CK_FUNCTION_LIST *list)
{
	CK_ULONG count = 0;
	bench_check(list->C_GetSlotList(CK_FALSE, NULL, &count), "C_GetSlotList");
	CK_SLOT_ID *slots = calloc(count + 1, sizeof *slots);
	if (!slots)
		bench_die("out of memory");
	bench_check(list->C_GetSlotList(CK_FALSE, slots, &count), "C_GetSlotList");
	if (count == 0)
		bench_die("a module has no slots");
	free(slots);
}

#ifdef WITHOUT_LIBRARY

static CK_FUNCTION_LIST **load(const char *root, long n)
{
	CK_FUNCTION_LIST **lists = calloc((size_t)n + 1, sizeof *lists);
	CK_C_INITIALIZE_ARGS args = { .flags = CKF_OS_LOCKING_OK };
	char path[4096];
	for (long i = 0; lists && i < n; i++) {
		snprintf(path, sizeof path, "%s/modules/%02ld.so", root, i);
		lists[i] = bench_raw(path);
		bench_check(lists[i]->C_Initialize(&args), "C_Initialize");
	}
	return lists;
}

static void unload(CK_FUNCTION_LIST **lists)
{
	for (CK_FUNCTION_LIST **list = lists; *list; list++)
		bench_check((*list)->C_Finalize(NULL), "C_Finalize");
	free(lists);
}

#else

/* The library keeps the pointers. */
static char places[5][4096];

static CK_FUNCTION_LIST **load(const char *root, long n)
{
	static const char *const names[] = { "system.conf", "user.conf", "package", "system", "user" };
	(void)n;
	for (int i = 0; i < 5; i++)
		snprintf(places[i], sizeof places[i], "%s/%s", root, names[i]);
	p11_kit_override_system_files(places[0], places[1], places[2], places[3], places[4]);
	return p11_kit_modules_load_and_initialize(0);
}

static void unload(CK_FUNCTION_LIST **lists)
{
	p11_kit_modules_finalize_and_release(lists);
}

#endif

int main(int argc, char **argv)
{
	if (argc < 3)
		bench_die("usage: list ROOT N [memory]");
	long n = bench_number(argv[2], "N"), loaded = 0;
	CK_FUNCTION_LIST **lists = load(argv[1], n);
	if (!lists)
		bench_die("the modules cannot be loaded");
	for (CK_FUNCTION_LIST **list = lists; *list; list++, loaded++)
		list_slots(*list);
	if (loaded != n)
		bench_die("%ld modules were loaded, not %ld", loaded, n);
	if (argc > 3 && strcmp(argv[3], "memory") == 0)
		printf("own %ld\n", bench_memory().own);
	unload(lists);
	return 0;
}
