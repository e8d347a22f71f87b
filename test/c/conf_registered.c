/* The deprecated functions: one set of modules registered for the process. */
#include "conformance.h"

#include <dlfcn.h>

static void print_registered(const char *name)
{
	list_t *m = p11_kit_registered_modules();

	print_names(name, m);
	free(m);
}

static void registered_all(void)
{
	counting_t a = counting_open("a"), b = counting_open("b");
	list_t m, *all;
	char *v;

	conf_file("modules/a.module", "module: @MOD@/a.so\nx-option: one\n");
	conf_file("modules/b.module", "module: @MOD@/b.so\npriority: 2\n");
	conf_file("pkcs11.conf", "x-global: two\n");
	print_registered("before");
	out_rv("finalize-before", p11_kit_finalize_registered());
	out_rv("initialize", p11_kit_initialize_registered());
	print_registered("modules");
	out_rv("initialize-again", p11_kit_initialize_registered());
	out("counts", "%ld %ld", a.get("initialize"), b.get("initialize"));
	m = p11_kit_registered_name_to_module("a");
	out("name-to-module", "%d", m != NULL);
	out("name-to-module-absent", "%d", p11_kit_registered_name_to_module("c") == NULL);
	must(m);
	out("flags", "%d", p11_kit_module_get_flags(m));
	all = p11_kit_registered_modules();
	out("same", "%d", all[1] == m);
	v = p11_kit_registered_module_to_name(m);
	out("module-to-name", "%s", v ? v : "(none)");
	v = p11_kit_registered_option(m, "x-option");
	out("option", "%s", v ? v : "(none)");
	v = p11_kit_registered_option(m, "x-global");
	out("option-global-of-module", "%s", v ? v : "(none)");
	v = p11_kit_registered_option(NULL, "x-global");
	out("option-global", "%s", v ? v : "(none)");
	v = p11_kit_registered_option((list_t)&v, "x-global");
	out("option-unknown", "%s", v ? v : "(none)");
	out_rv("finalize", p11_kit_finalize_registered());
	print_registered("after-one");
	out("finalize-one", "%ld %ld", a.get("finalize"), b.get("finalize"));
	out_rv("finalize-2", p11_kit_finalize_registered());
	print_registered("after-two");
	out("finalize-two", "%ld %ld", a.get("finalize"), b.get("finalize"));
	out_rv("finalize-3", p11_kit_finalize_registered());
}

static void registered_with_managed(void)
{
	counting_t a = counting_open("a");
	list_t m;

	configure("a", NULL);
	must_ok(p11_kit_initialize_registered());
	m = load_one("a");
	out_rv("managed-init", m->C_Initialize(NULL));
	out("initialize", "%ld", a.get("initialize"));
	out_rv("finalize", p11_kit_finalize_registered());
	out("finalize-count", "%ld", a.get("finalize"));
	out_rv("managed-fini", m->C_Finalize(NULL));
	out("finalize-count-2", "%ld", a.get("finalize"));
}

static void registered_skips(void)
{
	configure("a", "b", NULL);
	setenv("COUNTING_b_INIT_RV", "0x30", 1);
	out_rv("initialize", p11_kit_initialize_registered());
	out_message("message");
	print_registered("modules");
	out_rv("finalize", p11_kit_finalize_registered());
}

static void registered_critical(void)
{
	counting_t a = counting_open("a");

	conf_file("modules/a.module", "module: @MOD@/a.so\npriority: 5\n");
	conf_file("modules/b.module", "module: @MOD@/b.so\ncritical: yes\n");
	setenv("COUNTING_b_INIT_RV", "0x30", 1);
	out_rv("initialize", p11_kit_initialize_registered());
	out_message("message");
	out("balanced", "%d", a.get("initialize") == a.get("finalize"));
	print_registered("modules");
}

static void registered_module(void)
{
	counting_t a = counting_open("a");
	CK_RV (*get)(list_t *);
	list_t raw, managed;

	*(void **)&get = dlsym(a.handle, "C_GetFunctionList");
	must_ok(get(&raw));
	out_rv("finalize-unknown", p11_kit_finalize_module(raw));
	out_message("finalize-unknown-message");
	out_rv("initialize", p11_kit_initialize_module(raw));
	out_rv("initialize-again", p11_kit_initialize_module(raw));
	out("count", "%ld", a.get("initialize"));
	out("seen", "null=%ld flags=%ld mutexes=%ld", a.get("init_null"), a.get("init_flags"),
	    a.get("init_mutexes"));
	out("flags", "%d", p11_kit_module_get_flags(raw));
	managed = load_one("a");
	out_rv("managed-init", managed->C_Initialize(NULL));
	out_rv("finalize", p11_kit_finalize_module(raw));
	out_rv("finalize-2", p11_kit_finalize_module(raw));
	out("finalized-early", "%ld", a.get("finalize"));
	out_rv("managed-fini", managed->C_Finalize(NULL));
	out("finalized", "%ld", a.get("finalize"));
	setenv("COUNTING_INIT_RV", "0x30", 1);
	out_rv("fails", p11_kit_initialize_module(raw));
	out_message("fails-message");
}

static void registered_load(void)
{
	counting_t a = counting_open("a");
	list_t m = NULL, untouched = (list_t)&m;

	out_rv("missing", p11_kit_load_initialize_module(module_path("gone"), &untouched));
	out_message("missing-message");
	out("untouched", "%d", untouched == (list_t)&m);
	out_rv("load", p11_kit_load_initialize_module(module_path("a"), &m));
	must(m);
	out("initialized", "%ld", a.get("initialized"));
	out("flags", "%d", p11_kit_module_get_flags(m));
	out_rv("finalize", p11_kit_finalize_module(m));
	out("finalized", "%ld", a.get("finalize"));
	setenv("COUNTING_INIT_RV", "0x80000001", 1);
	m = untouched;
	out_rv("fails", p11_kit_load_initialize_module(module_path("a"), &m));
	out("fails-untouched", "%d", m == untouched);
}

const struct check registered_checks[] = {
	{ "registered-all", registered_all, BOTH },
	{ "registered-with-managed", registered_with_managed, BOTH },
	{ "registered-skips", registered_skips, BOTH },
	{ "registered-critical", registered_critical, BOTH },
	{ "registered-module", registered_module, BOTH },
	{ "registered-load", registered_load, BOTH },
	{ NULL, NULL, 0 }
};
