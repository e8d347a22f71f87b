/*
 * Forks. An engine does not survive fork: its threads stay behind. The shim
 * therefore numbers processes: the first is generation 1, its child 2, and so
 * on down the line. A child never calls its parent's engine; what it inherited
 * is marked with an older generation.
 *
 * A mark in memory that the kernel wipes in every child (MADV_WIPEONFORK) lets
 * us notice also a child that was made without the C library's handlers; where
 * the kernel lacks that, the handlers do the wiping.
 */
#define _GNU_SOURCE
#include <time.h>

#include "internal.h"

/* Guards records, handles and the settings. Recursive, since a signal handler may fork while its thread is inside. */
static pthread_mutex_t p11_lock = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;

static _Atomic uint32_t generation; /* 0 until something asks */

/* Held while the dynamic linker works for us: in a child that forked away meanwhile, the linker's lock would stay shut. */
static pthread_mutex_t load_lock = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;

/*
 * How many times this thread is inside the lock, or about to be. A signal handler
 * may fork at any point of that, also where the mutex has no owner yet.
 */
static __thread volatile int inside;

void p11_lock_records(void)
{
	inside++;
	pthread_mutex_lock(&p11_lock);
}

void p11_unlock_records(void)
{
	pthread_mutex_unlock(&p11_lock);
	inside--;
}

void p11_load_lock(void) { pthread_mutex_lock(&load_lock); }
void p11_load_unlock(void) { pthread_mutex_unlock(&load_lock); }

#define FORK_PATIENCE 1 /* seconds */

static __thread bool have_load_lock, have_lock;

/*
 * A fork waits for our locks, but not for ever: their holder may itself wait for
 * what the forking thread has, such as the lock of an allocator whose own
 * handlers ran before ours, or the linker's.
 */
static bool lock_soon(pthread_mutex_t *mutex)
{
	struct timespec until;
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += FORK_PATIENCE;
	return pthread_mutex_clocklock(mutex, CLOCK_MONOTONIC, &until) == 0;
}

static void before_fork(void)
{
	have_load_lock = lock_soon(&load_lock);
	have_lock = inside ? pthread_mutex_trylock(&p11_lock) == 0 : lock_soon(&p11_lock);
}

static void after_fork_in_parent(void)
{
	if (have_lock)
		pthread_mutex_unlock(&p11_lock);
	if (have_load_lock)
		pthread_mutex_unlock(&load_lock);
}

static void new_process(void)
{
	atomic_fetch_add(&generation, 1);
	p11_process_forget();
	p11_process_mark();
	p11_engine_forget_thread();
}

static void after_fork_in_child(void)
{
	/* Whoever held the locks, only this thread is left; and a recursive mutex knows its owner by a number that fork changed. */
	static const pthread_mutex_t fresh = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
	load_lock = fresh;
	p11_lock = fresh;
	p11_process_forked();
	new_process();
}

/* The generation of this process. */
uint32_t p11_generation(void)
{
	if (!p11_process_marked()) {
		p11_lock_records();
		if (!p11_process_marked())
			new_process();
		p11_unlock_records();
	}
	return atomic_load_explicit(&generation, memory_order_acquire);
}

__attribute__((constructor)) static void set_up(void)
{
	pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
}
