/* Options of configuration files, and files that are not as they should be. */
#include "conformance.h"

#include <sys/stat.h>
#include <unistd.h>

/* Whether the first module is a list that the library made. */
static void print_managed(const char *name, int flags)
{
	list_t *m = p11_kit_modules_load(NULL, flags);

	must(m && m[0]);
	out(name, "%s", p11_kit_module_get_flags(m[0]) & P11_KIT_MODULE_UNMANAGED
	    ? "raw" : "managed");
	p11_kit_modules_release(m);
}

static void options_managed(void)
{
	conf_file("modules/a.module", "module: @MOD@/a.so\n");
	print_managed("default", 0);
	print_managed("flag", P11_KIT_MODULE_UNMANAGED);
	conf_file("modules/a.module", "module: @MOD@/a.so\nmanaged: no\n");
	print_managed("module-no", 0);
	conf_file("pkcs11.conf", "managed: yes\n");
	print_managed("global-yes", 0);
	print_managed("global-yes-flag", P11_KIT_MODULE_UNMANAGED);
	conf_file("modules/a.module", "module: @MOD@/a.so\nmanaged: yes\n");
	conf_file("pkcs11.conf", "managed: no\n");
	print_managed("global-no", 0);
	conf_file("pkcs11.conf", "managed: nope\n");
	print_managed("global-bad", 0);
}

static void options_unmanaged_explicit(void)
{
	list_t *m, a;

	conf_file("modules/a.module", "module: @MOD@/a.so\nmanaged: no\n");
	a = load_one("a");
	out("before", "%d", p11_kit_module_get_flags(a));
	m = p11_kit_modules_load(NULL, 0);
	must(m && m[0]);
	a = load_one("a");
	out("after", "%d", a == m[0]);
}

static void options_log(void)
{
	list_t *m;
	char *text;

	conf_file("modules/a.module", "module: @MOD@/a.so\nlog-calls: yes\n");
	m = load_and_print("log", 0);
	capture_begin();
	must_ok(m[0]->C_Initialize(NULL));
	must_ok(m[0]->C_Finalize(NULL));
	text = capture_end();
	out("logged", "%s", text);
	out("version", "%d.%d", m[0]->version.major, m[0]->version.minor);
	p11_kit_modules_release(m);
	conf_file("modules/a.module", "module: @MOD@/a.so\nlog-calls: yes\nmanaged: no\n");
	m = load_and_print("log-unmanaged", 0);
	out("raw", "%d", p11_kit_module_get_flags(m[0]));
	p11_kit_modules_release(m);
	conf_file("modules/a.module", "module: @MOD@/a.so\nlog-calls: yes\n");
	m = load_and_print("log-flag", P11_KIT_MODULE_UNMANAGED);
	capture_begin();
	must_ok(m[0]->C_Initialize(NULL));
	must_ok(m[0]->C_Finalize(NULL));
	text = capture_end();
	out("log-flag-output", "%s", text);
	p11_kit_modules_release(m);
	conf_file("modules/a.module", "module: @MOD@/a.so\nlog-calls: yes\n");
	conf_file("pkcs11.conf", "log-calls: no\n");
	m = load_and_print("global-no", 0);
	capture_begin();
	must_ok(m[0]->C_Initialize(NULL));
	must_ok(m[0]->C_Finalize(NULL));
	text = capture_end();
	out("global-no-output", "%s", text);
	p11_kit_modules_release(m);
}

static void options_booleans(void)
{
	list_t *m;

	conf_file("modules/a.module", "module: @MOD@/a.so\ncritical: YES\n");
	m = load_and_print("upper", 0);
	out("upper-flags", "%d", p11_kit_module_get_flags(m[0]));
	out_message("upper-flags-message");
	p11_kit_modules_release(m);
	conf_file("modules/a.module", "module: @MOD@/a.so\ntrust-policy:\n");
	m = load_and_print("empty", 0);
	out("empty-flags", "%d", p11_kit_module_get_flags(m[0]));
	out_message("empty-flags-message");
	p11_kit_modules_release(m);
	conf_file("modules/a.module", "module: @MOD@/a.so\nmanaged: 1\n");
	m = load_and_print("one", 0);
	out("one-flags", "%d", p11_kit_module_get_flags(m[0]));
	p11_kit_modules_release(m);
}

static void options_grammar(void)
{
	static const char *const keys[] = {
		"x-plain", "x-colon", "x-space", "x-dup", "x-empty", "X-Case", "x-hash",
		"x-crlf", "x-absent", "x-utf8", "x-tab", "", "x-last",
	};
	list_t *m;
	size_t i;

	conf_file("modules/a.module",
		  "# comment\n  # indented\n\nmodule: @MOD@/a.so\nx-plain: value\n"
		  "x-colon: a:b:c\n   x-space  :   a  b   \nx-dup: one\nx-dup: two\n"
		  "x-empty:\nX-Case: yes\nx-hash: a # b\nx-crlf: windows\r\n"
		  "x-utf8: gr\xc3\xbc\xc3\x9f\nx-tab:\ta\tb\t\n: nameless\nx-last: no newline");
	m = load_and_print("load", 0);
	must(m && m[0]);
	for (i = 0; i < sizeof keys / sizeof keys[0]; i++) {
		char *v = p11_kit_config_option(m[0], keys[i]);
		char name[64];

		snprintf(name, sizeof name, "key-%s", keys[i]);
		if (v)
			out(name, "<%s>", v);
		else
			out(name, "(none)");
		free(v);
	}
	p11_kit_modules_release(m);
}

static void options_bad_lines(void)
{
	static const struct { const char *name, *text; } cases[] = {
		{ "no-colon", "module: @MOD@/b.so\nno colon here\n" },
		{ "section", "[section]\nmodule: @MOD@/b.so\n" },
		{ "brace", "module: @MOD@/b.so\n[section\n" },
		{ "pem", "-----BEGIN X-----\nAAAA\n-----END X-----\nmodule: @MOD@/b.so\n" },
		{ "pem-open", "module: @MOD@/b.so\n-----BEGIN X-----\nAAAA\n" },
	};
	size_t i;

	configure("a", NULL);
	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		list_t *m;

		conf_file("modules/b.module", cases[i].text, NULL);
		m = load_and_print(cases[i].name, 0);
		if (m)
			p11_kit_modules_release(m);
	}
	conf_remove("modules/b.module");
	must(load_and_print("repaired", 0));
}

static void options_bad_global(void)
{
	list_t *m;

	configure("a", NULL);
	conf_file("pkcs11.conf", "x-global: one\nbad line\n");
	m = load_and_print("bad-line", 0);
	if (m)
		p11_kit_modules_release(m);
	conf_file("pkcs11.conf", "user-config: maybe\n");
	m = load_and_print("user-config", 0);
	if (m)
		p11_kit_modules_release(m);
	conf_file("pkcs11.conf", "user-config: none\n");
	m = load_and_print("good", 0);
	must(m);
	p11_kit_modules_release(m);
}

static void options_names(void)
{
	list_t *m;

	conf_file("modules/good.name-1_x.module", "module: @MOD@/a.so\n");
	m = load_and_print("good", 0);
	p11_kit_modules_release(m);
	conf_file("modules/backup.module~", "module: @MOD@/b.so\n");
	m = load_and_print("backup", 0);
	p11_kit_modules_release(m);
	conf_remove("modules/backup.module~");
	conf_file("modules/.hidden.module", "module: @MOD@/c.so\n");
	m = load_and_print("hidden", 0);
	p11_kit_modules_release(m);
	conf_remove("modules/.hidden.module");
	conf_file("modules/a b.module", "module: @MOD@/d.so\n");
	m = load_and_print("space", 0);
	p11_kit_modules_release(m);
	conf_remove("modules/a b.module");
	conf_file("modules/x.module.module", "module: @MOD@/e.so\n");
	conf_file("modules/dir.module/README", "no colon\n");
	m = load_and_print("double", 0);
	p11_kit_modules_release(m);
}

static void options_empty_module(void)
{
	list_t *m;

	configure("a", NULL);
	conf_file("modules/off.module", "module:\n");
	m = p11_kit_modules_load(NULL, 0);
	print_names("empty", m);
	out("message", "%s", p11_kit_message() ? "some" : "(none)");
	if (m)
		p11_kit_modules_release(m);
	conf_file("modules/off.module", "module:\ncritical: yes\n");
	m = p11_kit_modules_load(NULL, 0);
	print_names("empty-critical", m);
	if (m)
		p11_kit_modules_release(m);
}

static void options_dangling(void)
{
	char path[4096];
	list_t *m;

	configure("a", NULL);
	snprintf(path, sizeof path, "%s/modules/loop.module", conf_dir());
	must(symlink("nowhere", path) == 0);
	m = load_and_print("dangling", 0);
	if (m)
		p11_kit_modules_release(m);
}

static void options_remote(void)
{
	static const char *const bad[] = {
		"remote: ftp://x\n", "remote:\n", "remote: unix:path=rel\n",
	};
	list_t *m;
	size_t i;
	char name[32];

	configure("a", NULL);
	for (i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		conf_file("modules/r.module", bad[i], NULL);
		snprintf(name, sizeof name, "bad-%zu", i);
		m = load_and_print(name, 0);
		if (m)
			p11_kit_modules_release(m);
	}
	conf_file("modules/r.module", "remote: |true\nmanaged: no\n");
	m = load_and_print("unmanaged", 0);
	p11_kit_modules_release(m);
	conf_file("modules/r.module", "remote: |true\n");
	m = load_and_print("flag", P11_KIT_MODULE_UNMANAGED);
	p11_kit_modules_release(m);
}

static void options_reserved(void)
{
	static const struct { const char *name, *line; int flags; } cases[] = {
		{ "absent", "", 0 },
		{ "text", "x-init-reserved: configDir='x' flags\n", 0 },
		{ "empty", "x-init-reserved:\n", 0 },
		{ "verbose", "x-init-reserved: text\n", P11_KIT_MODULE_VERBOSE },
		{ "verbose-absent", "", P11_KIT_MODULE_VERBOSE },
	};
	counting_t c = counting_open("a");
	size_t i;

	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		list_t *m;

		conf_file("modules/a.module", "module: @MOD@/a.so\n%s", cases[i].line);
		m = p11_kit_modules_load(NULL, cases[i].flags);
		must(m && m[0]);
		must_ok(m[0]->C_Initialize(NULL));
		out(cases[i].name, "%s", c.text("reserved"));
		must_ok(m[0]->C_Finalize(NULL));
		p11_kit_modules_release(m);
	}
}

static void options_override(void)
{
	static char other[4096], file[4096];
	list_t *m;
	char *v;

	configure("a", NULL);
	conf_file("pkcs11.conf", "x-which: first\n");
	conf_file("other/b.module", "module: @MOD@/b.so\n");
	conf_file("other.conf", "x-which: second\n");
	m = load_and_print("first", 0);
	v = p11_kit_config_option(NULL, "x-which");
	out("first-global", "%s", v ? v : "(none)");
	snprintf(other, sizeof other, "%s/other", conf_dir());
	snprintf(file, sizeof file, "%s/other.conf", conf_dir());
	p11_kit_override_system_files(file, NULL, NULL, other, NULL);
	v = p11_kit_config_option(NULL, "x-which");
	out("cached-global", "%s", v ? v : "(none)");
	p11_kit_modules_release(m);
	v = p11_kit_config_option(NULL, "x-which");
	out("swept-global", "%s", v ? v : "(none)");
	m = load_and_print("second", 0);
	v = p11_kit_config_option(NULL, "x-which");
	out("second-global", "%s", v ? v : "(none)");
	p11_kit_modules_release(m);
}

/* Paths from the environment, which the reference's Debian build ignores. */
static void options_environment(void)
{
	char path[4096];
	list_t *m;
	char *v;

	conf_file("env/modules/rel.module", "module: b.so\n");
	conf_file("env/package/pkg.module", "module: @MOD@/c.so\n");
	conf_file("env/pkcs11.conf", "x-which: environment\n");
	snprintf(path, sizeof path, "%s/env/pkcs11.conf", conf_dir());
	setenv("P11_SYSTEM_CONFIG_FILE", path, 1);
	snprintf(path, sizeof path, "%s/env/modules", conf_dir());
	setenv("P11_SYSTEM_CONFIG_MODULES", path, 1);
	snprintf(path, sizeof path, "%s/env/package", conf_dir());
	setenv("P11_PACKAGE_CONFIG_MODULES", path, 1);
	setenv("P11_MODULE_PATH", module_dir(), 1);
	m = load_and_print("load", 0);
	must(m && m[0] && m[1]);
	v = p11_kit_config_option(NULL, "x-which");
	out("global", "%s", v ? v : "(none)");
	out("file", "%s", p11_kit_module_get_filename(m[1]));
	p11_kit_modules_release(m);
	/* The environment is looked at again whenever modules are loaded. */
	conf_file("later/third.module", "module: a.so\n");
	snprintf(path, sizeof path, "%s/later", conf_dir());
	setenv("P11_SYSTEM_CONFIG_MODULES", path, 1);
	unsetenv("P11_PACKAGE_CONFIG_MODULES");
	m = p11_kit_modules_load(NULL, 0);
	out("later", "%d", p11_kit_module_for_name(m, "third") != NULL);
	out("later-gone", "%d", p11_kit_module_for_name(m, "rel") == NULL);
}

const struct check options_checks[] = {
	{ "options-managed", options_managed, BOTH },
	{ "options-unmanaged-explicit", options_unmanaged_explicit, BOTH },
	{ "options-log", options_log, BOTH },
	{ "options-booleans", options_booleans, BOTH },
	{ "options-grammar", options_grammar, BOTH },
	{ "options-bad-lines", options_bad_lines, BOTH },
	{ "options-bad-global", options_bad_global, BOTH },
	{ "options-names", options_names, BOTH },
	{ "options-empty-module", options_empty_module, BOTH },
	{ "options-dangling", options_dangling, BOTH },
	{ "options-remote", options_remote, BOTH },
	{ "options-reserved", options_reserved, BOTH },
	{ "options-override", options_override, BOTH },
	{ "options-environment", options_environment, OURS_ENVIRONMENT },
	{ NULL, NULL, 0 }
};
