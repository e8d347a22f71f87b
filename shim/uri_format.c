/*
 * Writing URIs (abi.md 4.2). A text is written twice, first to learn its length:
 * one that grows would leave copies of a PIN behind.
 */
#include <stdlib.h>
#include <string.h>

#include "uri.h"

struct writer {
	char *to; /* NULL: what is written is counted only */
	size_t len;
	const char *digits;
	char separator, next; /* before the attribute that comes, or 0, and before those after it */
};

static void put(struct writer *w, char c)
{
	if (w->to)
		w->to[w->len] = c;
	w->len++;
}

static void put_text(struct writer *w, const char *text)
{
	size_t len = strlen(text);
	if (w->to)
		memcpy(w->to + w->len, text, len);
	w->len += len;
}

static void put_number(struct writer *w, uint64_t n)
{
	char digits[20];
	size_t len = 0;
	do
		digits[len++] = (char)('0' + n % 10);
	while ((n /= 10) > 0);
	while (len > 0)
		put(w, digits[--len]);
}

/* Begins an attribute. */
static void put_name(struct writer *w, const char *name)
{
	if (w->separator)
		put(w, w->separator);
	w->separator = w->next;
	put_text(w, name);
	put(w, '=');
}

static void put_encoded(struct writer *w, unsigned char c)
{
	put(w, '%');
	put(w, w->digits[c >> 4]);
	put(w, w->digits[c & 15]);
}

/* Whether values have a character as it is. RFC 7512 lets more of them stand, but p11-kit encodes them, and texts are compared. */
static bool is_plain(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.';
}

static void put_value(struct writer *w, const void *value, size_t len)
{
	const unsigned char *bytes = value;
	for (size_t i = 0; i < len; i++)
		if (is_plain(bytes[i]))
			put(w, (char)bytes[i]);
		else
			put_encoded(w, bytes[i]);
}

static void write_places(struct writer *w, const P11KitUri *uri, int type, int from, int to)
{
	for (const struct p11_uri_place *place = &p11_uri_places[from]; place < &p11_uri_places[to]; place++) {
		const char *text = (const char *)uri + place->offset;
		size_t len = place->size;
		if (text[0] == 0 || !p11_uri_is_for(type, place->type))
			continue;
		while (len > 0 && text[len - 1] == ' ')
			len--;
		put_name(w, place->name);
		put_value(w, text, len);
	}
}

static const CK_ATTRIBUTE *find_value(const P11KitUri *uri, CK_ATTRIBUTE_TYPE type)
{
	const CK_ATTRIBUTE *attr = p11_uri_find_attribute(uri, type);
	return attr && attr->pValue ? attr : NULL;
}

static void write_object(struct writer *w, const P11KitUri *uri)
{
	const CK_ATTRIBUTE *attr = find_value(uri, CKA_ID);
	if (attr) {
		put_name(w, "id");
		for (size_t i = 0; i < attr->ulValueLen; i++)
			put_encoded(w, ((const unsigned char *)attr->pValue)[i]);
	}
	if ((attr = find_value(uri, CKA_LABEL))) {
		put_name(w, "object");
		put_value(w, attr->pValue, attr->ulValueLen);
	}
	CK_OBJECT_CLASS class;
	if ((attr = find_value(uri, CKA_CLASS)) && attr->ulValueLen == sizeof class) {
		memcpy(&class, attr->pValue, sizeof class);
		const char *name = p11_uri_class_name(class);
		if (name) {
			put_name(w, "type");
			put_text(w, name);
		}
	}
}

static void write_path(struct writer *w, const P11KitUri *uri, int type)
{
	const CK_VERSION *version = &uri->module.libraryVersion;
	write_places(w, uri, type, 0, P11_URI_PLACES_BEFORE_VERSION);
	if ((version->major != 255 || version->minor != 255) && p11_uri_is_for(type, P11_KIT_URI_FOR_MODULE_WITH_VERSION)) {
		put_name(w, "library-version");
		put_number(w, version->major);
		put(w, '.');
		put_number(w, version->minor);
	}
	write_places(w, uri, type, P11_URI_PLACES_BEFORE_VERSION, P11_URI_PLACES_BEFORE_SLOT_ID);
	if (uri->slot_id != (CK_SLOT_ID)-1 && p11_uri_is_for(type, P11_KIT_URI_FOR_SLOT)) {
		put_name(w, "slot-id");
		put_number(w, uri->slot_id);
	}
	write_places(w, uri, type, P11_URI_PLACES_BEFORE_SLOT_ID, P11_URI_PLACES);
	if (p11_uri_is_for(type, P11_KIT_URI_FOR_OBJECT))
		write_object(w, uri);
}

static void write_query(struct writer *w, const P11KitUri *uri, struct p11_uri_query *const *vendor)
{
	static const char *const names[P11_URI_TEXTS] = {
		[P11_URI_PIN_SOURCE] = "pin-source",
		[P11_URI_PIN_VALUE] = "pin-value",
		[P11_URI_MODULE_NAME] = "module-name",
		[P11_URI_MODULE_PATH] = "module-path",
	};
	for (int i = 0; i < P11_URI_TEXTS; i++)
		if (uri->texts[i]) {
			put_name(w, names[i]);
			put_value(w, uri->texts[i], strlen(uri->texts[i]));
		}
	for (size_t i = 0; i < uri->queries_len; i++) {
		put_name(w, vendor[i]->name);
		put_value(w, vendor[i]->value, strlen(vendor[i]->value));
	}
}

/* By name; those of one name as they came. */
static int compare(const void *a, const void *b)
{
	const struct p11_uri_query *x = *(struct p11_uri_query *const *)a, *y = *(struct p11_uri_query *const *)b;
	int order = strcmp(x->name, y->name);
	return order ? order : (x > y) - (x < y);
}

int p11_uri_write(const P11KitUri *uri, int type, bool lower, char **string)
{
	struct p11_uri_query **vendor = NULL;
	if (uri->queries_len > 0) {
		if (!(vendor = calloc(uri->queries_len, sizeof *vendor)))
			return P11_KIT_URI_UNEXPECTED;
		for (size_t i = 0; i < uri->queries_len; i++)
			vendor[i] = &uri->queries[i];
		qsort(vendor, uri->queries_len, sizeof *vendor, compare);
	}
	struct writer w = { .to = NULL };
	for (int pass = 0; pass < 2; pass++) {
		if (pass == 1 && !(w.to = malloc(w.len + 1)))
			break;
		w.len = 0;
		w.digits = lower ? "0123456789abcdef" : "0123456789ABCDEF";
		put_text(&w, P11_KIT_URI_SCHEME ":");
		w.separator = 0;
		w.next = ';';
		write_path(&w, uri, type);
		w.separator = '?';
		w.next = '&';
		write_query(&w, uri, vendor);
	}
	free(vendor);
	if (!w.to)
		return P11_KIT_URI_UNEXPECTED;
	w.to[w.len] = '\0';
	*string = w.to;
	return P11_KIT_URI_OK;
}
