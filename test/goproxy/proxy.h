/* The C half of the Go consumer: a PKCS#11 module through its function list. Each
 * function gives 0, or the line where it failed. */
#ifndef P11MUX_TEST_GOPROXY_H
#define P11MUX_TEST_GOPROXY_H

#include <stddef.h>
#include <stdlib.h>

/* Loads the module and initialises it. */
int proxy_open(const char *path);

/* Logs in to the token of that label. */
int proxy_login(const char *label, const void *pin, size_t n);

/* Signs 32 octets with a private key of the token, in a session of its own. "rsa" is CKM_SHA256_RSA_PKCS, other keys
 * CKM_ECDSA. *n is the room for the signature, and then its length. For any thread. */
int proxy_sign(const char *key, const void *data, void *signature, size_t *n);

/* Finalises the module. */
int proxy_close(void);

#endif
