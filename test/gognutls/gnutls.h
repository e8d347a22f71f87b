/*
 * GnuTLS as the program uses it. The functions give 0, or an error of GnuTLS
 * that tls_error puts into words. All but tls_open and tls_close may be called
 * from any thread between these two.
 */
#ifndef P11MUX_TEST_GNUTLS_H
#define P11MUX_TEST_GNUTLS_H

#include <stddef.h>
#include <stdlib.h>

#include "../c/counter.h"

/* Has GnuTLS load the configured modules, and give them up. */
int tls_open(void);
void tls_close(void);
const char *tls_error(int error);

/* Signs with the key at a URI, over SHA-256. *n is the room for the signature, and then its length. */
int tls_sign(const char *uri, const void *data, size_t len, void *signature, size_t *n);

/*
 * Is the client of a TLS connection on a socket: believes in the server's
 * certificate (PEM) alone, shows its own one (PEM) with the key at a URI, and
 * reads what the server says. *n is the room for that, and then its length.
 */
int tls_client(int fd, const char *server, const char *own, const char *uri, void *said, size_t *n);

#endif
