/*
 * Memory does not grow: growth CASE.  Each case does the same very often; what
 * malloc has given out and not got back must be as much at the end as it was after
 * the first rounds, and the process must not be larger.
 */
#include "scripted.h"

#include <malloc.h>
#include <p11-kit/iter.h>
#include <p11-kit/pin.h>
#include <p11-kit/uri.h>

#define CYCLES 100000
#define FIRST 1000  /* of them, until everything is there that stays */
#define GROWTH 1024 /* KiB that the process may grow by: less than 11 bytes a cycle */
#define CACHED (64 << 10) /* bytes that malloc may keep for the thread, which count as given out: less than one a cycle */

static void uri_cycle(int i)
{
	static const char *const texts[] = {
		"pkcs11:token=work;object=key;type=private;id=%01?pin-value=1234&pin-source=/run/pin&a=1&b=2",
		"pkcs11:model=m;manufacturer=n;serial=1;slot-id=3;library-version=1.2",
		"pkcs11:id=%zz;object=x", "pkcs11:object=a;id=%1", "pkcs11:?a=1&A=2", "pkcs11:?pin-value=1234&pin-value=%", "pkcs12:",
	};
	static P11KitUri *used;
	P11KitUri *uri = p11_kit_uri_new();
	const char *text = texts[i % (sizeof texts / sizeof *texts)];
	char *formatted = NULL;
	CK_TOKEN_INFO token;
	CK_ATTRIBUTE *attrs;
	CK_ULONG n;

	if (!used)
		used = p11_kit_uri_new();
	memset(&token, ' ', sizeof token);
	p11_kit_uri_parse(text, P11_KIT_URI_FOR_ANY, uri);
	p11_kit_uri_parse(text, P11_KIT_URI_FOR_ANY, used);
	must(p11_kit_uri_format(uri, P11_KIT_URI_FOR_ANY, &formatted) == P11_KIT_URI_OK);
	attrs = p11_kit_uri_get_attributes(uri, &n);
	p11_kit_uri_match_attributes(used, attrs, n);
	p11_kit_uri_match_token_info(used, &token);
	p11_kit_uri_set_attributes(used, attrs, n);
	p11_kit_uri_set_pin_value(used, "5678");
	p11_kit_uri_set_vendor_query(used, "b", i % 2 ? "3" : NULL);
	free(formatted);
	p11_kit_uri_free(uri);
}

static CK_RV odd_ones(P11KitIter *iter, CK_BBOOL *matches, void *data)
{
	(void)data;
	*matches = p11_kit_iter_get_object(iter) % 2;
	return CKR_OK;
}

/* Gives a text, in two calls. */
static CK_RV text_of(CK_OBJECT_HANDLE object, CK_ATTRIBUTE *attrs, CK_ULONG n)
{
	CK_ULONG i;

	for (i = 0; i < n; i++) {
		CK_ULONG len = 1 + (object + i) % 7;

		if (attrs[i].pValue)
			memset(attrs[i].pValue, 'x', len);
		attrs[i].ulValueLen = len;
	}
	return CKR_OK;
}

static void iter_cycle(int i)
{
	static P11KitIter *used;
	CK_ATTRIBUTE filter = { CKA_VALUE, "value", 5 };
	CK_ATTRIBUTE attrs[] = { { CKA_LABEL, NULL, 0 }, { CKA_ID, NULL, 0 } };
	P11KitUri *uri = p11_kit_uri_new();
	P11KitIter *iter;

	script.silent = true;
	script.objects = 3;
	script.attributes = text_of;
	must(p11_kit_uri_parse("pkcs11:object=a;type=cert?pin-value=1234", P11_KIT_URI_FOR_ANY, uri) == P11_KIT_URI_OK);
	iter = p11_kit_iter_new(uri, P11_KIT_ITER_WITH_TOKENS);
	if (!used)
		used = p11_kit_iter_new(NULL, P11_KIT_ITER_BUSY_SESSIONS);
	p11_kit_iter_add_filter(iter, &filter, 1);
	p11_kit_iter_add_filter(iter, &filter, 1);
	p11_kit_iter_add_callback(iter, odd_ones, NULL, NULL);
	p11_kit_iter_begin(iter, (CK_FUNCTION_LIST **)two_modules);
	p11_kit_iter_begin_with(used, &scripted, 0, 0);
	while (p11_kit_iter_next(iter) == CKR_OK)
		if (p11_kit_iter_get_kind(iter) == P11_KIT_ITER_KIND_OBJECT)
			must_ok(p11_kit_iter_load_attributes(iter, attrs, 2));
	/* Some are left on their way. */
	if (i % 2)
		while (p11_kit_iter_next(used) == CKR_OK)
			;
	else
		must_ok(p11_kit_iter_next(used));
	free(attrs[0].pValue);
	free(attrs[1].pValue);
	p11_kit_iter_free(iter);
	p11_kit_uri_free(uri);
}

/* Setting another URI, and failing to load attributes, lose nothing either. */
static CK_RV refuse(CK_OBJECT_HANDLE object, CK_ATTRIBUTE *attrs, CK_ULONG n)
{
	bool second = attrs[0].pValue != NULL;

	text_of(object, attrs, n);
	return second ? CKR_DEVICE_ERROR : CKR_OK;
}

static void again_cycle(int i)
{
	CK_ATTRIBUTE attrs[] = { { CKA_LABEL, NULL, 0 }, { CKA_ID, NULL, 0 } };
	P11KitUri *uri = p11_kit_uri_new();
	P11KitIter *iter = p11_kit_iter_new(NULL, 0);

	script.silent = true;
	script.objects = 1;
	script.attributes = refuse;
	must(p11_kit_uri_parse("pkcs11:object=a;id=1?pin-value=1234", P11_KIT_URI_FOR_ANY, uri) == P11_KIT_URI_OK);
	p11_kit_iter_set_uri(iter, uri);
	p11_kit_iter_set_uri(iter, uri);
	p11_kit_iter_begin_with(iter, &scripted, 0, 44);
	must_ok(p11_kit_iter_next(iter));
	attrs[0].pValue = calloc(1, 9);
	attrs[0].ulValueLen = i % 7;
	must_rv(p11_kit_iter_load_attributes(iter, attrs, 2), CKR_DEVICE_ERROR);
	free(attrs[0].pValue);
	p11_kit_iter_free(iter);
	p11_kit_uri_free(uri);
}

static P11KitPin *give_pin(const char *source, P11KitUri *uri, const char *description, P11KitPinFlags flags, void *data)
{
	(void)uri, (void)description, (void)flags, (void)data;
	return p11_kit_pin_new_for_string(source);
}

static void pin_cycle(int i)
{
	P11KitPin *pin;

	must(p11_kit_pin_register_callback(i % 2 ? "s" : "", give_pin, NULL, NULL) == 0);
	pin = p11_kit_pin_request("s", NULL, NULL, 0);
	must(pin != NULL);
	p11_kit_pin_unref(pin);
	p11_kit_pin_unregister_callback(i % 2 ? "s" : "", give_pin, NULL);
}

/* Runs the cycles and compares. */
static void run(void (*cycle)(int))
{
	size_t used = 0;
	long size = 0;
	int i;

	for (i = 0; i < CYCLES; i++) {
		if (i == FIRST) {
			used = mallinfo2().uordblks;
			size = rss_kib();
		}
		cycle(i);
	}
	if (mallinfo2().uordblks > used + CACHED)
		die("%zu bytes are in use, %zu were after %d cycles", mallinfo2().uordblks, used, FIRST);
	if (rss_kib() > size + GROWTH)
		die("the process has %ld KiB, it had %ld after %d cycles", rss_kib(), size, FIRST);
}

static void case_uri(void) { run(uri_cycle); }
static void case_iter(void) { run(iter_cycle); }
static void case_again(void) { run(again_cycle); }
static void case_pin(void) { run(pin_cycle); }

static const struct host_case cases[] = {
	{ "uri", case_uri, true },
	{ "iter", case_iter, true },
	{ "again", case_again, true },
	{ "pin", case_pin, false },
};

int main(int argc, char **argv)
{
	return run_cases(cases, sizeof cases / sizeof cases[0], argc, argv, NULL);
}
