/* What a URI has besides attributes of objects: structures, the slot id, texts, and vendor queries (abi.md 1.4.3). */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>

#include "uri.h"

P11_EXPORT CK_INFO_PTR p11_kit_uri_get_module_info(P11KitUri *uri)
{
	p11_return_val_if_fail(uri != NULL, NULL);
	return &uri->module;
}

P11_EXPORT CK_SLOT_INFO_PTR p11_kit_uri_get_slot_info(P11KitUri *uri)
{
	p11_return_val_if_fail(uri != NULL, NULL);
	return &uri->slot;
}

P11_EXPORT CK_TOKEN_INFO_PTR p11_kit_uri_get_token_info(P11KitUri *uri)
{
	p11_return_val_if_fail(uri != NULL, NULL);
	return &uri->token;
}

P11_EXPORT CK_SLOT_ID p11_kit_uri_get_slot_id(P11KitUri *uri)
{
	p11_return_val_if_fail(uri != NULL, (CK_SLOT_ID)-1);
	return uri->slot_id;
}

P11_EXPORT void p11_kit_uri_set_slot_id(P11KitUri *uri, CK_SLOT_ID slot_id)
{
	p11_return_if_fail(uri != NULL);
	uri->slot_id = slot_id;
}

void p11_uri_wipe_text(char *text)
{
	if (!text)
		return;
	explicit_bzero(text, strlen(text));
	free(text);
}

/* Puts a copy of a text, or NULL, where another one was. False if memory is short. The two may be the same. */
static bool replace(char **place, const char *text)
{
	char *copy = NULL;
	if (text && !(copy = strdup(text)))
		return false;
	p11_uri_wipe_text(*place);
	*place = copy;
	return true;
}

/* The getter and the setter of a text. */
#define TEXT(name, index) \
	P11_EXPORT const char *p11_kit_uri_get_##name(const P11KitUri *uri) \
	{ \
		p11_return_val_if_fail(uri != NULL, NULL); \
		return uri->texts[index]; \
	} \
	P11_EXPORT void p11_kit_uri_set_##name(P11KitUri *uri, const char *text) \
	{ \
		p11_return_if_fail(uri != NULL); \
		bool replaced = replace(&uri->texts[index], text); \
		p11_return_if_fail(replaced); \
	}

TEXT(pin_source, P11_URI_PIN_SOURCE)
TEXT(pinfile, P11_URI_PIN_SOURCE)
TEXT(pin_value, P11_URI_PIN_VALUE)
TEXT(module_name, P11_URI_MODULE_NAME)
TEXT(module_path, P11_URI_MODULE_PATH)

void p11_uri_free_queries(P11KitUri *uri)
{
	for (size_t i = 0; i < uri->queries_len; i++) {
		free(uri->queries[i].name);
		p11_uri_wipe_text(uri->queries[i].value);
	}
	free(uri->queries);
}

/* The first vendor query of a name, or NULL. */
static struct p11_uri_query *find(const P11KitUri *uri, const char *name)
{
	for (size_t i = 0; i < uri->queries_len; i++)
		if (strcmp(uri->queries[i].name, name) == 0)
			return &uri->queries[i];
	return NULL;
}

bool p11_uri_add_query(P11KitUri *uri, const char *name, size_t name_len, const char *value, size_t value_len)
{
	/* There is room up to the next power of two: not every malloc makes an array longer without copying all of it. */
	if ((uri->queries_len & (uri->queries_len - 1)) == 0) {
		struct p11_uri_query *queries = reallocarray(uri->queries, uri->queries_len ? 2 * uri->queries_len : 1, sizeof *queries);
		if (!queries)
			return false;
		uri->queries = queries;
	}
	struct p11_uri_query query = { strndup(name, name_len), strndup(value, value_len) };
	if (!query.name || !query.value) {
		free(query.name);
		p11_uri_wipe_text(query.value);
		return false;
	}
	uri->queries[uri->queries_len++] = query;
	return true;
}

P11_EXPORT const char *p11_kit_uri_get_vendor_query(const P11KitUri *uri, const char *name)
{
	p11_return_val_if_fail(uri != NULL, NULL);
	p11_return_val_if_fail(name != NULL, NULL);
	const struct p11_uri_query *query = find(uri, name);
	return query ? query->value : NULL;
}

P11_EXPORT int p11_kit_uri_set_vendor_query(P11KitUri *uri, const char *name, const char *value)
{
	p11_return_val_if_fail(uri != NULL, 0);
	p11_return_val_if_fail(name != NULL, 0);
	struct p11_uri_query *query = find(uri, name);
	if (!query)
		return value && p11_uri_is_vendor_name(name, strlen(name)) &&
		       p11_uri_add_query(uri, name, strlen(name), value, strlen(value));
	if (value)
		return replace(&query->value, value);
	/* name may be the very text that goes. */
	free(query->name);
	p11_uri_wipe_text(query->value);
	uri->queries_len--;
	memmove(query, query + 1, (size_t)(uri->queries + uri->queries_len - query) * sizeof *query);
	return 1;
}
