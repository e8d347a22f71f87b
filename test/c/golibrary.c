/*
 * A program in C that uses a module through libp11-kit.so.0, and has libraries
 * in Go that use the same module by the Go API: golibrary STEP... The libraries
 * are a and b, $GOLIBRARY_a and $GOLIBRARY_b, and the module is $MODULE.
 *
 *   c= a= b=       comes into the process, and does nothing
 *   c+ a+ b+       comes if it has not yet, and initializes the module
 *   a* b*          the same with the module that is configured
 *   c  a  b        uses it
 *   c- a- b-       finalizes it
 *   a! b!          is refused a module that is not there
 *   fork           a forked child uses the module
 *   many           c, which is initialized, uses it, while a and b come and go on other threads
 *   counts=1/0     the real C_Initialize and C_Finalize have been called so often
 *   reserved=TEXT  the module was initialized with this reserved string
 *   engine=1       the library has (1) or has not (0) loaded its own engine
 */
#include <dlfcn.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../gojoin/library.h"

#define ROUNDS 25
#define THREADS 3 /* of each */

static const char *step = "start";

__attribute__((noreturn, format(printf, 1, 2))) static void die(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fprintf(stderr, "golibrary: %s: ", step);
	vfprintf(stderr, format, args);
	fprintf(stderr, "\n");
	va_end(args);
	_Exit(1);
}

struct golibrary {
	char *(*open)(const char *path), *(*use)(void), *(*close)(void), *(*all)(const char *path);
};

static struct golibrary libraries[2];
static const char *module;

static void *sym(void *handle, const char *name)
{
	void *found = dlsym(handle, name);

	if (found == NULL)
		die("%s", dlerror());
	return found;
}

static struct golibrary *golibrary(char name)
{
	struct golibrary *l = &libraries[name - 'a'];
	char variable[] = "GOLIBRARY_?";
	void *handle;

	if (l->open)
		return l;
	variable[sizeof variable - 2] = name;
	handle = dlopen(getenv(variable), RTLD_NOW | RTLD_LOCAL);
	if (handle == NULL)
		die("%s", dlerror());
	*(void **)&l->open = sym(handle, "golibrary_open");
	*(void **)&l->use = sym(handle, "golibrary_use");
	*(void **)&l->close = sym(handle, "golibrary_close");
	*(void **)&l->all = sym(handle, "golibrary_all");
	return l;
}

static void in_go(char *error)
{
	if (error)
		die("%s", error);
}

static void refused(char *error)
{
	if (error == NULL || strstr(error, "/nowhere.so") == NULL)
		die("the error does not name the file: %s", error ? error : "none");
	free(error);
}

static void in_c(int line)
{
	if (line)
		die("library.c:%d: failed", line);
}

static void *come_and_go(void *arg)
{
	struct golibrary *l = arg;
	int i;

	for (i = 0; i < ROUNDS; i++)
		in_go(l->all(module));
	return NULL;
}

static void *stay(void *arg)
{
	int i;

	(void)arg;
	for (i = 0; i < ROUNDS; i++)
		in_c(library_use());
	return NULL;
}

static void many(void)
{
	pthread_t threads[3 * THREADS];
	int i;

	for (i = 0; i < 3 * THREADS; i++)
		if (pthread_create(&threads[i], NULL, i % 3 == 2 ? stay : come_and_go, i % 3 == 2 ? NULL : golibrary('a' + i % 3)))
			die("no thread");
	for (i = 0; i < 3 * THREADS; i++)
		pthread_join(threads[i], NULL);
}

static int has_engine(void)
{
	char line[4096];
	int found = 0;
	FILE *f = fopen("/proc/self/maps", "re");

	if (f == NULL)
		die("no maps");
	while (fgets(line, sizeof line, f))
		found |= strstr(line, "/engine.so") != NULL;
	fclose(f);
	return found;
}

static void counts(long initialized, long finalized)
{
	long i = library_count(module, "initialize"), f = library_count(module, "finalize");

	if (i != initialized || f != finalized)
		die("the module counts %ld/%ld", i, f);
	if (library_count(module, "faults") != 0)
		die("the module was used against the rules");
}

static void reserved(const char *want)
{
	void *handle = dlopen(module, RTLD_NOW | RTLD_NOLOAD);
	const char *(*get)(const char *);

	if (handle == NULL)
		die("the module is not loaded");
	*(void **)&get = sym(handle, "counting_text");
	if (strcmp(get("reserved"), want) != 0)
		die("it is '%s'", get("reserved"));
	dlclose(handle);
}

static void c_step(char what)
{
	static int loaded, arrived;

	if (!arrived && dlopen("libp11-kit.so.0", RTLD_NOW | RTLD_LOCAL) == NULL)
		die("%s", dlerror());
	arrived = 1;
	switch (what) {
	case '+':
		if (!loaded)
			in_c(library_load(module));
		loaded = 1;
		in_c(library_begin());
		break;
	case '-':
		loaded = 0;
		in_c(library_end());
		break;
	case 0:
		in_c(library_use());
		break;
	}
}

static void go_step(struct golibrary *l, char what)
{
	switch (what) {
	case '+':
		in_go(l->open(module));
		break;
	case '*':
		in_go(l->open(""));
		break;
	case '-':
		in_go(l->close());
		break;
	case '!':
		refused(l->open("/nowhere.so"));
		break;
	case 0:
		in_go(l->use());
		break;
	}
}

int main(int argc, char **argv)
{
	long n, m;
	int i;

	module = getenv("MODULE");
	for (i = 1; i < argc; i++) {
		step = argv[i];
		if (sscanf(step, "counts=%ld/%ld", &n, &m) == 2)
			counts(n, m);
		else if (sscanf(step, "engine=%ld", &n) == 1) {
			if (has_engine() != n)
				die("it is otherwise");
		} else if (strncmp(step, "reserved=", 9) == 0)
			reserved(step + 8); /* from the = on, as the module tells it */
		else if (strcmp(step, "fork") == 0)
			in_c(library_fork());
		else if (strcmp(step, "many") == 0)
			many();
		else if (step[0] == 'c')
			c_step(step[1]);
		else
			go_step(golibrary(step[0]), step[1]);
	}
	printf("done\n");
	return 0;
}
