/* PINs and the callbacks that get them. */
#pragma GCC diagnostic ignored "-Wnonnull"
#include "conformance.h"

#include <fcntl.h>
#include <p11-kit/pin.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>

/* Programs have these values compiled in. */
_Static_assert(P11_KIT_PIN_FLAGS_USER_LOGIN == 1 && P11_KIT_PIN_FLAGS_SO_LOGIN == 2 &&
	       P11_KIT_PIN_FLAGS_CONTEXT_LOGIN == 4 && P11_KIT_PIN_FLAGS_RETRY == 8 &&
	       P11_KIT_PIN_FLAGS_MANY_TRIES == 16 && P11_KIT_PIN_FLAGS_FINAL_TRY == 32, "P11KitPinFlags");
_Static_assert(sizeof P11_KIT_PIN_FALLBACK == 1 && sizeof(P11KitPinFlags) == sizeof(int), "the fallback");

static void out_pin(const char *name, P11KitPin *pin)
{
	size_t len = 99;
	const unsigned char *value;

	if (pin == NULL) {
		out(name, "NULL");
		return;
	}
	value = p11_kit_pin_get_value(pin, &len);
	out(name, "%zu %zu %.*s", len, p11_kit_pin_get_length(pin), len > 20 ? 20 : (int)len, (const char *)value);
	p11_kit_pin_unref(pin);
}

static int destroyed;

static void destroy(void *data)
{
	destroyed++;
	if (data)
		*(char *)data = 'D';
}

static void pin_new(void)
{
	unsigned char text[] = "1234";
	P11KitPin *pin = p11_kit_pin_new(text, 4);

	text[0] = 'x';
	out("copied", "%.4s", (const char *)p11_kit_pin_get_value(pin, NULL));
	out("ref", "%d", p11_kit_pin_ref(pin) == pin);
	p11_kit_pin_unref(pin);
	out_pin("still-there", pin);
	out_pin("string", p11_kit_pin_new_for_string("abc"));
	out_pin("empty-string", p11_kit_pin_new_for_string(""));
	pin = p11_kit_pin_new(text, 0);
	out("empty-value", "%d", p11_kit_pin_get_value(pin, NULL) != NULL);
	out_pin("empty", pin);
	out_pin("null", p11_kit_pin_new(NULL, 0));
	out_pin("nul-inside", p11_kit_pin_new((const unsigned char *)"a\0b", 3));
}

static void pin_buffer(void)
{
	unsigned char buffer[] = "5678";
	P11KitPin *pin = p11_kit_pin_new_for_buffer(buffer, 4, (p11_kit_pin_destroy_func)destroy);

	out("adopted", "%d", p11_kit_pin_get_value(pin, NULL) == buffer);
	p11_kit_pin_ref(pin);
	p11_kit_pin_unref(pin);
	out("referenced", "%d", destroyed);
	p11_kit_pin_unref(pin);
	out("destroyed", "%d %.4s", destroyed, buffer);
	pin = p11_kit_pin_new_for_buffer((unsigned char *)"literal", 7, NULL);
	out_pin("no-destroy", pin);
	pin = p11_kit_pin_new_for_buffer(NULL, 0, destroy);
	out("null-value", "%d", p11_kit_pin_get_value(pin, NULL) == NULL);
	p11_kit_pin_unref(pin);
	out("null-destroyed", "%d", destroyed);
}

/* A callback that appends its data to a line and gives a PIN if that is upper case. */
static char calls[64];

static P11KitPin *note(const char *source, P11KitUri *uri, const char *description, P11KitPinFlags flags, void *data)
{
	const char *name = data;

	(void)uri, (void)description, (void)flags;
	strcat(calls, name);
	return *name < 'a' ? p11_kit_pin_new_for_string(source) : NULL;
}

static void request(const char *name, const char *source)
{
	P11KitPin *pin;

	calls[0] = '\0';
	pin = p11_kit_pin_request(source, NULL, NULL, 0);
	if (pin == NULL) {
		out(name, "%s", calls);
		return;
	}
	out(name, "%s gives %.*s", calls, (int)p11_kit_pin_get_length(pin), (const char *)p11_kit_pin_get_value(pin, NULL));
	p11_kit_pin_unref(pin);
}

static void add(const char *source, const char *data)
{
	must(p11_kit_pin_register_callback(source, note, (void *)data, NULL) == 0);
}

static void pin_order(void)
{
	static const char *const a = "a", *const b = "b", *const C = "C", *const x = "X";

	request("none", "s");
	add(P11_KIT_PIN_FALLBACK, x);
	request("fallback", "s");
	request("fallback-itself", P11_KIT_PIN_FALLBACK);
	add("s", a);
	request("declined", "s");
	request("other", "S");
	add("s", C);
	add("s", b);
	request("last-first", "s");
	add("s", a);
	add("s", a);
	request("twice", "s");
	p11_kit_pin_unregister_callback("s", note, (void *)a);
	request("earliest-gone", "s");
	p11_kit_pin_unregister_callback("s", note, (void *)x);
	p11_kit_pin_unregister_callback("t", note, (void *)a);
	p11_kit_pin_unregister_callback("s", (p11_kit_pin_callback)p11_kit_pin_file_callback, (void *)a);
	request("unknown", "s");
	p11_kit_pin_unregister_callback("s", note, (void *)C);
	request("only-declining", "s");
	p11_kit_pin_unregister_callback("s", note, (void *)b);
	p11_kit_pin_unregister_callback("s", note, (void *)a);
	p11_kit_pin_unregister_callback("s", note, (void *)a);
	request("fallback-again", "s");
	p11_kit_pin_unregister_callback("", note, (void *)x);
	request("none-again", "s");
}

static struct {
	const char *source, *description;
	P11KitUri *uri;
	int flags;
} seen;

static P11KitPin *see(const char *source, P11KitUri *uri, const char *description, P11KitPinFlags flags, void *data)
{
	seen.source = source;
	seen.description = description;
	seen.uri = uri;
	seen.flags = (int)flags;
	return data ? p11_kit_pin_ref(data) : NULL;
}

static void pin_arguments(void)
{
	static const char source[] = "source", description[] = "description";
	P11KitPin *pin = p11_kit_pin_new_for_string("pin"), *got;
	P11KitUri *uri = p11_kit_uri_new();

	must(p11_kit_pin_register_callback("source", see, pin, destroy) == 0);
	got = p11_kit_pin_request(source, uri, description, (P11KitPinFlags)0x12345);
	out("same-pin", "%d", got == pin);
	out("arguments", "%d %d %d %x", seen.source == source, seen.uri == uri, seen.description == description, seen.flags);
	p11_kit_pin_unref(got);
	p11_kit_uri_free(uri);
	out("destroyed-before", "%d", destroyed);
	seen.source = NULL;
	p11_kit_pin_unregister_callback("source", see, NULL);
	out("other-data", "%d", destroyed);
	destroyed = 0;
	must(p11_kit_pin_register_callback("source", see, NULL, destroy) == 0);
	p11_kit_pin_unregister_callback("source", see, NULL);
	out("destroyed", "%d", destroyed);
	p11_kit_pin_unregister_callback("source", see, NULL);
	out("destroyed-again", "%d", destroyed);
	p11_kit_pin_unref(pin);
}

static int depth;
static char self[] = "self";

/* Unregisters itself, registers another, and requests. */
static P11KitPin *busy(const char *source, P11KitUri *uri, const char *description, P11KitPinFlags flags, void *data)
{
	P11KitPin *pin;

	(void)uri, (void)description, (void)flags;
	if (depth++ > 0)
		return NULL;
	p11_kit_pin_unregister_callback(source, busy, data);
	out("destroyed-inside", "%d", destroyed);
	must(p11_kit_pin_register_callback(source, note, "N", NULL) == 0);
	pin = p11_kit_pin_request(source, NULL, NULL, 0);
	out("nested", "%s", pin ? calls : "NULL");
	return pin;
}

static void pin_reentrant(void)
{
	must(p11_kit_pin_register_callback("s", note, "z", NULL) == 0);
	must(p11_kit_pin_register_callback("s", busy, self, destroy) == 0);
	out_pin("busy", p11_kit_pin_request("s", NULL, NULL, 0));
	out("destroyed", "%d %s", destroyed, self);
	request("later", "s");
}

static void with_file(const char *name, const char *file, int flags)
{
	char path[512];

	snprintf(path, sizeof path, "%s/%s", conf_dir(), file);
	out_pin(name, p11_kit_pin_file_callback(path, NULL, NULL, (P11KitPinFlags)flags, NULL));
}

static void sized_file(const char *name, size_t size)
{
	char path[512], *text = malloc(size + 1);
	FILE *f;

	snprintf(path, sizeof path, "%s/sized", conf_dir());
	memset(text, 'p', size + 1);
	if (!(f = fopen(path, "w")) || fwrite(text, 1, size, f) != size || fclose(f) != 0)
		die("cannot write %s", path);
	free(text);
	with_file(name, "sized", 0);
}

static void pin_file(void)
{
	char path[512], source[600];

	conf_file("pin", "1234\n");
	conf_file("empty", "%s", "");
	with_file("newline-kept", "pin", 0);
	with_file("user-login", "pin", P11_KIT_PIN_FLAGS_USER_LOGIN | P11_KIT_PIN_FLAGS_FINAL_TRY);
	with_file("many-tries", "pin", P11_KIT_PIN_FLAGS_MANY_TRIES);
	with_file("retry", "pin", P11_KIT_PIN_FLAGS_USER_LOGIN | P11_KIT_PIN_FLAGS_RETRY);
	with_file("empty", "empty", 0);
	with_file("absent", "absent", 0);
	with_file("directory", ".", 0);
	sized_file("size-1024", 1024);
	sized_file("size-3072", 3072);
	sized_file("size-3073", 3073);
	sized_file("size-4096", 4096);
	sized_file("size-4097", 4097);
	sized_file("size-100000", 100000);
	out_pin("endless", p11_kit_pin_file_callback("/dev/zero", NULL, NULL, 0, NULL));
	snprintf(path, sizeof path, "%s/pin", conf_dir());
	snprintf(source, sizeof source, "file:%s", path);
	out_pin("scheme", p11_kit_pin_file_callback(source, NULL, NULL, 0, NULL));
	out_pin("not-by-itself", p11_kit_pin_request(path, NULL, NULL, 0));
	must(p11_kit_pin_register_callback(P11_KIT_PIN_FALLBACK, p11_kit_pin_file_callback, NULL, NULL) == 0);
	out_pin("registered", p11_kit_pin_request(path, NULL, NULL, 0));
	out("open", "%d", open_fds());
}

static void pin_null(void)
{
	EACH_NULL(new, (p11_kit_pin_unref(p11_kit_pin_new(NULL, 0)), 0))
	EACH_NULL(register, p11_kit_pin_register_callback(NULL, note, NULL, NULL))
	EACH_NULL(register_2, p11_kit_pin_register_callback("x", NULL, NULL, NULL))
	EACH_NULL(unregister, (p11_kit_pin_unregister_callback(NULL, note, NULL), 0))
	EACH_NULL(unregister_2, (p11_kit_pin_unregister_callback("x", NULL, NULL), 0))
	EACH_NULL(request, p11_kit_pin_request(NULL, NULL, NULL, 0) != NULL)
	EACH_NULL(file, p11_kit_pin_file_callback(NULL, NULL, NULL, 0, NULL) != NULL)
}

/* The reference crashes on these. */
static void pin_null_ours(void)
{
	size_t len = 3;

	EACH_NULL(new, p11_kit_pin_new(NULL, 5) != NULL)
	EACH_NULL(new_for_string, p11_kit_pin_new_for_string(NULL) != NULL)
	EACH_NULL(ref, p11_kit_pin_ref(NULL) != NULL)
	EACH_NULL(unref, (p11_kit_pin_unref(NULL), 0))
	EACH_NULL(get_value, p11_kit_pin_get_value(NULL, &len) != NULL)
	EACH_NULL(get_length, p11_kit_pin_get_length(NULL))
	out("length", "%zu", len);
}

static void in_child(void *data)
{
	P11KitPin *pin = p11_kit_pin_request("s", NULL, NULL, 0);

	must(pin && p11_kit_pin_get_length(pin) == 1);
	p11_kit_pin_unref(pin);
	p11_kit_pin_unregister_callback("s", note, "F");
	must(p11_kit_pin_request("s", NULL, NULL, 0) == NULL);
	must(p11_kit_pin_get_length(data) == 4);
	p11_kit_pin_unref(data);
}

static void pin_forked(void)
{
	P11KitPin *pin = p11_kit_pin_new_for_string("kept");

	add("s", "F");
	out("child", "%d", run_child(in_child, pin, 30));
	request("parent", "s");
	out_pin("pin", pin);
}

#define THREADS 8
#define ROUNDS 500

static atomic_int live, freed;

static void count_freed(void *data)
{
	(void)data;
	atomic_fetch_add(&freed, 1);
}

static P11KitPin *shared(const char *source, P11KitUri *uri, const char *description, P11KitPinFlags flags, void *data)
{
	(void)source, (void)uri, (void)description, (void)flags;
	return p11_kit_pin_ref(data);
}

static void *in_thread(void *data)
{
	int i;

	for (i = 0; i < ROUNDS; i++) {
		P11KitPin *pin;

		must(p11_kit_pin_register_callback("t", shared, data, count_freed) == 0);
		pin = p11_kit_pin_request("t", NULL, NULL, 0);
		must(pin == data);
		p11_kit_pin_unref(pin);
		p11_kit_pin_unregister_callback("t", shared, data);
		atomic_fetch_add(&live, 1);
	}
	return NULL;
}

static void pin_threads(void)
{
	P11KitPin *pin = p11_kit_pin_new_for_string("threads");
	pthread_t threads[THREADS];
	int i;

	for (i = 0; i < THREADS; i++)
		must(pthread_create(&threads[i], NULL, in_thread, pin) == 0);
	for (i = 0; i < THREADS; i++)
		must(pthread_join(threads[i], NULL) == 0);
	out("rounds", "%d", live);
	out("freed", "%d", freed);
	out("registered", "%d", p11_kit_pin_request("t", NULL, NULL, 0) != NULL);
	out_pin("pin", pin);
}

const struct check pin_checks[] = {
	{ "pin-new", pin_new, BOTH },
	{ "pin-buffer", pin_buffer, BOTH },
	{ "pin-order", pin_order, BOTH },
	{ "pin-arguments", pin_arguments, BOTH },
	{ "pin-reentrant", pin_reentrant, BOTH },
	{ "pin-file", pin_file, BOTH },
	{ "pin-null", pin_null, BOTH },
	{ "pin-null-ours", pin_null_ours, OURS },
	{ "pin-forked", pin_forked, BOTH },
	{ "pin-threads", pin_threads, BOTH },
	{ NULL, NULL, 0 }
};
