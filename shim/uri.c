/*
 * URIs as a whole (abi.md 1.4.3, 4). All of them is C: a program that has a URI
 * to read need not have a module to use, and pays for no engine. Package uri is
 * the same for Go, and the tests have the two read and write the same texts.
 */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>

#include "uri.h"

void p11_uri_init(P11KitUri *uri)
{
	memset(uri, 0, sizeof *uri);
	uri->module.libraryVersion.major = uri->module.libraryVersion.minor = 255;
	uri->slot_id = (CK_SLOT_ID)-1;
}

void p11_uri_clear(P11KitUri *uri)
{
	for (int i = 0; i < P11_URI_TEXTS; i++)
		p11_uri_wipe_text(uri->texts[i]);
	p11_uri_free_attributes(uri);
	p11_uri_free_queries(uri);
}

P11_EXPORT P11KitUri *p11_kit_uri_new(void)
{
	P11KitUri *uri = malloc(sizeof *uri);
	if (uri)
		p11_uri_init(uri);
	return uri;
}

P11_EXPORT void p11_kit_uri_free(P11KitUri *uri)
{
	if (!uri)
		return;
	p11_uri_clear(uri);
	free(uri);
}

P11_EXPORT int p11_kit_uri_parse(const char *string, P11KitUriType uri_type, P11KitUri *uri)
{
	p11_return_val_if_fail(string != NULL, P11_KIT_URI_UNEXPECTED);
	p11_return_val_if_fail(uri != NULL, P11_KIT_URI_UNEXPECTED);
	P11KitUri parsed;
	p11_uri_init(&parsed);
	int code = p11_uri_read(&parsed, uri_type, string);
	if (code == P11_KIT_URI_BAD_SCHEME)
		return code;
	p11_uri_clear(uri);
	*uri = parsed;
	return code;
}

P11_EXPORT int p11_kit_uri_format(P11KitUri *uri, P11KitUriType uri_type, char **string)
{
	p11_return_val_if_fail(uri != NULL, P11_KIT_URI_UNEXPECTED);
	p11_return_val_if_fail(string != NULL, P11_KIT_URI_UNEXPECTED);
	const char *lower = secure_getenv("P11_KIT_URI_LOWERCASE");
	return p11_uri_write(uri, uri_type, lower && *lower, string);
}

P11_EXPORT void p11_kit_uri_set_unrecognized(P11KitUri *uri, int unrecognized)
{
	p11_return_if_fail(uri != NULL);
	uri->unrecognized = unrecognized != 0;
}

P11_EXPORT int p11_kit_uri_any_unrecognized(P11KitUri *uri)
{
	p11_return_val_if_fail(uri != NULL, 1);
	return uri->unrecognized;
}

P11_EXPORT const char *p11_kit_uri_message(int code)
{
	switch (code) {
	case P11_KIT_URI_OK:
		return NULL;
	case P11_KIT_URI_UNEXPECTED:
		return "Something that no URI can have, or memory is short";
	case P11_KIT_URI_BAD_SCHEME:
		return "The URI does not begin with 'pkcs11:'";
	case P11_KIT_URI_BAD_ENCODING:
		return "The URI has a '%' without two hexadecimal digits after it";
	case P11_KIT_URI_BAD_SYNTAX:
		return "The URI has an attribute that is not of the form name=value, or a bad slot-id";
	case P11_KIT_URI_BAD_VERSION:
		return "The URI has a bad library-version";
	case P11_KIT_URI_NOT_FOUND:
		return "URIs do not have this attribute";
	}
	return "Unknown error";
}
