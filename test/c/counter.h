/* What a counting module that is loaded into this process has counted. */
#ifndef P11MUX_TEST_COUNTER_H
#define P11MUX_TEST_COUNTER_H

#include <dlfcn.h>

/*
 * One of the counters of the module at this path; -1 if it is not loaded. The
 * module stays loaded from now on, so that its counters outlive its use.
 */
static inline long counter_of(const char *path, const char *counter)
{
	void *handle = dlopen(path, RTLD_NOW | RTLD_NOLOAD);
	long (*get)(const char *) = NULL;

	if (handle)
		*(void **)&get = dlsym(handle, "counting_get");
	return get ? get(counter) : -1;
}

#endif
