/* What the files about URIs share. */
#ifndef P11_URI_H
#define P11_URI_H

#include <string.h>

#include "internal.h"
#include "p11-kit/uri.h"

/* The texts of a URI that have no place in a structure of PKCS#11. */
enum {
	P11_URI_PIN_SOURCE,
	P11_URI_PIN_VALUE,
	P11_URI_MODULE_NAME,
	P11_URI_MODULE_PATH,
	P11_URI_TEXTS
};

/* A query attribute with a name that has no meaning here. */
struct p11_uri_query {
	char *name, *value;
};

/* All that pointers point to is malloc'd. Callers get the structures of PKCS#11 and may write into them. */
struct p11_kit_uri {
	CK_INFO module;
	CK_SLOT_INFO slot;
	CK_TOKEN_INFO token;
	CK_SLOT_ID slot_id;           /* (CK_SLOT_ID)-1: none */
	CK_ATTRIBUTE *attributes;     /* ends with an element of the type (CK_ULONG)-1; NULL if there are none */
	size_t attributes_len;
	struct p11_uri_query *queries; /* in the order in which they came */
	size_t queries_len;
	char *texts[P11_URI_TEXTS];   /* NULL: unset */
	int unrecognized;
};

/* A text of a fixed length in those structures, padded with blanks. */
struct p11_uri_place {
	const char *name; /* of its attribute */
	uint16_t offset, size;
	int type; /* what the URI must be for */
};

/* In the order in which they are written. */
enum { P11_URI_PLACES_BEFORE_VERSION = 2, P11_URI_PLACES_BEFORE_SLOT_ID = 4, P11_URI_PLACES = 8 };
extern const struct p11_uri_place p11_uri_places[P11_URI_PLACES];

/* The value of "type" for a class, NULL if it has none; and the class of such a value, false if there is none. */
const char *p11_uri_class_name(CK_OBJECT_CLASS class);
bool p11_uri_class(const char *name, size_t len, CK_OBJECT_CLASS *class);

/* The text that a query attribute sets: P11_URI_PIN_SOURCE and so on, -1 for none of them. */
int p11_uri_text_of(const char *name, size_t len);

/* Whether a query attribute of this name is one that means nothing here. */
bool p11_uri_is_vendor_name(const char *name, size_t len);

/* Whether the bytes are those of a string. */
static inline bool p11_uri_is(const char *bytes, size_t len, const char *string)
{
	return strlen(string) == len && memcmp(bytes, string, len) == 0;
}

/* Whether URIs of a type have what another type says. */
static inline bool p11_uri_is_for(int type, int needed)
{
	return (type & needed) == needed;
}

/* Adds a vendor query; false if memory is short. */
bool p11_uri_add_query(P11KitUri *uri, const char *name, size_t name_len, const char *value, size_t value_len);

/* Reads string into a URI that says nothing so far; what is before an error is read. */
int p11_uri_read(P11KitUri *uri, int type, const char *string);

/* Writes a URI into memory for the caller to free, with the digits of escapes in lower case or not. */
int p11_uri_write(const P11KitUri *uri, int type, bool lower, char **string);

/* Whether URIs have a name for an attribute of this type. */
bool p11_uri_names(CK_ATTRIBUTE_TYPE type);

/*
 * Whether the value of an attribute is an array of attributes, by its type and
 * length. Not all types with CKF_ARRAY_ATTRIBUTE are such: CKA_ALLOWED_MECHANISMS.
 */
static inline bool p11_is_template(const CK_ATTRIBUTE *attr)
{
	switch (attr->type) {
	case CKA_WRAP_TEMPLATE:
	case CKA_UNWRAP_TEMPLATE:
	case CKA_DERIVE_TEMPLATE:
	case CKA_ENCAPSULATE_TEMPLATE:
	case CKA_DECAPSULATE_TEMPLATE:
		return attr->pValue && attr->ulValueLen % sizeof *attr == 0;
	}
	return false;
}

/* Frees a text and leaves no copy of it in memory; NULL is let pass. */
void p11_uri_wipe_text(char *text);

/* Makes a URI that says nothing of memory. */
void p11_uri_init(P11KitUri *uri);

/* Frees what the URI points to, and wipes it. Nothing is unset. */
void p11_uri_clear(P11KitUri *uri);

/* The place of the attribute of a type, or NULL. */
CK_ATTRIBUTE *p11_uri_find_attribute(const P11KitUri *uri, CK_ATTRIBUTE_TYPE type);

/* Wipes and removes the attribute of a type, if there is one. */
void p11_uri_drop_attribute(P11KitUri *uri, CK_ATTRIBUTE_TYPE type);

/* Frees what the URI has of these. They are not unset. */
void p11_uri_free_attributes(P11KitUri *uri);
void p11_uri_free_queries(P11KitUri *uri);

#endif
