/* The stored message, printing, and precondition notes (abi.md 1.2, 9). */
#define _GNU_SOURCE
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "internal.h"
#include "p11-kit/p11-kit.h"

#define MESSAGE_MAX 512 /* bytes, with the final NUL */

static __thread char stored[MESSAGE_MAX];

static atomic_bool loud;       /* the library starts quiet */
static atomic_bool debug_lib;  /* P11_KIT_DEBUG names "lib" or "all" */
static atomic_bool strict;

static bool names_category(const char *list, const char *category)
{
	size_t len = strlen(category);
	while (*list) {
		size_t word = strcspn(list, ":;, \t");
		if ((word == len && strncmp(list, category, len) == 0) || (word == 3 && strncmp(list, "all", 3) == 0))
			return true;
		list += word;
		list += strspn(list, ":;, \t");
	}
	return false;
}

/* Unlike the reference, which has getenv here: a user must not steer the output of a setuid program. */
static void read_environment(void)
{
	const char *value = secure_getenv("P11_KIT_STRICT");
	if (value && *value)
		atomic_store(&strict, true);
	value = secure_getenv("P11_KIT_DEBUG");
	if (value && strcmp(value, "help") == 0)
		fputs("Supported debug values: lib conf uri proxy trust tool rpc\n", stderr);
	atomic_store(&debug_lib, value && names_category(value, "lib"));
}

__attribute__((constructor)) static void set_up(void)
{
	read_environment();
}

void p11_message_text(const char *text, size_t len)
{
	if (len > MESSAGE_MAX - 2)
		len = MESSAGE_MAX - 2;
	memcpy(stored, text, len);
	stored[len] = '\0';
	if (atomic_load(&loud))
		fprintf(stderr, "p11-kit: %s\n", stored);
	else if (atomic_load(&debug_lib))
		fprintf(stderr, "(p11-kit:%d) message: %s\n", (int)getpid(), stored);
}

void p11_message(const char *format, ...)
{
	char text[MESSAGE_MAX];
	va_list args;
	va_start(args, format);
	int len = vsnprintf(text, sizeof text, format, args);
	va_end(args);
	if (len > 0)
		p11_message_text(text, (size_t)len < sizeof text ? (size_t)len : sizeof text - 1);
}

void p11_message_clear(void)
{
	stored[0] = '\0';
}

void p11_precondition(const char *expression, const char *function)
{
	fprintf(stderr, "p11-kit: '%s' not true at %s\n", expression, function);
	if (atomic_load(&strict))
		abort();
}

P11_EXPORT const char *p11_kit_message(void)
{
	return stored[0] ? stored : NULL;
}

P11_EXPORT void p11_kit_be_quiet(void)
{
	atomic_store(&loud, false);
	read_environment();
}

P11_EXPORT void p11_kit_be_loud(void)
{
	atomic_store(&loud, true);
	read_environment();
}
