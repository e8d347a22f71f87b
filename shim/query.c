/* What is known of a loaded module: answered from the records, without the engine (abi.md 1.4.1). */
#include <stdlib.h>
#include <string.h>

#include "internal.h"
#include "p11-kit/deprecated.h"
#include "p11-kit/p11-kit.h"

/* What is asked about a module, found under the lock. */
typedef const char *(*find_text)(const void *module, const char *key);

/*
 * A copy of what find gives, for the caller. Nothing is allocated under the
 * lock: an allocator may be waiting for a fork that waits for the lock.
 */
static char *copy_text(find_text find, const void *module, const char *key)
{
	char *copy = NULL;
	for (size_t room = 0;;) {
		p11_lock_records();
		const char *text = find(module, key);
		size_t need = text ? strlen(text) + 1 : 0;
		if (need > 0 && need <= room)
			memcpy(copy, text, need);
		p11_unlock_records();
		if (need > 0 && need <= room)
			return copy;
		free(copy);
		if (need == 0 || !(copy = malloc(need)))
			return NULL;
		room = need;
	}
}

static const char *find_name(const void *module, const char *key)
{
	(void)key;
	const struct p11_record *record = p11_record_for(module);
	return record ? record->name : NULL;
}

static const char *find_path(const void *module, const char *key)
{
	(void)key;
	const struct p11_record *record = p11_record_for(module);
	return record ? record->path : NULL;
}

static const char *find_option(const void *module, const char *key)
{
	const struct p11_record *record = module ? p11_record_for(module) : NULL;
	if (record)
		return p11_option_in(record->options, record->options_len, key);
	return module ? NULL : p11_global_option(key);
}

static const char *find_option_or_global(const void *module, const char *key)
{
	const struct p11_record *record = module ? p11_record_for(module) : NULL;
	return record ? find_option(module, key) : p11_global_option(key);
}

P11_EXPORT CK_FUNCTION_LIST *p11_kit_module_for_name(CK_FUNCTION_LIST **modules, const char *name)
{
	p11_return_val_if_fail(name != NULL, NULL);
	if (!modules)
		return NULL;
	p11_message_clear();
	CK_FUNCTION_LIST *found = NULL;
	p11_lock_records();
	for (; *modules && !found; modules++) {
		const struct p11_record *record = p11_record_for(*modules);
		if (record && record->name && strcmp(record->name, name) == 0)
			found = *modules;
	}
	p11_unlock_records();
	return found;
}

P11_EXPORT char *p11_kit_module_get_name(CK_FUNCTION_LIST *module)
{
	p11_return_val_if_fail(module != NULL, NULL);
	p11_message_clear();
	return copy_text(find_name, module, NULL);
}

P11_EXPORT char *p11_kit_module_get_filename(CK_FUNCTION_LIST *module)
{
	p11_return_val_if_fail(module != NULL, NULL);
	p11_message_clear();
	return copy_text(find_path, module, NULL);
}

/* The public flags of a list; leaves the stored message alone. */
int p11_module_flags(const void *module)
{
	int flags = 0;
	p11_lock_records();
	const struct p11_record *record = p11_record_for(module);
	if (p11_record_head()) {
		if (!p11_handle_is_ours(module))
			flags |= P11_KIT_MODULE_UNMANAGED;
		if (!record || (record->flags & P11_RECORD_CRITICAL))
			flags |= P11_KIT_MODULE_CRITICAL;
		if (record && (record->flags & P11_RECORD_TRUSTED))
			flags |= P11_KIT_MODULE_TRUSTED;
	}
	p11_unlock_records();
	return flags;
}

P11_EXPORT int p11_kit_module_get_flags(CK_FUNCTION_LIST *module)
{
	p11_return_val_if_fail(module != NULL, 0);
	p11_message_clear();
	return p11_module_flags(module);
}

P11_EXPORT char *p11_kit_config_option(CK_FUNCTION_LIST *module, const char *option)
{
	p11_return_val_if_fail(option != NULL, NULL);
	p11_message_clear();
	return copy_text(find_option, module, option);
}

P11_EXPORT char *p11_kit_registered_option(CK_FUNCTION_LIST_PTR module, const char *field)
{
	p11_return_val_if_fail(field != NULL, NULL);
	p11_message_clear();
	return copy_text(find_option_or_global, module, field);
}

P11_EXPORT char *p11_kit_registered_module_to_name(CK_FUNCTION_LIST_PTR module)
{
	p11_return_val_if_fail(module != NULL, NULL);
	return p11_kit_module_get_name(module);
}
