/* Iterators: what they are told to look for, who decides, and who logs in. */
#pragma GCC diagnostic ignored "-Wnonnull"
#include "conf_iter.h"

#include <p11-kit/pin.h>

static CK_ATTRIBUTE attr(CK_ATTRIBUTE_TYPE type, const char *value)
{
	return (CK_ATTRIBUTE){ type, (void *)value, value ? strlen(value) : 0 };
}

static void set_uri(P11KitIter *iter, const char *text)
{
	P11KitUri *uri = p11_kit_uri_new();

	must(p11_kit_uri_parse(text, P11_KIT_URI_FOR_ANY, uri) == P11_KIT_URI_OK);
	p11_kit_iter_set_uri(iter, uri);
	p11_kit_uri_free(uri);
}

/* The first search of an iteration. */
static void out_search(const char *name, P11KitIter *iter)
{
	char calls[64];

	p11_kit_iter_begin_with(iter, &scripted, 0, 44);
	calls_made();
	out_rv(name, p11_kit_iter_next(iter));
	snprintf(calls, sizeof calls, "%s-calls", name);
	out(calls, "%s", calls_made());
}

static void iter_filter(void)
{
	char value[] = "value";
	CK_ATTRIBUTE some[] = { attr(CKA_VALUE, value), attr(CKA_ISSUER, ""), attr(CKA_URL, NULL) };
	CK_ATTRIBUTE label = attr(CKA_LABEL, "filter"), other = attr(CKA_VALUE, "other");
	P11KitIter *iter = iter_for("pkcs11:object=uri;id=1", 0);

	script_reset();
	script.objects = 1;
	p11_kit_iter_add_filter(iter, some, 3);
	value[0] = 'x';
	out_search("added", iter);
	p11_kit_iter_begin(iter, (CK_FUNCTION_LIST **)&one_module[1]);
	out_rv("end", p11_kit_iter_next(iter));
	p11_kit_iter_add_filter(iter, &label, 1);
	p11_kit_iter_add_filter(iter, &other, 1);
	p11_kit_iter_add_filter(iter, NULL, 0);
	out_search("replaced", iter);
	p11_kit_iter_free(iter);
}

static void iter_filter_twice(void)
{
	CK_ATTRIBUTE two[] = { attr(CKA_VALUE, "a"), attr(CKA_VALUE, "b") };
	P11KitIter *iter = iter_for(NULL, 0);

	script_reset();
	p11_kit_iter_add_filter(iter, two, 2);
	out_search("twice", iter);
	p11_kit_iter_free(iter);
}

static void iter_set_uri(void)
{
	CK_ATTRIBUTE filters[] = { attr(CKA_LABEL, "filter"), attr(CKA_VALUE, "v") };
	P11KitIter *iter = iter_for(NULL, 0);

	script_reset();
	script.objects = 1;
	set_uri(iter, "pkcs11:slot-id=6;object=uri");
	p11_kit_iter_begin_with(iter, &scripted, 0, 0);
	run_iter("once", iter);
	set_uri(iter, "pkcs11:unknown=1");
	p11_kit_iter_begin_with(iter, &scripted, 0, 0);
	run_iter("unrecognized", iter);
	p11_kit_iter_free(iter);

	iter = iter_for("pkcs11:unknown=1", 0);
	set_uri(iter, "pkcs11:id=1");
	p11_kit_iter_begin_with(iter, &scripted, 0, 0);
	run_iter("recognized", iter);
	p11_kit_iter_set_uri(iter, NULL);
	out_search("everything", iter);
	p11_kit_iter_free(iter);

	iter = iter_for(NULL, 0);
	p11_kit_iter_add_filter(iter, filters, 2);
	set_uri(iter, "pkcs11:object=uri;id=1");
	out_search("filters", iter);
	p11_kit_iter_free(iter);
}

static CK_RV decide(P11KitIter *iter, CK_BBOOL *matches, void *data)
{
	const char *name = data;

	note_call(" %s(%d,%lu,%lu)", name, *matches, p11_kit_iter_get_session(iter), p11_kit_iter_get_object(iter));
	if (*name == 'n')
		*matches = CK_FALSE;
	return *name == 'e' ? CKR_DEVICE_ERROR : CKR_OK;
}

static void destroy(void *data)
{
	note_call(" destroy-%s", (const char *)data);
}

static void iter_callbacks(void)
{
	static const char *const names[] = { "a", "b", "no", "error" };
	P11KitIter *iter = iter_for(NULL, P11_KIT_ITER_WITH_MODULES | P11_KIT_ITER_WITH_SLOTS | P11_KIT_ITER_WITH_TOKENS);
	size_t i;

	script_reset();
	script.objects = 2;
	for (i = 0; i < 4; i++) {
		p11_kit_iter_add_callback(iter, decide, (void *)names[i], i == 1 ? NULL : destroy);
		p11_kit_iter_begin_with(iter, &scripted, 0, 0);
		run_iter(names[i], iter);
	}
	p11_kit_iter_free(iter);
	out("free", "calls%s", calls_made());
}

/* What a callback sees and does. */
static CK_RV use(P11KitIter *iter, CK_BBOOL *matches, void *data)
{
	CK_ATTRIBUTE label = { CKA_LABEL, NULL, 0 };

	(void)matches;
	(void)data;
	out("kind", "%d", p11_kit_iter_get_kind(iter));
	out("module", "%d", p11_kit_iter_get_module(iter) == &scripted);
	out("slot", "%lu", p11_kit_iter_get_slot(iter));
	out("token", "%.6s", (const char *)p11_kit_iter_get_token(iter)->label);
	out_rv("get", p11_kit_iter_get_attributes(iter, &label, 1));
	out_rv("load", p11_kit_iter_load_attributes(iter, &label, 1));
	out_rv("destroy", p11_kit_iter_destroy_object(iter));
	out("keep", "%lu", p11_kit_iter_keep_session(iter));
	return CKR_OK;
}

static void iter_callback_uses(void)
{
	P11KitIter *iter = iter_for("pkcs11:slot-id=5", 0);

	script_reset();
	script.objects = 1;
	p11_kit_iter_add_callback(iter, use, NULL, NULL);
	p11_kit_iter_begin_with(iter, &scripted, 0, 0);
	run_iter("rest", iter);
	p11_kit_iter_free(iter);
}

/* A callback that does with its iterator what it must not. */
static CK_RV misuse(P11KitIter *iter, CK_BBOOL *matches, void *data)
{
	CK_ATTRIBUTE label = attr(CKA_LABEL, "l");
	P11KitIter *inner = iter_for(NULL, 0);
	int n = 0;

	(void)matches;
	(void)data;
	EACH_NULL(next, p11_kit_iter_next(iter));
	EACH_NULL(begin, (p11_kit_iter_begin(iter, (CK_FUNCTION_LIST **)one_module), 0));
	EACH_NULL(begin-with, (p11_kit_iter_begin_with(iter, &scripted, 0, 0), 0));
	EACH_NULL(set-uri, (p11_kit_iter_set_uri(iter, NULL), 0));
	EACH_NULL(filter, (p11_kit_iter_add_filter(iter, &label, 1), 0));
	/* With another iterator it may. */
	p11_kit_iter_begin_with(inner, &scripted, 0, 0);
	while (p11_kit_iter_next(inner) == CKR_OK)
		n++;
	out("inner", "%d", n);
	p11_kit_iter_free(inner);
	p11_kit_iter_free(iter);
	out("session", "%lu", p11_kit_iter_get_session(iter));
	return CKR_OK;
}

/* A destroyer that does the same. */
static void misuse_at_end(void *data)
{
	P11KitIter *iter = data;

	EACH_NULL(end-next, p11_kit_iter_next(iter));
	EACH_NULL(end-begin, (p11_kit_iter_begin(iter, (CK_FUNCTION_LIST **)one_module), 0));
	p11_kit_iter_free(iter);
	out("destroyed", "%lu", p11_kit_iter_get_object(iter));
}

static void iter_callback_misuses(void)
{
	P11KitIter *iter = iter_for("pkcs11:slot-id=5", 0);

	script_reset();
	script.objects = 1;
	p11_kit_iter_add_callback(iter, misuse, NULL, NULL);
	p11_kit_iter_add_callback(iter, decide, "before", destroy);
	p11_kit_iter_add_callback(iter, decide, "first", NULL);
	p11_kit_iter_begin_with(iter, &scripted, 0, 0);
	out_rv("freed-in-callback", p11_kit_iter_next(iter));
	out("freed-in-callback-calls", "%s", calls_made());
	iter = iter_for(NULL, 0);
	p11_kit_iter_add_callback(iter, decide, iter, misuse_at_end);
	p11_kit_iter_free(iter);
}

static P11KitPin *give_pin(const char *source, P11KitUri *uri, const char *description, P11KitPinFlags flags, void *data)
{
	note_call(" pin(%s,%s,%s,%d)", source, uri ? "uri" : "none", description, flags);
	return data ? p11_kit_pin_new_for_string(data) : NULL;
}

static P11KitPin *free_for_pin(const char *source, P11KitUri *uri, const char *description, P11KitPinFlags flags, void *data)
{
	(void)source, (void)uri, (void)description, (void)flags;
	p11_kit_iter_free(data);
	return p11_kit_pin_new_for_string("1234");
}

/* 0.24 does not log in, and has no stops at sessions. */
static void iter_login(void)
{
	int all = ITER_WITH_LOGIN | ITER_WITH_SESSIONS | P11_KIT_ITER_WITHOUT_OBJECTS;
	P11KitIter *iter;

	script_reset();
	script.objects = 1;
	walk("value", iter_for("pkcs11:?pin-value=1234&pin-source=s", all), one_module);
	walk("sessions", iter_for("pkcs11:?pin-value=1234", ITER_WITH_SESSIONS), one_module);
	walk("order", iter_for(NULL, ITER_WITH_SESSIONS | P11_KIT_ITER_WITH_TOKENS | P11_KIT_ITER_WITH_SLOTS |
			       P11_KIT_ITER_WITH_MODULES), one_module);
	walk("no-pin", iter_for("pkcs11:token=token5", ITER_WITH_LOGIN), one_module);
	walk("nobody", iter_for("pkcs11:?pin-source=nobody", ITER_WITH_LOGIN), one_module);
	p11_kit_pin_register_callback("s", give_pin, "5678", NULL);
	p11_kit_pin_register_callback("declines", give_pin, NULL, NULL);
	walk("source", iter_for("pkcs11:?pin-source=s", ITER_WITH_LOGIN), one_module);
	walk("declined", iter_for("pkcs11:?pin-source=declines", ITER_WITH_LOGIN), one_module);
	walk("tokens", iter_for("pkcs11:?pin-value=1", ITER_WITH_LOGIN | P11_KIT_ITER_WITH_TOKENS |
				P11_KIT_ITER_WITHOUT_OBJECTS), one_module);
	walk("modules", iter_for("pkcs11:?pin-value=1", ITER_WITH_LOGIN | P11_KIT_ITER_WITH_MODULES |
				 P11_KIT_ITER_WITHOUT_OBJECTS), one_module);
	script.login = CKR_USER_ALREADY_LOGGED_IN;
	walk("already", iter_for("pkcs11:slot-id=5?pin-value=1234", ITER_WITH_LOGIN), one_module);
	script.login = CKR_PIN_INCORRECT;
	walk("incorrect", iter_for("pkcs11:?pin-value=1234", ITER_WITH_LOGIN), one_module);
	script.login = CKR_OK;
	iter = iter_for("pkcs11:?pin-value=1234", all);
	p11_kit_iter_begin_with(iter, &scripted, 0, 44);
	run_iter("session-given", iter);
	p11_kit_iter_free(iter);
	iter = iter_for("pkcs11:?pin-source=free", ITER_WITH_LOGIN);
	p11_kit_pin_register_callback("free", free_for_pin, iter, NULL);
	p11_kit_iter_begin_with(iter, &scripted, 0, 0);
	out_rv("freed-for-pin", p11_kit_iter_next(iter));
	out("freed-for-pin-calls", "%s", calls_made());
}

/* Functions of an iterator that is not begun. */
static void not_begun(const char *when, P11KitIter *iter)
{
	CK_ATTRIBUTE label = { CKA_LABEL, NULL, 0 };
	char name[64];

	snprintf(name, sizeof name, "%s-object", when);
	out(name, "%lu %d %d", p11_kit_iter_get_object(iter), p11_kit_iter_get_slot_info(iter) != NULL,
	    p11_kit_iter_get_token(iter) != NULL);
#define UNMET(function, call) { \
	long value_; \
	char *note_; \
	capture_begin(); \
	value_ = (long)(call); \
	note_ = capture_end(); \
	snprintf(name, sizeof name, "%s-%s", when, function + strlen("p11_kit_iter_")); \
	out(name, "%ld %s", value_, is_note(note_, function) ? "noted" : note_); \
	free(note_); \
}
	UNMET("p11_kit_iter_next", p11_kit_iter_next(iter));
	UNMET("p11_kit_iter_get_kind", p11_kit_iter_get_kind(iter));
	UNMET("p11_kit_iter_get_module", p11_kit_iter_get_module(iter));
	UNMET("p11_kit_iter_get_slot", p11_kit_iter_get_slot(iter));
	UNMET("p11_kit_iter_get_session", p11_kit_iter_get_session(iter));
	UNMET("p11_kit_iter_keep_session", p11_kit_iter_keep_session(iter));
	UNMET("p11_kit_iter_get_attributes", p11_kit_iter_get_attributes(iter, &label, 1));
	UNMET("p11_kit_iter_load_attributes", p11_kit_iter_load_attributes(iter, &label, 1));
	UNMET("p11_kit_iter_destroy_object", p11_kit_iter_destroy_object(iter));
#undef UNMET
}

static void iter_not_begun(void)
{
	CK_ATTRIBUTE label = attr(CKA_LABEL, "l");
	P11KitIter *iter = iter_for(NULL, 0);

	script_reset();
	not_begun("new", iter);
	p11_kit_iter_begin_with(iter, &scripted, 0, 0);
	EACH_NULL(filter-begun, (p11_kit_iter_add_filter(iter, &label, 1), 0));
	out_rv("next", p11_kit_iter_next(iter));
	not_begun("ended", iter);
	p11_kit_iter_begin(iter, (CK_FUNCTION_LIST **)one_module);
	script.slots = CKR_DEVICE_ERROR;
	out_rv("error", p11_kit_iter_next(iter));
	not_begun("failed", iter);
	p11_kit_iter_free(iter);
}

/* Objects are wanted where there is none. */
static void iter_no_object(void)
{
	P11KitIter *iter = iter_for(NULL, P11_KIT_ITER_WITH_MODULES | P11_KIT_ITER_WITH_TOKENS);
	CK_ATTRIBUTE label = { CKA_LABEL, NULL, 0 };

	script_reset();
	p11_kit_iter_begin_with(iter, &scripted, 0, 0);
	must_ok(p11_kit_iter_next(iter));
	out("slot-zero", "%d", p11_kit_iter_get_slot_info(iter)->slotDescription[0]);
	must_ok(p11_kit_iter_next(iter));
	out("token", "%.6s", (const char *)p11_kit_iter_get_token(iter)->label);
	EACH_NULL(get, p11_kit_iter_get_attributes(iter, &label, 1));
	EACH_NULL(load, p11_kit_iter_load_attributes(iter, &label, 1));
	EACH_NULL(destroy, p11_kit_iter_destroy_object(iter));
	EACH_NULL(keep, p11_kit_iter_keep_session(iter));
	p11_kit_iter_free(iter);
}

/* NULL, where the reference crashes. */
static void iter_null(void)
{
	P11KitIter *iter = iter_for(NULL, 0);
	CK_ATTRIBUTE bad = { CKA_LABEL, "label", CK_UNAVAILABLE_INFORMATION };
	CK_ATTRIBUTE no_value = { CKA_CLASS, NULL, sizeof(CK_OBJECT_CLASS) };
	P11KitUri *uri = p11_kit_uri_new();

	script_reset();
	script.objects = 1;
	EACH_NULL(next, p11_kit_iter_next(NULL));
	EACH_NULL(begin, (p11_kit_iter_begin(NULL, (CK_FUNCTION_LIST **)one_module), 0));
	EACH_NULL(begin-modules, (p11_kit_iter_begin(iter, NULL), 0));
	EACH_NULL(begin-with, (p11_kit_iter_begin_with(NULL, &scripted, 0, 0), 0));
	EACH_NULL(begin-with-module, (p11_kit_iter_begin_with(iter, NULL, 0, 0), 0));
	EACH_NULL(set-uri, (p11_kit_iter_set_uri(NULL, NULL), 0));
	EACH_NULL(callback, (p11_kit_iter_add_callback(NULL, decide, "a", NULL), 0));
	EACH_NULL(callback-function, (p11_kit_iter_add_callback(iter, NULL, "a", NULL), 0));
	EACH_NULL(filter, (p11_kit_iter_add_filter(NULL, &bad, 1), 0));
	EACH_NULL(filter-attributes, (p11_kit_iter_add_filter(iter, NULL, 1), 0));
	EACH_NULL(kind, p11_kit_iter_get_kind(NULL));
	EACH_NULL(module, p11_kit_iter_get_module(NULL));
	EACH_NULL(slot, p11_kit_iter_get_slot(NULL));
	EACH_NULL(slot-info, p11_kit_iter_get_slot_info(NULL));
	EACH_NULL(token, p11_kit_iter_get_token(NULL));
	EACH_NULL(session, p11_kit_iter_get_session(NULL));
	EACH_NULL(object, p11_kit_iter_get_object(NULL));
	EACH_NULL(get, p11_kit_iter_get_attributes(NULL, &bad, 1));
	EACH_NULL(load, p11_kit_iter_load_attributes(NULL, &bad, 1));
	EACH_NULL(keep, p11_kit_iter_keep_session(NULL));
	EACH_NULL(destroy, p11_kit_iter_destroy_object(NULL));
	p11_kit_iter_begin_with(iter, &scripted, 0, 44);
	must_ok(p11_kit_iter_next(iter));
	EACH_NULL(get-attributes, p11_kit_iter_get_attributes(iter, NULL, 1));
	EACH_NULL(load-attributes, p11_kit_iter_load_attributes(iter, NULL, 1));
	while (p11_kit_iter_next(iter) == CKR_OK)
		;
	/* A filter that has no length cannot be searched for. */
	p11_kit_iter_add_filter(iter, &bad, 1);
	p11_kit_iter_begin_with(iter, &scripted, 0, 44);
	out_rv("filter-length", p11_kit_iter_next(iter));
	p11_kit_iter_free(iter);
	/* Nor has one a value that says a length only: modules would read it. */
	iter = iter_for(NULL, 0);
	p11_kit_iter_add_filter(iter, &no_value, 1);
	p11_kit_iter_begin_with(iter, &scripted, 0, 44);
	out_rv("filter-value", p11_kit_iter_next(iter));
	p11_kit_iter_free(iter);
	must(p11_kit_uri_set_attribute(uri, &no_value) == P11_KIT_URI_OK);
	iter = p11_kit_iter_new(uri, 0);
	p11_kit_iter_begin_with(iter, &scripted, 0, 44);
	out_rv("uri-value", p11_kit_iter_next(iter));
	p11_kit_iter_free(iter);
	p11_kit_uri_free(uri);
}

const struct check iter_set_checks[] = {
	{ "iter-filter", iter_filter, BOTH },
	{ "iter-filter-twice", iter_filter_twice, BOTH },
	{ "iter-set-uri", iter_set_uri, BOTH },
	{ "iter-callbacks", iter_callbacks, BOTH },
	{ "iter-callback-uses", iter_callback_uses, BOTH },
	{ "iter-callback-misuses", iter_callback_misuses, OURS },
	{ "iter-login", iter_login, OURS },
	{ "iter-not-begun", iter_not_begun, BOTH },
	{ "iter-no-object", iter_no_object, BOTH },
	{ "iter-null", iter_null, OURS },
	{ NULL, NULL, 0 }
};
