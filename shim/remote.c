/* Serving modules and tokens to another process (abi.md 1.4.6). */
#define P11_KIT_FUTURE_UNSTABLE_API
#include <stdlib.h>
#include <string.h>

#include "internal.h"
#include "p11-kit/remote.h"
#include "p11-kit/uri.h"

P11_EXPORT int p11_kit_remote_serve_module(CK_FUNCTION_LIST *module, int in_fd, int out_fd)
{
	p11_return_val_if_fail(module != NULL, 1);
	p11_message_clear();
	const struct p11_engine *engine = p11_engine_get();
	return engine ? engine->serve_module(module, in_fd, out_fd) : 1;
}

P11_EXPORT int p11_kit_remote_serve_token(CK_FUNCTION_LIST *module, CK_TOKEN_INFO *token, int in_fd, int out_fd)
{
	p11_return_val_if_fail(module != NULL, 1);
	p11_return_val_if_fail(token != NULL, 1);
	p11_message_clear();
	const struct p11_engine *engine = p11_engine_get();
	struct p11_served served = { .token = token };
	return engine ? engine->serve_token(module, &served, in_fd, out_fd) : 1;
}

/*
 * Parses the URI of tokens. It is added to what is served unless it has
 * something that no token can have. False with a message if it is none.
 */
static bool take_uri(const char *text, P11KitUri *uri, struct p11_served *served, size_t *n)
{
	int rv = p11_kit_uri_parse(text, P11_KIT_URI_FOR_TOKEN, uri);
	if (rv != P11_KIT_URI_OK) {
		p11_message("couldn't parse the URI of a token: %s", p11_kit_uri_message(rv)); /* it may have a PIN in it */
		return false;
	}
	if (p11_kit_uri_any_unrecognized(uri))
		return true;
	const char *protect = p11_kit_uri_get_vendor_query(uri, "write-protected");
	if (protect && strcmp(protect, "yes") != 0 && strcmp(protect, "no") != 0)
		p11_message("the URI of a token has a value for write-protected that is neither yes nor no: the token can be written");
	served[(*n)++] = (struct p11_served){
		.token = p11_kit_uri_get_token_info(uri),
		.read_only = protect && strcmp(protect, "yes") == 0,
	};
	return true;
}

static int serve_uris(const struct p11_engine *engine, const char **tokens, size_t n_tokens, P11KitUri **uris,
                      struct p11_served *served, void *provider, int in_fd, int out_fd)
{
	size_t n = 0;
	for (size_t i = 0; i < n_tokens; i++)
		if (!(uris[i] = p11_kit_uri_new()) || !take_uri(tokens[i], uris[i], served, &n))
			return 1;
	return engine->serve_tokens(served, n, provider, in_fd, out_fd);
}

P11_EXPORT int p11_kit_remote_serve_tokens(const char **tokens, size_t n_tokens, CK_FUNCTION_LIST *provider, int in_fd,
                                           int out_fd)
{
	p11_return_val_if_fail(tokens != NULL, 2);
	p11_return_val_if_fail(n_tokens > 0, 2);
	for (size_t i = 0; i < n_tokens; i++)
		p11_return_val_if_fail(tokens[i] != NULL, 2);
	p11_return_val_if_fail(in_fd >= 0, 2);
	p11_return_val_if_fail(out_fd >= 0, 2);
	p11_message_clear();
	const struct p11_engine *engine = p11_engine_get();
	P11KitUri **uris = calloc(n_tokens, sizeof *uris);
	struct p11_served *served = calloc(n_tokens, sizeof *served);
	int result = 1;
	if (engine && uris && served)
		result = serve_uris(engine, tokens, n_tokens, uris, served, provider, in_fd, out_fd);
	for (size_t i = 0; uris && i < n_tokens; i++)
		p11_kit_uri_free(uris[i]);
	free(uris);
	free(served);
	return result;
}
