/* Iterators on modules that fail, lie, or have not got what they should. */
#include "conf_iter.h"

enum { ALL = P11_KIT_ITER_WITH_MODULES | P11_KIT_ITER_WITH_SLOTS | P11_KIT_ITER_WITH_TOKENS };

static void iter_errors(void)
{
	static const struct { const char *name; CK_RV *rv; } cases[] = {
		{ "info", &script.info }, { "slots", &script.slots }, { "slot-info", &script.slot_info },
		{ "token-info", &script.token_info }, { "open", &script.open }, { "init", &script.init },
		{ "find", &script.find }, { "final", &script.final }, { "close", &script.close },
	};
	size_t i;

	for (i = 0; i < sizeof cases / sizeof *cases; i++) {
		script_reset();
		script.objects = 1;
		*cases[i].rv = CKR_DEVICE_ERROR;
		walk(cases[i].name, iter_for(NULL, ALL), one_module);
	}
	script_reset();
	script.only = 5;
	script.slot_info = CKR_DEVICE_REMOVED;
	walk("one-slot", iter_for(NULL, ALL), one_module);
	script.slot_info = CKR_OK;
	script.token_info = CKR_TOKEN_NOT_PRESENT;
	walk("one-token", iter_for(NULL, ALL), one_module);
	script.token_info = CKR_OK;
	script.open = CKR_SESSION_COUNT;
	walk("one-session", iter_for(NULL, ALL), one_module);
}

/* A module, or a token, that cannot be used hides the others in the reference. */
static void iter_among_others(void)
{
	static const CK_RV absent[] = { CKR_TOKEN_NOT_RECOGNIZED, CKR_TOKEN_NOT_PRESENT, CKR_DEVICE_REMOVED,
		CKR_SLOT_ID_INVALID };
	P11KitIter *iter;
	size_t i;

	script_reset();
	script.slots = CKR_DEVICE_ERROR;
	walk("slots", iter_for(NULL, ALL), two_modules);
	for (i = 0; i < sizeof absent / sizeof *absent; i++) {
		char name[32];

		script_reset();
		script.objects = 1;
		script.only = 5;
		script.open = absent[i];
		snprintf(name, sizeof name, "%s", rv_name(absent[i]));
		walk(name, iter_for(NULL, 0), one_module);
	}
	/* But where that very slot was asked for, it is told. */
	iter = iter_for(NULL, 0);
	p11_kit_iter_begin_with(iter, &scripted, 5, 0);
	run_iter("asked-for", iter);
	p11_kit_iter_free(iter);
}

/* Modules that claim more than there is room for, or that never end. */
static void iter_lies(void)
{
	static const CK_ULONG slots[] = { 3, 1000, 65536, 65537, ENDLESS };
	size_t i;

	for (i = 0; i < sizeof slots / sizeof *slots; i++) {
		P11KitIter *iter = iter_for(NULL, P11_KIT_ITER_WITH_SLOTS | P11_KIT_ITER_WITHOUT_OBJECTS);
		char name[64];
		long n = 0;
		CK_RV rv;

		script_reset();
		script.silent = true;
		script.claimed_slots = slots[i];
		/* Slots of which the module tells nothing are left out. */
		script.slot_info = CKR_SLOT_ID_INVALID;
		p11_kit_iter_begin_with(iter, &scripted, 0, 0);
		while ((rv = p11_kit_iter_next(iter)) == CKR_OK)
			n++;
		snprintf(name, sizeof name, "slots-%ld", (long)slots[i]);
		out(name, "%s %ld", rv_name(rv), n);
		p11_kit_iter_free(iter);
	}
	out_message("slots-message");
	script_reset();
	script.grows = true;
	walk("slots-grow", iter_for(NULL, 0), one_module);
	out_message("slots-grow-message");
	script_reset();
	script.objects = 2;
	script.claimed_found = 65;
	walk("found", iter_for(NULL, 0), one_module);
	out_message("found-message");
	walk("found-busy", iter_for(NULL, P11_KIT_ITER_BUSY_SESSIONS), one_module);
	script_reset();
	script.objects = ENDLESS;
	script.silent = true;
	walk("endless", iter_for(NULL, 0), one_module);
	out_message("endless-message");
}

/* A list that lacks functions. */
static void iter_lacking(void)
{
#define LACKING(name) { \
	__typeof__(scripted.name) kept_ = scripted.name; \
	script_reset(); \
	script.objects = 1; \
	scripted.name = NULL; \
	walk(#name, iter_for("pkcs11:slot-id=5?pin-value=1", ITER_WITH_LOGIN), one_module); \
	scripted.name = kept_; \
}
	CK_ATTRIBUTE label = { CKA_LABEL, NULL, 0 };
	CK_FUNCTION_LIST all = scripted;
	P11KitIter *iter;

	LACKING(C_GetInfo);
	LACKING(C_GetSlotList);
	LACKING(C_GetSlotInfo);
	LACKING(C_GetTokenInfo);
	LACKING(C_OpenSession);
	LACKING(C_CloseSession);
	LACKING(C_Login);
	LACKING(C_FindObjectsInit);
	LACKING(C_FindObjects);
	LACKING(C_FindObjectsFinal);
	scripted.C_GetSessionInfo = NULL;
	scripted.C_GetAttributeValue = NULL;
	scripted.C_DestroyObject = NULL;
	script_reset();
	script.objects = 1;
	iter = iter_for(NULL, 0);
	p11_kit_iter_begin_with(iter, &scripted, 0, 44);
	out_step("C_GetSessionInfo", iter, p11_kit_iter_next(iter));
	out_rv("get", p11_kit_iter_get_attributes(iter, &label, 1));
	out_rv("load", p11_kit_iter_load_attributes(iter, &label, 1));
	out_rv("destroy", p11_kit_iter_destroy_object(iter));
	p11_kit_iter_free(iter);
	scripted = all;
}

/* Managed modules that go while they are iterated. */
static void iter_gone(void)
{
	list_t m = load_one("a");
	P11KitIter *iter = iter_for(NULL, P11_KIT_ITER_WITH_TOKENS), *raw = iter_for(NULL, P11_KIT_ITER_WITH_TOKENS);

	p11_kit_iter_begin_with(iter, m, 0, 0);
	out_rv("not-initialized", p11_kit_iter_next(iter));
	must_ok(m->C_Initialize(NULL));
	p11_kit_iter_begin_with(iter, m, 0, 0);
	p11_kit_iter_begin_with(raw, m, 0, 0);
	out_rv("first", p11_kit_iter_next(iter));
	out_rv("other-first", p11_kit_iter_next(raw));
	must_ok(m->C_Finalize(NULL));
	out_rv("finalized", p11_kit_iter_next(iter));
	p11_kit_module_release(m);
	out_rv("released", p11_kit_iter_next(raw));
	p11_kit_iter_free(iter);
	p11_kit_iter_free(raw);
}

const struct check iter_fail_checks[] = {
	{ "iter-errors", iter_errors, BOTH },
	{ "iter-among-others", iter_among_others, BOTH },
	{ "iter-lies", iter_lies, OURS },
	{ "iter-lacking", iter_lacking, OURS },
	{ "iter-gone", iter_gone, OURS },
	{ NULL, NULL, 0 }
};
