/* Messages, strerror and the functions that need no module. */
#include "conformance.h"

#include <pthread.h>

#include "rvnames.h"

static void *other_thread(void *data)
{
	(void)data;
	out_message("other-thread");
	p11_kit_module_load("/nonexistent/other.so", 0);
	out("other-thread-own", "%d", p11_kit_message() != NULL);
	return NULL;
}

static void message_threads(void)
{
	pthread_t t;

	out_message("initially");
	must(p11_kit_module_load("/nonexistent/mine.so", 0) == NULL);
	out_message("after-failure");
	out_message("read-twice");
	must(pthread_create(&t, NULL, other_thread, NULL) == 0);
	pthread_join(t, NULL);
	out_message("after-other-thread");
}

static void fail(void)
{
	must(p11_kit_module_load("/nonexistent/x.so", 0) == NULL);
	must(p11_kit_message() != NULL);
}

static void message_cleared(void)
{
	list_t *m, a = load_one("a"), b;
	list_t empty[1] = { NULL };
	list_t *none;
	CK_INFO info;

	configure("c", NULL);
	m = p11_kit_modules_load(NULL, 0);
	must(m);
	fail();
	free(p11_kit_module_get_name(a));
	out_message("get-name");
	fail();
	p11_kit_module_get_flags(a);
	out_message("get-flags");
	fail();
	free(p11_kit_module_get_filename(a));
	out_message("get-filename");
	fail();
	free(p11_kit_config_option(NULL, "x"));
	out_message("config-option");
	fail();
	p11_kit_module_for_name(m, "c");
	out_message("for-name");
	fail();
	p11_kit_module_for_name(NULL, "c");
	out_message("for-name-null");
	fail();
	b = load_one("b");
	out_message("load");
	fail();
	p11_kit_module_release(b);
	out_message("release");
	fail();
	must_ok(a->C_Initialize(NULL));
	must_ok(a->C_GetInfo(&info));
	must_ok(a->C_Finalize(NULL));
	out_message("c-calls");
	fail();
	p11_kit_strerror(CKR_OK);
	out_message("strerror");
	fail();
	p11_kit_set_progname("prog");
	p11_kit_be_quiet();
	out_message("progname-quiet");
	fail();
	must_ok(p11_kit_modules_initialize(empty, NULL));
	out_message("modules-initialize");
	must_ok(p11_kit_modules_finalize(empty));
	out_message("modules-finalize");
	must_ok(p11_kit_module_initialize(a));
	out_message("module-initialize");
	must_ok(p11_kit_module_finalize(a));
	out_message("module-finalize");
	none = p11_kit_modules_load(NULL, 0);
	out_message("modules-load");
	fail();
	p11_kit_modules_release(none);
	out_message("modules-release");
}

static void message_long(void)
{
	char path[2000];

	memset(path, 'x', sizeof path);
	path[0] = '/';
	path[sizeof path - 1] = '\0';
	must(p11_kit_module_load(path, 0) == NULL);
	out("length", "%zu", strlen(p11_kit_message()));
	out("start", "%.40s", p11_kit_message());
}

/* What is printed on stderr by a failure. */
static void print_failure(const char *name)
{
	char *text;

	capture_begin();
	p11_kit_module_load("/nonexistent/x.so", 0);
	text = capture_end();
	out(name, "%s", text);
	free(text);
}

static void message_loud(void)
{
	print_failure("default");
	p11_kit_be_loud();
	print_failure("loud");
	p11_kit_be_quiet();
	print_failure("quiet");
	p11_kit_be_loud();
	p11_kit_be_loud();
	p11_kit_be_quiet();
	print_failure("not-counted");
}

static void message_strerror(void)
{
	static const CK_RV codes[] = {
#define RV(name, value) value,
		RVNAMES(RV)
#undef RV
		0x80000000, 0x12345, (CK_ULONG)-1,
	};
	const char *unknown = p11_kit_strerror(0x12345);
	size_t i;

	for (i = 0; i < sizeof codes / sizeof codes[0]; i++) {
		const char *t = p11_kit_strerror(codes[i]);

		must(t != NULL);
		/* Not out(): it would replace the text that is tested. */
		printf("%s/%s: %s\n", section, rv_name(codes[i]),
		       *t == '\0' ? "empty" : strcmp(t, unknown) == 0 ? "unknown" :
		       t[strlen(t) - 1] == '.' ? "full stop" : "text");
	}
	out("canceled-same", "%d", strcmp(p11_kit_strerror(CKR_CANCEL),
	    p11_kit_strerror(CKR_FUNCTION_CANCELED)) == 0);
	out("stable", "%d", p11_kit_strerror(CKR_PIN_INCORRECT) ==
	    p11_kit_strerror(CKR_PIN_INCORRECT));
}

static void message_space(void)
{
	static const struct { const char *text; size_t n; } cases[] = {
		{ "", 0 }, { "    ", 4 }, { "abc   ", 6 }, { "abc", 3 }, { "  abc ", 6 },
		{ "a b  ", 5 }, { "abc   def", 6 }, { "ab\0  ", 5 }, { "ab\0", 3 }, { "a\t ", 3 },
	};
	size_t i;

	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		const unsigned char *s = (const unsigned char *)cases[i].text;
		char *dup = p11_kit_space_strdup(s, cases[i].n);
		char name[32];

		snprintf(name, sizeof name, "case-%zu", i);
		out(name, "%zu <%s>", p11_kit_space_strlen(s, cases[i].n), dup);
		free(dup);
	}
}

const struct check message_checks[] = {
	{ "message-threads", message_threads, BOTH },
	{ "message-cleared", message_cleared, BOTH },
	{ "message-long", message_long, BOTH },
	{ "message-loud", message_loud, BOTH },
	{ "message-strerror", message_strerror, BOTH },
	{ "message-space", message_space, BOTH },
	{ NULL, NULL, 0 }
};
