/* p11_kit_modules_load and p11_kit_module_load: what is loaded, in which order. */
#include "conformance.h"

#include <sys/stat.h>
#include <unistd.h>

static void load_nothing(void)
{
	list_t *m = load_and_print("load", 0);

	p11_kit_modules_release(m);
	out_message("release-message");
	m = p11_kit_modules_load_and_initialize(0);
	print_names("load-and-initialize", m);
	out_rv("initialize-empty", p11_kit_modules_initialize(m, NULL));
	out_rv("finalize-empty", p11_kit_modules_finalize(m));
	p11_kit_modules_finalize_and_release(m);
}

static void load_order(void)
{
	list_t *m;

	conf_file("modules/zz.module", "module: @MOD@/a.so\n");
	conf_file("modules/mm.module", "module: @MOD@/b.so\npriority: 0\n");
	conf_file("modules/AA.module", "module: @MOD@/c.so\n");
	conf_file("modules/low.module", "module: @MOD@/d.so\npriority: -7\n");
	conf_file("modules/high.module", "module: @MOD@/e.so\npriority: 5x\n");
	m = load_and_print("order", 0);
	must(m);
	p11_kit_modules_release(m);
	conf_file("modules/high.module", "module: @MOD@/e.so\npriority: abc\n");
	m = load_and_print("order-abc", 0);
	p11_kit_modules_release(m);
}

static void load_places(void)
{
	list_t *m;
	char *v;

	conf_file("package/one.module", "module: @MOD@/a.so\npriority: 3\nx-from: package\n");
	conf_file("modules/one.module", "x-from: system\n");
	conf_file("package/two.module", "module: @MOD@/b.so\n");
	conf_file("modules/three.module", "module: @MOD@/c.so\npriority: 1\n");
	conf_file("modules/nothing.module", "x-no: module\n");
	m = load_and_print("merged", 0);
	must(m && m[0]);
	v = p11_kit_config_option(m[0], "x-from");
	out("x-from", "%s", v ? v : "(none)");
	free(v);
	v = p11_kit_config_option(m[0], "priority");
	out("priority", "%s", v ? v : "(none)");
	free(v);
	p11_kit_modules_release(m);
}

static void load_missing_file(void)
{
	list_t *m;

	conf_file("modules/a.module", "module: @MOD@/a.so\n");
	conf_file("modules/gone.module", "module: @MOD@/gone.so\n");
	m = load_and_print("load", 0);
	p11_kit_modules_release(m);
	out("module-load", "%s", p11_kit_module_load(module_path("gone"), 0) ? "list" : "NULL");
	out_message("module-load-message");
}

static void load_critical(void)
{
	list_t *m;

	conf_file("modules/a.module", "module: @MOD@/a.so\n");
	conf_file("modules/gone.module", "module: @MOD@/gone.so\ncritical: yes\n");
	m = load_and_print("load", 0);
	must(m == NULL);
	m = load_and_print("again", 0);
	if (m)
		p11_kit_modules_release(m);
	conf_file("modules/gone.module", "module: @MOD@/b.so\ncritical: yes\n");
	m = load_and_print("repaired", 0);
	if (m)
		p11_kit_modules_release(m);
}

static void load_critical_flag(void)
{
	list_t *m;

	conf_file("modules/a.module", "module: @MOD@/a.so\n");
	conf_file("modules/gone.module", "module: @MOD@/gone.so\n");
	m = load_and_print("load", P11_KIT_MODULE_CRITICAL);
	if (m)
		p11_kit_modules_release(m);
	m = load_and_print("without", 0);
	if (m)
		p11_kit_modules_release(m);
	out("module-load", "%s", p11_kit_module_load(module_path("gone"),
		P11_KIT_MODULE_CRITICAL) ? "list" : "NULL");
	must(load_one("b"));
}

static void load_enable(void)
{
	list_t *m;

	conf_file("modules/plain.module", "module: @MOD@/a.so\n");
	conf_file("modules/in.module", "module: @MOD@/b.so\nenable-in: other, prog\n");
	conf_file("modules/notin.module", "module: @MOD@/c.so\ndisable-in: prog other\n");
	conf_file("modules/empty.module", "module: @MOD@/d.so\nenable-in:\n");
	conf_file("modules/dis.module", "module: @MOD@/e.so\ndisable-in:\n");
	p11_kit_set_progname("prog");
	m = load_and_print("prog", 0);
	p11_kit_modules_release(m);
	p11_kit_set_progname("pro");
	m = load_and_print("pro", 0);
	p11_kit_modules_release(m);
	p11_kit_set_progname("PROG");
	m = load_and_print("upper", 0);
	p11_kit_modules_release(m);
	p11_kit_set_progname(NULL);
	m = load_and_print("automatic", 0);
	p11_kit_modules_release(m);
	p11_kit_set_progname("");
	conf_file("modules/in.module", "module: @MOD@/b.so\nenable-in: conformance\n");
	m = load_and_print("automatic-enabled", 0);
	p11_kit_modules_release(m);
}

/* 255 octets of the name count. */
static void load_long_progname(void)
{
	char name[301];
	list_t *m;

	memset(name, 'p', sizeof name - 1);
	name[300] = '\0';
	conf_file("modules/all.module", "module: @MOD@/a.so\nenable-in: %s\n", name);
	conf_file("modules/cut.module", "module: @MOD@/b.so\nenable-in: %.255s\n", name);
	p11_kit_set_progname(name);
	m = load_and_print("long", 0);
	p11_kit_modules_release(m);
}

/* A module whose list has only NULLs, which the reference would call. */
static void load_null_list(void)
{
	list_t m;
	CK_INFO info;
	CK_SESSION_HANDLE s;

	setenv("COUNTING_a_NULL_LIST", "1", 1);
	m = p11_kit_module_load(module_path("a"), 0);
	if (m == NULL) {
		must(p11_kit_message() != NULL);
	} else {
		must(m->C_Initialize(NULL) != CKR_OK);
		must_rv(m->C_GetInfo(&info), CKR_CRYPTOKI_NOT_INITIALIZED);
		must_rv(open_session(m, 1, &s), CKR_CRYPTOKI_NOT_INITIALIZED);
		must(m->C_Finalize(NULL) != CKR_OK);
		p11_kit_module_release(m);
	}
	must(load_one("b")->C_Initialize(NULL) == CKR_OK);
	out("survived", "yes");
}

static void load_enable_cached(void)
{
	list_t *m, *n;

	conf_file("modules/a.module", "module: @MOD@/a.so\ndisable-in: quiet\n");
	conf_file("modules/b.module", "module: @MOD@/b.so\n");
	p11_kit_set_progname("loud");
	m = load_and_print("first", 0);
	p11_kit_set_progname("quiet");
	n = load_and_print("disabled-now", 0);
	p11_kit_modules_release(n);
	p11_kit_set_progname("loud");
	n = load_and_print("enabled-again", 0);
	p11_kit_modules_release(n);
	p11_kit_modules_release(m);
}

static void load_enable_both(void)
{
	list_t *m;

	conf_file("modules/both.module",
		  "module: @MOD@/a.so\nenable-in: prog\ndisable-in: prog\n");
	p11_kit_set_progname("prog");
	m = load_and_print("enabled", 0);
	p11_kit_modules_release(m);
	p11_kit_set_progname("other");
	m = load_and_print("disabled", 0);
	p11_kit_modules_release(m);
}

static void load_trusted(void)
{
	list_t *m;

	conf_file("modules/yes.module", "module: @MOD@/a.so\ntrust-policy: yes\n");
	conf_file("modules/no.module", "module: @MOD@/b.so\ntrust-policy: no\n");
	conf_file("modules/none.module", "module: @MOD@/c.so\n");
	m = load_and_print("all", 0);
	out("flags-none", "%d", p11_kit_module_get_flags(m[0]));
	out("flags-no", "%d", p11_kit_module_get_flags(m[1]));
	out("flags-yes", "%d", p11_kit_module_get_flags(m[2]));
	p11_kit_modules_release(m);
	m = load_and_print("trusted", P11_KIT_MODULE_TRUSTED);
	p11_kit_modules_release(m);
	out("module-load", "%s", p11_kit_module_load(module_path("d"),
		P11_KIT_MODULE_TRUSTED) ? "list" : "NULL");
	out_message("module-load-message");
}

static void load_cached(void)
{
	list_t *m, *n;

	configure("a", NULL);
	m = load_and_print("first", 0);
	configure("b", NULL);
	n = load_and_print("cached", 0);
	p11_kit_modules_release(n);
	n = load_and_print("still-cached", 0);
	p11_kit_modules_release(n);
	p11_kit_modules_release(m);
	out("mapped-after-release", "%d", is_mapped("a"));
	m = load_and_print("read-again", 0);
	out("mapped", "%d", is_mapped("a"));
	p11_kit_modules_finalize_and_release(m);
	out("mapped-at-end", "%d", is_mapped("a"));
}

static void load_copies(void)
{
	char link[4096];
	list_t p, q, raw;

	snprintf(link, sizeof link, "%s/link.so", conf_dir());
	must(symlink(module_path("a"), link) == 0);
	p = load_one("a");
	q = p11_kit_module_load(link, 0);
	must(q);
	out("distinct", "%d", p != q);
	must_ok(p->C_Initialize(NULL));
	must_ok(q->C_Initialize(NULL));
	{
		counting_t c = counting_open("a");

		out("initialize", "%ld", c.get("initialize"));
	}
	out("filename", "%s", p11_kit_module_get_filename(q));
	raw = p11_kit_module_load(module_path("a"), P11_KIT_MODULE_UNMANAGED);
	out("raw-filename", "%s", p11_kit_module_get_filename(raw));
	out("raw-other", "%d", raw != p && raw != q);
}

static void load_named_later(void)
{
	list_t p = load_one("a"), *m;
	char *name;

	name = p11_kit_module_get_name(p);
	out("before", "%s", name ? name : "(none)");
	out("flags-before", "%d", p11_kit_module_get_flags(p));
	configure("a", NULL);
	m = load_and_print("load", 0);
	name = p11_kit_module_get_name(p);
	out("after", "%s", name ? name : "(none)");
	out("flags-after", "%d", p11_kit_module_get_flags(p));
	free(name);
	p11_kit_modules_release(m);
	p11_kit_module_release(p);
}

static void load_bad_flags(void)
{
	list_t *m, a;

	configure("a", NULL);
	m = p11_kit_modules_load(NULL, 0x10000 | 0xff0);
	print_names("modules", m);
	a = p11_kit_module_load(module_path("a"), 0x10000 | 0xff0);
	must(m && m[0] && a);
	out("managed", "%d %d", !(p11_kit_module_get_flags(m[0]) & 1),
	    !(p11_kit_module_get_flags(a) & 1));
}

/* The order in which files are read must not decide. */
static void load_twice_named(void)
{
	list_t *m;
	int i;

	conf_file("modules/one.module", "module: @MOD@/a.so\n");
	conf_file("modules/two.module", "module: @MOD@/a.so\npriority: 4\n");
	for (i = 0; i < 3; i++) {
		static char first[64];
		char *name;

		m = p11_kit_modules_load(NULL, 0);
		must(m && m[0]);
		name = p11_kit_module_get_name(m[0]);
		must(name);
		if (i == 0)
			snprintf(first, sizeof first, "%s", name);
		must(strcmp(first, name) == 0);
		free(name);
		p11_kit_modules_release(m);
	}
	out("same-each-time", "yes");
}

static void load_interfaces(void)
{
	static const char *const bases[] = { "a", "v300", "v320" };
	size_t i;

	for (i = 0; i < 3; i++) {
		counting_t c = counting_open(bases[i]);
		list_t m = load_one(bases[i]);
		char name[64];

		snprintf(name, sizeof name, "%s-lists", bases[i]);
		out(name, "%ld", c.get("lists"));
		snprintf(name, sizeof name, "%s-interfaces", bases[i]);
		out(name, "%ld", c.get("interfaces"));
		must_ok(m->C_Initialize(NULL));
		must_ok(m->C_Finalize(NULL));
		p11_kit_module_release(m);
	}
}

static void load_interface_fails(void)
{
	list_t m;

	setenv("COUNTING_v300_INTERFACE_RV", "5", 1);
	setenv("COUNTING_v320_INTERFACE_RV", "0x54", 1);
	m = p11_kit_module_load(module_path("v300"), 0);
	out("general-error", "%s", m ? "list" : "NULL");
	m = p11_kit_module_load(module_path("v320"), 0);
	out("not-supported", "%s", m ? "list" : "NULL");
}

static void load_list_fails(void)
{
	setenv("COUNTING_LIST_RV", "0x30", 1);
	out("module-load", "%s", p11_kit_module_load(module_path("a"), 0) ? "list" : "NULL");
	out("has-path", "%d", p11_kit_message() && strstr(p11_kit_message(), "a.so") != NULL);
	out("has-reason", "%d", p11_kit_message() &&
	    strstr(p11_kit_message(), p11_kit_strerror(CKR_DEVICE_ERROR)) != NULL);
	out("mapped", "%d", is_mapped("a"));
	p11_kit_module_load(module_path("nolist"), 0);
	out_message("no-entry-point");
	p11_kit_module_load("", 0);
	out("empty-path", "%d", p11_kit_message() != NULL);
}

static void load_and_init_fails(void)
{
	counting_t c = counting_open("a");
	list_t *m;

	conf_file("modules/a.module", "module: @MOD@/a.so\npriority: 9\n");
	conf_file("modules/b.module", "module: @MOD@/b.so\ncritical: yes\n");
	setenv("COUNTING_b_INIT_RV", "0x30", 1);
	m = p11_kit_modules_load_and_initialize(0);
	out_message("message");
	print_names("result", m);
	out("initialize", "%ld", c.get("initialize"));
	out("finalize", "%ld", c.get("finalize"));
	setenv("COUNTING_b_INIT_RV", "0", 1);
	m = p11_kit_modules_load_and_initialize(0);
	print_names("again", m);
	must(m);
	p11_kit_modules_finalize_and_release(m);
	out("balanced", "%d", c.get("initialize") == c.get("finalize"));
	out("b-mapped", "%d", is_mapped("b"));
}

static void load_and_init_skips(void)
{
	list_t *m;

	configure("a", "b", "c", NULL);
	setenv("COUNTING_b_INIT_RV", "0x30", 1);
	m = p11_kit_modules_load_and_initialize(0);
	out_message("message");
	print_names("result", m);
	p11_kit_modules_finalize_and_release(m);
	out_message("message-after");
}

const struct check load_checks[] = {
	{ "load-nothing", load_nothing, BOTH },
	{ "load-order", load_order, BOTH },
	{ "load-places", load_places, BOTH },
	{ "load-missing-file", load_missing_file, BOTH },
	{ "load-critical", load_critical, BOTH },
	{ "load-critical-flag", load_critical_flag, BOTH },
	{ "load-enable", load_enable, BOTH },
	{ "load-long-progname", load_long_progname, BOTH },
	{ "load-null-list", load_null_list, OURS },
	{ "load-enable-cached", load_enable_cached, BOTH },
	{ "load-enable-both", load_enable_both, BOTH },
	{ "load-trusted", load_trusted, BOTH },
	{ "load-cached", load_cached, BOTH },
	{ "load-copies", load_copies, BOTH },
	{ "load-named-later", load_named_later, BOTH },
	{ "load-bad-flags", load_bad_flags, BOTH },
	{ "load-twice-named", load_twice_named, BOTH },
	{ "load-interfaces", load_interfaces, BOTH },
	{ "load-interface-fails", load_interface_fails, BOTH },
	{ "load-list-fails", load_list_fails, BOTH },
	{ "load-and-init-fails", load_and_init_fails, BOTH },
	{ "load-and-init-skips", load_and_init_skips, BOTH },
	{ NULL, NULL, 0 }
};
