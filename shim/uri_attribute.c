/* The attributes of the object that a URI names (abi.md 1.4.3). */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>

#include "uri.h"

#define NO_TYPE ((CK_ATTRIBUTE_TYPE)-1) /* ends an array */
#define NESTING_MAX 8 /* templates within templates; more is a loop, or nobody's intention */

bool p11_uri_names(CK_ATTRIBUTE_TYPE type)
{
	return type == CKA_CLASS || type == CKA_LABEL || type == CKA_ID;
}

/* Wipes and frees the value of an attribute. */
static void free_value(CK_ATTRIBUTE *attr)
{
	if (!attr->pValue)
		return;
	if (p11_is_template(attr)) {
		CK_ATTRIBUTE *nested = attr->pValue;
		for (size_t i = 0; i < attr->ulValueLen / sizeof *nested; i++)
			free_value(&nested[i]);
	}
	explicit_bzero(attr->pValue, attr->ulValueLen);
	free(attr->pValue);
}

/* Copies an attribute with its value. False, and nothing is left to be freed, if that cannot be. */
static bool copy(CK_ATTRIBUTE *to, const CK_ATTRIBUTE *from, int depth)
{
	*to = *from;
	if (!from->pValue)
		return true;
	if (from->ulValueLen == CK_UNAVAILABLE_INFORMATION || depth > NESTING_MAX)
		return false;
	/* An empty value is one: it has an address. */
	if (!(to->pValue = malloc(from->ulValueLen ? from->ulValueLen : 1)))
		return false;
	if (!p11_is_template(from)) {
		memcpy(to->pValue, from->pValue, from->ulValueLen);
		return true;
	}
	const CK_ATTRIBUTE *nested = from->pValue;
	CK_ATTRIBUTE *copies = to->pValue;
	for (size_t i = 0; i < from->ulValueLen / sizeof *nested; i++) {
		if (copy(&copies[i], &nested[i], depth + 1))
			continue;
		to->ulValueLen = i * sizeof *nested;
		free_value(to);
		return false;
	}
	return true;
}

CK_ATTRIBUTE *p11_uri_find_attribute(const P11KitUri *uri, CK_ATTRIBUTE_TYPE type)
{
	for (size_t i = 0; i < uri->attributes_len; i++)
		if (uri->attributes[i].type == type)
			return &uri->attributes[i];
	return NULL;
}

/* A new place, before the end of the array, which moves on; NULL if memory is short. */
static CK_ATTRIBUTE *add(P11KitUri *uri)
{
	CK_ATTRIBUTE *attrs = reallocarray(uri->attributes, uri->attributes_len + 2, sizeof *attrs);
	if (!attrs)
		return NULL;
	uri->attributes = attrs;
	attrs[uri->attributes_len + 1] = (CK_ATTRIBUTE){ .type = NO_TYPE };
	return &attrs[uri->attributes_len++];
}

void p11_uri_free_attributes(P11KitUri *uri)
{
	for (size_t i = 0; i < uri->attributes_len; i++)
		free_value(&uri->attributes[i]);
	free(uri->attributes);
}

void p11_uri_drop_attribute(P11KitUri *uri, CK_ATTRIBUTE_TYPE type)
{
	CK_ATTRIBUTE *place = p11_uri_find_attribute(uri, type);
	if (!place)
		return;
	free_value(place);
	/* With the end of the array. */
	memmove(place, place + 1, (size_t)(uri->attributes + uri->attributes_len - place) * sizeof *place);
	uri->attributes_len--;
}

P11_EXPORT CK_ATTRIBUTE_PTR p11_kit_uri_get_attribute(P11KitUri *uri, CK_ATTRIBUTE_TYPE attr_type)
{
	p11_return_val_if_fail(uri != NULL, NULL);
	return p11_uri_find_attribute(uri, attr_type);
}

P11_EXPORT int p11_kit_uri_set_attribute(P11KitUri *uri, CK_ATTRIBUTE_PTR attr)
{
	p11_return_val_if_fail(uri != NULL, P11_KIT_URI_UNEXPECTED);
	if (!attr || attr->type == NO_TYPE)
		return P11_KIT_URI_OK;
	CK_ATTRIBUTE fresh;
	if (!copy(&fresh, attr, 0))
		return P11_KIT_URI_UNEXPECTED;
	CK_ATTRIBUTE *place = p11_uri_find_attribute(uri, fresh.type);
	if (place) {
		free_value(place);
	} else if (!(place = add(uri))) {
		free_value(&fresh);
		return P11_KIT_URI_UNEXPECTED;
	}
	*place = fresh;
	return P11_KIT_URI_OK;
}

P11_EXPORT int p11_kit_uri_clear_attribute(P11KitUri *uri, CK_ATTRIBUTE_TYPE attr_type)
{
	p11_return_val_if_fail(uri != NULL, P11_KIT_URI_UNEXPECTED);
	if (!p11_uri_names(attr_type))
		return P11_KIT_URI_NOT_FOUND;
	p11_uri_drop_attribute(uri, attr_type);
	return P11_KIT_URI_OK;
}

P11_EXPORT CK_ATTRIBUTE_PTR p11_kit_uri_get_attributes(P11KitUri *uri, CK_ULONG *n_attrs)
{
	static CK_ATTRIBUTE none = { .type = NO_TYPE };
	p11_return_val_if_fail(uri != NULL, NULL);
	if (n_attrs)
		*n_attrs = uri->attributes_len;
	return uri->attributes ? uri->attributes : &none;
}

P11_EXPORT void p11_kit_uri_clear_attributes(P11KitUri *uri)
{
	p11_return_if_fail(uri != NULL);
	p11_uri_free_attributes(uri);
	uri->attributes = NULL;
	uri->attributes_len = 0;
}

P11_EXPORT int p11_kit_uri_set_attributes(P11KitUri *uri, CK_ATTRIBUTE_PTR attrs, CK_ULONG n_attrs)
{
	p11_return_val_if_fail(uri != NULL, P11_KIT_URI_UNEXPECTED);
	p11_return_val_if_fail(attrs != NULL || n_attrs == 0, P11_KIT_URI_UNEXPECTED);
	/* attrs may be the URI's own, which are about to go. */
	P11KitUri with = *uri;
	with.attributes = NULL;
	with.attributes_len = 0;
	int code = P11_KIT_URI_OK;
	for (CK_ULONG i = 0; i < n_attrs && code == P11_KIT_URI_OK; i++)
		code = p11_kit_uri_set_attribute(&with, &attrs[i]);
	p11_uri_free_attributes(uri);
	*uri = with;
	return code;
}
