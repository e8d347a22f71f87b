/* URIs: what the functions do with them besides parsing, which uri.c compares text by text. */
#pragma GCC diagnostic ignored "-Wnonnull"
#include "conformance.h"

#include <p11-kit/uri.h>
#include <pthread.h>

/* Programs have these values compiled in. */
_Static_assert(P11_KIT_URI_OK == 0 && P11_KIT_URI_UNEXPECTED == -1 && P11_KIT_URI_NO_MEMORY == -1 &&
	       P11_KIT_URI_BAD_SCHEME == -2 && P11_KIT_URI_BAD_ENCODING == -3 && P11_KIT_URI_BAD_SYNTAX == -4 &&
	       P11_KIT_URI_BAD_VERSION == -5 && P11_KIT_URI_NOT_FOUND == -6, "P11KitUriResult");
_Static_assert(P11_KIT_URI_FOR_OBJECT == 0x02 && P11_KIT_URI_FOR_TOKEN == 0x04 && P11_KIT_URI_FOR_MODULE == 0x08 &&
	       P11_KIT_URI_FOR_MODULE_WITH_VERSION == 0x18 && P11_KIT_URI_FOR_SLOT == 0x20 &&
	       P11_KIT_URI_FOR_OBJECT_ON_TOKEN == 0x06 && P11_KIT_URI_FOR_OBJECT_ON_TOKEN_AND_MODULE == 0x0e &&
	       P11_KIT_URI_FOR_ANY == 0xffff, "P11KitUriType");
_Static_assert(sizeof P11_KIT_URI_SCHEME == 7 && P11_KIT_URI_SCHEME_LEN == 6, "the scheme");
_Static_assert(sizeof(P11KitUriType) == sizeof(int) && sizeof(P11KitUriResult) == sizeof(int), "enumerations");

static P11KitUri *new_uri(void)
{
	P11KitUri *uri = p11_kit_uri_new();

	if (uri == NULL)
		die("no uri");
	return uri;
}

static P11KitUri *parsed(const char *text)
{
	P11KitUri *uri = new_uri();
	int code = p11_kit_uri_parse(text, P11_KIT_URI_FOR_ANY, uri);

	if (code != P11_KIT_URI_OK)
		die("%s: %d", text, code);
	return uri;
}

static void out_format(const char *name, P11KitUri *uri, int type)
{
	char *text = NULL;
	int code = p11_kit_uri_format(uri, (P11KitUriType)type, &text);

	out(name, "%d %s", code, text);
	free(text);
}

static const char *or_none(const char *text)
{
	return text ? text : "(none)";
}

static const char *all =
	"pkcs11:library-description=ld;library-manufacturer=lm;library-version=1.2;slot-description=sd;slot-manufacturer=sm;"
	"slot-id=3;model=mo;manufacturer=ma;serial=se;token=to;id=%69;object=ob;type=cert?"
	"pin-source=ps&pin-value=pv&module-name=mn&module-path=mp&b=2&a=1&a=0";

static void out_texts(const char *name, P11KitUri *uri)
{
	out(name, "%s %s %s %s %s", or_none(p11_kit_uri_get_pin_source(uri)), or_none(p11_kit_uri_get_pin_value(uri)),
	    or_none(p11_kit_uri_get_module_name(uri)), or_none(p11_kit_uri_get_module_path(uri)),
	    or_none(p11_kit_uri_get_pinfile(uri)));
}

static void out_attributes(const char *name, P11KitUri *uri)
{
	char line[512] = "";
	size_t len = 0;
	CK_ULONG n = 99, i;
	CK_ATTRIBUTE *attrs = p11_kit_uri_get_attributes(uri, &n);

	for (i = 0; i < n; i++)
		len += snprintf(line + len, sizeof line - len, " %lx:%ld%s", attrs[i].type,
				(long)attrs[i].ulValueLen, attrs[i].pValue ? "" : "?");
	out(name, "%lu%s, ended %d, the same %d", n, line, attrs[n].type == (CK_ULONG)-1,
	    attrs == p11_kit_uri_get_attributes(uri, NULL));
}

static void uri_new(void)
{
	P11KitUri *uri = new_uri();
	CK_INFO *info = p11_kit_uri_get_module_info(uri);
	CK_SLOT_INFO *slot = p11_kit_uri_get_slot_info(uri);
	CK_TOKEN_INFO *token = p11_kit_uri_get_token_info(uri);

	out("version", "%d.%d", info->libraryVersion.major, info->libraryVersion.minor);
	out("texts-first", "%d %d %d %d %d %d %d %d", info->libraryDescription[0], info->manufacturerID[0],
	    slot->slotDescription[0], slot->manufacturerID[0], token->label[0], token->manufacturerID[0],
	    token->model[0], token->serialNumber[0]);
	out("slot-id", "%lx", p11_kit_uri_get_slot_id(uri));
	out("unrecognized", "%d", p11_kit_uri_any_unrecognized(uri));
	out_texts("texts", uri);
	out_attributes("attributes", uri);
	out("attribute", "%d", p11_kit_uri_get_attribute(uri, CKA_LABEL) != NULL);
	out("vendor", "%s", or_none(p11_kit_uri_get_vendor_query(uri, "a")));
	out_format("format", uri, P11_KIT_URI_FOR_ANY);
	p11_kit_uri_free(uri);
	p11_kit_uri_free(NULL);
}

static void uri_format(void)
{
	static const int types[] = { 0, P11_KIT_URI_FOR_OBJECT, P11_KIT_URI_FOR_TOKEN, P11_KIT_URI_FOR_MODULE, 0x10,
		P11_KIT_URI_FOR_MODULE_WITH_VERSION, P11_KIT_URI_FOR_SLOT, P11_KIT_URI_FOR_OBJECT_ON_TOKEN,
		P11_KIT_URI_FOR_OBJECT_ON_TOKEN_AND_MODULE, P11_KIT_URI_FOR_ANY, 0x30002 };
	P11KitUri *uri = parsed(all);
	char name[32];
	size_t i;

	for (i = 0; i < sizeof types / sizeof types[0]; i++) {
		snprintf(name, sizeof name, "for-%x", types[i]);
		out_format(name, uri, types[i]);
	}
	setenv("P11_KIT_URI_LOWERCASE", "1", 1);
	p11_kit_uri_set_module_path(uri, "/a");
	out_format("lower", uri, 0);
	setenv("P11_KIT_URI_LOWERCASE", "", 1);
	out_format("upper", uri, 0);
	p11_kit_uri_free(uri);
}

/* What getters give is part of the URI. */
static void uri_written(void)
{
	P11KitUri *uri = new_uri();
	CK_TOKEN_INFO *token = p11_kit_uri_get_token_info(uri), real;
	CK_INFO *info = p11_kit_uri_get_module_info(uri);
	CK_SLOT_INFO *slot = p11_kit_uri_get_slot_info(uri);

	memset(token->label, ' ', sizeof token->label);
	memcpy(token->label, "mine", 4);
	memset(slot->slotDescription, 'x', sizeof slot->slotDescription);
	info->libraryVersion.major = 7;
	info->libraryVersion.minor = 8;
	out_format("format", uri, P11_KIT_URI_FOR_ANY);
	memset(&real, 0, sizeof real);
	out("no-match", "%d", p11_kit_uri_match_token_info(uri, &real));
	memset(real.label, ' ', sizeof real.label);
	memcpy(real.label, "mine", 4);
	out("match", "%d", p11_kit_uri_match_token_info(uri, &real));
	memcpy(token->model, "half", 4); /* not padded */
	memset(real.model, ' ', sizeof real.model);
	memcpy(real.model, "half", 4);
	out("unpadded", "%d", p11_kit_uri_match_token_info(uri, &real));
	out_format("unpadded-format", uri, P11_KIT_URI_FOR_TOKEN);
	token->model[0] = 0; /* unset, with something behind it */
	out("unset", "%d", p11_kit_uri_match_token_info(uri, &real));
	out_format("unset-format", uri, P11_KIT_URI_FOR_TOKEN);
	info->libraryVersion.minor = 255;
	out_format("version-minor", uri, P11_KIT_URI_FOR_MODULE_WITH_VERSION);
	info->libraryVersion.major = 255;
	out_format("version-none", uri, P11_KIT_URI_FOR_MODULE_WITH_VERSION);
	out("parse", "%d", p11_kit_uri_parse("pkcs11:token=new", P11_KIT_URI_FOR_ANY, uri));
	out("still-the-same", "%d %.4s", token == p11_kit_uri_get_token_info(uri), (char *)token->label);
	p11_kit_uri_free(uri);
}

static void uri_texts(void)
{
	P11KitUri *uri = new_uri();
	char text[] = "text";

	p11_kit_uri_set_pin_source(uri, text);
	p11_kit_uri_set_module_name(uri, text);
	p11_kit_uri_set_module_path(uri, text);
	p11_kit_uri_set_pin_value(uri, text);
	text[0] = 'n';
	out_texts("copied", uri);
	p11_kit_uri_set_pinfile(uri, text);
	out_texts("pinfile", uri);
	p11_kit_uri_set_pin_value(uri, "/ \xe4");
	p11_kit_uri_set_module_name(uri, "");
	out_format("odd", uri, 0);
	p11_kit_uri_set_module_name(uri, NULL);
	p11_kit_uri_set_pin_value(uri, NULL);
	p11_kit_uri_set_pin_value(uri, NULL);
	out_texts("unset", uri);
	p11_kit_uri_set_slot_id(uri, 5);
	out("slot-id", "%lu", p11_kit_uri_get_slot_id(uri));
	out_format("slot-id-format", uri, P11_KIT_URI_FOR_ANY);
	p11_kit_uri_set_slot_id(uri, 1UL << 63);
	out_format("slot-id-large", uri, P11_KIT_URI_FOR_SLOT);
	p11_kit_uri_set_slot_id(uri, (CK_SLOT_ID)-1);
	out_format("slot-id-none", uri, P11_KIT_URI_FOR_SLOT);
	p11_kit_uri_set_unrecognized(uri, 5);
	out("unrecognized", "%d", p11_kit_uri_any_unrecognized(uri));
	p11_kit_uri_set_unrecognized(uri, 0);
	out("recognized", "%d", p11_kit_uri_any_unrecognized(uri));
	p11_kit_uri_free(uri);
}

static void uri_vendor(void)
{
	P11KitUri *uri = parsed("pkcs11:?b=2&a=1&b=1&x-y=%20");

	out("first", "%s", or_none(p11_kit_uri_get_vendor_query(uri, "b")));
	out("decoded", "<%s>", or_none(p11_kit_uri_get_vendor_query(uri, "x-y")));
	out("absent", "%s", or_none(p11_kit_uri_get_vendor_query(uri, "c")));
	out("known", "%s", or_none(p11_kit_uri_get_vendor_query(uri, "pin-source")));
	out("set", "%d", p11_kit_uri_set_vendor_query(uri, "a0", "new"));
	out("replace", "%d", p11_kit_uri_set_vendor_query(uri, "b", "3"));
	out_format("changed", uri, 0);
	out("remove", "%d", p11_kit_uri_set_vendor_query(uri, "b", NULL));
	out("next", "%s", or_none(p11_kit_uri_get_vendor_query(uri, "b")));
	out("remove-absent", "%d", p11_kit_uri_set_vendor_query(uri, "c", NULL));
	out_format("removed", uri, 0);
	out("bad-name", "%d", p11_kit_uri_set_vendor_query(uri, "X y", "v"));
	out("empty-name", "%d", p11_kit_uri_set_vendor_query(uri, "", "v"));
	out("known-name", "%d", p11_kit_uri_set_vendor_query(uri, "pin-value", "v"));
	out("known-name-pin", "%s", or_none(p11_kit_uri_get_pin_value(uri)));
	out_format("bad-names", uri, 0);
	p11_kit_uri_free(uri);
}

static int set(P11KitUri *uri, CK_ATTRIBUTE_TYPE type, const void *value, CK_ULONG len)
{
	CK_ATTRIBUTE attr = { type, (void *)value, len };

	return p11_kit_uri_set_attribute(uri, &attr);
}

static void uri_attributes(void)
{
	P11KitUri *uri = parsed("pkcs11:type=private;object=a;id=%01%02");
	CK_OBJECT_CLASS class = CKO_PUBLIC_KEY, vendor = CKO_VENDOR_DEFINED;
	CK_ATTRIBUTE two[] = { { CKA_LABEL, "x", 1 }, { CKA_ID, "yz", 2 }, { CKA_LABEL, "xx", 2 } };
	CK_ATTRIBUTE *attr;
	char value[] = "value";

	out_attributes("parsed", uri);
	out("set", "%d", set(uri, CKA_LABEL, value, 5));
	value[0] = 'x';
	attr = p11_kit_uri_get_attribute(uri, CKA_LABEL);
	out("copied", "%.5s", (char *)attr->pValue);
	out("set-class", "%d", set(uri, CKA_CLASS, &class, sizeof class));
	out("set-other", "%d", set(uri, CKA_LABEL + 0x80000000, value, 2));
	out_attributes("changed", uri);
	out_format("format", uri, P11_KIT_URI_FOR_OBJECT);
	out("clear", "%d", p11_kit_uri_clear_attribute(uri, CKA_CLASS));
	out("clear-again", "%d", p11_kit_uri_clear_attribute(uri, CKA_CLASS));
	out("clear-other", "%d", p11_kit_uri_clear_attribute(uri, CKA_LABEL + 0x80000000));
	out_attributes("cleared", uri);
	set(uri, CKA_CLASS, &vendor, sizeof vendor);
	out_format("vendor-class", uri, P11_KIT_URI_FOR_OBJECT);
	out("null", "%d", p11_kit_uri_set_attribute(uri, NULL));
	out("no-type", "%d", set(uri, (CK_ULONG)-1, "x", 1));
	out("set-all", "%d", p11_kit_uri_set_attributes(uri, two, 3));
	out_attributes("all", uri);
	out_format("all-format", uri, P11_KIT_URI_FOR_OBJECT);
	out("set-none", "%d", p11_kit_uri_set_attributes(uri, NULL, 0));
	out_attributes("none", uri);
	p11_kit_uri_set_attributes(uri, two, 1);
	p11_kit_uri_clear_attributes(uri);
	out_attributes("no-more", uri);
	p11_kit_uri_free(uri);
}

/* Values that are not there, or are nothing. */
static void uri_values(void)
{
	static const struct { const char *name; const char *value; CK_ULONG len; } odd[] = {
		{ "empty", "", 0 }, { "null", NULL, 0 }, { "null-long", NULL, 5 },
		{ "null-unavailable", NULL, CK_UNAVAILABLE_INFORMATION },
	};
	P11KitUri *empty = parsed("pkcs11:object="), *text = parsed("pkcs11:object=abcde"), *any = parsed("pkcs11:id=a");
	char name[64];
	size_t i;

	for (i = 0; i < sizeof odd / sizeof odd[0]; i++) {
		P11KitUri *uri = new_uri();
		CK_ATTRIBUTE attr = { CKA_LABEL, (void *)odd[i].value, odd[i].len };

		out(odd[i].name, "%d", p11_kit_uri_set_attribute(uri, &attr));
		snprintf(name, sizeof name, "%s-kept", odd[i].name);
		out_attributes(name, uri);
		snprintf(name, sizeof name, "%s-format", odd[i].name);
		out_format(name, uri, P11_KIT_URI_FOR_OBJECT);
		snprintf(name, sizeof name, "%s-match", odd[i].name);
		if (odd[i].len != CK_UNAVAILABLE_INFORMATION)
			out(name, "%d %d %d", p11_kit_uri_match_attributes(empty, &attr, 1),
			    p11_kit_uri_match_attributes(text, &attr, 1), p11_kit_uri_match_attributes(any, &attr, 1));
		p11_kit_uri_free(uri);
	}
	capture_begin();
	i = (size_t)set(any, CKA_LABEL, "x", CK_UNAVAILABLE_INFORMATION);
	free(capture_end());
	out("unavailable", "%d", (int)i);
	p11_kit_uri_free(empty);
	p11_kit_uri_free(text);
	p11_kit_uri_free(any);
}

/* The reference reads more than there is, or what it has freed. */
static void uri_values_ours(void)
{
	P11KitUri *uri = parsed("pkcs11:object=abcde"), *any = parsed("pkcs11:id=a");
	CK_ATTRIBUTE unavailable = { CKA_LABEL, NULL, CK_UNAVAILABLE_INFORMATION }, *own;
	CK_ATTRIBUTE loop = { CKA_WRAP_TEMPLATE, &loop, sizeof loop };
	CK_OBJECT_CLASS class = CKO_CERTIFICATE;
	CK_ULONG n;

	out("unavailable-match", "%d %d", p11_kit_uri_match_attributes(uri, &unavailable, 1),
	    p11_kit_uri_match_attributes(any, &unavailable, 1));
	out("unavailable", "%d", set(any, CKA_LABEL, "x", CK_UNAVAILABLE_INFORMATION));
	out_attributes("unavailable-kept", any);
	set(any, CKA_CLASS, &class, 1);
	out_format("short-class", any, P11_KIT_URI_FOR_OBJECT);
	out("loop", "%d", p11_kit_uri_set_attribute(any, &loop));
	out_attributes("loop-kept", any);
	/* What is given may be the URI's own. */
	out("own-attribute", "%d", p11_kit_uri_set_attribute(any, p11_kit_uri_get_attribute(any, CKA_ID)));
	own = p11_kit_uri_get_attributes(any, &n);
	out("own-attributes", "%d", p11_kit_uri_set_attributes(any, own, n));
	out_attributes("own-kept", any);
	p11_kit_uri_set_pin_source(uri, "pkcs11:token=inside");
	p11_kit_uri_set_pin_source(uri, p11_kit_uri_get_pin_source(uri));
	out("own-text", "%d", p11_kit_uri_parse(p11_kit_uri_get_pin_source(uri), P11_KIT_URI_FOR_ANY, uri));
	out_format("own-text-kept", uri, P11_KIT_URI_FOR_ANY);
	p11_kit_uri_free(uri);
	p11_kit_uri_free(any);
}

/* A template in a template is copied to the last attribute. */
static void uri_template(void)
{
	char label[] = "label";
	CK_MECHANISM_TYPE mechanism = CKM_SHA256;
	CK_ATTRIBUTE inner[] = { { CKA_LABEL, label, 5 }, { CKA_ALLOWED_MECHANISMS, &mechanism, sizeof mechanism } };
	CK_ATTRIBUTE outer = { CKA_UNWRAP_TEMPLATE, inner, sizeof inner };
	CK_ATTRIBUTE attr = { CKA_WRAP_TEMPLATE, &outer, sizeof outer };
	P11KitUri *uri = new_uri();
	CK_ATTRIBUTE *copy;

	out("set", "%d", p11_kit_uri_set_attribute(uri, &attr));
	out("set-again", "%d", p11_kit_uri_set_attribute(uri, &attr));
	memset(inner, 0, sizeof inner);
	memset(&outer, 0, sizeof outer);
	label[0] = 'x';
	copy = p11_kit_uri_get_attribute(uri, CKA_WRAP_TEMPLATE)->pValue;
	out("outer", "%lx %lu", copy->type, copy->ulValueLen);
	copy = copy->pValue;
	out("inner", "%lx %.5s %lx %lx", copy[0].type, (char *)copy[0].pValue, copy[1].type,
	    *(CK_MECHANISM_TYPE *)copy[1].pValue);
	p11_kit_uri_free(uri);
}

static void uri_match(void)
{
	P11KitUri *uri = parsed(all), *other = parsed(all), *nothing = new_uri();
	CK_INFO *info = p11_kit_uri_get_module_info(other);
	CK_SLOT_INFO *slot = p11_kit_uri_get_slot_info(other);
	CK_TOKEN_INFO *token = p11_kit_uri_get_token_info(other);
	CK_ULONG n = 0;
	CK_ATTRIBUTE *attrs = p11_kit_uri_get_attributes(other, &n);
	CK_ATTRIBUTE foreign[] = { { CKA_TOKEN, "x", 1 }, { CKA_LABEL, "ob", 2 } };
	CK_ATTRIBUTE wrong[] = { { CKA_LABEL, "ob", 2 }, { CKA_ID, "j", 1 } };

#define MATCHES(name, uri) \
	out(name, "%d %d %d %d", p11_kit_uri_match_module_info(uri, info), p11_kit_uri_match_slot_info(uri, slot), \
	    p11_kit_uri_match_token_info(uri, token), p11_kit_uri_match_attributes(uri, attrs, n))
	MATCHES("same", uri);
	MATCHES("nothing", nothing);
	out("foreign", "%d", p11_kit_uri_match_attributes(uri, foreign, 2));
	out("wrong", "%d", p11_kit_uri_match_attributes(uri, wrong, 2));
	out("no-attributes", "%d %d", p11_kit_uri_match_attributes(uri, foreign, 0),
	    p11_kit_uri_match_attributes(uri, NULL, 0));
	p11_kit_uri_set_slot_id(other, 99);
	MATCHES("other-slot-id", uri);
	info->libraryVersion.minor++;
	slot->manufacturerID[31] = 'x';
	token->serialNumber[0] = 'x';
	MATCHES("others", uri);
	p11_kit_uri_set_unrecognized(nothing, 1);
	MATCHES("unrecognized", nothing);
	out("unrecognized-no-attributes", "%d", p11_kit_uri_match_attributes(nothing, NULL, 0));
	p11_kit_uri_free(uri);
	p11_kit_uri_free(other);
	p11_kit_uri_free(nothing);
}

static void uri_codes(void)
{
	static const char *const bad[] = { "http:", "pkcs11:token=a;id=%zz", "pkcs11:token=a;model", "pkcs11:library-version=x",
		"pkcs11:token=b?A=b", "pkcs11:token=b?pin-value=x&module-name=%" };
	P11KitUri *uri = new_uri();
	char name[32];
	size_t i;
	int code;

	for (i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		must(p11_kit_uri_parse("pkcs11:object=before?pin-value=1234&x=y", P11_KIT_URI_FOR_ANY, uri) == 0);
		snprintf(name, sizeof name, "bad-%zu", i);
		code = p11_kit_uri_parse(bad[i], P11_KIT_URI_FOR_ANY, uri);
		out(name, "%d %d", code, p11_kit_uri_any_unrecognized(uri));
		snprintf(name, sizeof name, "bad-%zu-left", i);
		out_format(name, uri, P11_KIT_URI_FOR_ANY);
	}
	for (code = 1; code > -9; code--) {
		const char *text = p11_kit_uri_message(code);

		snprintf(name, sizeof name, "message%d", code);
		out(name, "%s %d %d", text ? "text" : "NULL", text == p11_kit_uri_message(code),
		    text && strcmp(text, p11_kit_uri_message(1000)) == 0);
	}
	p11_kit_uri_free(uri);
	out_message("no-message");
}

/* EACH(name, call as a number); the reference survives all of them. */
#define NULLS(EACH) \
	EACH(format, p11_kit_uri_format(NULL, P11_KIT_URI_FOR_ANY, &text)) \
	EACH(format_2, p11_kit_uri_format(uri, P11_KIT_URI_FOR_ANY, NULL)) \
	EACH(get_module_info, p11_kit_uri_get_module_info(NULL) != NULL) \
	EACH(get_slot_info, p11_kit_uri_get_slot_info(NULL) != NULL) \
	EACH(get_token_info, p11_kit_uri_get_token_info(NULL) != NULL) \
	EACH(match_module_info, p11_kit_uri_match_module_info(NULL, &info)) \
	EACH(match_module_info_2, p11_kit_uri_match_module_info(uri, NULL)) \
	EACH(match_slot_info, p11_kit_uri_match_slot_info(NULL, &slot)) \
	EACH(match_slot_info_2, p11_kit_uri_match_slot_info(uri, NULL)) \
	EACH(match_token_info, p11_kit_uri_match_token_info(NULL, &token)) \
	EACH(match_token_info_2, p11_kit_uri_match_token_info(uri, NULL)) \
	EACH(match_attributes, p11_kit_uri_match_attributes(NULL, &attr, 1)) \
	EACH(match_attributes_2, p11_kit_uri_match_attributes(uri, NULL, 1)) \
	EACH(get_slot_id, (long)p11_kit_uri_get_slot_id(NULL)) \
	EACH(set_slot_id, (p11_kit_uri_set_slot_id(NULL, 1), 0)) \
	EACH(get_attribute, p11_kit_uri_get_attribute(NULL, CKA_ID) != NULL) \
	EACH(set_attribute, p11_kit_uri_set_attribute(NULL, &attr)) \
	EACH(clear_attribute, p11_kit_uri_clear_attribute(NULL, CKA_ID)) \
	EACH(get_attributes, p11_kit_uri_get_attributes(NULL, &n) != NULL) \
	EACH(set_attributes, p11_kit_uri_set_attributes(NULL, &attr, 1)) \
	EACH(clear_attributes, (p11_kit_uri_clear_attributes(NULL), 0)) \
	EACH(get_pin_value, p11_kit_uri_get_pin_value(NULL) != NULL) \
	EACH(set_pin_value, (p11_kit_uri_set_pin_value(NULL, "x"), 0)) \
	EACH(get_pin_source, p11_kit_uri_get_pin_source(NULL) != NULL) \
	EACH(set_pin_source, (p11_kit_uri_set_pin_source(NULL, "x"), 0)) \
	EACH(get_pinfile, p11_kit_uri_get_pinfile(NULL) != NULL) \
	EACH(set_pinfile, (p11_kit_uri_set_pinfile(NULL, "x"), 0)) \
	EACH(get_module_name, p11_kit_uri_get_module_name(NULL) != NULL) \
	EACH(set_module_name, (p11_kit_uri_set_module_name(NULL, "x"), 0)) \
	EACH(get_module_path, p11_kit_uri_get_module_path(NULL) != NULL) \
	EACH(set_module_path, (p11_kit_uri_set_module_path(NULL, "x"), 0)) \
	EACH(get_vendor_query, p11_kit_uri_get_vendor_query(NULL, "x") != NULL) \
	EACH(get_vendor_query_2, p11_kit_uri_get_vendor_query(uri, NULL) != NULL) \
	EACH(set_vendor_query, p11_kit_uri_set_vendor_query(NULL, "x", "y")) \
	EACH(set_vendor_query_2, p11_kit_uri_set_vendor_query(uri, NULL, "y")) \
	EACH(set_unrecognized, (p11_kit_uri_set_unrecognized(NULL, 1), 0)) \
	EACH(any_unrecognized, p11_kit_uri_any_unrecognized(NULL))

static void uri_null(void)
{
	P11KitUri *uri = new_uri();
	CK_INFO info = { .flags = 0 };
	CK_SLOT_INFO slot = { .flags = 0 };
	CK_TOKEN_INFO token = { .flags = 0 };
	CK_ATTRIBUTE attr = { CKA_ID, "x", 1 };
	CK_ULONG n = 3;
	char *text = NULL;

	NULLS(EACH_NULL)
	out("number", "%lu", n);
	out("text", "%d", text != NULL);
	p11_kit_uri_free(uri);
}

/* The reference aborts or crashes on these. */
static void uri_null_ours(void)
{
	P11KitUri *uri = new_uri();

	EACH_NULL(parse, p11_kit_uri_parse(NULL, P11_KIT_URI_FOR_ANY, uri))
	EACH_NULL(parse_2, p11_kit_uri_parse("pkcs11:", P11_KIT_URI_FOR_ANY, NULL))
	EACH_NULL(set_attributes, p11_kit_uri_set_attributes(uri, NULL, 1))
	p11_kit_uri_free(uri);
}

static void in_child(void *data)
{
	char *text = NULL;

	must(p11_kit_uri_format(data, P11_KIT_URI_FOR_ANY, &text) == 0 && strcmp(text, "pkcs11:token=parent?a=1") == 0);
	free(text);
	must(p11_kit_uri_parse("pkcs11:token=child", P11_KIT_URI_FOR_ANY, data) == 0);
	must(p11_kit_uri_format(data, P11_KIT_URI_FOR_ANY, &text) == 0 && strcmp(text, "pkcs11:token=child") == 0);
	free(text);
	p11_kit_uri_free(data);
}

static void uri_forked(void)
{
	P11KitUri *uri = parsed("pkcs11:token=parent?a=1");

	out("child", "%d", run_child(in_child, uri, 30));
	out_format("parent", uri, P11_KIT_URI_FOR_ANY);
	p11_kit_uri_free(uri);
}

#define THREADS 8
#define ROUNDS 200

static void *in_thread(void *data)
{
	char want[64];
	int i;

	for (i = 0; i < ROUNDS; i++) {
		P11KitUri *uri = new_uri();
		char *text = NULL;

		snprintf(want, sizeof want, "pkcs11:token=t%d-%d?pin-value=%d&x=y", (int)(intptr_t)data, i, i);
		must(p11_kit_uri_parse(want, P11_KIT_URI_FOR_ANY, uri) == 0);
		must(p11_kit_uri_format(uri, P11_KIT_URI_FOR_ANY, &text) == 0);
		must(strcmp(text, want) == 0);
		free(text);
		p11_kit_uri_free(uri);
	}
	return NULL;
}

static void uri_threads(void)
{
	pthread_t threads[THREADS];
	int i;

	for (i = 0; i < THREADS; i++)
		must(pthread_create(&threads[i], NULL, in_thread, (void *)(intptr_t)i) == 0);
	for (i = 0; i < THREADS; i++)
		must(pthread_join(threads[i], NULL) == 0);
	out("all", "right");
}

/* Queries come and go, so that their array grows, shrinks, and grows again. */
static void uri_vendor_many(void)
{
	P11KitUri *uri = p11_kit_uri_new();
	static const char *const rounds[] = { "first", "second", "third" };
	char name[] = "v??", *text;
	int round, i;

	for (round = 0; round < 3; round++) {
		for (i = 0; i < 99; i++) {
			name[1] = '0' + i / 10;
			name[2] = '0' + i % 10;
			must(p11_kit_uri_set_vendor_query(uri, name, i % 9 > round ? name : NULL) >= 0);
		}
		must(p11_kit_uri_format(uri, P11_KIT_URI_FOR_ANY, &text) == P11_KIT_URI_OK);
		out(rounds[round], "%s", text);
		free(text);
	}
	p11_kit_uri_free(uri);
}

const struct check uri_checks[] = {
	{ "uri-new", uri_new, BOTH },
	{ "uri-format", uri_format, BOTH },
	{ "uri-written", uri_written, BOTH },
	{ "uri-texts", uri_texts, BOTH },
	{ "uri-vendor", uri_vendor, BOTH },
	{ "uri-vendor-many", uri_vendor_many, BOTH },
	{ "uri-attributes", uri_attributes, BOTH },
	{ "uri-values", uri_values, BOTH },
	{ "uri-values-ours", uri_values_ours, OURS },
	{ "uri-template", uri_template, BOTH },
	{ "uri-match", uri_match, BOTH },
	{ "uri-codes", uri_codes, BOTH },
	{ "uri-null", uri_null, BOTH },
	{ "uri-null-ours", uri_null_ours, OURS },
	{ "uri-forked", uri_forked, BOTH },
	{ "uri-threads", uri_threads, BOTH },
	{ NULL, NULL, 0 }
};
