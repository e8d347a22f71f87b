/* Loading, initializing and releasing modules (abi.md 1.4.1). */
#include <stdlib.h>
#include <string.h>

#include "internal.h"
#include "p11-kit/p11-kit.h"

#define NAME_SIZE 256 /* bytes of a module's name in a message */

/* How deep a module's own loading may load modules again before we take it for a loop. */
#define LOAD_DEPTH_MAX 8

static __thread int load_depth;

bool p11_load_enter(void)
{
	if (load_depth == LOAD_DEPTH_MAX)
		return false;
	load_depth++;
	return true;
}

void p11_load_leave(void)
{
	load_depth--;
}

/* The module's configured name, for messages. */
static const char *describe(const void *list, char name[NAME_SIZE])
{
	p11_lock_records();
	const struct p11_record *record = p11_record_for(list);
	strncpy(name, record && record->name ? record->name : "(unknown)", NAME_SIZE - 1);
	name[NAME_SIZE - 1] = '\0';
	p11_unlock_records();
	return name;
}

static CK_RV initialize_one(CK_FUNCTION_LIST *module)
{
	return module->C_Initialize ? module->C_Initialize(NULL) : CKR_FUNCTION_NOT_SUPPORTED;
}

static CK_RV finalize_one(CK_FUNCTION_LIST *module)
{
	CK_RV rv = module->C_Finalize ? module->C_Finalize(NULL) : CKR_FUNCTION_NOT_SUPPORTED;
	if (rv != CKR_OK) {
		char name[NAME_SIZE];
		p11_message("%s: module failed to finalize: %s", describe(module, name), p11_kit_strerror(rv));
	}
	return rv;
}

/*
 * Gives up one list, managed or raw. The engine is told first: it finalizes
 * what the caller left initialized, while the handle still answers.
 */
static void release_one(CK_FUNCTION_LIST *module)
{
	p11_lock_records();
	struct p11_handle *handle = p11_handle_find(module);
	const struct p11_record *record = p11_record_for(module);
	void *list = record ? record->list : NULL;
	uint32_t live = P11_LIVE;
	/* Of two threads that release one list, one finds it gone. */
	if (handle && !atomic_compare_exchange_strong(&handle->life, &live, P11_RELEASED))
		handle = NULL;
	p11_unlock_records();
	if (!handle && !list) {
		p11_message("invalid module pointer passed to be released: it is not loaded, or has been released");
		return;
	}
	/* Without an engine of its own a forked child has nothing to undo. */
	const struct p11_engine *engine = p11_engine_if_running();
	if (handle) {
		if (engine)
			engine->release(handle);
		p11_handle_retire(handle);
	} else if (engine) {
		engine->release_raw(list);
	}
}

static void sweep(void)
{
	const struct p11_engine *engine = p11_engine_if_running();
	if (engine)
		engine->sweep();
}

/* Releases the lists of an array that has been taken, and the array. */
static void release_all(CK_FUNCTION_LIST **modules)
{
	for (CK_FUNCTION_LIST **at = modules; *at; at++)
		release_one(*at);
	p11_array_free(modules);
	sweep();
}

P11_EXPORT CK_FUNCTION_LIST **p11_kit_modules_load(const char *reserved, int flags)
{
	p11_return_val_if_fail(reserved == NULL, NULL);
	p11_message_clear();
	const struct p11_engine *engine = p11_engine_get();
	if (!engine)
		return NULL;
	if (!p11_load_enter()) {
		p11_message("a module loads the configured modules while it is being loaded itself, again and again");
		return NULL;
	}
	void **lists = NULL;
	CK_RV rv = engine->modules_load(flags & P11_KIT_MODULE_MASK, &lists);
	p11_load_leave();
	if (rv != CKR_OK || !lists)
		return NULL;
	p11_array_add(lists);
	return (CK_FUNCTION_LIST **)lists;
}

P11_EXPORT CK_RV p11_kit_modules_initialize(CK_FUNCTION_LIST **modules, p11_kit_destroyer failure_callback)
{
	p11_return_val_if_fail(modules != NULL, CKR_ARGUMENTS_BAD);
	CK_RV result = CKR_OK;
	CK_FUNCTION_LIST **kept = modules;
	for (CK_FUNCTION_LIST **at = modules; *at; at++) {
		CK_FUNCTION_LIST *module = *at;
		char name[NAME_SIZE];
		CK_RV rv = initialize_one(module);
		if (rv == CKR_CRYPTOKI_ALREADY_INITIALIZED) {
			p11_message("%s: module was already initialized", describe(module, name));
		} else if (rv != CKR_OK) {
			bool critical = p11_module_flags(module) & P11_KIT_MODULE_CRITICAL;
			p11_message(critical ? "%s: module failed to initialize: %s"
			                     : "%s: module failed to initialize, skipping: %s",
			            describe(module, name), p11_kit_strerror(rv));
			if (critical)
				result = rv;
			if (failure_callback)
				failure_callback(module);
			continue;
		}
		*kept++ = module;
	}
	*kept = NULL;
	return result;
}

/* As p11_kit_module_release, but keeps the stored message: it says why the module failed. */
static void release_failed(void *module)
{
	release_one(module);
}

P11_EXPORT CK_FUNCTION_LIST **p11_kit_modules_load_and_initialize(int flags)
{
	CK_FUNCTION_LIST **modules = p11_kit_modules_load(NULL, flags);
	if (!modules)
		return NULL;
	if (p11_kit_modules_initialize(modules, release_failed) == CKR_OK)
		return modules;
	/* Nothing stays behind, and the caller learns from the message why there is nothing. */
	p11_array_take(modules);
	for (CK_FUNCTION_LIST **at = modules; *at; at++)
		if ((*at)->C_Finalize)
			(*at)->C_Finalize(NULL);
	release_all(modules);
	return NULL;
}

P11_EXPORT CK_RV p11_kit_modules_finalize(CK_FUNCTION_LIST **modules)
{
	p11_return_val_if_fail(modules != NULL, CKR_ARGUMENTS_BAD);
	CK_RV result = CKR_OK;
	for (; *modules; modules++) {
		CK_RV rv = finalize_one(*modules);
		if (rv != CKR_OK)
			result = rv;
	}
	return result;
}

P11_EXPORT void p11_kit_modules_release(CK_FUNCTION_LIST **modules)
{
	p11_return_if_fail(modules != NULL);
	p11_message_clear();
	if (p11_array_take(modules))
		release_all(modules);
}

P11_EXPORT void p11_kit_modules_finalize_and_release(CK_FUNCTION_LIST **modules)
{
	p11_return_if_fail(modules != NULL);
	p11_message_clear();
	if (!p11_array_take(modules))
		return;
	p11_kit_modules_finalize(modules);
	p11_message_clear();
	release_all(modules);
}

CK_RV p11_module_load(const char *path, int flags, void **list)
{
	p11_message_clear();
	const struct p11_engine *engine = p11_engine_get();
	if (!engine)
		return CKR_GENERAL_ERROR;
	if (!p11_load_enter()) {
		p11_message("module %s loads modules while it is being loaded itself, again and again", path);
		return CKR_FUNCTION_FAILED;
	}
	CK_RV rv = engine->module_load((char *)path, flags, list);
	p11_load_leave();
	return rv;
}

P11_EXPORT CK_FUNCTION_LIST *p11_kit_module_load(const char *module_path, int flags)
{
	p11_return_val_if_fail(module_path != NULL, NULL);
	void *list = NULL;
	return p11_module_load(module_path, flags & P11_KIT_MODULE_MASK, &list) == CKR_OK ? list : NULL;
}

P11_EXPORT CK_RV p11_kit_module_initialize(CK_FUNCTION_LIST *module)
{
	p11_return_val_if_fail(module != NULL, CKR_ARGUMENTS_BAD);
	CK_RV rv = initialize_one(module);
	if (rv != CKR_OK) {
		char name[NAME_SIZE];
		p11_message("%s: module failed to initialize: %s", describe(module, name), p11_kit_strerror(rv));
	}
	return rv;
}

P11_EXPORT CK_RV p11_kit_module_finalize(CK_FUNCTION_LIST *module)
{
	p11_return_val_if_fail(module != NULL, CKR_ARGUMENTS_BAD);
	return finalize_one(module);
}

P11_EXPORT void p11_kit_module_release(CK_FUNCTION_LIST *module)
{
	p11_return_if_fail(module != NULL);
	p11_message_clear();
	release_one(module);
}

void p11_module_give_up(void *list)
{
	p11_message_clear();
	release_one(list);
	sweep();
}
