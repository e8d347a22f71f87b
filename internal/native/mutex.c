/*
 * Mutexes for modules that ask for them (PKCS#11 3.2 §3.7). Modules lock them
 * many times in a call, so they are of the fastest kind, which does not find
 * mistakes; the owner that is noted beside does.
 *
 * A module may lock its mutexes in a forked child, to clean up what it was, and
 * the threads that have them locked stayed in the parent. So they are in memory
 * that the kernel wipes in a child: there all of them are unlocked.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "../../include/p11-kit/pkcs11.h"
#include "load.h"

struct mutex {
	_Alignas(64) pthread_mutex_t lock; /* unlocked when it is zero */
	_Atomic(pthread_t) owner; /* 0: nobody. Only the owner finds itself there. */
};

static const pthread_mutex_t unlocked = PTHREAD_MUTEX_INITIALIZER;

/* Memory for as many mutexes as a word has bits. It is kept until the process ends, and used again. */
struct block {
	struct block *next;
	struct mutex *mutexes;
	_Atomic uint64_t used; /* a bit for each; not in memory that is wiped */
};

enum { BLOCK = 64 };

static _Atomic(struct block *) blocks;

/* Takes a free mutex of a block, NULL if there is none. */
static struct mutex *take(struct block *block)
{
	uint64_t used = atomic_load(&block->used);
	while (~used) {
		int i = __builtin_ctzll(~used);
		if (atomic_compare_exchange_weak(&block->used, &used, used | (uint64_t)1 << i))
			return &block->mutexes[i];
	}
	return NULL;
}

/* Makes a block of which one mutex is taken, and gives that; NULL if there is no memory. */
static struct mutex *grow(void)
{
	struct block *block = malloc(sizeof *block);
	if (!block)
		return NULL;
	block->mutexes = mmap(NULL, BLOCK * sizeof *block->mutexes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (block->mutexes == MAP_FAILED) {
		free(block);
		return NULL;
	}
	madvise(block->mutexes, BLOCK * sizeof *block->mutexes, MADV_WIPEONFORK); /* old kernels have no such thing */
	atomic_init(&block->used, 1);
	block->next = atomic_load(&blocks);
	while (!atomic_compare_exchange_weak(&blocks, &block->next, block))
		;
	return block->mutexes;
}

unsigned long p11_native_create_mutex(void **mutex)
{
	if (!mutex)
		return CKR_ARGUMENTS_BAD;
	struct mutex *made = NULL;
	for (struct block *block = atomic_load(&blocks); block && !made; block = block->next)
		made = take(block);
	if (!made && !(made = grow()))
		return CKR_HOST_MEMORY;
	made->lock = unlocked;
	atomic_init(&made->owner, 0);
	*mutex = made;
	return CKR_OK;
}

unsigned long p11_native_destroy_mutex(void *mutex)
{
	struct mutex *m = mutex;
	for (struct block *block = atomic_load(&blocks); block; block = block->next) {
		uintptr_t i = ((uintptr_t)m - (uintptr_t)block->mutexes) / sizeof *m;
		if ((uintptr_t)m < (uintptr_t)block->mutexes || i >= BLOCK)
			continue;
		if (pthread_mutex_destroy(&m->lock) != 0)
			return CKR_MUTEX_BAD;
		atomic_fetch_and(&block->used, ~((uint64_t)1 << i));
		return CKR_OK;
	}
	return CKR_MUTEX_BAD;
}

static int is_mine(struct mutex *m)
{
	return atomic_load_explicit(&m->owner, memory_order_relaxed) == pthread_self();
}

unsigned long p11_native_lock_mutex(void *mutex)
{
	struct mutex *m = mutex;
	if (!m || is_mine(m) || pthread_mutex_lock(&m->lock) != 0)
		return CKR_MUTEX_BAD;
	atomic_store_explicit(&m->owner, pthread_self(), memory_order_relaxed);
	return CKR_OK;
}

unsigned long p11_native_unlock_mutex(void *mutex)
{
	struct mutex *m = mutex;
	if (!m)
		return CKR_MUTEX_BAD;
	if (!is_mine(m))
		return CKR_MUTEX_NOT_LOCKED;
	atomic_store_explicit(&m->owner, 0, memory_order_relaxed);
	pthread_mutex_unlock(&m->lock);
	return CKR_OK;
}
