/* Serving modules and tokens to another process (abi.md 1.4.6). */
#define P11_KIT_FUTURE_UNSTABLE_API
#include "internal.h"
#include "p11-kit/remote.h"

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
	return engine ? engine->serve_token(module, token, in_fd, out_fd) : 1;
}

P11_EXPORT int p11_kit_remote_serve_tokens(const char **tokens, size_t n_tokens, CK_FUNCTION_LIST *provider, int in_fd,
                                           int out_fd)
{
	p11_return_val_if_fail(tokens != NULL, 2);
	p11_return_val_if_fail(n_tokens > 0, 2);
	for (size_t i = 0; i < n_tokens; i++)
		p11_return_val_if_fail(tokens[i] != NULL, 2);
	p11_message_clear();
	const struct p11_engine *engine = p11_engine_get();
	return engine ? engine->serve_tokens((char **)tokens, n_tokens, provider, in_fd, out_fd) : 1;
}
