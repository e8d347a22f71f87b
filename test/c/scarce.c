/*
 * Lets memory run out at each allocation in turn, on the thread that calls, and
 * counts what is allocated and freed: each function must say that it failed,
 * and nothing may be lost.
 */
#include "common.h"

#include <p11-kit/iter.h>
#include <p11-kit/pin.h>

#include "scripted.h"

extern void *__libc_malloc(size_t size), *__libc_calloc(size_t n, size_t size), *__libc_realloc(void *p, size_t size);
extern void __libc_free(void *p);

static __thread bool watched;
static __thread long to_go; /* allocations until one fails */
static __thread long live;  /* blocks */
static __thread bool failed;

/* True if this allocation is to fail. */
static bool runs_out(void)
{
	if (!watched || failed || --to_go > 0)
		return false;
	failed = true;
	return true;
}

static void *counted(void *p)
{
	if (watched && p)
		live++;
	return p;
}

void *malloc(size_t size) { return runs_out() ? NULL : counted(__libc_malloc(size)); }
void *calloc(size_t n, size_t size) { return runs_out() ? NULL : counted(__libc_calloc(n, size)); }

void *realloc(void *p, size_t size)
{
	if (runs_out())
		return NULL;
	return p ? __libc_realloc(p, size) : counted(__libc_malloc(size));
}

void free(void *p)
{
	if (watched && p)
		live--;
	__libc_free(p);
}

/* Runs all with the memory running out at the first, second, ... allocation, until it does not run out any more. */
static void run_out(long (*all)(void), long at_least)
{
	long n;

	if (all() != 0)
		die("failures without need");
	for (n = 1;; n++) {
		long failures;

		failed = false;
		to_go = n;
		live = 0;
		watched = true;
		failures = all();
		watched = false;
		if (live != 0)
			die("%ld blocks are left after allocation %ld failed", live, n);
		if (!failed)
			break;
		if (failures == 0)
			die("nobody tells that allocation %ld failed", n);
	}
	if (n <= at_least)
		die("only %ld allocations", n - 1);
}

static long parse(void)
{
	static const char text[] = "pkcs11:token=t;id=%01;object=o;type=cert?"
		"pin-source=s&pin-value=v&module-name=n&module-path=p&b=1&a=2&b=3";
	P11KitUri *uri = p11_kit_uri_new();
	char *formatted = NULL;
	long failures = 0;

	if (!uri)
		return 1;
	if (p11_kit_uri_parse(text, P11_KIT_URI_FOR_ANY, uri) != P11_KIT_URI_OK)
		failures++;
	if (p11_kit_uri_format(uri, P11_KIT_URI_FOR_ANY, &formatted) != P11_KIT_URI_OK)
		failures++;
	free(formatted);
	p11_kit_uri_free(uri);
	return failures;
}

static long set(void)
{
	CK_ATTRIBUTE inner[] = { { CKA_LABEL, "l", 1 }, { CKA_ID, "i", 1 } };
	CK_ATTRIBUTE attrs[] = { { CKA_WRAP_TEMPLATE, inner, sizeof inner }, { CKA_LABEL, "l", 1 } };
	P11KitUri *uri = p11_kit_uri_new();
	long failures = 0;

	if (!uri)
		return 1;
	failures += p11_kit_uri_set_attributes(uri, attrs, 2) != P11_KIT_URI_OK;
	failures += p11_kit_uri_set_attribute(uri, &attrs[0]) != P11_KIT_URI_OK;
	failures += p11_kit_uri_set_vendor_query(uri, "a", "1") != 1;
	failures += p11_kit_uri_set_vendor_query(uri, "b", "1") != 1;
	if (p11_kit_uri_get_vendor_query(uri, "b"))
		failures += p11_kit_uri_set_vendor_query(uri, "b", "2") != 1;
	p11_kit_uri_set_pin_value(uri, "1234");
	failures += p11_kit_uri_get_pin_value(uri) == NULL;
	p11_kit_uri_set_module_name(uri, "n");
	failures += p11_kit_uri_get_module_name(uri) == NULL;
	p11_kit_uri_free(uri);
	return failures;
}

static P11KitPin *callback(const char *source, P11KitUri *uri, const char *description, P11KitPinFlags flags, void *data)
{
	(void)source, (void)uri, (void)description, (void)flags;
	return p11_kit_pin_ref(data);
}

static long pin(void)
{
	P11KitPin *pin = p11_kit_pin_new_for_string("1234"), *got;
	unsigned char buffer[] = "5678";
	long failures = 0;
	int i;

	if (!pin)
		return 1;
	for (i = 0; i < 3; i++)
		failures += p11_kit_pin_register_callback("s", callback, pin, NULL) != 0;
	if ((got = p11_kit_pin_request("s", NULL, NULL, 0)))
		p11_kit_pin_unref(got);
	failures += got == NULL;
	for (i = 0; i < 3; i++)
		p11_kit_pin_unregister_callback("s", callback, pin);
	p11_kit_pin_unref(pin);
	pin = p11_kit_pin_new_for_buffer(buffer, 4, NULL);
	if (pin)
		p11_kit_pin_unref(pin);
	return failures + (pin == NULL);
}

/* Reads the configuration, which depends on many environment variables, and finds no modules in it. */
static long configuration(void)
{
	list_t *all = p11_kit_modules_load(NULL, 0);

	if (all == NULL)
		return 1;
	p11_kit_modules_release(all);
	return 0;
}

/* Does not load a module that is not there. */
static long missing(void)
{
	return p11_kit_module_load(module_path("missing"), 0) != NULL;
}

/* Lets memory run out as run_out does; the program goes on, and whoever did not fail has what it needs. */
static void survive(long (*all)(void))
{
	long n;

	for (n = 0; n == 0 || failed; n++) {
		failed = n == 0; /* the first time there is enough */
		to_go = n;
		watched = true;
		all();
		watched = false;
	}
	if (all() != 0)
		die("failures without need");
}

static CK_RV accept(P11KitIter *iter, CK_BBOOL *matches, void *data)
{
	(void)iter, (void)matches;
	(*(int *)data)++;
	return CKR_OK;
}

/* A label, and a template with a label in it. */
static CK_RV attributes(CK_OBJECT_HANDLE object, CK_ATTRIBUTE *attrs, CK_ULONG n)
{
	CK_ULONG i;

	(void)object;
	for (i = 0; i < n; i++) {
		CK_ATTRIBUTE *inner = attrs[i].pValue;

		attrs[i].ulValueLen = attrs[i].type == CKA_LABEL ? 5 : sizeof *inner;
		if (inner && attrs[i].type == CKA_LABEL)
			memcpy(attrs[i].pValue, "label", 5);
		else if (inner)
			inner->type = CKA_LABEL, attributes(object, inner, 1);
	}
	return CKR_OK;
}

static long iterate(void)
{
	CK_ATTRIBUTE filters[] = { { CKA_VALUE, "v", 1 }, { CKA_ISSUER, "i", 1 } }, attrs[20] = { { 0, NULL, 0 } };
	P11KitUri *uri = p11_kit_uri_new();
	P11KitIter *iter;
	long failures = 0;
	int seen = 0, i;
	CK_RV rv;

	script.silent = true;
	script.objects = 65;
	script.attributes = attributes;
	if (!uri)
		return 1;
	failures += p11_kit_uri_parse("pkcs11:object=o;id=1?pin-value=1", P11_KIT_URI_FOR_ANY, uri) != P11_KIT_URI_OK;
	iter = p11_kit_iter_new(uri, (P11KitIterBehavior)0x80);
	p11_kit_uri_free(uri);
	if (!iter)
		return failures + 1;
	p11_kit_iter_add_filter(iter, filters, 2);
	p11_kit_iter_add_callback(iter, accept, &seen, NULL);
	p11_kit_iter_begin(iter, (CK_FUNCTION_LIST **)one_module);
	for (i = 0; i < 20; i++)
		attrs[i].type = i == 19 ? CKA_WRAP_TEMPLATE : CKA_LABEL;
	while ((rv = p11_kit_iter_next(iter)) == CKR_OK)
		if (p11_kit_iter_get_object(iter) == 1000)
			failures += p11_kit_iter_load_attributes(iter, attrs, 20) != CKR_OK;
	/* Whoever cannot go on says so, and lets nothing through that was not asked for. */
	failures += rv != CKR_CANCEL;
	must(rv == CKR_CANCEL ? seen == 130 : rv == CKR_HOST_MEMORY);
	p11_kit_iter_free(iter);
	if (attrs[19].pValue)
		free(((CK_ATTRIBUTE *)attrs[19].pValue)->pValue);
	for (i = 0; i < 20; i++)
		free(attrs[i].pValue);
	return failures;
}

static void case_parse(void) { run_out(parse, 17); }
static void case_set(void) { run_out(set, 19); }
static void case_pin(void) { run_out(pin, 7); }
static void case_iterate(void) { run_out(iterate, 40); }
static void case_configuration(void) { survive(configuration); }
static void case_missing(void) { survive(missing); }

static const struct host_case cases[] = {
	{ "parse", case_parse, true },
	{ "set", case_set, true },
	{ "pin", case_pin, true },
	{ "configuration", case_configuration, true },
	{ "missing", case_missing, true },
	{ "iterate", case_iterate, true },
};

int main(int argc, char **argv)
{
	return run_cases(cases, sizeof cases / sizeof cases[0], argc, argv, NULL);
}
