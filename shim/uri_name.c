/* The names in URIs, and what they stand for (abi.md 4). Package uri has the same ones. */
#include <string.h>

#include "uri.h"

#define PLACE(attribute, member, type) \
	{ attribute, offsetof(P11KitUri, member), sizeof ((P11KitUri *)0)->member, type }

const struct p11_uri_place p11_uri_places[P11_URI_PLACES] = {
	PLACE("library-description", module.libraryDescription, P11_KIT_URI_FOR_MODULE),
	PLACE("library-manufacturer", module.manufacturerID, P11_KIT_URI_FOR_MODULE),
	PLACE("slot-description", slot.slotDescription, P11_KIT_URI_FOR_SLOT),
	PLACE("slot-manufacturer", slot.manufacturerID, P11_KIT_URI_FOR_SLOT),
	PLACE("model", token.model, P11_KIT_URI_FOR_TOKEN),
	PLACE("manufacturer", token.manufacturerID, P11_KIT_URI_FOR_TOKEN),
	PLACE("serial", token.serialNumber, P11_KIT_URI_FOR_TOKEN),
	PLACE("token", token.label, P11_KIT_URI_FOR_TOKEN),
};

static const struct {
	const char *name;
	CK_OBJECT_CLASS class;
} classes[] = {
	{ "data", CKO_DATA },
	{ "cert", CKO_CERTIFICATE },
	{ "public", CKO_PUBLIC_KEY },
	{ "private", CKO_PRIVATE_KEY },
	{ "secret-key", CKO_SECRET_KEY },
	{ "secretkey", CKO_SECRET_KEY }, /* is read, not written */
};

const char *p11_uri_class_name(CK_OBJECT_CLASS class)
{
	for (size_t i = 0; i < sizeof classes / sizeof *classes; i++)
		if (classes[i].class == class)
			return classes[i].name;
	return NULL;
}

bool p11_uri_class(const char *name, size_t len, CK_OBJECT_CLASS *class)
{
	for (size_t i = 0; i < sizeof classes / sizeof *classes; i++) {
		if (!p11_uri_is(name, len, classes[i].name))
			continue;
		*class = classes[i].class;
		return true;
	}
	return false;
}

int p11_uri_text_of(const char *name, size_t len)
{
	static const struct {
		const char *name;
		int text;
	} texts[] = {
		{ "pin-source", P11_URI_PIN_SOURCE },   { "pinfile", P11_URI_PIN_SOURCE },
		{ "pin-value", P11_URI_PIN_VALUE },     { "module-name", P11_URI_MODULE_NAME },
		{ "module-path", P11_URI_MODULE_PATH },
	};
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		if (p11_uri_is(name, len, texts[i].name))
			return texts[i].text;
	return -1;
}

bool p11_uri_is_vendor_name(const char *name, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!(name[i] >= 'a' && name[i] <= 'z') && !(name[i] >= '0' && name[i] <= '9') && name[i] != '-' && name[i] != '_')
			return false;
	return len > 0 && p11_uri_text_of(name, len) < 0;
}
