/* Arguments that must not be NULL: the value returned, the note on stderr, and
 * abort() when P11_KIT_STRICT is set. */
#pragma GCC diagnostic ignored "-Wnonnull"
#include "conformance.h"

#include <p11-kit/remote.h>
#include <signal.h>
#include <sys/resource.h>

static list_t slot;
static CK_TOKEN_INFO served;
static const char *uri = "pkcs11:";

/* EACH(function, call, result as a number) */
#define CALLS(EACH) \
	EACH(p11_kit_modules_load, p11_kit_modules_load("x", 0) != NULL) \
	EACH(p11_kit_modules_initialize, p11_kit_modules_initialize(NULL, NULL)) \
	EACH(p11_kit_modules_finalize, p11_kit_modules_finalize(NULL)) \
	EACH(p11_kit_modules_release, (p11_kit_modules_release(NULL), 0)) \
	EACH(p11_kit_modules_finalize_and_release, \
	     (p11_kit_modules_finalize_and_release(NULL), 0)) \
	EACH(p11_kit_module_for_name, p11_kit_module_for_name(&slot, NULL) != NULL) \
	EACH(p11_kit_module_get_name, p11_kit_module_get_name(NULL) != NULL) \
	EACH(p11_kit_module_get_filename, p11_kit_module_get_filename(NULL) != NULL) \
	EACH(p11_kit_module_get_flags, p11_kit_module_get_flags(NULL)) \
	EACH(p11_kit_module_load, p11_kit_module_load(NULL, 0) != NULL) \
	EACH(p11_kit_module_initialize, p11_kit_module_initialize(NULL)) \
	EACH(p11_kit_module_finalize, p11_kit_module_finalize(NULL)) \
	EACH(p11_kit_module_release, (p11_kit_module_release(NULL), 0)) \
	EACH(p11_kit_config_option, p11_kit_config_option(NULL, NULL) != NULL) \
	EACH(p11_kit_registered_name_to_module, \
	     p11_kit_registered_name_to_module(NULL) != NULL) \
	EACH(p11_kit_registered_option, p11_kit_registered_option(NULL, NULL) != NULL) \
	EACH(p11_kit_initialize_module, p11_kit_initialize_module(NULL)) \
	EACH(p11_kit_finalize_module, p11_kit_finalize_module(NULL)) \
	EACH(p11_kit_load_initialize_module, p11_kit_load_initialize_module(NULL, &slot)) \
	EACH(p11_kit_load_initialize_module_2, \
	     p11_kit_load_initialize_module("/nonexistent", NULL)) \
	EACH(p11_kit_remote_serve_module, p11_kit_remote_serve_module(NULL, 0, 1)) \
	EACH(p11_kit_remote_serve_token, p11_kit_remote_serve_token(NULL, &served, 0, 1)) \
	EACH(p11_kit_remote_serve_token_2, p11_kit_remote_serve_token((list_t)&served, NULL, 0, 1)) \
	EACH(p11_kit_remote_serve_tokens, p11_kit_remote_serve_tokens(NULL, 1, NULL, 0, 1)) \
	EACH(p11_kit_remote_serve_tokens_2, p11_kit_remote_serve_tokens(&uri, 0, NULL, 0, 1)) \
	EACH(p11_kit_remote_serve_tokens_in, p11_kit_remote_serve_tokens(&uri, 1, NULL, -1, 1)) \
	EACH(p11_kit_remote_serve_tokens_out, p11_kit_remote_serve_tokens(&uri, 1, NULL, 0, -1))

static void precondition_results(void)
{
	char *text;
	unsigned long result;

	p11_kit_module_load("/nonexistent/before.so", 0);
#define EACH(name, call) \
	capture_begin(); \
	result = (unsigned long)(call); \
	text = capture_end(); \
	{ \
		char fn[64]; \
		snprintf(fn, sizeof fn, "%.*s", (int)strcspn(#name "_2", "2") - 1, #name "_2"); \
		out(#name, "%lu %s", result, is_note(text, fn) ? "noted" : \
		    *text ? "other text" : "silent"); \
	} \
	free(text);
	CALLS(EACH)
#undef EACH
	out_message("message-kept");
}

static void no_core(void)
{
	struct rlimit none = { 0, 0 };

	setrlimit(RLIMIT_CORE, &none);
}

#define EACH(name, call) static void strict_##name(void *data) \
{ \
	(void)data; \
	no_core(); \
	(void)(call); \
}
CALLS(EACH)
#undef EACH

static void precondition_strict(void)
{
	char *text;
	int status;

	setenv("P11_KIT_STRICT", "no", 1);
	p11_kit_be_quiet(); /* looks at the environment again */
#define EACH(name, call) \
	capture_begin(); \
	status = run_child(strict_##name, NULL, 10); \
	text = capture_end(); \
	out(#name, "%s", status == 1000 + SIGABRT ? "abort" : "no abort"); \
	free(text);
	CALLS(EACH)
#undef EACH
}

static void precondition_strict_empty(void)
{
	char *text;
	int status;

	setenv("P11_KIT_STRICT", "", 1);
	p11_kit_be_loud();
	capture_begin();
	status = run_child(strict_p11_kit_module_get_name, NULL, 10);
	text = capture_end();
	out("empty", "%d", status);
	free(text);
}

/* The reference asserts or crashes on these. */
static void precondition_ours(void)
{
	must(p11_kit_space_strlen(NULL, 3) == 0);
	must(p11_kit_space_strdup(NULL, 3) == NULL);
	out("null-strings", "survived");
}

const struct check precondition_checks[] = {
	{ "precondition-results", precondition_results, BOTH },
	{ "precondition-strict", precondition_strict, BOTH },
	{ "precondition-strict-empty", precondition_strict_empty, BOTH },
	{ "precondition-ours", precondition_ours, OURS },
	{ NULL, NULL, 0 }
};
