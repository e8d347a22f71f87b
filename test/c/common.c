/* Helpers of the C test programs; see common.h. */
#include "common.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "rvnames.h"

const char *section = "main";

static const char *need_env(const char *name)
{
	const char *v = getenv(name);

	if (v == NULL || *v == '\0')
		die("%s is not set", name);
	return v;
}

const char *conf_dir(void)
{
	return need_env("TEST_CONF_DIR");
}

const char *module_dir(void)
{
	return need_env("TEST_MODULE_DIR");
}

bool is_ours(void)
{
	return strcmp(need_env("TEST_LIBRARY"), "ours") == 0;
}

void use_conf(void)
{
	static char paths[5][4096];
	static const char *const names[5] = {
		"pkcs11.conf", "user.conf", "package", "modules", "user"
	};
	const char *dir = getenv("TEST_CONF_DIR");
	int i;

	if (dir == NULL)
		return;
	for (i = 0; i < 5; i++)
		snprintf(paths[i], sizeof paths[i], "%s/%s", dir, names[i]);
	p11_kit_override_system_files(paths[0], paths[1], paths[2], paths[3], paths[4]);
}

/* Writes s with every "from" replaced by "to" into a new string. */
static char *replace(const char *s, const char *from, const char *to)
{
	char *result = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&result, &size);
	const char *hit;

	while (*from && (hit = strstr(s, from)) != NULL) {
		fwrite(s, 1, hit - s, f);
		fputs(to, f);
		s = hit + strlen(from);
	}
	fputs(s, f);
	fclose(f);
	return result;
}

void conf_file(const char *name, const char *fmt, ...)
{
	char path[4096], *text, *done, *slash;
	va_list va;
	FILE *f;

	snprintf(path, sizeof path, "%s/%s", conf_dir(), name);
	for (slash = path + 1; (slash = strchr(slash, '/')) != NULL; slash++) {
		*slash = '\0';
		if (mkdir(path, 0755) < 0 && errno != EEXIST)
			die("mkdir %s: %s", path, strerror(errno));
		*slash = '/';
	}
	va_start(va, fmt);
	if (vasprintf(&text, fmt, va) < 0)
		die("out of memory");
	va_end(va);
	done = replace(text, "@MOD@", module_dir());
	f = fopen(path, "we");
	if (f == NULL)
		die("open %s: %s", path, strerror(errno));
	fputs(done, f);
	fclose(f);
	free(text);
	free(done);
}

void conf_remove(const char *name)
{
	char path[4096];

	snprintf(path, sizeof path, "%s/%s", conf_dir(), name);
	if (unlink(path) < 0)
		die("unlink %s: %s", path, strerror(errno));
}

const char *module_path(const char *base)
{
	static __thread char bufs[4][4096];
	static __thread unsigned turn;
	char *buf = bufs[turn++ % 4];

	snprintf(buf, sizeof bufs[0], "%s/%s.so", module_dir(), base);
	return buf;
}

/* Replaces in *s, and frees what it replaces. */
static void rewrite(char **s, const char *from, const char *to)
{
	char *next = replace(*s, from, to);

	free(*s);
	*s = next;
}

void out(const char *name, const char *fmt, ...)
{
	static const struct { CK_RV rv; const char *name; } texts[] = {
#define RV(name, value) { value, "<" #name ">" },
		RVNAMES(RV)
#undef RV
	};
	char *text;
	va_list va;
	size_t i;

	va_start(va, fmt);
	if (vasprintf(&text, fmt, va) < 0)
		die("out of memory");
	va_end(va);
	rewrite(&text, conf_dir(), "$CONF");
	rewrite(&text, module_dir(), "$MOD");
	rewrite(&text, "\n", "\\n");
	for (i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		const char *t = p11_kit_strerror(texts[i].rv);
		size_t have = strlen(text), want = strlen(t);

		/* Only at the end, where messages carry these texts. */
		if (want > 0 && have >= want && strcmp(text + have - want, t) == 0) {
			text[have - want] = '\0';
			printf("%s/%s: %s%s\n", section, name, text, texts[i].name);
			free(text);
			return;
		}
	}
	printf("%s/%s: %s\n", section, name, text);
	free(text);
}

void out_rv(const char *name, CK_RV rv)
{
	out(name, "%s", rv_name(rv));
}

void out_message(const char *name)
{
	const char *m = p11_kit_message();

	out(name, "%s", m ? m : "(none)");
}

static int capture_fd = -1, capture_saved = -1;

void capture_begin(void)
{
	capture_fd = memfd_create("capture", MFD_CLOEXEC);
	capture_saved = fcntl(2, F_DUPFD_CLOEXEC, 100);
	if (capture_fd < 0 || capture_saved < 0 || dup2(capture_fd, 2) < 0)
		die("capture: %s", strerror(errno));
}

char *capture_end(void)
{
	off_t size = lseek(capture_fd, 0, SEEK_END);
	char *text = calloc(1, size + 1);

	dup2(capture_saved, 2);
	close(capture_saved);
	if (pread(capture_fd, text, size, 0) != size)
		die("capture: short read");
	close(capture_fd);
	return text;
}

int run_child(void (*fn)(void *), void *data, int seconds)
{
	int status, i;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid < 0)
		die("fork: %s", strerror(errno));
	if (pid == 0) {
		fn(data);
		fflush(stdout);
		_exit(0);
	}
	for (i = 0; i < seconds * 100; i++) {
		if (waitpid(pid, &status, WNOHANG) == pid)
			return WIFEXITED(status) ? WEXITSTATUS(status)
						 : 1000 + WTERMSIG(status);
		sleep_ms(10);
	}
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	return 2000;
}

counting_t counting_open(const char *base)
{
	counting_t c;

	c.handle = dlopen(module_path(base), RTLD_NOW | RTLD_LOCAL);
	if (c.handle == NULL)
		die("%s", dlerror());
	*(void **)&c.get = dlsym(c.handle, "counting_get");
	*(void **)&c.reset = dlsym(c.handle, "counting_reset");
	*(void **)&c.hook = dlsym(c.handle, "counting_hook");
	*(void **)&c.text = dlsym(c.handle, "counting_text");
	if (!c.get || !c.reset || !c.hook || !c.text)
		die("%s is not a counting module", base);
	return c;
}

long rss_kib(void)
{
	long pages = 0, dummy;
	FILE *f = fopen("/proc/self/statm", "re");

	if (f == NULL || fscanf(f, "%ld %ld", &dummy, &pages) != 2)
		die("cannot read /proc/self/statm");
	fclose(f);
	return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

int open_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	int n = 0;

	if (d == NULL)
		die("cannot read /proc/self/fd");
	while (readdir(d) != NULL)
		n++;
	closedir(d);
	return n - 3; /* ".", ".." and the directory itself */
}

int run_cases(const struct host_case *cases, size_t n, int argc, char **argv, void (*prepare)(void))
{
	size_t i;

	use_conf();
	for (i = 0; i < n; i++) {
		if (argc < 2) {
			printf("%s %s\n", cases[i].name, cases[i].ours ? "ours" : "both");
		} else if (strcmp(argv[1], cases[i].name) == 0) {
			if (prepare)
				prepare();
			cases[i].fn();
			return 0;
		}
	}
	if (argc >= 2)
		die("no case %s", argv[1]);
	return 0;
}
