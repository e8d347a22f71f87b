/*
 * Serving modules and tokens to another process, which uses them through a
 * connection as if they were its own.
 *
 * Each function serves one connection to its end, and does not return before. The
 * descriptors must be open for reading and for writing, and may be the same; they
 * are not closed. Several threads may serve at the same time. Whoever can write to
 * the connection can do what the modules let him do: it must come from somebody
 * who may.
 *
 * This interface is not stable: P11_KIT_FUTURE_UNSTABLE_API must be defined.
 */
#ifndef P11_KIT_REMOTE_H
#define P11_KIT_REMOTE_H 1

#include "p11-kit/p11-kit.h"

#ifdef P11_KIT_FUTURE_UNSTABLE_API

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Serves a module. 0 when the other side has closed the connection between two
 * calls; 1 for any other end, and if module is NULL. The module is not finalized
 * where the other side has not done so.
 */
int p11_kit_remote_serve_module(CK_FUNCTION_LIST *module, int in_fd, int out_fd);

/*
 * Serves tokens, each named by a URI, n_tokens of them, which are slots to the
 * other side. They are looked for in provider, or in all configured modules if it
 * is NULL. A URI with the vendor query write-protected=yes lets nothing be written
 * to its token. That no token is there is no error: there are no slots then. 2 for
 * bad arguments, 1 if the tokens cannot be served, else as
 * p11_kit_remote_serve_module.
 */
int p11_kit_remote_serve_tokens(const char **tokens, size_t n_tokens, CK_FUNCTION_LIST *provider, int in_fd,
                                int out_fd);

#ifndef P11_KIT_DISABLE_DEPRECATED

/*
 * Serves the tokens of a module that token describes, where a text whose first
 * byte is 0 stands for any. Use p11_kit_remote_serve_tokens instead.
 */
P11_KIT_DEPRECATED_FOR(p11_kit_remote_serve_tokens)
int p11_kit_remote_serve_token(CK_FUNCTION_LIST *module, CK_TOKEN_INFO *token, int in_fd, int out_fd);

#endif

#ifdef __cplusplus
}
#endif

#endif

#endif
