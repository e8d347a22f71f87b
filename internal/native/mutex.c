/*
 * Mutexes for modules that ask for them (PKCS#11 3.2 §3.7). Modules lock them
 * many times in a call, so they are of the fastest kind, which does not find
 * mistakes; the owner that is noted beside does.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "../../include/p11-kit/pkcs11.h"
#include "load.h"

struct mutex {
	pthread_mutex_t lock;
	_Atomic(pthread_t) owner; /* 0: nobody. Only the owner finds itself there. */
};

unsigned long p11_native_create_mutex(void **mutex)
{
	if (!mutex)
		return CKR_ARGUMENTS_BAD;
	struct mutex *made = malloc(sizeof *made);
	if (!made)
		return CKR_HOST_MEMORY;
	if (pthread_mutex_init(&made->lock, NULL) != 0) {
		free(made);
		return CKR_GENERAL_ERROR;
	}
	atomic_init(&made->owner, 0);
	*mutex = made;
	return CKR_OK;
}

unsigned long p11_native_destroy_mutex(void *mutex)
{
	struct mutex *m = mutex;
	if (!m || pthread_mutex_destroy(&m->lock) != 0)
		return CKR_MUTEX_BAD;
	free(m);
	return CKR_OK;
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
