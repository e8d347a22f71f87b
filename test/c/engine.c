/*
 * What becomes of a host whose engine file is missing, unfit, or replaced while
 * it runs, or whose library file is gone: engine CASE.  The test puts library and engine into a directory of
 * their own; REPLACEMENT names what takes the engine's place.
 */
#include "scripted.h"

#include <errno.h>
#include <p11-kit/iter.h>
#include <p11-kit/pin.h>
#include <p11-kit/uri.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void say(const char *what)
{
	const char *text = p11_kit_message();

	printf("%s: %s\n", what, text ? text : "(none)");
}

/* URIs and PINs need no engine, and iterators only where modules do. */
static void others_without_engine(void)
{
	P11KitUri *uri = p11_kit_uri_new();
	char *text = NULL;
	P11KitPin *pin;
	P11KitIter *iter;

	must(p11_kit_uri_parse("pkcs11:token=x", P11_KIT_URI_FOR_ANY, uri) == P11_KIT_URI_OK);
	must(p11_kit_uri_format(uri, P11_KIT_URI_FOR_ANY, &text) == P11_KIT_URI_OK);
	must(strcmp(text, "pkcs11:token=x") == 0);
	pin = p11_kit_pin_new_for_string("1234");
	must(p11_kit_pin_get_length(pin) == 4);
	p11_kit_pin_unref(pin);
	script.objects = 1;
	iter = p11_kit_iter_new(NULL, 0);
	p11_kit_iter_begin(iter, (CK_FUNCTION_LIST **)one_module);
	must_ok(p11_kit_iter_next(iter));
	p11_kit_iter_free(iter);
	p11_kit_uri_free(uri);
	free(text);
}

/* There is no engine that could be used: each load says so, and what needs no engine works. */
static void case_unusable(void)
{
	int i;

	for (i = 0; i < 2; i++) {
		must(p11_kit_modules_load_and_initialize(0) == NULL);
		say("load");
	}
	must(p11_kit_module_load(module_path("a"), 0) == NULL);
	say("module");
	must(p11_kit_initialize_registered() != CKR_OK);
	say("registered");
	must(p11_kit_module_get_flags((list_t)"x") == 0);
	must(*p11_kit_strerror(CKR_PIN_INCORRECT) != 0);
	others_without_engine();
}

/* As above, until the engine is back. */
static void case_restored(void)
{
	list_t m;

	must(p11_kit_module_load(module_path("a"), 0) == NULL);
	say("module");
	must(rename(getenv("REPLACEMENT"), getenv("ENGINE")) == 0);
	m = p11_kit_module_load(module_path("a"), 0);
	must(m != NULL);
	must_ok(m->C_Initialize(NULL));
	must_ok(m->C_Finalize(NULL));
	p11_kit_module_release(m);
}

static list_t inherited;

static void child(void *arg)
{
	CK_INFO info;

	(void)arg;
	must_rv(inherited->C_GetInfo(&info), CKR_CRYPTOKI_NOT_INITIALIZED);
	must_rv(inherited->C_Initialize(NULL), CKR_GENERAL_ERROR);
	say("child");
	must_rv(inherited->C_GetInfo(&info), CKR_CRYPTOKI_NOT_INITIALIZED);
	fflush(stdout);
}

/* An upgrade while the host runs: its children must not mix the versions. */
static void case_replaced(void)
{
	CK_INFO info;
	int status;

	inherited = p11_kit_module_load(module_path("a"), 0);
	must(inherited != NULL);
	must_ok(inherited->C_Initialize(NULL));
	must(rename(getenv("REPLACEMENT"), getenv("ENGINE")) == 0);
	status = run_child(child, NULL, 30);
	must(status == 0);
	must_ok(inherited->C_GetInfo(&info));
	must_ok(inherited->C_Finalize(NULL));
	p11_kit_module_release(inherited);
}

static bool is_mapped(const char *name)
{
	char line[4096];
	bool found = false;
	FILE *f = fopen("/proc/self/maps", "re");

	must(f != NULL);
	while (fgets(line, sizeof line, f))
		found = found || strstr(line, name);
	fclose(f);
	return found;
}

/* More handles than the library has code for, while its file is gone: the code is copied from memory. */
static void case_gone(void)
{
	static list_t m[1100];
	CK_INFO info;
	int i;

	must(unlink(getenv("LIBRARY")) == 0);
	for (i = 0; i < 1100; i++) {
		m[i] = p11_kit_module_load(module_path("a"), 0);
		must(m[i] != NULL);
		must_rv(m[i]->C_GetInfo(&info), CKR_CRYPTOKI_NOT_INITIALIZED);
		must_ok(m[i]->C_Initialize(NULL));
	}
	must(is_mapped("memfd:p11mux-stubs"));
	for (i = 0; i < 1100; i++) {
		must_ok(m[i]->C_GetInfo(&info));
		must_ok(m[i]->C_Finalize(NULL));
		must_rv(m[i]->C_GetInfo(&info), CKR_CRYPTOKI_NOT_INITIALIZED);
		p11_kit_module_release(m[i]);
	}
}

int main(int argc, char **argv)
{
	use_conf();
	if (argc == 2 && strcmp(argv[1], "unusable") == 0)
		case_unusable();
	else if (argc == 2 && strcmp(argv[1], "restored") == 0)
		case_restored();
	else if (argc == 2 && strcmp(argv[1], "replaced") == 0)
		case_replaced();
	else if (argc == 2 && strcmp(argv[1], "gone") == 0)
		case_gone();
	else
		die("usage: engine unusable|restored|replaced|gone");
	return 0;
}
