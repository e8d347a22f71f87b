/*
 * Looks for PINs in the memory of its own process: as long as somebody holds
 * one it must be found, and after that nowhere, neither in freed memory nor on
 * a stack, nor in the engine.
 */
#include "scripted.h"

#include <fcntl.h>
#include <p11-kit/iter.h>
#include <p11-kit/pin.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define LEN 40        /* bytes of the PIN */
#define SEEN 12       /* so many of its first bytes are a copy of it */
#define CHUNK (1 << 20)
#define MASK 0x5a

/* The PIN, which is not itself in this file: each byte is masked. */
static unsigned char hidden[LEN];

static void make_secret(void)
{
	int fd = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
	size_t i;

	if (fd < 0 || read(fd, hidden, LEN) != LEN)
		die("no random bytes");
	close(fd);
	for (i = 0; i < LEN; i++)
		hidden[i] = (unsigned char)("abcdefghijklmnopqrstuvwxyz012345"[hidden[i] % 32] ^ MASK);
}

/* Writes the PIN behind a prefix; the caller wipes it. */
static void reveal(char *to, const char *prefix)
{
	size_t n = strlen(prefix), i;

	memcpy(to, prefix, n);
	for (i = 0; i < LEN; i++)
		to[n + i] = (char)(hidden[i] ^ MASK);
	to[n + LEN] = '\0';
}

static bool is_secret(const unsigned char *at)
{
	size_t i;

	for (i = 0; i < SEEN; i++)
		if (at[i] != (hidden[i] ^ MASK))
			return false;
	return true;
}

/* How often the PIN is in memory that can be written. */
static int copies(void)
{
	static unsigned char *chunk;
	FILE *maps = fopen("/proc/self/maps", "re");
	int mem = open("/proc/self/mem", O_RDONLY | O_CLOEXEC), found = 0;
	unsigned long from, to, at;
	char line[512], perms[8];

	if (!chunk)
		chunk = mmap(NULL, CHUNK + SEEN, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (!maps || mem < 0 || chunk == MAP_FAILED)
		die("cannot look into the own memory");
	while (fgets(line, sizeof line, maps)) {
		if (sscanf(line, "%lx-%lx %7s", &from, &to, perms) != 3 || perms[0] != 'r' || perms[1] != 'w' ||
		    ((unsigned long)chunk >= from && (unsigned long)chunk < to))
			continue;
		for (at = from; at < to; at += CHUNK) {
			size_t want = to - at < CHUNK + SEEN ? to - at : CHUNK + SEEN, i;
			ssize_t n = pread(mem, chunk, want, (off_t)at);

			for (i = 0; n >= SEEN && i + SEEN <= (size_t)n && i < CHUNK; i++)
				if (is_secret(chunk + i))
					found++;
		}
	}
	memset(chunk, 0, CHUNK + SEEN);
	close(mem);
	fclose(maps);
	return found;
}

static void expect_some(void)
{
	if (copies() == 0)
		die("the PIN is in use, and not found");
}

static void expect_none(void)
{
	int n = copies();

	if (n != 0)
		die("%d copies of the PIN are left", n);
}

static void wipe_and_free(char *text)
{
	explicit_bzero(text, strlen(text));
	free(text);
}

static void case_parse(void)
{
	char text[LEN + 100], *formatted = NULL;
	P11KitUri *uri = p11_kit_uri_new();

	expect_none();
	reveal(text, "pkcs11:token=t?pin-source=s&pin-value=");
	must(p11_kit_uri_parse(text, P11_KIT_URI_FOR_ANY, uri) == P11_KIT_URI_OK);
	must(p11_kit_uri_format(uri, P11_KIT_URI_FOR_ANY, &formatted) == P11_KIT_URI_OK);
	must(strcmp(text, formatted) == 0);
	wipe_and_free(formatted);
	explicit_bzero(text, sizeof text);
	expect_some();
	p11_kit_uri_free(uri);
	expect_none();

	/* One that is replaced, and one that stands before an error. */
	uri = p11_kit_uri_new();
	reveal(text, "pkcs11:?pin-value=");
	must(p11_kit_uri_parse(text, P11_KIT_URI_FOR_ANY, uri) == P11_KIT_URI_OK);
	must(p11_kit_uri_parse("pkcs11:", P11_KIT_URI_FOR_ANY, uri) == P11_KIT_URI_OK);
	explicit_bzero(text, sizeof text);
	expect_none();
	reveal(text, "pkcs11:?pin-value=");
	strcat(text, "&x=%zz");
	must(p11_kit_uri_parse(text, P11_KIT_URI_FOR_ANY, uri) == P11_KIT_URI_BAD_ENCODING);
	explicit_bzero(text, sizeof text);
	expect_some();
	p11_kit_uri_free(uri);
	expect_none();
}

static void case_set(void)
{
	char text[LEN + 1];
	CK_ATTRIBUTE attr = { CKA_VALUE, text, LEN };
	CK_ATTRIBUTE outer = { CKA_WRAP_TEMPLATE, &attr, sizeof attr };
	P11KitUri *uri = p11_kit_uri_new();

	reveal(text, "");
	p11_kit_uri_set_pin_value(uri, text);
	p11_kit_uri_set_pin_value(uri, p11_kit_uri_get_pin_value(uri));
	explicit_bzero(text, sizeof text);
	expect_some();
	p11_kit_uri_set_pin_value(uri, NULL);
	expect_none();
	reveal(text, "");
	must(p11_kit_uri_set_attribute(uri, &outer) == P11_KIT_URI_OK);
	must(p11_kit_uri_set_attribute(uri, &attr) == P11_KIT_URI_OK);
	must(p11_kit_uri_set_vendor_query(uri, "x", text) == 1);
	explicit_bzero(text, sizeof text);
	expect_some();
	p11_kit_uri_clear_attributes(uri);
	expect_some();
	must(p11_kit_uri_set_vendor_query(uri, "x", NULL) == 1);
	expect_none();
	p11_kit_uri_free(uri);
}

static void case_pin(void)
{
	char text[LEN + 1], path[512];
	P11KitPin *pin;
	int fd;

	reveal(text, "");
	pin = p11_kit_pin_new_for_string(text);
	explicit_bzero(text, sizeof text);
	p11_kit_pin_ref(pin);
	p11_kit_pin_unref(pin);
	expect_some();
	p11_kit_pin_unref(pin);
	expect_none();

	snprintf(path, sizeof path, "%s/pin", conf_dir());
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	reveal(text, "");
	must(fd >= 0 && write(fd, text, LEN) == LEN);
	close(fd);
	explicit_bzero(text, sizeof text);
	pin = p11_kit_pin_file_callback(path, NULL, NULL, 0, NULL);
	must(pin && p11_kit_pin_get_length(pin) == LEN);
	expect_some();
	p11_kit_pin_unref(pin);
	expect_none();

	/* One that is too long. */
	fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
	must(fd >= 0 && ftruncate(fd, 5000) == 0);
	close(fd);
	must(p11_kit_pin_file_callback(path, NULL, NULL, 0, NULL) == NULL);
	expect_none();
}

static P11KitPin *give_pin(const char *source, P11KitUri *uri, const char *description, P11KitPinFlags flags, void *data)
{
	char text[LEN + 1];
	P11KitPin *pin;

	(void)source, (void)uri, (void)description, (void)flags, (void)data;
	reveal(text, "");
	pin = p11_kit_pin_new_for_string(text);
	explicit_bzero(text, sizeof text);
	return pin;
}

/* An iterator logs in with a PIN of its URI, or one that it is given; and loads a secret that it cannot keep. */
static CK_RV give_secret(CK_OBJECT_HANDLE object, CK_ATTRIBUTE *attrs, CK_ULONG n)
{
	(void)object, (void)n;
	if (attrs[0].pValue)
		reveal(attrs[0].pValue, "");
	attrs[0].ulValueLen = attrs[0].pValue ? LEN + 2 : LEN + 1; /* a lie */
	return CKR_OK;
}

static void case_iterate(void)
{
	CK_ATTRIBUTE attr = { CKA_VALUE, NULL, 0 };
	P11KitUri *uri = p11_kit_uri_new();
	char text[LEN + 100];
	P11KitIter *iter;

	script.silent = true;
	script.objects = 1;
	script.attributes = give_secret;
	reveal(text, "pkcs11:?pin-value=");
	must(p11_kit_uri_parse(text, P11_KIT_URI_FOR_ANY, uri) == P11_KIT_URI_OK);
	explicit_bzero(text, sizeof text);
	iter = p11_kit_iter_new(uri, (P11KitIterBehavior)0x80);
	p11_kit_uri_free(uri);
	expect_some();
	p11_kit_iter_begin(iter, (CK_FUNCTION_LIST **)one_module);
	must_ok(p11_kit_iter_next(iter));
	p11_kit_iter_set_uri(iter, NULL);
	expect_none();
	must_rv(p11_kit_iter_load_attributes(iter, &attr, 1), CKR_GENERAL_ERROR);
	must(attr.pValue == NULL);
	expect_none();

	must(p11_kit_pin_register_callback("s", give_pin, NULL, NULL) == 0);
	uri = p11_kit_uri_new();
	p11_kit_uri_set_pin_source(uri, "s");
	p11_kit_iter_set_uri(iter, uri);
	p11_kit_uri_free(uri);
	p11_kit_iter_begin(iter, (CK_FUNCTION_LIST **)one_module);
	must_ok(p11_kit_iter_next(iter));
	expect_none();
	p11_kit_iter_free(iter);
}

static const struct host_case cases[] = {
	{ "parse", case_parse, true },
	{ "set", case_set, true },
	{ "pin", case_pin, true },
	{ "iterate", case_iterate, true },
};

int main(int argc, char **argv)
{
	return run_cases(cases, sizeof cases / sizeof cases[0], argc, argv, make_secret);
}
