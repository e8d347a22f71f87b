/*
 * What a program in C sees of the library, for the doctor command: a process of its own, so that what goes wrong in it is told and does
 * not end the one that asks.
 *
 *   enginecheck where NAME    which file the dynamic linker takes for a library
 *   enginecheck try FILE      loads the library, has it load its engine, and again in a child of a fork
 *
 * It prints a line for each answer: a word, a space, and a path or a text. What cannot be answered within a time ends by SIGALRM.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <link.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PATIENCE = 20 }; /* seconds; an engine is there in milliseconds */

typedef void **load_function(const char *reserved, int flags);
typedef void release_function(void **modules);
typedef const char *message_function(void);

static load_function *load;
static release_function *release;
static message_function *message;

static void *find(void *library, const char *name)
{
	void *f = dlsym(library, name);
	if (!f)
		printf("failed %s\n", dlerror());
	return f;
}

/* Loads the modules, of which the configuration has none: for that the engine must be there. */
static int use(void)
{
	void **modules = load(NULL, 0);
	if (!modules)
		return -1;
	release(modules);
	return 0;
}

static const char *why(void)
{
	const char *text = message();
	return text ? text : "it does not say why";
}

static int in_child(void)
{
	fflush(stdout);
	pid_t pid = fork();
	if (pid < 0) {
		printf("nofork cannot fork: %m\n");
		return 1;
	}
	if (pid == 0) {
		alarm(PATIENCE / 2);
		if (use() < 0) {
			printf("nofork %s\n", why());
			fflush(stdout);
			_exit(1);
		}
		_exit(0);
	}
	int status;
	if (waitpid(pid, &status, 0) < 0) {
		printf("nofork %m\n");
		return 1;
	}
	if (WIFSIGNALED(status))
		printf("nofork the child was ended by a signal: %s\n", strsignal(WTERMSIG(status)));
	else if (WEXITSTATUS(status) == 0)
		printf("fork ok\n");
	return status != 0;
}

static int try_engine(void *library)
{
	load = (load_function *)find(library, "p11_kit_modules_load");
	release = (release_function *)find(library, "p11_kit_modules_release");
	message = (message_function *)find(library, "p11_kit_message");
	if (!load || !release || !message)
		return 1;
	if (use() < 0) {
		printf("failed %s\n", why());
		return 1;
	}
	printf("engine ok\n");
	return in_child();
}

int main(int argc, char **argv)
{
	if (argc != 3 || (strcmp(argv[1], "where") != 0 && strcmp(argv[1], "try") != 0)) {
		fprintf(stderr, "usage: enginecheck where NAME | enginecheck try FILE\n");
		return 2;
	}
	alarm(PATIENCE);
	void *library = dlopen(argv[2], RTLD_NOW);
	if (!library) {
		printf("failed %s\n", dlerror());
		return 1;
	}
	struct link_map *map;
	if (dlinfo(library, RTLD_DI_LINKMAP, &map) == 0)
		printf("library %s\n", map->l_name);
	return strcmp(argv[1], "try") == 0 ? try_engine(library) : 0;
}
