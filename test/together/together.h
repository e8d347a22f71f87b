/*
 * Two libraries that use one token in one process, as a mail client has them: each starts, makes keys, signs and ends by
 * itself, and knows nothing of the other. The token is the card of card.c, so that its real C_Initialize and C_Finalize are
 * counted; its label is "token", its PIN 1234, and it has the keys "rsa" and "ec".
 */
#ifndef P11MUX_TEST_TOGETHER_H
#define P11MUX_TEST_TOGETHER_H

#include "die.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What a library does. Everything stops the program when it fails. */
struct party {
	const char *name;
	void (*start)(void);
	void (*generate)(void); /* makes a key pair in the token, and signs with it */
	void (*sign)(void);     /* signs with a key that it has held since it started, and with one that it looks up */
	void (*stop)(void);
};

/* GnuTLS; see gnutls.c. */
extern const struct party gnutls_party;

/*
 * The main function: runs the case that its argument names, or lists them. A case is who starts first and who ends first.
 * The handshake is made while both are there.
 */
int together(const struct party *other, void (*handshake)(void), int argc, char **argv);

/* A certificate, or a SubjectPublicKeyInfo, in DER. */
struct der {
	unsigned char octets[2048];
	size_t n;
};

/* The public key of that label in the token, by way of GnuTLS. */
struct der gnutls_public(const char *label);

/* GnuTLS makes a certificate for a name and a public key. The issuer is "server", whose key is the token's "ec". */
struct der gnutls_certify(const char *name, const struct der *public);

/* Has GnuTLS write the certificate of "server" to the token, where others may find it as an issuer. */
void gnutls_publish(const struct der *certificate);

/* Two ends of a TCP connection; some libraries take no other sockets. */
void tcp_pair(int fds[2]);

/*
 * A TLS server in a thread, which is GnuTLS with the token's key "ec". It wants the client's certificate, and says hello
 * when it is the one that is expected. gnutls_served waits for its end.
 */
struct server;
struct server *gnutls_serve(int fd, const struct der *own, const struct der *client);
void gnutls_served(struct server *s);

/* A TLS client, which is GnuTLS with the token's key "rsa" and a certificate for it: takes part and hears "hello". */
void gnutls_client(int fd, const struct der *certificate);

#endif
