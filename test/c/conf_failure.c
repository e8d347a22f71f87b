/* p11_kit_modules_initialize and its relatives when modules fail; releases that
 * come too early, too late or twice. */
#include "conformance.h"

#include <dlfcn.h>

static list_t failed[8];
static int n_failed;

static void on_failure(void *list)
{
	failed[n_failed++ % 8] = list;
}

static void failure_skipped(void)
{
	counting_t c = counting_open("c");
	list_t *m, b;

	configure("a", "b", "c", NULL);
	m = p11_kit_modules_load(NULL, 0);
	must(m && m[2]);
	b = m[1];
	setenv("COUNTING_b_INIT_RV", "0x30", 1);
	out_rv("initialize", p11_kit_modules_initialize(m, on_failure));
	out_message("message");
	print_names("left", m);
	out("callbacks", "%d %d", n_failed, failed[0] == b);
	out("c-initialized", "%ld", c.get("initialized"));
	p11_kit_module_release(b);
	out_rv("finalize", p11_kit_modules_finalize(m));
	p11_kit_modules_release(m);
}

static void failure_critical(void)
{
	counting_t c = counting_open("c");
	list_t *m, mods[4];

	conf_file("modules/a.module", "module: @MOD@/a.so\ncritical: yes\n");
	conf_file("modules/b.module", "module: @MOD@/b.so\ncritical: yes\n");
	conf_file("modules/c.module", "module: @MOD@/c.so\n");
	setenv("COUNTING_a_INIT_RV", "0x31", 1);
	setenv("COUNTING_b_INIT_RV", "0x30", 1);
	m = p11_kit_modules_load(NULL, 0);
	must(m && m[2]);
	memcpy(mods, m, sizeof mods);
	out_rv("initialize", p11_kit_modules_initialize(m, NULL));
	out_message("message");
	print_names("left", m);
	out("c-initialized", "%ld", c.get("initialized"));
	p11_kit_module_release(mods[0]);
	p11_kit_module_release(mods[1]);
	p11_kit_modules_finalize_and_release(m);
}

static void failure_already(void)
{
	list_t *m;

	configure("a", "b", NULL);
	m = p11_kit_modules_load(NULL, 0);
	must(m && m[1]);
	must_ok(m[0]->C_Initialize(NULL));
	out_rv("initialize", p11_kit_modules_initialize(m, on_failure));
	out_message("message");
	print_names("left", m);
	out("callbacks", "%d", n_failed);
	out_rv("finalize", p11_kit_modules_finalize(m));
	out_rv("finalize-again", p11_kit_modules_finalize(m));
	out_message("finalize-again-message");
	p11_kit_modules_release(m);
}

static void failure_unnamed(void)
{
	list_t m[2] = { load_one("a"), NULL };

	setenv("COUNTING_INIT_RV", "0x30", 1);
	out_rv("initialize", p11_kit_modules_initialize(m, on_failure));
	out_message("message");
	out("left", "%d", m[0] != NULL);
	out("callbacks", "%d", n_failed);
}

static void failure_single(void)
{
	list_t *m, a, raw;

	configure("a", NULL);
	m = p11_kit_modules_load(NULL, 0);
	a = m[0];
	setenv("COUNTING_a_INIT_RV", "0xA4", 1);
	out_rv("initialize", p11_kit_module_initialize(a));
	out_message("initialize-message");
	setenv("COUNTING_a_INIT_RV", "0", 1);
	out_rv("initialize-good", p11_kit_module_initialize(a));
	out_rv("initialize-again", p11_kit_module_initialize(a));
	out_message("initialize-again-message");
	out_rv("finalize", p11_kit_module_finalize(a));
	out_rv("finalize-again", p11_kit_module_finalize(a));
	out_message("finalize-again-message");
	raw = p11_kit_module_load(module_path("b"), P11_KIT_MODULE_UNMANAGED);
	setenv("COUNTING_b_FINALIZE_RV", "0x30", 1);
	out_rv("raw-initialize", p11_kit_module_initialize(raw));
	out_rv("raw-finalize", p11_kit_module_finalize(raw));
	out_message("raw-finalize-message");
}

static void failure_finalize(void)
{
	counting_t c = counting_open("c");
	list_t *m;

	configure("a", "b", "c", NULL);
	setenv("COUNTING_a_FINALIZE_RV", "0x31", 1);
	setenv("COUNTING_b_FINALIZE_RV", "0x30", 1);
	m = p11_kit_modules_load(NULL, P11_KIT_MODULE_UNMANAGED);
	must_ok(p11_kit_modules_initialize(m, NULL));
	out_rv("finalize", p11_kit_modules_finalize(m));
	out_message("message");
	out("c-finalized", "%ld", c.get("finalize"));
	p11_kit_modules_release(m);
}

static void release_initialized(void)
{
	counting_t c = counting_open("a");
	list_t m = load_one("a"), n;
	CK_SESSION_HANDLE s;

	must_ok(m->C_Initialize(NULL));
	must_ok(open_session(m, 1, &s));
	p11_kit_module_release(m);
	out("finalize", "%ld", c.get("finalize"));
	n = load_one("a");
	out_rv("other-init", n->C_Initialize(NULL));
	out_rv("other-fini", n->C_Finalize(NULL));
	out("balanced", "%d", c.get("initialize") == c.get("finalize"));
}

static void release_unknown(void)
{
	counting_t c = counting_open("b");
	CK_RV (*get)(list_t *);
	list_t a = load_one("a"), b, *array;
	CK_INFO info;
	char *text;

	*(void **)&get = dlsym(c.handle, "C_GetFunctionList");
	must_ok(get(&b));
	capture_begin();
	p11_kit_module_release(b);
	text = capture_end();
	out("note", "%d", strstr(text, "invalid module pointer passed to") != NULL);
	free(text);
	array = calloc(3, sizeof *array);
	array[0] = b;
	array[1] = a;
	must_ok(a->C_Initialize(NULL));
	must_ok(a->C_GetInfo(&info));
	must_ok(a->C_Finalize(NULL));
	capture_begin();
	p11_kit_modules_release(array);
	text = capture_end();
	out("array-note", "%d", strstr(text, "invalid module pointer passed to") != NULL);
	out("released", "%d", is_mapped("a"));
	free(text);
}

/* The reference crashes, or uses freed memory. */
static void release_hostile(void)
{
	counting_t c = counting_open("a");
	CK_RV (*get)(list_t *);
	list_t raw, m, n, again;
	char *text;

	*(void **)&get = dlsym(c.handle, "C_GetFunctionList");
	must_ok(get(&raw));
	capture_begin();
	p11_kit_module_release(raw); /* nothing is loaded */
	must(p11_kit_message() != NULL);
	m = load_one("a");
	n = load_one("a");
	must_ok(n->C_Initialize(NULL));
	p11_kit_module_release(m);
	p11_kit_module_release(m);
	must(p11_kit_message() != NULL);
	p11_kit_module_release((list_t)&n);
	must(p11_kit_message() != NULL);
	text = capture_end();
	free(text);
	again = load_one("a");
	must_rv(n->C_Initialize(NULL), CKR_CRYPTOKI_ALREADY_INITIALIZED);
	must_ok(again->C_Initialize(NULL));
	must_ok(again->C_Finalize(NULL));
	must_ok(n->C_Finalize(NULL));
	must(c.get("initialize") == 1 && c.get("finalize") == 1);
	must(c.get("faults") == 0);
	out("survived", "yes");
}

/* Releasing a raw list more often than it was loaded takes nothing from others. */
static void release_raw_twice(void)
{
	list_t raw = p11_kit_module_load(module_path("a"), P11_KIT_MODULE_UNMANAGED);
	list_t m = load_one("a");
	char *text;

	capture_begin();
	p11_kit_module_release(raw);
	p11_kit_module_release(raw);
	text = capture_end();
	out_rv("init", m->C_Initialize(NULL));
	out_rv("fini", m->C_Finalize(NULL));
	p11_kit_module_release(m);
	free(text);
}

const struct check failure_checks[] = {
	{ "failure-skipped", failure_skipped, BOTH },
	{ "failure-critical", failure_critical, BOTH },
	{ "failure-already", failure_already, BOTH },
	{ "failure-unnamed", failure_unnamed, BOTH },
	{ "failure-single", failure_single, BOTH },
	{ "failure-finalize", failure_finalize, BOTH },
	{ "release-initialized", release_initialized, BOTH },
	{ "release-unknown", release_unknown, BOTH },
	{ "release-hostile", release_hostile, OURS },
	{ "release-raw-twice", release_raw_twice, BOTH },
	{ NULL, NULL, 0 }
};
