/* What can be asked about a module: name, file, flags, options; for managed,
 * raw, unknown and released pointers. */
#include "conformance.h"

#include <dlfcn.h>

static void print_string(const char *name, char *value)
{
	if (value)
		out(name, "<%s>", value);
	else
		out(name, "(none)");
	free(value);
}

/* All four getters on one pointer. */
static void ask(const char *what, list_t m)
{
	char name[64];

	snprintf(name, sizeof name, "%s-name", what);
	print_string(name, p11_kit_module_get_name(m));
	snprintf(name, sizeof name, "%s-file", what);
	print_string(name, p11_kit_module_get_filename(m));
	snprintf(name, sizeof name, "%s-flags", what);
	out(name, "%d", p11_kit_module_get_flags(m));
	snprintf(name, sizeof name, "%s-option", what);
	print_string(name, p11_kit_config_option(m, "x-option"));
	snprintf(name, sizeof name, "%s-module", what);
	print_string(name, p11_kit_config_option(m, "module"));
}

/* The raw list of a module that the library need not know. */
static list_t raw_list(const char *base)
{
	void *h = dlopen(module_path(base), RTLD_NOW | RTLD_LOCAL);
	CK_RV (*get)(list_t *);
	list_t m = NULL;

	must(h);
	*(void **)&get = dlsym(h, "C_GetFunctionList");
	must_ok(get(&m));
	return m;
}

static void getter_configured(void)
{
	list_t *m, *raw;

	conf_file("modules/a.module",
		  "module: @MOD@/a.so\ncritical: yes\ntrust-policy: yes\nx-option: one\n");
	conf_file("modules/b.module", "module: @MOD@/b.so\nx-option:\n");
	m = p11_kit_modules_load(NULL, 0);
	must(m && m[0] && m[1]);
	ask("a", m[0]);
	ask("b", m[1]);
	raw = p11_kit_modules_load(NULL, P11_KIT_MODULE_UNMANAGED);
	ask("raw-a", raw[0]);
	ask("raw-b", raw[1]);
	ask("found-a", raw_list("a"));
	ask("unknown", raw_list("c"));
	p11_kit_modules_release(raw);
	p11_kit_modules_release(m);
	ask("a-swept", raw_list("a"));
}

static void getter_explicit(void)
{
	list_t m = load_one("a"), raw;

	ask("managed", m);
	raw = p11_kit_module_load(module_path("b"), P11_KIT_MODULE_UNMANAGED);
	ask("raw", raw);
	out("raw-is-raw", "%d", raw == raw_list("b"));
	p11_kit_module_release(m);
	p11_kit_module_release(raw);
}

static void getter_nothing_loaded(void)
{
	ask("raw", raw_list("a"));
	print_string("global", p11_kit_config_option(NULL, "module"));
	out("for-name", "%s", p11_kit_module_for_name(NULL, "a") ? "list" : "NULL");
}

/* A released handle is an unknown pointer, never somebody else's. */
static void getter_released(void)
{
	static CK_FUNCTION_LIST old;
	list_t m = load_one("a"), n = load_one("a");

	old = *m;
	p11_kit_module_release(m);
	out_rv("released-init", old.C_Initialize(NULL));
	ask("released", m);
	ask("other", n);
}

static void getter_released_raw(void)
{
	list_t raw = p11_kit_module_load(module_path("a"), P11_KIT_MODULE_UNMANAGED);
	char *file;

	p11_kit_module_release(raw);
	file = p11_kit_module_get_filename(raw);
	out("file", "%s", file ? file : "(none)");
	out("mapped", "%d", is_mapped("a"));
	free(file);
}

static void getter_for_name(void)
{
	list_t *m, *raw, none[1] = { NULL };

	configure("a", "b", NULL);
	m = p11_kit_modules_load(NULL, 0);
	raw = p11_kit_modules_load(NULL, P11_KIT_MODULE_UNMANAGED);
	must(m && raw);
	out("a", "%d", p11_kit_module_for_name(m, "a") == m[0]);
	out("b", "%d", p11_kit_module_for_name(m, "b") == m[1]);
	out("raw-b", "%d", p11_kit_module_for_name(raw, "b") == raw[1]);
	out("upper", "%d", p11_kit_module_for_name(m, "A") == NULL);
	out("absent", "%d", p11_kit_module_for_name(m, "c") == NULL);
	out("empty", "%d", p11_kit_module_for_name(m, "") == NULL);
	out("null-list", "%d", p11_kit_module_for_name(NULL, "a") == NULL);
	out("empty-list", "%d", p11_kit_module_for_name(none, "a") == NULL);
}

static void getter_global(void)
{
	list_t *m;

	configure("a", NULL);
	conf_file("pkcs11.conf", "x-option: global\nx-empty:\n");
	print_string("before", p11_kit_config_option(NULL, "x-option"));
	m = p11_kit_modules_load(NULL, 0);
	print_string("loaded", p11_kit_config_option(NULL, "x-option"));
	print_string("empty", p11_kit_config_option(NULL, "x-empty"));
	print_string("absent", p11_kit_config_option(NULL, "x-absent"));
	print_string("module", p11_kit_config_option(m[0], "x-option"));
	print_string("user-config", p11_kit_config_option(NULL, "user-config"));
	p11_kit_modules_release(m);
	print_string("released", p11_kit_config_option(NULL, "x-option"));
}

/* A module loaded by the caller with initialize_module has no configuration. */
static void getter_foreign(void)
{
	list_t raw = raw_list("a");

	must_ok(p11_kit_initialize_module(raw));
	ask("foreign", raw);
	must_ok(p11_kit_finalize_module(raw));
}

const struct check getter_checks[] = {
	{ "getter-configured", getter_configured, BOTH },
	{ "getter-explicit", getter_explicit, BOTH },
	{ "getter-nothing-loaded", getter_nothing_loaded, BOTH },
	{ "getter-released", getter_released, OURS },
	{ "getter-released-raw", getter_released_raw, BOTH },
	{ "getter-for-name", getter_for_name, BOTH },
	{ "getter-global", getter_global, BOTH },
	{ "getter-foreign", getter_foreign, BOTH },
	{ NULL, NULL, 0 }
};
