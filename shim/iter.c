/*
 * Iterators: how they are made, told what to look for, and begun (abi.md 6.1).
 * They are C alone: all that they do is to call modules and to compare.
 */
#include <stdlib.h>
#include <string.h>

#include "iter.h"

/* Takes from a URI what an iteration looks at; false if memory is short. */
static bool copy_uri(P11KitUri *to, const P11KitUri *from)
{
	to->module = from->module;
	to->slot = from->slot;
	to->token = from->token;
	to->slot_id = from->slot_id;
	to->unrecognized = from->unrecognized;
	if (p11_kit_uri_set_attributes(to, from->attributes, from->attributes_len) != P11_KIT_URI_OK)
		return false;
	/* Where there is a PIN, nobody is asked for one. */
	int pin = from->texts[P11_URI_PIN_VALUE] ? P11_URI_PIN_VALUE : P11_URI_PIN_SOURCE;
	if (!from->texts[pin])
		return true;
	to->texts[pin] = strdup(from->texts[pin]);
	return to->texts[pin] != NULL;
}

/* True where an iterator may be told what to look for: not by those whom it has called. */
#define RETURN_IF_RUNNING(iter) p11_return_if_fail(!(iter)->running)

P11_EXPORT void p11_kit_iter_set_uri(P11KitIter *iter, P11KitUri *uri)
{
	p11_return_if_fail(iter != NULL);
	RETURN_IF_RUNNING(iter);
	P11KitUri fresh;
	p11_uri_init(&fresh);
	if (uri && !copy_uri(&fresh, uri))
		iter->failed = CKR_HOST_MEMORY;
	/* What was set last counts. */
	for (size_t i = 0; i < fresh.attributes_len; i++)
		p11_uri_drop_attribute(&iter->filters, fresh.attributes[i].type);
	p11_uri_clear(&iter->uri);
	iter->uri = fresh;
}

P11_EXPORT P11KitIter *p11_kit_iter_new(P11KitUri *uri, P11KitIterBehavior behavior)
{
	P11KitIter *iter = calloc(1, sizeof *iter);
	if (!iter)
		return NULL;
	iter->behavior = behavior;
	iter->kind = P11_KIT_ITER_KIND_UNKNOWN;
	p11_uri_init(&iter->uri);
	p11_uri_init(&iter->filters);
	p11_kit_iter_set_uri(iter, uri);
	if (iter->failed != CKR_OK) {
		p11_kit_iter_free(iter);
		return NULL;
	}
	return iter;
}

P11_EXPORT void p11_kit_iter_free(P11KitIter *iter)
{
	if (!iter)
		return;
	if (iter->running) {
		iter->abandoned = true;
		return;
	}
	/* The functions that destroy may use the iterator, as long as it is there. */
	iter->running = true;
	p11_iter_end(iter);
	for (struct p11_iter_callback *cb; (cb = iter->callbacks) != NULL;) {
		iter->callbacks = cb->next;
		if (cb->destroy)
			cb->destroy(cb->data);
		free(cb);
	}
	p11_uri_clear(&iter->uri);
	p11_uri_clear(&iter->filters);
	free(iter->modules);
	free(iter->slots);
	free(iter->template);
	free(iter->objects);
	free(iter);
}

P11_EXPORT void p11_kit_iter_add_callback(P11KitIter *iter, p11_kit_iter_callback callback, void *callback_data,
                                          p11_kit_destroyer callback_destroy)
{
	p11_return_if_fail(iter != NULL);
	p11_return_if_fail(callback != NULL);
	struct p11_iter_callback *cb = malloc(sizeof *cb);
	if (!cb) {
		/* To go on without would let objects through that the caller does not want. */
		iter->failed = CKR_HOST_MEMORY;
		if (callback_destroy)
			callback_destroy(callback_data);
		return;
	}
	*cb = (struct p11_iter_callback){ iter->callbacks, callback, callback_data, callback_destroy };
	iter->callbacks = cb;
}

P11_EXPORT void p11_kit_iter_add_filter(P11KitIter *iter, CK_ATTRIBUTE *matching, CK_ULONG count)
{
	p11_return_if_fail(iter != NULL);
	p11_return_if_fail(matching != NULL || count == 0);
	p11_return_if_fail(!iter->iterating);
	RETURN_IF_RUNNING(iter);
	for (CK_ULONG i = 0; i < count; i++) {
		/* A search for less than what the caller asks would find what he does not want. */
		if (matching[i].pValue && matching[i].ulValueLen == CK_UNAVAILABLE_INFORMATION)
			iter->failed = CKR_ATTRIBUTE_VALUE_INVALID;
		else if (p11_kit_uri_set_attribute(&iter->filters, &matching[i]) != P11_KIT_URI_OK)
			iter->failed = CKR_HOST_MEMORY;
	}
}

/* Begins an iteration through these modules. */
static void begin(P11KitIter *iter, CK_FUNCTION_LIST *const *modules, size_t len)
{
	p11_iter_end(iter);
	/* As one that is begun and finds no memory: the next call says so. */
	iter->iterating = true;
	iter->step = P11_ITER_MODULE;
	iter->modules_len = iter->modules_next = 0;
	iter->slot_given = false;
	CK_FUNCTION_LIST **copy = reallocarray(iter->modules, len + 1, sizeof *copy);
	if (!copy) {
		iter->failed = CKR_HOST_MEMORY;
		return;
	}
	if (len)
		memcpy(copy, modules, len * sizeof *copy);
	iter->modules = copy;
	iter->modules_len = len;
}

P11_EXPORT void p11_kit_iter_begin(P11KitIter *iter, CK_FUNCTION_LIST_PTR *modules)
{
	p11_return_if_fail(iter != NULL);
	p11_return_if_fail(modules != NULL);
	RETURN_IF_RUNNING(iter);
	size_t len = 0;
	while (modules[len])
		len++;
	begin(iter, modules, len);
}

P11_EXPORT void p11_kit_iter_begin_with(P11KitIter *iter, CK_FUNCTION_LIST_PTR module, CK_SLOT_ID slot,
                                        CK_SESSION_HANDLE session)
{
	p11_return_if_fail(iter != NULL);
	p11_return_if_fail(module != NULL);
	RETURN_IF_RUNNING(iter);
	if (slot == 0 && session == 0) {
		begin(iter, &module, 1);
		return;
	}
	begin(iter, NULL, 0);
	iter->module = module;
	iter->slot = slot;
	if (session == 0) {
		/* The slot is the module's only one. */
		iter->slot_given = true;
		iter->step = P11_ITER_SLOT;
		return;
	}
	iter->session = session;
	iter->kept = true;
	iter->step = P11_ITER_SEARCH;
	if (slot == 0) {
		CK_SESSION_INFO info = { .slotID = 0 };
		if (P11_CALL(module, C_GetSessionInfo, session, &info) == CKR_OK)
			iter->slot = info.slotID;
	}
}
