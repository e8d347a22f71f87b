/* Runs one section, or lists them all; see conformance.h. */
#include "conformance.h"

#include <dlfcn.h>
#include <stdarg.h>

static const struct check *const tables[] = {
	load_checks, options_checks, init_checks, session_checks, list_checks,
	getter_checks, registered_checks, message_checks, precondition_checks,
	failure_checks, uri_checks, pin_checks, iter_checks, iter_set_checks,
	iter_fail_checks, iter_load_checks,
};

void configure(const char *base, ...)
{
	va_list va;
	char name[256];

	va_start(va, base);
	for (; base != NULL; base = va_arg(va, const char *)) {
		snprintf(name, sizeof name, "modules/%s.module", base);
		conf_file(name, "module: @MOD@/%s.so\n", base);
	}
	va_end(va);
}

void print_names(const char *name, list_t *modules)
{
	char line[1024] = "";
	size_t n = 0;

	if (modules == NULL) {
		out(name, "NULL");
		return;
	}
	for (; *modules; modules++) {
		char *got = p11_kit_module_get_name(*modules);

		n += snprintf(line + n, sizeof line - n, "%s%s", n ? " " : "",
			      got ? got : "(unnamed)");
		free(got);
	}
	out(name, "[%s]", line);
}

list_t *load_and_print(const char *name, int flags)
{
	list_t *modules = p11_kit_modules_load(NULL, flags);
	char note[256];

	snprintf(note, sizeof note, "%s-message", name);
	out_message(note);
	print_names(name, modules);
	return modules;
}

list_t load_one(const char *base)
{
	list_t m = p11_kit_module_load(module_path(base), 0);

	if (m == NULL)
		die("loading %s: %s", base, p11_kit_message());
	return m;
}

CK_RV open_session(list_t m, CK_SLOT_ID slot, CK_SESSION_HANDLE *session)
{
	return m->C_OpenSession(slot, CKF_SERIAL_SESSION, NULL, NULL, session);
}

bool is_mapped(const char *base)
{
	void *h = dlopen(module_path(base), RTLD_NOW | RTLD_NOLOAD);

	if (h == NULL)
		return false;
	dlclose(h);
	return true;
}

bool is_note(const char *text, const char *function)
{
	static const char start[] = "p11-kit: '";
	char end[128];
	size_t n;

	snprintf(end, sizeof end, "' not true at %s\n", function);
	n = strlen(end);
	return strncmp(text, start, sizeof start - 1) == 0 && strlen(text) > n &&
	       strcmp(text + strlen(text) - n, end) == 0;
}

int main(int argc, char **argv)
{
	const struct check *c;
	size_t i;

	if (argc != 2)
		die("usage: conformance --list | SECTION");
	for (i = 0; i < sizeof tables / sizeof tables[0]; i++)
		for (c = tables[i]; c->name; c++) {
			if (strcmp(argv[1], "--list") == 0) {
				printf("%s %s\n", c->name, c->who == BOTH ? "both" : "ours");
			} else if (strcmp(argv[1], c->name) == 0) {
				section = c->name;
				if (c->who != OURS_ENVIRONMENT)
					use_conf();
				c->fn();
				return 0;
			}
		}
	if (strcmp(argv[1], "--list") == 0)
		return 0;
	die("no section %s", argv[1]);
}
