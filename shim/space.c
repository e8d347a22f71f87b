/* Strings padded with spaces, as PKCS#11 has them in its info structures. */
#include <stdlib.h>
#include <string.h>

#include "internal.h"
#include "p11-kit/p11-kit.h"

P11_EXPORT size_t p11_kit_space_strlen(const unsigned char *string, size_t max_length)
{
	p11_return_val_if_fail(string != NULL, 0);
	while (max_length > 0 && string[max_length - 1] == ' ')
		max_length--;
	return max_length;
}

P11_EXPORT char *p11_kit_space_strdup(const unsigned char *string, size_t max_length)
{
	p11_return_val_if_fail(string != NULL, NULL);
	size_t len = p11_kit_space_strlen(string, max_length);
	char *copy = malloc(len + 1);
	if (!copy)
		return NULL;
	memcpy(copy, string, len);
	copy[len] = '\0';
	return copy;
}
