/*
 * A host that is not linked to the library but opens and closes it, as plug-ins
 * do: dlopen CASE.  Stands alone, since the common helpers are linked to it.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <p11-kit/pkcs11.h>

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define must(cond) do { if (!(cond)) { \
	fprintf(stderr, "dlopen.c:%d: expected %s\n", __LINE__, #cond); _exit(3); } } while (0)

typedef CK_FUNCTION_LIST *list_t;

struct library {
	void *handle;
	list_t (*load)(const char *, int);
	void (*release)(list_t);
	char *(*filename)(list_t);
	const char *(*strerror)(CK_RV);
};

static struct library library_open(int flags)
{
	struct library l;

	l.handle = dlopen("libp11-kit.so.0", flags);
	if (l.handle == NULL) {
		fprintf(stderr, "%s\n", dlerror());
		_exit(3);
	}
	*(void **)&l.load = dlsym(l.handle, "p11_kit_module_load");
	*(void **)&l.release = dlsym(l.handle, "p11_kit_module_release");
	*(void **)&l.filename = dlsym(l.handle, "p11_kit_module_get_filename");
	*(void **)&l.strerror = dlsym(l.handle, "p11_kit_strerror");
	must(l.load && l.release && l.filename && l.strerror);
	return l;
}

static const char *module_path(void)
{
	static char path[4096];

	snprintf(path, sizeof path, "%s/a.so", getenv("TEST_MODULE_DIR"));
	return path;
}

static void use(list_t m)
{
	CK_SESSION_HANDLE s;

	must(m->C_Initialize(NULL) == CKR_OK);
	must(m->C_OpenSession(1, CKF_SERIAL_SESSION, NULL, NULL, &s) == CKR_OK);
	must(m->C_Finalize(NULL) == CKR_OK);
}

static void cycle(int flags)
{
	struct library l = library_open(flags);
	list_t m = l.load(module_path(), 0);

	must(m);
	use(m);
	l.release(m);
	must(dlclose(l.handle) == 0);
}

static void case_loop(void)
{
	int i;

	for (i = 0; i < 200; i++)
		cycle(i % 2 ? RTLD_NOW | RTLD_LOCAL : RTLD_LAZY | RTLD_GLOBAL);
}

/* Opened and closed without a need for modules. */
static void case_unused(void)
{
	int i;

	for (i = 0; i < 200; i++) {
		struct library l = library_open(RTLD_NOW);

		must(*l.strerror(CKR_PIN_INCORRECT));
		must(dlclose(l.handle) == 0);
	}
}

/* Lists outlive the handle through which they were obtained. */
static void case_kept(void)
{
	struct library l = library_open(RTLD_NOW);
	list_t m = l.load(module_path(), 0);

	must(m);
	must(m->C_Initialize(NULL) == CKR_OK);
	must(dlclose(l.handle) == 0);
	must(m->C_Finalize(NULL) == CKR_OK);
	use(m);
	cycle(RTLD_NOW);
	l = library_open(RTLD_NOW);
	must(strcmp(l.filename(m), module_path()) == 0);
	l.release(m);
}

static void case_deep(void)
{
	cycle(RTLD_NOW | RTLD_DEEPBIND);
	cycle(RTLD_NOW | RTLD_LOCAL);
}

int main(int argc, char **argv)
{
	static const struct { const char *name; void (*fn)(void); } cases[] = {
		{ "loop", case_loop }, { "unused", case_unused }, { "kept", case_kept },
		{ "deep", case_deep },
	};
	size_t i;

	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		if (argc < 2) {
			printf("%s both\n", cases[i].name);
		} else if (strcmp(argv[1], cases[i].name) == 0) {
			cases[i].fn();
			return 0;
		}
	}
	must(argc < 2);
	return 0;
}
