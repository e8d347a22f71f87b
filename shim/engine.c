/*
 * Loading the engine: on first need, once per process, as a quiet guest. In a Go
 * program that has an engine in it, nothing is loaded: that one is joined.
 *
 * A Go runtime changes the signal mask and the alternate stack of a thread that
 * enters it. The host must not see that, so both are put back after a thread's
 * first entry. (The runtime's signal handlers, which it would see too, are never
 * installed: scripts/runtime-overlay.sh.)
 *
 * All signals are blocked during the load, so that the runtime's own threads
 * are born with them blocked: a handler of the host never runs on one of them.
 * And they are blocked while a thread enters for the first time, until the
 * engine has given it a goroutine stack with room for a handler that the host
 * installed without SA_ONSTACK ("warm"); from then on entering costs no system
 * call.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "internal.h"

#define THREADS_PLENTY 4096 /* a limit that does not have to be tried */

static struct p11_build_id first_build; /* of the first engine in this line of processes */
static bool first_known;

static _Atomic uint32_t running_in;  /* generation that engine belongs to; 0: none */
static uint32_t unfit_in;            /* generation whose engine turned out to be of no use */
static char failure[PATH_MAX + 256]; /* why there is no engine; guarded by the load lock */

static __thread uint32_t warm_in; /* generation in which this thread entered the engine */

static void fail(const char *format, ...) P11_PRINTF(1, 2);
static void fail(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vsnprintf(failure, sizeof failure, format, args);
	va_end(args);
}

static void *open_engine(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0) {
		fail("cannot load %s: %s", path, strerrordesc_np(errno));
		return NULL;
	}
	void *handle = NULL;
	struct p11_build_id build;
	bool known = p11_build_id(fd, &build);
	if (!first_known) {
		first_build = build;
		handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
		first_known = handle != NULL;
		if (!handle)
			fail("cannot load the engine: %s", dlerror());
	} else if (!known || build.len != first_build.len || memcmp(build.bytes, first_build.bytes, build.len) != 0) {
		fail("cannot load %s: the file has been replaced since this program started; restart the program",
		     path);
	} else {
		handle = p11_engine_open_copy(fd);
		if (!handle) {
			const char *reason = dlerror();
			fail("cannot load a copy of %s after fork: %s", path,
			     reason ? reason : "no executable memory file and no executable temporary file");
		}
	}
	close(fd);
	return handle;
}

/*
 * The runtime keeps a thread's state under a pthread key, whose destructor has
 * it detach the thread. In a forked child there is no runtime any more to detach
 * from: the destructor would wait for ever. So we find out which key it is, by
 * what the first entry sets, and a child clears it.
 */
static pthread_key_t runtime_key;
static bool runtime_key_known;

static void note_values(void *values[PTHREAD_KEYS_MAX])
{
	for (unsigned key = 0; key < PTHREAD_KEYS_MAX; key++)
		values[key] = pthread_getspecific(key);
}

static void find_runtime_key(void *const before[PTHREAD_KEYS_MAX])
{
	for (unsigned key = 0; key < PTHREAD_KEYS_MAX; key++) {
		if (!before[key] && pthread_getspecific(key)) {
			runtime_key = key;
			runtime_key_known = true;
			return;
		}
	}
}

/* In a forked child: this thread has nothing to do with the parent's engine any more. */
void p11_engine_forget_thread(void)
{
	if (runtime_key_known) {
		pthread_setspecific(runtime_key, NULL);
		runtime_key_known = false;
	}
}

#define THREADS_NEEDED 8 /* what the runtime starts with, and some to spare */

static void *wait_at(void *gate)
{
	pthread_mutex_lock(gate);
	pthread_mutex_unlock(gate);
	return NULL;
}

/* Whether so many threads can live at once; 0 or an error number. */
static int try_threads(void)
{
	pthread_t threads[THREADS_NEEDED];
	pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
	unsigned n = 0;
	int error = 0;
	pthread_mutex_lock(&gate);
	while (n < THREADS_NEEDED && (error = pthread_create(&threads[n], NULL, wait_at, &gate)) == 0)
		n++;
	pthread_mutex_unlock(&gate);
	while (n > 0)
		pthread_join(threads[--n], NULL);
	return error;
}

/*
 * A Go runtime that does not get what it needs ends the process. So what it
 * needs is tried first: address space, most of which is never used, and threads.
 */
static bool runtime_can_start(const char *path)
{
	const size_t space = (size_t)3 << 29;
	void *room = mmap(NULL, space, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (room == MAP_FAILED) {
		fail("cannot load %s: it needs 1.5 GiB of address space, which RLIMIT_AS or memory does not allow",
		     path);
		return false;
	}
	munmap(room, space);
	struct rlimit threads;
	if (prctl(PR_GET_SECCOMP) == 0 && getrlimit(RLIMIT_NPROC, &threads) == 0 && threads.rlim_cur > THREADS_PLENTY)
		return true; /* nothing here forbids threads, and trying would take longer than all else */
	int error = try_threads();
	if (error != 0)
		fail("cannot load %s: it needs to create %d threads: %s", path, THREADS_NEEDED, strerrordesc_np(error));
	return error == 0;
}

/* Whether the engine of this process is the Go program's own: then its threads are as its runtime wants them. */
static _Atomic bool joined;

static bool load(uint32_t generation)
{
	bool join = p11_engine_join();
	atomic_store(&joined, join);
	if (join)
		return true;
	/* Not on the stack, which may be small; the load lock guards them. */
	static char path[PATH_MAX];
	static void *values[PTHREAD_KEYS_MAX];
	if (unfit_in == generation)
		return false;
	if (!p11_engine_path(path, sizeof path)) {
		fail("cannot load %s: %s; is it installed beside this library?", path, strerrordesc_np(errno));
		return false;
	}
	if (!runtime_can_start(path))
		return false;
	void *handle = open_engine(path);
	if (!handle)
		return false;
	note_values(values);
	const char *fault = p11_engine_bind(handle);
	find_runtime_key(values);
	if (fault) {
		unfit_in = generation;
		fail("%s %s", path, fault);
		return false;
	}
	return true;
}

/* First entry of this thread; all signals are blocked by the caller. */
static void warm(void)
{
	stack_t stack;
	bool known = sigaltstack(NULL, &stack) == 0;
	p11_engine_warm();
	if (known)
		sigaltstack(&stack, NULL);
}

static bool enter_first(uint32_t generation, bool may_load)
{
	sigset_t all, mask;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &mask);
	bool running = atomic_load(&running_in) == generation;
	if (!running && may_load) {
		p11_load_lock();
		running = atomic_load(&running_in) == generation || load(generation);
		if (running)
			atomic_store(&running_in, generation);
		else
			p11_message("%s", failure);
		p11_load_unlock();
	}
	if (running) {
		if (!atomic_load(&joined))
			warm();
		warm_in = generation;
	}
	pthread_sigmask(SIG_SETMASK, &mask, NULL);
	return running;
}

/* Must come before each call of the engine: loads it if need be. False with a message if there can be none. */
bool p11_engine_enter(void)
{
	uint32_t generation = p11_generation();
	return warm_in == generation || enter_first(generation, true);
}

/* The same, but false where there is no engine yet. */
bool p11_engine_enter_if_running(void)
{
	uint32_t generation = p11_generation();
	return warm_in == generation || (atomic_load(&running_in) == generation && enter_first(generation, false));
}
