/*
 * A real module whose C_Initialize and C_Finalize are counted: it hands out the
 * function list of the module at $COUNTED_MODULE, with these two in front. One
 * that comes while the module is initialized already, or is not yet, is counted
 * as a fault. Stays loaded, so that its counters outlive its use.
 */
#include <dlfcn.h>
#include <p11-kit/pkcs11.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))

static CK_FUNCTION_LIST list, *module;
static atomic_long initialized, finalized, faults;

static CK_RV initialize(void *args)
{
	CK_RV rv = module->C_Initialize(args);

	if (rv == CKR_OK)
		atomic_fetch_add(&initialized, 1);
	else
		atomic_fetch_add(&faults, 1);
	return rv;
}

static CK_RV finalize(void *reserved)
{
	CK_RV rv = module->C_Finalize(reserved);

	if (rv == CKR_OK)
		atomic_fetch_add(&finalized, 1);
	else
		atomic_fetch_add(&faults, 1);
	return rv;
}

EXPORT CK_RV C_GetFunctionList(CK_FUNCTION_LIST **out);

static void open_module(void)
{
	const char *path = getenv("COUNTED_MODULE");
	void *handle = path ? dlopen(path, RTLD_NOW | RTLD_LOCAL) : NULL;
	CK_RV (*get)(CK_FUNCTION_LIST **) = NULL;

	if (handle)
		*(void **)&get = dlsym(handle, "C_GetFunctionList");
	if (!get || get(&module) != CKR_OK)
		return;
	list = *module;
	list.C_Initialize = initialize;
	list.C_Finalize = finalize;
	list.C_GetFunctionList = C_GetFunctionList;
}

EXPORT CK_RV C_GetFunctionList(CK_FUNCTION_LIST **out)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, open_module);
	*out = &list;
	return list.C_Initialize ? CKR_OK : CKR_GENERAL_ERROR;
}

EXPORT long counting_get(const char *name)
{
	if (strcmp(name, "initialize") == 0)
		return initialized;
	if (strcmp(name, "finalize") == 0)
		return finalized;
	return strcmp(name, "faults") == 0 ? faults : -1;
}
