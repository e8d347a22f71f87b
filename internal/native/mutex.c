/* Mutexes for modules that ask for them (PKCS#11 3.2 §3.7). */
#include <pthread.h>
#include <stdlib.h>

#include "../../include/p11-kit/pkcs11.h"
#include "load.h"

unsigned long p11_native_create_mutex(void **mutex)
{
	if (!mutex)
		return CKR_ARGUMENTS_BAD;
	pthread_mutexattr_t attributes;
	pthread_mutex_t *made = malloc(sizeof *made);
	if (!made)
		return CKR_HOST_MEMORY;
	pthread_mutexattr_init(&attributes);
	pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_ERRORCHECK);
	int failed = pthread_mutex_init(made, &attributes);
	pthread_mutexattr_destroy(&attributes);
	if (failed) {
		free(made);
		return CKR_GENERAL_ERROR;
	}
	*mutex = made;
	return CKR_OK;
}

unsigned long p11_native_destroy_mutex(void *mutex)
{
	if (!mutex || pthread_mutex_destroy(mutex) != 0)
		return CKR_MUTEX_BAD;
	free(mutex);
	return CKR_OK;
}

unsigned long p11_native_lock_mutex(void *mutex)
{
	return mutex && pthread_mutex_lock(mutex) == 0 ? CKR_OK : CKR_MUTEX_BAD;
}

unsigned long p11_native_unlock_mutex(void *mutex)
{
	if (!mutex)
		return CKR_MUTEX_BAD;
	return pthread_mutex_unlock(mutex) == 0 ? CKR_OK : CKR_MUTEX_NOT_LOCKED;
}
