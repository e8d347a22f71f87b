/* The session of an iterator: how it is opened, logged in, searched and closed (abi.md 6.2). */
#include <stdlib.h>
#include <string.h>

#include "iter.h"
#include "p11-kit/p11-kit.h"
#include "p11-kit/pin.h"

#define BATCH 64 /* objects that are asked for at once */

/* Objects on one token. Who finds more has a fault, and would take all the memory there is. */
#define OBJECTS_MAX ((size_t)1 << 24)

static void end_search(P11KitIter *iter)
{
	iter->searching = false;
	P11_CALL(iter->module, C_FindObjectsFinal, iter->session);
}

void p11_iter_leave_session(P11KitIter *iter)
{
	if (iter->session && iter->kept && iter->searching)
		end_search(iter);
	else if (iter->session && !iter->kept)
		P11_CALL(iter->module, C_CloseSession, iter->session);
	iter->session = 0;
	iter->kept = iter->searching = false;
	iter->object = 0;
	iter->objects_len = iter->objects_next = 0;
}

/* Asks for the PIN of the token; NULL if nobody has it. */
static P11KitPin *request_pin(P11KitIter *iter)
{
	static const char before[] = "PIN for ";
	char description[sizeof before + sizeof iter->token_info.label];
	size_t len = p11_kit_space_strlen(iter->token_info.label, sizeof iter->token_info.label);
	memcpy(description, before, sizeof before);
	memcpy(description + sizeof before - 1, iter->token_info.label, len);
	description[sizeof before - 1 + len] = '\0';
	return p11_kit_pin_request(iter->uri.texts[P11_URI_PIN_SOURCE], NULL, description, P11_KIT_PIN_FLAGS_USER_LOGIN);
}

static CK_RV log_in_with(P11KitIter *iter, const unsigned char *pin, size_t len)
{
	CK_RV rv = P11_CALL(iter->module, C_Login, iter->session, CKU_USER, (CK_UTF8CHAR *)pin, len);
	/* Being logged in is the application's, not the session's. */
	return rv == CKR_USER_ALREADY_LOGGED_IN ? CKR_OK : rv;
}

/* Logs in where that is wanted and the URI says how; CKR_CANCEL if nobody has the PIN. */
static CK_RV log_in(P11KitIter *iter)
{
	const char *value = iter->uri.texts[P11_URI_PIN_VALUE];
	if (!(iter->behavior & P11_KIT_ITER_WITH_LOGIN) || (!value && !iter->uri.texts[P11_URI_PIN_SOURCE]))
		return CKR_OK;
	if (value)
		return log_in_with(iter, (const unsigned char *)value, strlen(value));
	P11KitPin *pin = request_pin(iter);
	if (!pin)
		return CKR_CANCEL;
	size_t len;
	const unsigned char *requested = p11_kit_pin_get_value(pin, &len);
	CK_RV rv = iter->abandoned ? CKR_CANCEL : log_in_with(iter, requested, len);
	p11_kit_pin_unref(pin);
	return rv;
}

/* Opens a session on the slot; CKR_CANCEL if there is no PIN for it. */
CK_RV p11_iter_enter_session(P11KitIter *iter)
{
	CK_FLAGS flags = CKF_SERIAL_SESSION;
	if (iter->behavior & P11_KIT_ITER_WANT_WRITABLE && !(iter->token_info.flags & CKF_WRITE_PROTECTED))
		flags |= CKF_RW_SESSION;
	CK_SESSION_HANDLE session = 0;
	CK_RV rv = P11_CALL(iter->module, C_OpenSession, iter->slot, flags, NULL, NULL, &session);
	if (rv != CKR_OK)
		return rv;
	iter->session = session;
	rv = log_in(iter);
	if (rv != CKR_OK)
		p11_iter_leave_session(iter);
	return rv;
}

/* Puts together what to search for: the attributes of the URI, unless a filter has others, and the filters. */
static CK_RV make_template(P11KitIter *iter, size_t *len)
{
	const P11KitUri *uri = &iter->uri, *filters = &iter->filters;
	size_t most = uri->attributes_len + filters->attributes_len;
	*len = 0;
	if (most > iter->template_room) {
		CK_ATTRIBUTE *template = reallocarray(iter->template, most, sizeof *template);
		if (!template)
			return CKR_HOST_MEMORY;
		iter->template = template;
		iter->template_room = most;
	}
	for (size_t i = 0; i < uri->attributes_len; i++) {
		const CK_ATTRIBUTE *filter = p11_uri_find_attribute(filters, uri->attributes[i].type);
		iter->template[(*len)++] = filter ? *filter : uri->attributes[i];
	}
	for (size_t i = 0; i < filters->attributes_len; i++)
		if (!p11_uri_find_attribute(uri, filters->attributes[i].type))
			iter->template[(*len)++] = filters->attributes[i];
	/* Modules read as many bytes as are announced. */
	for (size_t i = 0; i < *len; i++)
		if (!iter->template[i].pValue && iter->template[i].ulValueLen != 0)
			return CKR_ATTRIBUTE_VALUE_INVALID;
	return CKR_OK;
}

CK_RV p11_iter_begin_search(P11KitIter *iter)
{
	size_t len;
	CK_RV rv = make_template(iter, &len);
	if (rv != CKR_OK)
		return rv;
	rv = P11_CALL(iter->module, C_FindObjectsInit, iter->session, iter->template, len);
	iter->searching = rv == CKR_OK;
	return rv;
}

/* Makes room for more objects behind those that are there. */
static CK_RV more_room(P11KitIter *iter)
{
	size_t room = iter->objects_room ? 2 * iter->objects_room : BATCH;
	if (room > OBJECTS_MAX) {
		p11_message("a module finds more than %zu objects, without end", iter->objects_len);
		return CKR_GENERAL_ERROR;
	}
	CK_OBJECT_HANDLE *objects = reallocarray(iter->objects, room, sizeof *objects);
	if (!objects)
		return CKR_HOST_MEMORY;
	iter->objects = objects;
	iter->objects_room = room;
	return CKR_OK;
}

/*
 * Finds objects: all there are, so that the session has no search when the
 * caller gets the first of them, or one batch where he has said that he does not
 * mind.
 */
CK_RV p11_iter_find(P11KitIter *iter)
{
	iter->objects_len = iter->objects_next = 0;
	do {
		CK_RV rv = CKR_OK;
		if (iter->objects_len == iter->objects_room && (rv = more_room(iter)) != CKR_OK)
			return rv;
		CK_ULONG asked = iter->objects_room - iter->objects_len, n = 0;
		rv = P11_CALL(iter->module, C_FindObjects, iter->session, iter->objects + iter->objects_len, asked, &n);
		if (rv != CKR_OK)
			return rv;
		if (n > asked) {
			p11_message("a module claims to have found %lu objects, where it was asked for %lu", n, asked);
			return CKR_GENERAL_ERROR;
		}
		iter->objects_len += n;
		if (n < asked)
			end_search(iter);
	} while (iter->searching && !(iter->behavior & P11_KIT_ITER_BUSY_SESSIONS));
	return CKR_OK;
}
