/*
 * Reading URIs (abi.md 4.1). The text is copied without the characters that do
 * not count, taken apart and decoded where it is, and wiped: there may be a PIN in
 * it. Nothing is looked at but what is between two pointers.
 */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>

#include "uri.h"

#define SHORT 512 /* bytes of a text that needs no memory to be read */

/* Some of the text. */
struct piece {
	char *at;
	size_t len;
};

/* The piece up to a character, and without the character what comes after it. False if the character is not there. */
static bool cut(struct piece *rest, char at, struct piece *before)
{
	char *found = memchr(rest->at, at, rest->len);
	size_t len = found ? (size_t)(found - rest->at) : rest->len, skip = found ? 1 : 0;
	*before = (struct piece){ rest->at, len };
	*rest = (struct piece){ rest->at + len + skip, rest->len - len - skip };
	return found != NULL;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* Resolves percent-encoding. */
static bool decode(struct piece *value)
{
	char *from = memchr(value->at, '%', value->len), *end = value->at + value->len, *to = from;
	if (!from)
		return true;
	while (from < end) {
		if (*from != '%') {
			*to++ = *from++;
			continue;
		}
		int high = end - from >= 3 ? hex_digit(from[1]) : -1, low = high >= 0 ? hex_digit(from[2]) : -1;
		if (low < 0)
			return false;
		*to++ = (char)(high << 4 | low);
		from += 3;
	}
	value->len = (size_t)(to - value->at);
	return true;
}

/* The same for a C string, which ends at a NUL. */
static bool decode_string(struct piece *value)
{
	if (!decode(value))
		return false;
	value->len = strnlen(value->at, value->len);
	return true;
}

static int read_place(P11KitUri *uri, const struct p11_uri_place *place, struct piece value)
{
	if (!decode(&value))
		return P11_KIT_URI_BAD_ENCODING;
	char *to = (char *)uri + place->offset;
	if (value.len > place->size) {
		uri->unrecognized = 1;
	} else if (value.len > 0 && value.at[0] == 0) {
		/* A text that is unset begins so, and would match everything. */
		memset(to, 0, place->size);
		uri->unrecognized = 1;
	} else {
		memcpy(to, value.at, value.len);
		memset(to + value.len, ' ', place->size - value.len);
	}
	return P11_KIT_URI_OK;
}

static int read_text(P11KitUri *uri, int text, struct piece value)
{
	if (!decode_string(&value))
		return P11_KIT_URI_BAD_ENCODING;
	char *copy = strndup(value.at, value.len);
	if (!copy)
		return P11_KIT_URI_UNEXPECTED;
	p11_uri_wipe_text(uri->texts[text]);
	uri->texts[text] = copy;
	return P11_KIT_URI_OK;
}

static int set_value(P11KitUri *uri, CK_ATTRIBUTE_TYPE type, void *value, size_t len)
{
	CK_ATTRIBUTE attr = { type, value, len };
	return p11_kit_uri_set_attribute(uri, &attr);
}

static int read_attribute(P11KitUri *uri, CK_ATTRIBUTE_TYPE type, struct piece value)
{
	return decode(&value) ? set_value(uri, type, value.at, value.len) : P11_KIT_URI_BAD_ENCODING;
}

/* Reads decimal digits that give at most limit. */
static bool read_number(struct piece digits, uint64_t limit, uint64_t *n)
{
	*n = 0;
	for (size_t i = 0; i < digits.len; i++) {
		unsigned digit = (unsigned char)digits.at[i] - (unsigned)'0';
		if (digit > 9 || *n > (limit - digit) / 10)
			return false;
		*n = 10 * *n + digit;
	}
	return digits.len > 0;
}

static int read_slot_id(P11KitUri *uri, struct piece value)
{
	uint64_t id;
	if (!read_number(value, INT64_MAX, &id) || id > (CK_SLOT_ID)-1)
		return P11_KIT_URI_BAD_SYNTAX;
	uri->slot_id = (CK_SLOT_ID)id;
	return P11_KIT_URI_OK;
}

static int read_version(P11KitUri *uri, struct piece value)
{
	struct piece major;
	uint64_t x, y = 0;
	bool dotted = cut(&value, '.', &major);
	if (!read_number(major, 254, &x) || (dotted && !read_number(value, 254, &y)))
		return P11_KIT_URI_BAD_VERSION;
	uri->module.libraryVersion = (CK_VERSION){ (CK_BYTE)x, (CK_BYTE)y };
	return P11_KIT_URI_OK;
}

/* Reads an attribute of the path. One that is not known, or not for this type of URI, is no error. */
static int read_path_attribute(P11KitUri *uri, int type, struct piece name, struct piece value)
{
	for (const struct p11_uri_place *place = p11_uri_places; place < p11_uri_places + P11_URI_PLACES; place++)
		if (p11_uri_is(name.at, name.len, place->name)) {
			if (p11_uri_is_for(type, place->type))
				return read_place(uri, place, value);
			uri->unrecognized = 1;
			return P11_KIT_URI_OK;
		}
#define IS(wanted, needed) (p11_uri_is(name.at, name.len, wanted) && p11_uri_is_for(type, needed))
	if (IS("id", P11_KIT_URI_FOR_OBJECT))
		return read_attribute(uri, CKA_ID, value);
	if (IS("object", P11_KIT_URI_FOR_OBJECT))
		return read_attribute(uri, CKA_LABEL, value);
	if (IS("type", P11_KIT_URI_FOR_OBJECT) || IS("object-type", P11_KIT_URI_FOR_OBJECT) ||
	    IS("objecttype", P11_KIT_URI_FOR_OBJECT)) {
		/* Neither a bad class nor an escape in a good one is an error. */
		CK_OBJECT_CLASS class;
		if (p11_uri_class(value.at, value.len, &class))
			return set_value(uri, CKA_CLASS, &class, sizeof class);
	}
	if (IS("slot-id", P11_KIT_URI_FOR_SLOT))
		return read_slot_id(uri, value);
	if (IS("library-version", P11_KIT_URI_FOR_MODULE_WITH_VERSION))
		return read_version(uri, value);
#undef IS
	/* These stood in the path once. */
	int text = p11_uri_text_of(name.at, name.len);
	if (text == P11_URI_PIN_SOURCE || text == P11_URI_PIN_VALUE)
		return read_text(uri, text, value);
	uri->unrecognized = 1;
	return P11_KIT_URI_OK;
}

static int read_query_attribute(P11KitUri *uri, struct piece name, struct piece value)
{
	int text = p11_uri_text_of(name.at, name.len);
	if (text >= 0)
		return read_text(uri, text, value);
	if (!p11_uri_is_vendor_name(name.at, name.len))
		return P11_KIT_URI_UNEXPECTED;
	if (!decode_string(&value))
		return P11_KIT_URI_BAD_ENCODING;
	return p11_uri_add_query(uri, name.at, name.len, value.at, value.len) ? P11_KIT_URI_OK : P11_KIT_URI_UNEXPECTED;
}

/* Reads the path, and leaves the query. A component that is empty ends the path as a question mark does. */
static int read_path(P11KitUri *uri, int type, struct piece *rest)
{
	for (;;) {
		size_t len = 0;
		while (len < rest->len && rest->at[len] != ';' && rest->at[len] != '?')
			len++;
		bool last = len == 0 || len == rest->len || rest->at[len] == '?';
		struct piece value = { rest->at, len }, name;
		size_t skip = len < rest->len ? len + 1 : len;
		*rest = (struct piece){ rest->at + skip, rest->len - skip };
		if (len == 0)
			return P11_KIT_URI_OK;
		if (!cut(&value, '=', &name) || name.len == 0)
			return P11_KIT_URI_BAD_SYNTAX;
		int code = read_path_attribute(uri, type, name, value);
		if (code != P11_KIT_URI_OK || last)
			return code;
	}
}

static int read_query(P11KitUri *uri, struct piece rest)
{
	while (rest.len > 0) {
		struct piece value, name;
		cut(&rest, '&', &value);
		if (!cut(&value, '=', &name) || name.len == 0)
			return P11_KIT_URI_BAD_SYNTAX;
		int code = read_query_attribute(uri, name, value);
		if (code != P11_KIT_URI_OK)
			return code;
	}
	return P11_KIT_URI_OK;
}

/* Whether it is "pkcs11", in any case of the letters. The locale must not decide. */
static bool is_scheme(struct piece scheme)
{
	if (scheme.len != P11_KIT_URI_SCHEME_LEN)
		return false;
	for (size_t i = 0; i < scheme.len; i++) {
		char c = scheme.at[i];
		if ((c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c) != P11_KIT_URI_SCHEME[i])
			return false;
	}
	return true;
}

/* Copies a text without what does not count. */
static struct piece compact(char *to, const char *from)
{
	struct piece text = { to, 0 };
	for (; *from; from++)
		if (*from != ' ' && *from != '\n' && *from != '\r' && *from != '\v')
			to[text.len++] = *from;
	return text;
}

int p11_uri_read(P11KitUri *uri, int type, const char *string)
{
	char few[SHORT], *copy = few;
	size_t size = strlen(string);
	if (size > sizeof few && !(copy = malloc(size)))
		return P11_KIT_URI_UNEXPECTED;
	struct piece rest = compact(copy, string), scheme;
	int code = P11_KIT_URI_BAD_SCHEME;
	if (cut(&rest, ':', &scheme) && is_scheme(scheme)) {
		code = read_path(uri, type, &rest);
		if (code == P11_KIT_URI_OK)
			code = read_query(uri, rest);
	}
	explicit_bzero(copy, size);
	if (copy != few)
		free(copy);
	return code;
}
