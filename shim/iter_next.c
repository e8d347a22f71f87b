/* The way through modules, slots, tokens and objects (abi.md 6.2). */
#include <stdlib.h>
#include <string.h>

#include "iter.h"
#include "p11-kit/p11-kit.h"

#define SLOTS_MAX (1 << 16) /* of one module; who claims more is not believed */

/* What is wanted at all, in this place or further in. */
static bool wants_objects(const P11KitIter *iter)
{
	return !(iter->behavior & P11_KIT_ITER_WITHOUT_OBJECTS);
}

/* A login that nobody sees is wanted all the same: it may fail. */
static bool wants_sessions(const P11KitIter *iter)
{
	return wants_objects(iter) || iter->behavior & (P11_KIT_ITER_WITH_SESSIONS | P11_KIT_ITER_WITH_LOGIN);
}

static bool wants_tokens(const P11KitIter *iter)
{
	return wants_sessions(iter) || iter->behavior & P11_KIT_ITER_WITH_TOKENS;
}

static bool wants_slots(const P11KitIter *iter)
{
	return wants_objects(iter) ||
	       iter->behavior & (P11_KIT_ITER_WITH_SLOTS | P11_KIT_ITER_WITH_TOKENS | P11_KIT_ITER_WITH_SESSIONS);
}

static bool wants_anything(const P11KitIter *iter)
{
	return wants_slots(iter) || iter->behavior & P11_KIT_ITER_WITH_MODULES;
}

/* Forgets the slot and what is in it. */
static void leave_slot(P11KitIter *iter)
{
	p11_iter_leave_session(iter);
	iter->slot = 0;
	memset(&iter->slot_info, 0, sizeof iter->slot_info);
	memset(&iter->token_info, 0, sizeof iter->token_info);
}

void p11_iter_end(P11KitIter *iter)
{
	leave_slot(iter);
	iter->module = NULL;
	iter->slots_len = iter->slots_next = 0;
	iter->modules_len = iter->modules_next = 0;
	iter->kind = P11_KIT_ITER_KIND_UNKNOWN;
	iter->iterating = false;
}

/* Each of the following does a step and sets the one after it, and the kind if there is something to look at. */

static CK_RV next_module(P11KitIter *iter)
{
	leave_slot(iter);
	iter->module = NULL;
	if (iter->modules_next == iter->modules_len)
		return CKR_CANCEL;
	iter->module = iter->modules[iter->modules_next++];
	CK_INFO info;
	memset(&info, 0, sizeof info);
	if (P11_CALL(iter->module, C_GetInfo, &info) != CKR_OK || !p11_kit_uri_match_module_info(&iter->uri, &info))
		return CKR_OK;
	iter->step = wants_slots(iter) ? P11_ITER_SLOTS : P11_ITER_MODULE;
	if (iter->behavior & P11_KIT_ITER_WITH_MODULES)
		iter->kind = P11_KIT_ITER_KIND_MODULE;
	return CKR_OK;
}

/* Makes room for n slots; what is in it is lost. */
static CK_RV slots_room(P11KitIter *iter, size_t n)
{
	if (n <= iter->slots_room)
		return CKR_OK;
	CK_SLOT_ID *slots = reallocarray(iter->slots, n, sizeof *slots);
	if (!slots)
		return CKR_HOST_MEMORY;
	iter->slots = slots;
	iter->slots_room = n;
	return CKR_OK;
}

static CK_RV claims(CK_ULONG n)
{
	p11_message("a module claims to have %lu slots", n);
	return CKR_GENERAL_ERROR;
}

/* The slots of the module that have a token. There may be more of them each time it is asked. */
static CK_RV list_slots(P11KitIter *iter)
{
	CK_ULONG n = 0;
	CK_RV rv = P11_CALL(iter->module, C_GetSlotList, CK_TRUE, NULL, &n);
	if (rv != CKR_OK)
		return rv;
	iter->slots_len = iter->slots_next = 0;
	for (size_t room = n; n > 0; room = n > 2 * room ? n : 2 * room) {
		if (n > SLOTS_MAX || room > SLOTS_MAX)
			return claims(n);
		if ((rv = slots_room(iter, room)) != CKR_OK)
			return rv;
		n = room;
		rv = P11_CALL(iter->module, C_GetSlotList, CK_TRUE, iter->slots, &n);
		if (rv == CKR_OK && n <= room)
			iter->slots_len = n;
		if (iter->slots_len == n || (rv != CKR_OK && rv != CKR_BUFFER_TOO_SMALL))
			return rv;
	}
	return CKR_OK;
}

static CK_RV enter_module(P11KitIter *iter)
{
	CK_RV rv = list_slots(iter);
	if (rv == CKR_OK) {
		iter->step = P11_ITER_SLOT;
		return CKR_OK;
	}
	/* One module must not hide the others. */
	if (iter->modules_len == 1 || rv == CKR_HOST_MEMORY)
		return rv;
	p11_message("the slots of a module cannot be listed: %s", p11_kit_strerror(rv));
	iter->step = P11_ITER_MODULE;
	return CKR_OK;
}

/* The next slot of the module in iter->slot; false if there is none. */
static bool take_slot(P11KitIter *iter)
{
	if (iter->slot_given) {
		/* Once, and it is there already. */
		if (iter->slots_next == 0) {
			iter->slots_next = 1;
			return true;
		}
		return false;
	}
	leave_slot(iter);
	if (iter->slots_next >= iter->slots_len)
		return false;
	iter->slot = iter->slots[iter->slots_next++];
	return true;
}

static CK_RV next_slot(P11KitIter *iter)
{
	if (!take_slot(iter)) {
		iter->step = P11_ITER_MODULE;
		return CKR_OK;
	}
	if (iter->uri.slot_id != (CK_SLOT_ID)-1 && iter->uri.slot_id != iter->slot)
		return CKR_OK;
	if (P11_CALL(iter->module, C_GetSlotInfo, iter->slot, &iter->slot_info) != CKR_OK ||
	    !p11_kit_uri_match_slot_info(&iter->uri, &iter->slot_info))
		return CKR_OK;
	if (wants_tokens(iter))
		iter->step = P11_ITER_TOKEN;
	if (iter->behavior & P11_KIT_ITER_WITH_SLOTS)
		iter->kind = P11_KIT_ITER_KIND_SLOT;
	return CKR_OK;
}

static CK_RV enter_token(P11KitIter *iter)
{
	iter->step = P11_ITER_SLOT;
	if (P11_CALL(iter->module, C_GetTokenInfo, iter->slot, &iter->token_info) != CKR_OK ||
	    !p11_kit_uri_match_token_info(&iter->uri, &iter->token_info))
		return CKR_OK;
	if (wants_sessions(iter))
		iter->step = P11_ITER_SESSION;
	if (iter->behavior & P11_KIT_ITER_WITH_TOKENS)
		iter->kind = P11_KIT_ITER_KIND_TOKEN;
	return CKR_OK;
}

/* A token that cannot be used now, among others that can: not set up, or taken out since the slots were listed. */
static bool is_absent(CK_RV rv)
{
	return rv == CKR_TOKEN_NOT_RECOGNIZED || rv == CKR_TOKEN_NOT_PRESENT || rv == CKR_DEVICE_REMOVED ||
	       rv == CKR_SLOT_ID_INVALID;
}

static CK_RV enter_session(P11KitIter *iter)
{
	iter->step = P11_ITER_SLOT;
	CK_RV rv = p11_iter_enter_session(iter);
	if (rv == CKR_CANCEL || (is_absent(rv) && !iter->slot_given))
		return CKR_OK;
	if (rv != CKR_OK)
		return rv;
	if (wants_objects(iter))
		iter->step = P11_ITER_SEARCH;
	if (iter->behavior & P11_KIT_ITER_WITH_SESSIONS)
		iter->kind = P11_KIT_ITER_KIND_SESSION;
	return CKR_OK;
}

static CK_RV search(P11KitIter *iter)
{
	/* In a session of the caller's there are but objects. */
	if (!wants_objects(iter))
		return CKR_CANCEL;
	iter->step = P11_ITER_OBJECT;
	return p11_iter_begin_search(iter);
}

/* Has the callbacks look at the object. */
static CK_RV ask_callbacks(P11KitIter *iter, CK_BBOOL *matches)
{
	*matches = CK_TRUE;
	for (struct p11_iter_callback *cb = iter->callbacks; cb && *matches && !iter->abandoned; cb = cb->next) {
		CK_RV rv = cb->callback(iter, matches, cb->data);
		if (rv != CKR_OK)
			return rv;
	}
	return CKR_OK;
}

static CK_RV next_object(P11KitIter *iter)
{
	iter->object = 0;
	if (iter->objects_next == iter->objects_len) {
		if (iter->searching)
			return p11_iter_find(iter);
		/* A session of the caller's is of no slot, and of no module, that we have come to. */
		iter->step = iter->slots_len || iter->slot_given ? P11_ITER_SLOT : P11_ITER_MODULE;
		return CKR_OK;
	}
	iter->object = iter->objects[iter->objects_next++];
	iter->kind = P11_KIT_ITER_KIND_OBJECT;
	CK_BBOOL matches;
	CK_RV rv = ask_callbacks(iter, &matches);
	if (rv == CKR_OK && !matches) {
		iter->object = 0;
		iter->kind = P11_KIT_ITER_KIND_UNKNOWN;
	}
	return rv;
}

static CK_RV (*const steps[])(P11KitIter *) = {
	[P11_ITER_MODULE] = next_module,    [P11_ITER_SLOTS] = enter_module,    [P11_ITER_SLOT] = next_slot,
	[P11_ITER_TOKEN] = enter_token,     [P11_ITER_SESSION] = enter_session, [P11_ITER_SEARCH] = search,
	[P11_ITER_OBJECT] = next_object,
};

P11_EXPORT CK_RV p11_kit_iter_next(P11KitIter *iter)
{
	p11_return_val_if_fail(iter != NULL, CKR_ARGUMENTS_BAD);
	p11_return_val_if_fail(!iter->running, CKR_OPERATION_ACTIVE);
	p11_return_val_if_fail(iter->iterating, CKR_OPERATION_NOT_INITIALIZED);
	CK_RV rv = iter->failed;
	/* What most calls are for: an object that has been found already, and about which nobody is asked. */
	if (rv == CKR_OK && iter->step == P11_ITER_OBJECT && iter->objects_next < iter->objects_len && !iter->callbacks) {
		iter->kind = P11_KIT_ITER_KIND_OBJECT;
		iter->object = iter->objects[iter->objects_next++];
		return CKR_OK;
	}
	if (rv == CKR_OK && (iter->uri.unrecognized || !wants_anything(iter)))
		rv = CKR_CANCEL;
	iter->running = true;
	iter->kind = P11_KIT_ITER_KIND_UNKNOWN;
	while (rv == CKR_OK && iter->kind == P11_KIT_ITER_KIND_UNKNOWN)
		rv = iter->abandoned ? CKR_CANCEL : steps[iter->step](iter);
	if (rv == CKR_OK && iter->abandoned)
		rv = CKR_CANCEL;
	if (rv != CKR_OK)
		p11_iter_end(iter);
	iter->running = false;
	if (iter->abandoned)
		p11_kit_iter_free(iter);
	return rv;
}
