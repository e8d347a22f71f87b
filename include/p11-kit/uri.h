/*
 * PKCS#11 URIs (RFC 7512), which name modules, slots, tokens and objects:
 * "pkcs11:token=work;type=private?pin-source=/run/pin".
 *
 * A URI has the structures that PKCS#11 describes things by. What it does not
 * say is unset there: a text whose first byte is 0, the version 255.255, the
 * slot id (CK_SLOT_ID)-1. What is unset matches everything.
 *
 * A P11KitUri belongs to whoever made it: two threads must not use one at the
 * same time, unless both only read. What a getter gives belongs to the URI, and
 * is valid until that is changed, parsed into or freed. Given NULL where that is
 * not allowed, a function says so on stderr, and fails. No function stores a
 * message.
 */
#ifndef P11_KIT_URI_H
#define P11_KIT_URI_H 1

#include "p11-kit/p11-kit.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What a URI begins with, in any case, before the colon. */
#define P11_KIT_URI_SCHEME "pkcs11"

/* The length of P11_KIT_URI_SCHEME in bytes. */
#define P11_KIT_URI_SCHEME_LEN 6

/* What went wrong; p11_kit_uri_message has words for it. */
typedef enum {
	P11_KIT_URI_OK = 0,
	P11_KIT_URI_UNEXPECTED = -1,   /* what no URI can have, or no memory */
	P11_KIT_URI_BAD_SCHEME = -2,   /* does not begin with "pkcs11:" */
	P11_KIT_URI_BAD_ENCODING = -3, /* a '%' without two hexadecimal digits */
	P11_KIT_URI_BAD_SYNTAX = -4,   /* an attribute that is not NAME=VALUE, or a bad slot-id */
	P11_KIT_URI_BAD_VERSION = -5,  /* a library-version that is not two numbers */
	P11_KIT_URI_NOT_FOUND = -6     /* an attribute that URIs do not have */
} P11KitUriResult;

/* The former name. */
#define P11_KIT_URI_NO_MEMORY P11_KIT_URI_UNEXPECTED

/*
 * What a URI is for. An attribute of the path that is for something else is not
 * recognized when parsed, and left out when formatted. The query is the same for
 * all.
 */
typedef enum {
	P11_KIT_URI_FOR_OBJECT = 1 << 1, /* id, object, type */
	P11_KIT_URI_FOR_TOKEN = 1 << 2,  /* model, manufacturer, serial, token */
	P11_KIT_URI_FOR_MODULE = 1 << 3, /* library-description, library-manufacturer */
	P11_KIT_URI_FOR_MODULE_WITH_VERSION = (1 << 4) | P11_KIT_URI_FOR_MODULE, /* and library-version */
	P11_KIT_URI_FOR_SLOT = 1 << 5,   /* slot-description, slot-manufacturer, slot-id */
	P11_KIT_URI_FOR_OBJECT_ON_TOKEN = P11_KIT_URI_FOR_OBJECT | P11_KIT_URI_FOR_TOKEN,
	P11_KIT_URI_FOR_OBJECT_ON_TOKEN_AND_MODULE = P11_KIT_URI_FOR_OBJECT_ON_TOKEN | P11_KIT_URI_FOR_MODULE,
	P11_KIT_URI_FOR_ANY = 0xffff
} P11KitUriType;

/* A URI. */
typedef struct p11_kit_uri P11KitUri;

/* A URI that says nothing, for p11_kit_uri_free; NULL if memory is short. */
P11KitUri *p11_kit_uri_new(void);

/* Frees a URI, and wipes its PIN and its attributes. NULL is let pass. */
void p11_kit_uri_free(P11KitUri *uri);

/*
 * Replaces the URI by what string says. P11_KIT_URI_OK does not mean that all
 * was understood: see p11_kit_uri_any_unrecognized. If string does not begin with
 * "pkcs11:" the URI stays as it was; with other errors it has the attributes
 * before the error.
 *
 * Blanks, LF, CR and VT are removed wherever they stand. An empty component of
 * the path ends it: "pkcs11:;token=a" names no token. pin-value and the other
 * texts of the query end at their first %00.
 */
int p11_kit_uri_parse(const char *string, P11KitUriType uri_type, P11KitUri *uri);

/*
 * Writes the URI: *string is for the caller to free, and set on success only.
 * The query is always there, pin-value and pin-source among it: the text is as
 * secret as the PIN is. Objects are written by CKA_ID, CKA_LABEL and CKA_CLASS
 * alone, and CKA_CLASS only if it is of those that have a name. Escapes have
 * upper-case digits, or lower-case ones if P11_KIT_URI_LOWERCASE is set and not
 * empty in the environment. P11_KIT_URI_OK, or P11_KIT_URI_UNEXPECTED without
 * memory.
 */
int p11_kit_uri_format(P11KitUri *uri, P11KitUriType uri_type, char **string);

/*
 * The library attributes: libraryDescription, manufacturerID and libraryVersion.
 * The caller may change them, and pads texts with blanks.
 */
CK_INFO_PTR p11_kit_uri_get_module_info(P11KitUri *uri);

/* 1 if a module is one that the URI names, else 0; a URI with something unrecognized matches nothing. */
int p11_kit_uri_match_module_info(const P11KitUri *uri, const CK_INFO *info);

/* slot-description and slot-manufacturer, as p11_kit_uri_get_module_info. */
CK_SLOT_INFO_PTR p11_kit_uri_get_slot_info(P11KitUri *uri);

/* As p11_kit_uri_match_module_info, for a slot. slot-id does not count here. */
int p11_kit_uri_match_slot_info(const P11KitUri *uri, const CK_SLOT_INFO *info);

/* slot-id, or (CK_SLOT_ID)-1 if it is unset. */
CK_SLOT_ID p11_kit_uri_get_slot_id(P11KitUri *uri);

/* Sets slot-id, or unsets it by (CK_SLOT_ID)-1. Numbers above 2^63-1 cannot be parsed again. */
void p11_kit_uri_set_slot_id(P11KitUri *uri, CK_SLOT_ID slot_id);

/* model, manufacturer, serial and token (the label), as p11_kit_uri_get_module_info. */
CK_TOKEN_INFO_PTR p11_kit_uri_get_token_info(P11KitUri *uri);

/* As p11_kit_uri_match_module_info, for a token. */
int p11_kit_uri_match_token_info(const P11KitUri *uri, const CK_TOKEN_INFO *info);

/* The object's attribute of a type, or NULL. The caller must not change it. */
CK_ATTRIBUTE_PTR p11_kit_uri_get_attribute(P11KitUri *uri, CK_ATTRIBUTE_TYPE attr_type);

/*
 * Sets an attribute to a copy, with the attributes of a template. Any type is
 * kept. P11_KIT_URI_OK, also where attr is NULL or has the type (CK_ULONG)-1 and
 * nothing happens; P11_KIT_URI_UNEXPECTED if memory is short, or attr has a value
 * but no length: then the URI is as it was.
 */
int p11_kit_uri_set_attribute(P11KitUri *uri, CK_ATTRIBUTE_PTR attr);

/*
 * Removes an attribute; it need not be there. P11_KIT_URI_NOT_FOUND for other
 * types than CKA_CLASS, CKA_LABEL and CKA_ID.
 */
int p11_kit_uri_clear_attribute(P11KitUri *uri, CK_ATTRIBUTE_TYPE attr_type);

/*
 * All attributes, in the order in which they were first set: a template to
 * search by. The array ends with one of the type (CK_ULONG)-1; *n_attrs, if
 * n_attrs is not NULL, is their number without it. The caller must not change them.
 */
CK_ATTRIBUTE_PTR p11_kit_uri_get_attributes(P11KitUri *uri, CK_ULONG *n_attrs);

/*
 * Replaces all attributes by copies. attrs may be NULL if n_attrs is 0. As
 * p11_kit_uri_set_attribute, but after an error the URI has those before it.
 */
int p11_kit_uri_set_attributes(P11KitUri *uri, CK_ATTRIBUTE_PTR attrs, CK_ULONG n_attrs);

/* Removes all attributes, of whatever type. */
void p11_kit_uri_clear_attributes(P11KitUri *uri);

/*
 * As p11_kit_uri_match_module_info, for an object: each of CKA_CLASS, CKA_LABEL
 * and CKA_ID that is given, and that the URI has, must be the URI's. What is not
 * given is not missed, so give all three.
 */
int p11_kit_uri_match_attributes(const P11KitUri *uri, const CK_ATTRIBUTE *attrs, CK_ULONG n_attrs);

/* pin-value, the PIN itself; NULL if it is unset. */
const char *p11_kit_uri_get_pin_value(const P11KitUri *uri);

/* Sets pin-value to a copy, or unsets it by NULL. The former one is wiped. */
void p11_kit_uri_set_pin_value(P11KitUri *uri, const char *pin);

/* pin-source, which says where to get the PIN; NULL if it is unset. */
const char *p11_kit_uri_get_pin_source(const P11KitUri *uri);

/* Sets pin-source to a copy, or unsets it by NULL. */
void p11_kit_uri_set_pin_source(P11KitUri *uri, const char *pin_source);

#ifndef P11_KIT_DISABLE_DEPRECATED

/* The former name of p11_kit_uri_get_pin_source. */
P11_KIT_DEPRECATED_FOR(p11_kit_uri_get_pin_source)
const char *p11_kit_uri_get_pinfile(const P11KitUri *uri);

/* The former name of p11_kit_uri_set_pin_source. */
P11_KIT_DEPRECATED_FOR(p11_kit_uri_set_pin_source)
void p11_kit_uri_set_pinfile(P11KitUri *uri, const char *pinfile);

#endif

/* module-name, the configured name of the module; NULL if it is unset. */
const char *p11_kit_uri_get_module_name(const P11KitUri *uri);

/* Sets module-name to a copy, or unsets it by NULL. */
void p11_kit_uri_set_module_name(P11KitUri *uri, const char *name);

/* module-path, the file of the module; NULL if it is unset. */
const char *p11_kit_uri_get_module_path(const P11KitUri *uri);

/* Sets module-path to a copy, or unsets it by NULL. */
void p11_kit_uri_set_module_path(P11KitUri *uri, const char *path);

/* The value of the first query attribute of a name that has no meaning here; NULL if there is none. */
const char *p11_kit_uri_get_vendor_query(const P11KitUri *uri, const char *name);

/*
 * Sets the first vendor query of a name, or removes it by NULL. 1 if that was
 * done. 0 if there is none to remove, memory is short, or the name could not be
 * parsed again: it must be of the characters a-z0-9-_, and none of pin-source,
 * pinfile, pin-value, module-name and module-path.
 */
int p11_kit_uri_set_vendor_query(P11KitUri *uri, const char *name, const char *value);

/* Sets what p11_kit_uri_any_unrecognized answers: 0 or not. */
void p11_kit_uri_set_unrecognized(P11KitUri *uri, int unrecognized);

/* 1 if the text that was parsed has something that is not known, or can be true of nothing; else 0. */
int p11_kit_uri_any_unrecognized(P11KitUri *uri);

/* A phrase in English that says what a P11KitUriResult means: static, NULL for P11_KIT_URI_OK. */
const char *p11_kit_uri_message(int code);

#ifdef __cplusplus
}
#endif

#endif
