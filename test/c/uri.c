/*
 * Parses, formats and matches the URIs of a file.  A line of the file is the
 * type of the URI and the URI itself, both in hexadecimal, and the same for a
 * URI that stands for what is there to be matched.  A line of output is
 *
 *	code unrecognized matches formatted-for-any formatted-for-type
 *
 * where "matches" has a digit each for module, slot, token and attributes.
 * With the argument "reuse" all URIs are parsed into one object. The file may be
 * a pipe, whose writer waits for each line of output.
 */
#include "common.h"

#include <p11-kit/uri.h>

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	die("not a hexadecimal digit: %d", c);
}

/* Turns hexadecimal digits into octets where they stand. */
static char *decode(char *hex)
{
	size_t len = strlen(hex) / 2;

	for (size_t i = 0; i < len; i++)
		hex[i] = (char)(digit(hex[2 * i]) << 4 | digit(hex[2 * i + 1]));
	hex[len] = 0;
	return hex;
}

/* The four results of matching a URI with what another one has. */
static int matches(P11KitUri *uri, P11KitUri *there)
{
	CK_ULONG n = 0;
	CK_ATTRIBUTE *attrs = p11_kit_uri_get_attributes(there, &n);

	return 1000 * p11_kit_uri_match_module_info(uri, p11_kit_uri_get_module_info(there)) +
		100 * p11_kit_uri_match_slot_info(uri, p11_kit_uri_get_slot_info(there)) +
		10 * p11_kit_uri_match_token_info(uri, p11_kit_uri_get_token_info(there)) +
		p11_kit_uri_match_attributes(uri, attrs, n);
}

static char *format(P11KitUri *uri, int type)
{
	char *text = NULL;

	if (p11_kit_uri_format(uri, (P11KitUriType)type, &text) != P11_KIT_URI_OK)
		die("p11_kit_uri_format fails");
	return text;
}

int main(int argc, char **argv)
{
	bool reuse = argc > 2 && strcmp(argv[2], "reuse") == 0;
	FILE *file = argc > 1 ? fopen(argv[1], "r") : NULL;
	P11KitUri *uri = p11_kit_uri_new(), *there = p11_kit_uri_new();
	char *line = NULL;
	size_t size = 0;

	if (!file)
		die("usage: uri FILE [reuse]");
	setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
	while (getline(&line, &size, file) > 0) {
		char *type_hex = strtok(line, " \n"), *text = strtok(NULL, " \n"), *other = strtok(NULL, " \n");
		int type, code;

		if (!type_hex || !text || !other)
			die("a line is not TYPE URI URI");
		type = (int)strtol(type_hex, NULL, 16);
		if (!reuse) {
			p11_kit_uri_free(uri);
			p11_kit_uri_free(there);
			uri = p11_kit_uri_new();
			there = p11_kit_uri_new();
		}
		code = p11_kit_uri_parse(decode(text), (P11KitUriType)type, uri);
		if (p11_kit_uri_parse(decode(other), P11_KIT_URI_FOR_ANY, there) != P11_KIT_URI_OK)
			die("bad uri to match with: %s", other);
		char *any = format(uri, P11_KIT_URI_FOR_ANY), *same = format(uri, type);
		printf("%d %d %04d %s %s\n", code, p11_kit_uri_any_unrecognized(uri), matches(uri, there), any, same);
		free(any);
		free(same);
	}
	p11_kit_uri_free(uri);
	p11_kit_uri_free(there);
	free(line);
	fclose(file);
	return 0;
}
