/* Iterators: where they stop, and what modules are asked for. */
#include "conf_iter.h"

/* Programs have these values compiled in. */
_Static_assert(P11_KIT_ITER_KIND_MODULE == 0 && P11_KIT_ITER_KIND_SLOT == 1 && P11_KIT_ITER_KIND_TOKEN == 2 &&
	       P11_KIT_ITER_KIND_OBJECT == 3 && P11_KIT_ITER_KIND_UNKNOWN == -1, "P11KitIterKind");
_Static_assert(P11_KIT_ITER_BUSY_SESSIONS == 0x02 && P11_KIT_ITER_WANT_WRITABLE == 0x04 &&
	       P11_KIT_ITER_WITH_MODULES == 0x08 && P11_KIT_ITER_WITH_SLOTS == 0x10 &&
	       P11_KIT_ITER_WITH_TOKENS == 0x20 && P11_KIT_ITER_WITHOUT_OBJECTS == 0x40, "P11KitIterBehavior");
_Static_assert(sizeof(P11KitIterKind) == sizeof(int) && sizeof(P11KitIterBehavior) == sizeof(int), "enumerations");

P11KitIter *iter_for(const char *text, int behavior)
{
	P11KitUri *uri = text ? p11_kit_uri_new() : NULL;
	P11KitIter *iter;

	if (uri && p11_kit_uri_parse(text, P11_KIT_URI_FOR_ANY, uri) != P11_KIT_URI_OK)
		die("%s cannot be parsed", text);
	iter = p11_kit_iter_new(uri, (P11KitIterBehavior)behavior);
	must(iter != NULL);
	/* It was copied. */
	p11_kit_uri_free(uri);
	return iter;
}

static const char *module_name(CK_FUNCTION_LIST *module)
{
	return module == &scripted ? "one" : module == &scripted_too ? "two" : module ? "?" : "none";
}

void out_step(const char *name, P11KitIter *iter, CK_RV rv)
{
	char what[512] = "";

	/* What is no object has none; see iter-stale. */
	if (rv == CKR_OK)
		snprintf(what, sizeof what, " kind %d module %s slot %lu session %lu object %lu", p11_kit_iter_get_kind(iter),
			 module_name(p11_kit_iter_get_module(iter)), p11_kit_iter_get_slot(iter), p11_kit_iter_get_session(iter),
			 p11_kit_iter_get_kind(iter) == P11_KIT_ITER_KIND_OBJECT ? p11_kit_iter_get_object(iter) : 0);
	out(name, "%s%s after%s", rv_name(rv), what, calls_made());
}

void run_iter(const char *name, P11KitIter *iter)
{
	char step[64];
	CK_RV rv;
	int i = 0;

	do {
		rv = p11_kit_iter_next(iter);
		snprintf(step, sizeof step, "%s-%d", name, ++i);
		out_step(step, iter, rv);
	} while (rv == CKR_OK && i < 100);
}

void walk(const char *name, P11KitIter *iter, CK_FUNCTION_LIST *const *modules)
{
	CK_FUNCTION_LIST *copy[3] = { NULL };
	const char *last;
	int i;

	for (i = 0; modules[i]; i++)
		copy[i] = modules[i];
	p11_kit_iter_begin(iter, copy);
	/* They were copied. */
	memset(copy, 0, sizeof copy);
	run_iter(name, iter);
	p11_kit_iter_free(iter);
	if (*(last = calls_made()))
		out(name, "freed with%s", last);
}

static void iter_kinds(void)
{
	static const struct { const char *name; int behavior; } cases[] = {
		{ "objects", 0 },
		{ "all", P11_KIT_ITER_WITH_MODULES | P11_KIT_ITER_WITH_SLOTS | P11_KIT_ITER_WITH_TOKENS },
		{ "tokens-objects", P11_KIT_ITER_WITH_TOKENS },
		{ "modules", P11_KIT_ITER_WITH_MODULES | P11_KIT_ITER_WITHOUT_OBJECTS },
		{ "none", P11_KIT_ITER_WITHOUT_OBJECTS },
		{ "writable", P11_KIT_ITER_WANT_WRITABLE },
	};
	size_t i;

	for (i = 0; i < sizeof cases / sizeof *cases; i++) {
		script_reset();
		script.objects = 2;
		walk(cases[i].name, iter_for(NULL, cases[i].behavior), two_modules);
	}
	script_reset();
	script.write_protected = true;
	script.objects = 1;
	walk("write-protected", iter_for(NULL, P11_KIT_ITER_WANT_WRITABLE), one_module);
	script_reset();
	walk("empty", iter_for(NULL, 0), one_module);
	walk("no-module", iter_for(NULL, 0), &one_module[1]);
}

/* Here the reference opens a session that nobody sees. */
static void iter_without_objects(void)
{
	static const struct { const char *name; int behavior; } cases[] = {
		{ "slots", P11_KIT_ITER_WITH_SLOTS },
		{ "tokens", P11_KIT_ITER_WITH_TOKENS },
		{ "both", P11_KIT_ITER_WITH_SLOTS | P11_KIT_ITER_WITH_TOKENS },
	};
	size_t i;

	for (i = 0; i < sizeof cases / sizeof *cases; i++) {
		script_reset();
		walk(cases[i].name, iter_for(NULL, cases[i].behavior | P11_KIT_ITER_WITHOUT_OBJECTS), one_module);
	}
}

static void iter_batches(void)
{
	static const CK_ULONG counts[] = { 1, 63, 64, 65, 128, 130, 500 };
	size_t i;
	int busy;

	for (i = 0; i < sizeof counts / sizeof *counts; i++)
		for (busy = 0; busy < 2; busy++) {
			P11KitIter *iter = iter_for(NULL, busy ? P11_KIT_ITER_BUSY_SESSIONS : 0);
			char name[32];
			CK_ULONG n = 0, wrong = 0;
			CK_RV rv;

			script_reset();
			script.objects = counts[i];
			p11_kit_iter_begin_with(iter, &scripted, 0, 0);
			while ((rv = p11_kit_iter_next(iter)) == CKR_OK) {
				wrong += p11_kit_iter_get_object(iter) != 1000 + n++ % counts[i];
				note_call(n % 64 == 1 ? " object" : "");
			}
			snprintf(name, sizeof name, "%lu%s", counts[i], busy ? "-busy" : "");
			out(name, "%s %lu wrong %lu%s", rv_name(rv), n, wrong, calls_made());
			p11_kit_iter_free(iter);
		}
}

static void iter_uri(void)
{
	static const char *const uris[] = {
		"pkcs11:slot-id=6", "pkcs11:slot-id=7", "pkcs11:token=token5", "pkcs11:token=t", "pkcs11:library-description=scripted",
		"pkcs11:library-description=other", "pkcs11:library-version=1.0", "pkcs11:library-version=1.1",
		"pkcs11:slot-description=6", "pkcs11:object=a;type=private;id=%31", "pkcs11:unknown=1",
		"pkcs11:token=token5?module-name=other&module-path=/other&x-vendor=1&pin-value=1234",
	};
	size_t i;

	for (i = 0; i < sizeof uris / sizeof *uris; i++) {
		char name[32];

		script_reset();
		script.objects = 1;
		snprintf(name, sizeof name, "uri-%zu", i);
		walk(name, iter_for(uris[i], P11_KIT_ITER_WITH_MODULES | P11_KIT_ITER_WITH_SLOTS | P11_KIT_ITER_WITH_TOKENS),
		     one_module);
	}
}

static void iter_begin_with(void)
{
	static const struct { const char *name; CK_SLOT_ID slot; CK_SESSION_HANDLE session; } cases[] = {
		{ "module", 0, 0 }, { "slot", 7, 0 }, { "session", 0, 44 }, { "slot-session", 7, 44 },
	};
	int all = P11_KIT_ITER_WITH_MODULES | P11_KIT_ITER_WITH_SLOTS | P11_KIT_ITER_WITH_TOKENS;
	size_t i;

	for (i = 0; i < sizeof cases / sizeof *cases; i++) {
		/* The session takes whatever the URI says of its token. */
		P11KitIter *iter = iter_for("pkcs11:library-description=scripted;object=o", all);
		P11KitIter *other = iter_for("pkcs11:library-description=other;object=o", all);
		P11KitIter *without = iter_for(NULL, all | P11_KIT_ITER_WITHOUT_OBJECTS);
		char name[64];

		script_reset();
		script.objects = 2;
		p11_kit_iter_begin_with(iter, &scripted, cases[i].slot, cases[i].session);
		run_iter(cases[i].name, iter);
		/* And again, with what is left over. */
		snprintf(name, sizeof name, "%s-other", cases[i].name);
		p11_kit_iter_begin_with(other, &scripted, cases[i].slot, cases[i].session);
		run_iter(name, other);
		if (cases[i].session) {
			snprintf(name, sizeof name, "%s-without", cases[i].name);
			p11_kit_iter_begin_with(without, &scripted, cases[i].slot, cases[i].session);
			run_iter(name, without);
		}
		p11_kit_iter_free(iter);
		p11_kit_iter_free(other);
		p11_kit_iter_free(without);
		out(cases[i].name, "freed with%s", calls_made());
	}
}

static void iter_keep(void)
{
	P11KitIter *iter = iter_for(NULL, 0);

	script_reset();
	script.objects = 2;
	p11_kit_iter_begin(iter, (CK_FUNCTION_LIST **)one_module);
	must_ok(p11_kit_iter_next(iter));
	out("keep", "%lu", p11_kit_iter_keep_session(iter));
	out("again", "%lu", p11_kit_iter_keep_session(iter));
	calls_made();
	run_iter("rest", iter);
	/* A session that is kept is open when the iterator begins again, and when it is freed. */
	p11_kit_iter_begin(iter, (CK_FUNCTION_LIST **)one_module);
	must_ok(p11_kit_iter_next(iter));
	p11_kit_iter_keep_session(iter);
	calls_made();
	p11_kit_iter_begin(iter, (CK_FUNCTION_LIST **)one_module);
	out("begin", "calls%s", calls_made());
	must_ok(p11_kit_iter_next(iter));
	p11_kit_iter_keep_session(iter);
	calls_made();
	p11_kit_iter_free(iter);
	out("free", "calls%s", calls_made());
}

/* One that is begun again, or freed, on its way. */
static void iter_restart(void)
{
	P11KitIter *iter = iter_for(NULL, 0);

	script_reset();
	script.objects = 2;
	p11_kit_iter_begin(iter, (CK_FUNCTION_LIST **)one_module);
	out_step("first", iter, p11_kit_iter_next(iter));
	p11_kit_iter_begin(iter, (CK_FUNCTION_LIST **)one_module);
	out("begin", "calls%s", calls_made());
	out("object", "%lu", p11_kit_iter_get_object(iter));
	out_step("again", iter, p11_kit_iter_next(iter));
	calls_made();
	p11_kit_iter_free(iter);
	out("free", "calls%s", calls_made());
	p11_kit_iter_free(NULL);
}

/* What is left of a former stop. */
static void iter_stale(void)
{
	P11KitIter *iter = iter_for(NULL, P11_KIT_ITER_WITH_MODULES | P11_KIT_ITER_WITH_SLOTS);
	int n;

	script_reset();
	script.objects = 1;
	p11_kit_iter_begin(iter, (CK_FUNCTION_LIST **)two_modules);
	for (n = 0; p11_kit_iter_next(iter) == CKR_OK; n++) {
		char name[32];

		snprintf(name, sizeof name, "kind-%d-%d", p11_kit_iter_get_kind(iter), n);
		out(name, "slot %d token %d object %lu", p11_kit_iter_get_slot_info(iter)->slotDescription[0],
		    p11_kit_iter_get_token(iter)->label[0], p11_kit_iter_get_object(iter));
	}
	p11_kit_iter_free(iter);
}

/* Where a search is under way on a session that is the caller's. */
static void iter_busy_kept(void)
{
	P11KitIter *iter = iter_for(NULL, P11_KIT_ITER_BUSY_SESSIONS);

	script_reset();
	script.objects = 100;
	p11_kit_iter_begin_with(iter, &scripted, 0, 44);
	out_step("first", iter, p11_kit_iter_next(iter));
	p11_kit_iter_free(iter);
	out("free", "calls%s", calls_made());
	iter = iter_for(NULL, P11_KIT_ITER_BUSY_SESSIONS);
	p11_kit_iter_begin(iter, (CK_FUNCTION_LIST **)one_module);
	must_ok(p11_kit_iter_next(iter));
	p11_kit_iter_keep_session(iter);
	calls_made();
	script.find = CKR_DEVICE_ERROR;
	while (p11_kit_iter_next(iter) == CKR_OK)
		;
	out("error", "calls%s", calls_made());
	p11_kit_iter_free(iter);
}

const struct check iter_checks[] = {
	{ "iter-kinds", iter_kinds, BOTH },
	{ "iter-without-objects", iter_without_objects, BOTH },
	{ "iter-batches", iter_batches, BOTH },
	{ "iter-uri", iter_uri, BOTH },
	{ "iter-begin-with", iter_begin_with, BOTH },
	{ "iter-keep", iter_keep, BOTH },
	{ "iter-restart", iter_restart, BOTH },
	{ "iter-stale", iter_stale, BOTH },
	{ "iter-busy-kept", iter_busy_kept, BOTH },
	{ NULL, NULL, 0 }
};
