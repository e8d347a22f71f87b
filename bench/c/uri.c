/*
 * uri LIBRARY TEXT SAMPLES TIMES
 *
 * Prints for each sample of TIMES times the ns that it takes to parse the text
 * ("parse"), to format it ("format"), to match it with a token ("match"), and to
 * make a URI, do all this, and free it ("all").
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "p11-kit/uri.h"

static __typeof__(p11_kit_uri_new) *uri_new;
static __typeof__(p11_kit_uri_free) *uri_free;
static __typeof__(p11_kit_uri_parse) *uri_parse;
static __typeof__(p11_kit_uri_format) *uri_format;
static __typeof__(p11_kit_uri_match_token_info) *uri_match;

static const char *text;
static CK_TOKEN_INFO token;

static void parse(P11KitUri *uri)
{
	if (uri_parse(text, P11_KIT_URI_FOR_ANY, uri) != P11_KIT_URI_OK)
		bench_die("%s cannot be parsed", text);
}

static void format(P11KitUri *uri)
{
	char *formatted;
	if (uri_format(uri, P11_KIT_URI_FOR_ANY, &formatted) != P11_KIT_URI_OK)
		bench_die("%s cannot be formatted", text);
	free(formatted);
}

static void match(P11KitUri *uri)
{
	if (uri_match(uri, &token) < 0)
		bench_die("%s cannot be matched", text);
}

static void all(P11KitUri *unused)
{
	(void)unused;
	P11KitUri *uri = uri_new();
	parse(uri);
	format(uri);
	match(uri);
	uri_free(uri);
}

int main(int argc, char **argv)
{
	if (argc != 5)
		bench_die("usage: uri LIBRARY TEXT SAMPLES TIMES");
	static const struct {
		const char *name;
		void (*function)(P11KitUri *);
	} parts[] = { { "parse", parse }, { "format", format }, { "match", match }, { "all", all } };
	long samples = bench_number(argv[3], "SAMPLES"), times = bench_number(argv[4], "TIMES");
	struct bench_way way;
	bench_way_open(&way, argv[1]);
	uri_new = (__typeof__(uri_new))bench_function(&way, "p11_kit_uri_new");
	uri_free = (__typeof__(uri_free))bench_function(&way, "p11_kit_uri_free");
	uri_parse = (__typeof__(uri_parse))bench_function(&way, "p11_kit_uri_parse");
	uri_format = (__typeof__(uri_format))bench_function(&way, "p11_kit_uri_format");
	uri_match = (__typeof__(uri_match))bench_function(&way, "p11_kit_uri_match_token_info");
	text = argv[2];
	memset(&token, ' ', sizeof token);
	P11KitUri *uri = uri_new();
	parse(uri);
	for (long i = -1; i < samples; i++) /* the first one warms up and is not counted */
		for (size_t part = 0; part < sizeof parts / sizeof *parts; part++) {
			double start = bench_now();
			for (long j = 0; j < times; j++)
				parts[part].function(uri);
			if (i >= 0)
				printf("%s %.2f\n", parts[part].name, (bench_now() - start) / (double)times);
		}
	uri_free(uri);
	return 0;
}
