/* See gnutls.h. */
#include "gnutls.h"

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <gnutls/pkcs11.h>
#include <string.h>

#ifdef LATE
#define FUNCTIONS(F) \
	F(gnutls_pkcs11_init) F(gnutls_pkcs11_deinit) F(gnutls_strerror) F(gnutls_privkey_init) \
	F(gnutls_privkey_deinit) F(gnutls_privkey_import_url) F(gnutls_privkey_sign_data) \
	F(gnutls_certificate_allocate_credentials) F(gnutls_certificate_free_credentials) \
	F(gnutls_certificate_set_x509_trust_mem) F(gnutls_certificate_set_key) F(gnutls_pcert_import_x509_raw) \
	F(gnutls_pcert_deinit) F(gnutls_init) F(gnutls_deinit) F(gnutls_set_default_priority) F(gnutls_server_name_set) \
	F(gnutls_credentials_set) F(gnutls_session_set_verify_cert) F(gnutls_transport_set_int2) \
	F(gnutls_handshake) F(gnutls_error_is_fatal) F(gnutls_record_recv)

static struct {
#define F(name) __typeof__(name) *name;
	FUNCTIONS(F)
#undef F
} late;
static gnutls_free_function *late_free;

#define CALL(name) (*late.name)
#define FREE (*late_free)

static int arrive(void)
{
	void *handle = dlopen("libgnutls.so.30", RTLD_NOW | RTLD_LOCAL);

	if (handle == NULL)
		return -1;
#define F(name) if ((*(void **)&late.name = dlsym(handle, #name)) == NULL) return -1;
	FUNCTIONS(F)
#undef F
	late_free = dlsym(handle, "gnutls_free");
	return late_free ? 0 : -1;
}
#else
#define CALL(name) name
#define FREE gnutls_free

static int arrive(void)
{
	return 0;
}
#endif

int tls_open(void)
{
	int rv = arrive();

	return rv ? rv : CALL(gnutls_pkcs11_init)(GNUTLS_PKCS11_FLAG_AUTO, NULL);
}

void tls_close(void)
{
	CALL(gnutls_pkcs11_deinit)();
}

const char *tls_error(int error)
{
	return CALL(gnutls_strerror)(error);
}

/* The key at a URI; *key is NULL on failure. */
static int private_key(const char *uri, gnutls_privkey_t *key)
{
	int rv = CALL(gnutls_privkey_init)(key);

	if (rv < 0)
		return rv;
	rv = CALL(gnutls_privkey_import_url)(*key, uri, 0);
	if (rv < 0) {
		CALL(gnutls_privkey_deinit)(*key);
		*key = NULL;
	}
	return rv;
}

int tls_sign(const char *uri, const void *data, size_t len, void *signature, size_t *n)
{
	gnutls_datum_t what = { (void *)data, len }, out = { NULL, 0 };
	gnutls_privkey_t key;
	int rv = private_key(uri, &key);

	if (rv < 0)
		return rv;
	rv = CALL(gnutls_privkey_sign_data)(key, GNUTLS_DIG_SHA256, 0, &what, &out);
	CALL(gnutls_privkey_deinit)(key);
	if (rv < 0)
		return rv;
	if (out.size <= *n) {
		memcpy(signature, out.data, out.size);
		*n = out.size;
	} else {
		rv = GNUTLS_E_SHORT_MEMORY_BUFFER;
	}
	FREE(out.data);
	return rv;
}

/* Gives the credentials a certificate with its key, and believes in the server's. */
static int prepare(gnutls_certificate_credentials_t credentials, const char *server, const char *own, const char *uri)
{
	gnutls_datum_t trusted = { (void *)server, strlen(server) }, shown = { (void *)own, strlen(own) };
	gnutls_pcert_st certificate;
	gnutls_privkey_t key;
	int rv = CALL(gnutls_certificate_set_x509_trust_mem)(credentials, &trusted, GNUTLS_X509_FMT_PEM);

	if (rv < 0)
		return rv;
	rv = private_key(uri, &key);
	if (rv < 0)
		return rv;
	rv = CALL(gnutls_pcert_import_x509_raw)(&certificate, &shown, GNUTLS_X509_FMT_PEM, 0);
	if (rv < 0) {
		CALL(gnutls_privkey_deinit)(key);
		return rv;
	}
	/* Takes both over, if it succeeds. */
	rv = CALL(gnutls_certificate_set_key)(credentials, NULL, 0, &certificate, 1, key);
	if (rv < 0) {
		CALL(gnutls_pcert_deinit)(&certificate);
		CALL(gnutls_privkey_deinit)(key);
	}
	return rv;
}

static int converse(gnutls_session_t session, gnutls_certificate_credentials_t credentials, int fd, void *said, size_t *n)
{
	size_t got = 0;
	ssize_t more = 0;
	int rv = CALL(gnutls_set_default_priority)(session);

	if (rv < 0 || (rv = CALL(gnutls_server_name_set)(session, GNUTLS_NAME_DNS, "localhost", 9)) < 0 ||
	    (rv = CALL(gnutls_credentials_set)(session, GNUTLS_CRD_CERTIFICATE, credentials)) < 0)
		return rv;
	CALL(gnutls_session_set_verify_cert)(session, "localhost", 0);
	CALL(gnutls_transport_set_int2)(session, fd, fd);
	do
		rv = CALL(gnutls_handshake)(session);
	while (rv < 0 && !CALL(gnutls_error_is_fatal)(rv));
	if (rv < 0)
		return rv;
	do {
		more = CALL(gnutls_record_recv)(session, (char *)said + got, *n - got);
		if (more > 0)
			got += (size_t)more;
	} while (more > 0 || more == GNUTLS_E_AGAIN || more == GNUTLS_E_INTERRUPTED);
	*n = got;
	return more < 0 ? (int)more : 0;
}

int tls_client(int fd, const char *server, const char *own, const char *uri, void *said, size_t *n)
{
	gnutls_certificate_credentials_t credentials;
	gnutls_session_t session;
	int rv = CALL(gnutls_certificate_allocate_credentials)(&credentials);

	if (rv < 0)
		return rv;
	rv = prepare(credentials, server, own, uri);
	if (rv >= 0 && (rv = CALL(gnutls_init)(&session, GNUTLS_CLIENT)) >= 0) {
		rv = converse(session, credentials, fd, said, n);
		CALL(gnutls_deinit)(session);
	}
	CALL(gnutls_certificate_free_credentials)(credentials);
	return rv < 0 ? rv : 0;
}
