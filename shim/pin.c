/* PINs in memory, counted (abi.md 1.4.4, 5). */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "internal.h"
#include "p11-kit/pin.h"

#define FILE_MAX 4096 /* bytes of a PIN in a file */

struct p11_kit_pin {
	unsigned char *value;
	size_t length;
	p11_kit_pin_destroy_func destroy; /* of a value that is not ours, or NULL */
	bool copied;                      /* the value is ours */
	_Atomic size_t references;
};

/* A PIN that holds the value; NULL if memory is short. */
static P11KitPin *pin_with(unsigned char *value, size_t length, p11_kit_pin_destroy_func destroy, bool copied)
{
	P11KitPin *pin = malloc(sizeof *pin);
	if (!pin)
		return NULL;
	pin->value = value;
	pin->length = length;
	pin->destroy = destroy;
	pin->copied = copied;
	atomic_init(&pin->references, 1);
	return pin;
}

P11_EXPORT P11KitPin *p11_kit_pin_new(const unsigned char *value, size_t length)
{
	p11_return_val_if_fail(value != NULL || length == 0, NULL);
	/* An empty PIN has an address as well. */
	unsigned char *copy = malloc(length ? length : 1);
	if (!copy)
		return NULL;
	if (length)
		memcpy(copy, value, length);
	P11KitPin *pin = pin_with(copy, length, NULL, true);
	if (!pin) {
		explicit_bzero(copy, length);
		free(copy);
	}
	return pin;
}

P11_EXPORT P11KitPin *p11_kit_pin_new_for_string(const char *value)
{
	p11_return_val_if_fail(value != NULL, NULL);
	return p11_kit_pin_new((const unsigned char *)value, strlen(value));
}

P11_EXPORT P11KitPin *p11_kit_pin_new_for_buffer(unsigned char *buffer, size_t length, p11_kit_pin_destroy_func destroy)
{
	return pin_with(buffer, length, destroy, false);
}

P11_EXPORT P11KitPin *p11_kit_pin_ref(P11KitPin *pin)
{
	p11_return_val_if_fail(pin != NULL, NULL);
	atomic_fetch_add_explicit(&pin->references, 1, memory_order_relaxed);
	return pin;
}

P11_EXPORT void p11_kit_pin_unref(P11KitPin *pin)
{
	p11_return_if_fail(pin != NULL);
	if (atomic_fetch_sub_explicit(&pin->references, 1, memory_order_acq_rel) != 1)
		return;
	if (pin->copied) {
		explicit_bzero(pin->value, pin->length);
		free(pin->value);
	} else if (pin->destroy) {
		/* Not wiped here: the buffer may be of a kind that cannot be written. */
		pin->destroy(pin->value);
	}
	free(pin);
}

P11_EXPORT const unsigned char *p11_kit_pin_get_value(P11KitPin *pin, size_t *length)
{
	p11_return_val_if_fail(pin != NULL, NULL);
	if (length)
		*length = pin->length;
	return pin->value;
}

P11_EXPORT size_t p11_kit_pin_get_length(P11KitPin *pin)
{
	p11_return_val_if_fail(pin != NULL, 0);
	return pin->length;
}

/* Reads a file to its end; -1 if that fails or there is more than size. */
static ssize_t read_file(const char *path, unsigned char *buffer, size_t size)
{
	int fd = TEMP_FAILURE_RETRY(open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY));
	if (fd < 0)
		return -1;
	size_t len = 0;
	ssize_t n;
	unsigned char more;
	/* A full buffer is no end of a file: that must be asked for. */
	while ((n = TEMP_FAILURE_RETRY(read(fd, len < size ? buffer + len : &more, len < size ? size - len : 1))) > 0) {
		if (len == size)
			break;
		len += (size_t)n;
	}
	explicit_bzero(&more, sizeof more);
	close(fd);
	return n == 0 ? (ssize_t)len : -1;
}

P11_EXPORT P11KitPin *p11_kit_pin_file_callback(const char *pin_source, P11KitUri *pin_uri, const char *pin_description,
                                                P11KitPinFlags pin_flags, void *callback_data)
{
	(void)pin_uri;
	(void)pin_description;
	(void)callback_data;
	p11_return_val_if_fail(pin_source != NULL, NULL);
	if (pin_flags & P11_KIT_PIN_FLAGS_RETRY)
		return NULL;
	unsigned char buffer[FILE_MAX];
	ssize_t len = read_file(pin_source, buffer, sizeof buffer);
	P11KitPin *pin = len < 0 ? NULL : p11_kit_pin_new(buffer, (size_t)len);
	explicit_bzero(buffer, sizeof buffer);
	return pin;
}
