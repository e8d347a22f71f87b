/*
 * Iterators on a real token (see token.h) and from many threads, whose callbacks
 * use the library, and in forked children: iter CASE.
 */
#include "token.h"

#include <p11-kit/iter.h>
#include <p11-kit/pin.h>
#include <p11-kit/uri.h>
#include <pthread.h>
#include <stdatomic.h>

/* What 0.24's header does not have yet. */
#define ITER_WITH_LOGIN ((P11KitIterBehavior)0x80)

#define OBJECTS 66 /* more than one batch */
#define THREADS 8

static list_t *all;
static list_t m;

static void load(void)
{
	all = p11_kit_modules_load_and_initialize(0);
	if (all == NULL || (m = p11_kit_module_for_name(all, "softhsm")) == NULL)
		die("loading: %s", p11_kit_message());
}

/* Makes objects of data, with their numbers for labels. */
static void make_objects(CK_BBOOL private)
{
	CK_SESSION_HANDLE s = token_login(m);
	CK_OBJECT_CLASS class = CKO_DATA;
	CK_BBOOL yes = CK_TRUE;
	int i;

	for (i = 0; i < OBJECTS; i++) {
		char label[16];
		CK_ATTRIBUTE attrs[] = {
			{ CKA_CLASS, &class, sizeof class }, { CKA_TOKEN, &yes, 1 }, { CKA_PRIVATE, &private, 1 },
			{ CKA_LABEL, label, (CK_ULONG)snprintf(label, sizeof label, "%d", i) },
			{ CKA_VALUE, "value", 5 }, { CKA_APPLICATION, "", 0 },
		};
		CK_OBJECT_HANDLE object;

		must_ok(m->C_CreateObject(s, attrs, 6, &object));
	}
	must_ok(m->C_CloseSession(s));
}

static P11KitIter *new_iter(const char *text, int behavior)
{
	P11KitUri *uri = p11_kit_uri_new();
	P11KitIter *iter;

	must(p11_kit_uri_parse(text, P11_KIT_URI_FOR_ANY, uri) == P11_KIT_URI_OK);
	iter = p11_kit_iter_new(uri, (P11KitIterBehavior)behavior);
	must(iter != NULL);
	p11_kit_uri_free(uri);
	return iter;
}

static int count(P11KitIter *iter)
{
	list_t modules[] = { m, NULL };
	CK_RV rv;
	int n = 0;

	p11_kit_iter_begin(iter, modules);
	while ((rv = p11_kit_iter_next(iter)) == CKR_OK)
		n++;
	must_rv(rv, CKR_CANCEL);
	return n;
}

/* Each object once, with its attributes. */
static void case_objects(void)
{
	bool seen[OBJECTS] = { false };
	CK_OBJECT_CLASS data = CKO_DATA;
	CK_ATTRIBUTE filter = { CKA_VALUE, "value", 5 };
	P11KitIter *iter = new_iter("pkcs11:token=token;type=data", 0);
	list_t modules[] = { m, NULL };
	CK_RV rv;
	int n = 0;

	make_objects(CK_FALSE);
	p11_kit_iter_add_filter(iter, &filter, 1);
	p11_kit_iter_begin(iter, modules);
	while ((rv = p11_kit_iter_next(iter)) == CKR_OK) {
		CK_ATTRIBUTE attrs[] = {
			{ CKA_LABEL, NULL, 0 }, { CKA_CLASS, NULL, 0 }, { CKA_APPLICATION, NULL, 0 },
			{ CKA_MODULUS, NULL, 0 }, { CKA_VALUE, NULL, 0 },
		};
		char label[16] = "";
		int i;

		must_ok(p11_kit_iter_load_attributes(iter, attrs, 5));
		must(attrs[0].ulValueLen < sizeof label);
		memcpy(label, attrs[0].pValue, attrs[0].ulValueLen);
		i = atoi(label);
		must(i >= 0 && i < OBJECTS && !seen[i]);
		seen[i] = true;
		must(attrs[1].ulValueLen == sizeof data && memcmp(attrs[1].pValue, &data, sizeof data) == 0);
		must(attrs[2].ulValueLen == 0 && attrs[2].pValue == NULL);
		must(attrs[3].ulValueLen == (CK_ULONG)-1 && attrs[3].pValue == NULL);
		must(attrs[4].ulValueLen == 5 && memcmp(attrs[4].pValue, "value", 5) == 0);
		for (i = 0; i < 5; i++)
			free(attrs[i].pValue);
		n++;
	}
	must_rv(rv, CKR_CANCEL);
	must(n == OBJECTS);
	p11_kit_iter_free(iter);
}

/* Objects are destroyed on the way, and one session is kept. */
static void case_destroy(void)
{
	P11KitIter *iter = new_iter("pkcs11:token=token;type=data", P11_KIT_ITER_WANT_WRITABLE);
	CK_SESSION_HANDLE kept;
	CK_SESSION_INFO info;
	list_t modules[] = { m, NULL };
	int n = 0;

	make_objects(CK_FALSE);
	p11_kit_iter_begin(iter, modules);
	while (p11_kit_iter_next(iter) == CKR_OK)
		if (n++ % 2)
			must_ok(p11_kit_iter_destroy_object(iter));
	must(n == OBJECTS);
	must(count(iter) == OBJECTS / 2);
	p11_kit_iter_begin(iter, modules);
	must_ok(p11_kit_iter_next(iter));
	kept = p11_kit_iter_keep_session(iter);
	p11_kit_iter_free(iter);
	must_ok(m->C_GetSessionInfo(kept, &info));
	must(info.flags & CKF_RW_SESSION);
	must_ok(m->C_CloseSession(kept));
}

static P11KitPin *give_pin(const char *source, P11KitUri *uri, const char *description, P11KitPinFlags flags, void *data)
{
	(void)source, (void)uri;
	must(strcmp(description, "PIN for token") == 0 && flags == P11_KIT_PIN_FLAGS_USER_LOGIN);
	atomic_fetch_add((atomic_int *)data, 1);
	return p11_kit_pin_new_for_string("1234");
}

/* Private objects are there when the iterator has logged in. */
static void case_login(void)
{
	static atomic_int asked;
	P11KitIter *iter;

	make_objects(CK_TRUE);
	iter = new_iter("pkcs11:token=token;type=data?pin-value=1234", 0);
	must(count(iter) == 0);
	p11_kit_iter_free(iter);
	iter = new_iter("pkcs11:token=token;type=data?pin-value=1234", ITER_WITH_LOGIN);
	must(count(iter) == OBJECTS);
	p11_kit_iter_free(iter);
	must(p11_kit_pin_register_callback("here", give_pin, &asked, NULL) == 0);
	iter = new_iter("pkcs11:token=token;type=data?pin-source=here", ITER_WITH_LOGIN);
	must(count(iter) == OBJECTS);
	must(asked == 1);
	p11_kit_iter_free(iter);
	/* A wrong one is told, not tried again. */
	iter = new_iter("pkcs11:token=token;type=data?pin-value=4321", ITER_WITH_LOGIN);
	p11_kit_iter_begin_with(iter, m, 0, 0);
	must_rv(p11_kit_iter_next(iter), CKR_PIN_INCORRECT);
	p11_kit_iter_free(iter);
}

static atomic_int destroyed;

static P11KitPin *no_pin(const char *source, P11KitUri *uri, const char *description, P11KitPinFlags flags, void *data)
{
	(void)source, (void)uri, (void)description, (void)flags, (void)data;
	return NULL;
}

/* Uses much of the library, in a callback of an iterator. */
static CK_RV use(P11KitIter *iter, CK_BBOOL *matches, void *data)
{
	list_t own = p11_kit_iter_get_module(iter);
	char *name = p11_kit_module_get_filename(own), *text = NULL;
	P11KitUri *uri = p11_kit_uri_new();
	P11KitPin *pin;
	list_t again;

	(void)data;
	must(name != NULL);
	again = p11_kit_module_load(name, 0);
	must(again != NULL && again != own);
	must_ok(p11_kit_module_initialize(again));
	must_ok(p11_kit_module_finalize(again));
	p11_kit_module_release(again);
	must(p11_kit_uri_parse("pkcs11:token=token", P11_KIT_URI_FOR_ANY, uri) == P11_KIT_URI_OK);
	must(p11_kit_uri_match_token_info(uri, p11_kit_iter_get_token(iter)) == 1);
	must(p11_kit_uri_format(uri, P11_KIT_URI_FOR_ANY, &text) == P11_KIT_URI_OK);
	must(p11_kit_pin_register_callback("threads", no_pin, iter, NULL) == 0);
	pin = p11_kit_pin_request("threads", uri, text, 0);
	must(pin == NULL);
	p11_kit_pin_unregister_callback("threads", no_pin, iter);
	*matches = p11_kit_iter_get_object(iter) % 2 ? CK_TRUE : CK_FALSE;
	p11_kit_uri_free(uri);
	free(text);
	free(name);
	return CKR_OK;
}

static void note_destroyed(void *data)
{
	(void)data;
	must(p11_kit_strerror(CKR_OK) != NULL);
	atomic_fetch_add(&destroyed, 1);
}

static void *iterate(void *arg)
{
	const char *path = arg;
	int i;

	for (i = 0; i < 5; i++) {
		list_t own = p11_kit_module_load(path, 0);
		P11KitIter *iter = new_iter("pkcs11:token=token;type=public", 0);

		must(own != NULL);
		must_ok(p11_kit_module_initialize(own));
		p11_kit_iter_add_callback(iter, use, NULL, note_destroyed);
		p11_kit_iter_begin_with(iter, own, 0, 0);
		while (p11_kit_iter_next(iter) == CKR_OK)
			;
		p11_kit_iter_free(iter);
		must_ok(p11_kit_module_finalize(own));
		p11_kit_module_release(own);
	}
	return NULL;
}

/* Threads with iterators of their own on one module, whose callbacks call the library. */
static void case_threads(void)
{
	pthread_t threads[THREADS];
	char *path = p11_kit_module_get_filename(m);
	int i;

	for (i = 0; i < THREADS; i++)
		must(pthread_create(&threads[i], NULL, iterate, path) == 0);
	for (i = 0; i < THREADS; i++)
		must(pthread_join(threads[i], NULL) == 0);
	must(destroyed == THREADS * 5);
	free(path);
}

static void in_child(void *data)
{
	P11KitIter *iter = data;

	/* The parent's sessions are not the child's: the iteration cannot go on, and does no harm. */
	must_rv(p11_kit_iter_next(iter), CKR_CRYPTOKI_NOT_INITIALIZED);
	must_ok(m->C_Initialize(NULL));
	must(count(iter) == OBJECTS);
	p11_kit_iter_free(iter);
	must_ok(m->C_Finalize(NULL));
}

/* A child inherits an iterator that is on its way. */
static void case_forked(void)
{
	P11KitIter *objects;
	CK_ATTRIBUTE label = { CKA_LABEL, NULL, 0 };

	make_objects(CK_FALSE);
	objects = new_iter("pkcs11:token=token;type=data", P11_KIT_ITER_BUSY_SESSIONS);
	p11_kit_iter_begin_with(objects, m, 0, 0);
	for (int i = 0; i < 64; i++)
		must_ok(p11_kit_iter_next(objects));
	must(run_child(in_child, objects, 30) == 0);
	/* The parent's goes on. */
	must_ok(p11_kit_iter_next(objects));
	must_ok(p11_kit_iter_load_attributes(objects, &label, 1));
	free(label.pValue);
	p11_kit_iter_free(objects);
}

static const struct host_case cases[] = {
	{ "objects", case_objects, false },
	{ "destroy", case_destroy, false },
	{ "login", case_login, true },
	{ "threads", case_threads, true },
	{ "forked", case_forked, true },
};

int main(int argc, char **argv)
{
	int code = run_cases(cases, sizeof cases / sizeof cases[0], argc, argv, load);
	if (all)
		p11_kit_modules_finalize_and_release(all);
	return code;
}
