/* Whether something is what a URI names (abi.md 4.3). Package uri has the same rules for its own URIs. */
#include <string.h>

#include "uri.h"

/* A text with its padding, if the URI has it. */
#define MATCH(own, other, member) \
	((own)->member[0] == 0 || memcmp((own)->member, (other)->member, sizeof (own)->member) == 0)

static bool match_version(const CK_VERSION *own, const CK_VERSION *other)
{
	return (own->major == 255 && own->minor == 255) || (own->major == other->major && own->minor == other->minor);
}

P11_EXPORT int p11_kit_uri_match_module_info(const P11KitUri *uri, const CK_INFO *info)
{
	p11_return_val_if_fail(uri != NULL, 0);
	p11_return_val_if_fail(info != NULL, 0);
	return !uri->unrecognized &&
	       MATCH(&uri->module, info, libraryDescription) &&
	       MATCH(&uri->module, info, manufacturerID) &&
	       match_version(&uri->module.libraryVersion, &info->libraryVersion);
}

P11_EXPORT int p11_kit_uri_match_slot_info(const P11KitUri *uri, const CK_SLOT_INFO *info)
{
	p11_return_val_if_fail(uri != NULL, 0);
	p11_return_val_if_fail(info != NULL, 0);
	return !uri->unrecognized &&
	       MATCH(&uri->slot, info, slotDescription) &&
	       MATCH(&uri->slot, info, manufacturerID);
}

P11_EXPORT int p11_kit_uri_match_token_info(const P11KitUri *uri, const CK_TOKEN_INFO *info)
{
	p11_return_val_if_fail(uri != NULL, 0);
	p11_return_val_if_fail(info != NULL, 0);
	return !uri->unrecognized &&
	       MATCH(&uri->token, info, label) &&
	       MATCH(&uri->token, info, manufacturerID) &&
	       MATCH(&uri->token, info, model) &&
	       MATCH(&uri->token, info, serialNumber);
}

/* An attribute that has no value, since the object would not tell it, is equal only to one without. */
static bool same_value(const CK_ATTRIBUTE *own, const CK_ATTRIBUTE *other)
{
	if (own->ulValueLen != other->ulValueLen || !own->pValue != !other->pValue)
		return false;
	return !own->pValue || memcmp(own->pValue, other->pValue, own->ulValueLen) == 0;
}

P11_EXPORT int p11_kit_uri_match_attributes(const P11KitUri *uri, const CK_ATTRIBUTE *attrs, CK_ULONG n_attrs)
{
	p11_return_val_if_fail(uri != NULL, 0);
	p11_return_val_if_fail(attrs != NULL || n_attrs == 0, 0);
	if (uri->unrecognized)
		return 0;
	for (CK_ULONG i = 0; i < n_attrs; i++) {
		if (!p11_uri_names(attrs[i].type))
			continue;
		for (size_t j = 0; j < uri->attributes_len; j++)
			if (uri->attributes[j].type == attrs[i].type && !same_value(&uri->attributes[j], &attrs[i]))
				return 0;
	}
	return 1;
}
