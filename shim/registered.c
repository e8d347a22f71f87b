/*
 * The registered modules: the unmanaged, counted way of p11-kit before 0.19
 * (abi.md 1.4.2). Old programs still call it.
 */
#include <stdlib.h>

#include "internal.h"
#include "p11-kit/deprecated.h"
#include "p11-kit/p11-kit.h"

/* These functions promise a message of their own for each failure; what a module left behind is more exact, and stays. */
static CK_RV with_message(CK_RV rv)
{
	if (rv == CKR_OK)
		p11_message_clear();
	else if (!p11_kit_message())
		p11_message("%s", p11_kit_strerror(rv));
	return rv;
}

P11_EXPORT CK_RV p11_kit_initialize_registered(void)
{
	p11_message_clear();
	const struct p11_engine *engine = p11_engine_get();
	return engine ? engine->initialize_registered() : CKR_GENERAL_ERROR;
}

P11_EXPORT CK_RV p11_kit_finalize_registered(void)
{
	p11_message_clear();
	const struct p11_engine *engine = p11_engine_if_running();
	return with_message(engine ? engine->finalize_registered() : CKR_CRYPTOKI_NOT_INITIALIZED);
}

P11_EXPORT CK_FUNCTION_LIST_PTR *p11_kit_registered_modules(void)
{
	p11_message_clear();
	const struct p11_engine *engine = p11_engine_if_running();
	void **lists = NULL;
	if (!engine || engine->registered_modules(&lists) != CKR_OK)
		return NULL;
	return (CK_FUNCTION_LIST_PTR *)lists;
}

P11_EXPORT CK_FUNCTION_LIST_PTR p11_kit_registered_name_to_module(const char *name)
{
	p11_return_val_if_fail(name != NULL, NULL);
	p11_message_clear();
	const struct p11_engine *engine = p11_engine_if_running();
	void *list = NULL;
	if (!engine || engine->registered_name((char *)name, &list) != CKR_OK)
		return NULL;
	return list;
}

P11_EXPORT CK_RV p11_kit_initialize_module(CK_FUNCTION_LIST_PTR module)
{
	p11_return_val_if_fail(module != NULL, CKR_ARGUMENTS_BAD);
	p11_message_clear();
	const struct p11_engine *engine = p11_engine_get();
	return engine ? with_message(engine->initialize_module(module)) : CKR_GENERAL_ERROR;
}

P11_EXPORT CK_RV p11_kit_finalize_module(CK_FUNCTION_LIST_PTR module)
{
	p11_return_val_if_fail(module != NULL, CKR_ARGUMENTS_BAD);
	p11_message_clear();
	const struct p11_engine *engine = p11_engine_if_running();
	return with_message(engine ? engine->finalize_module(module) : CKR_ARGUMENTS_BAD);
}

P11_EXPORT CK_RV p11_kit_load_initialize_module(const char *module_path, CK_FUNCTION_LIST_PTR *module)
{
	p11_return_val_if_fail(module_path != NULL, CKR_ARGUMENTS_BAD);
	p11_return_val_if_fail(module != NULL, CKR_ARGUMENTS_BAD);
	p11_message_clear();
	const struct p11_engine *engine = p11_engine_get();
	if (!engine)
		return CKR_GENERAL_ERROR;
	void *list = NULL;
	CK_RV rv = engine->load_initialize_module((char *)module_path, &list);
	if (rv == CKR_OK)
		*module = list;
	return with_message(rv);
}
