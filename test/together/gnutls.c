/* GnuTLS as one of two; see together.h. */
#include "together.h"

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <gnutls/pkcs11.h>
#include <gnutls/x509.h>
#include <pthread.h>
#include <time.h>
#include <unistd.h>

#define OK(call) do { int rc_ = (call); if (rc_ < 0) die("%s: %s; message: %s", #call, gnutls_strerror(rc_), \
	last_message()); } while (0)

static gnutls_privkey_t held;

static int pin(void *data, int attempt, const char *url, const char *label, unsigned flags, char *to, size_t max)
{
	(void)data, (void)url, (void)label, (void)flags;
	if (attempt > 0 || max < sizeof "1234")
		return GNUTLS_E_PKCS11_PIN_ERROR;
	memcpy(to, "1234", sizeof "1234");
	return 0;
}

static gnutls_privkey_t private_key(const char *label)
{
	gnutls_privkey_t key;
	char url[128];

	snprintf(url, sizeof url, "pkcs11:token=token;object=%s;type=private", label);
	OK(gnutls_privkey_init(&key));
	OK(gnutls_privkey_import_url(key, url, 0));
	return key;
}

static gnutls_pubkey_t public_key(const char *label)
{
	gnutls_pubkey_t key;
	char url[128];

	snprintf(url, sizeof url, "pkcs11:token=token;object=%s;type=public", label);
	OK(gnutls_pubkey_init(&key));
	OK(gnutls_pubkey_import_url(key, url, 0));
	return key;
}

static void sign_with(gnutls_privkey_t key, const char *label, gnutls_sign_algorithm_t algorithm)
{
	gnutls_datum_t data = { (unsigned char *)"a document", 10 }, other = { (unsigned char *)"A document", 10 }, sig;
	gnutls_pubkey_t public = public_key(label);

	OK(gnutls_privkey_sign_data2(key, algorithm, 0, &data, &sig));
	OK(gnutls_pubkey_verify_data2(public, algorithm, 0, &data, &sig));
	must(gnutls_pubkey_verify_data2(public, algorithm, 0, &other, &sig) == GNUTLS_E_PK_SIG_VERIFY_FAILED);
	gnutls_free(sig.data);
	gnutls_pubkey_deinit(public);
}

static void start(void)
{
	OK(gnutls_pkcs11_init(GNUTLS_PKCS11_FLAG_AUTO, NULL));
	gnutls_pkcs11_set_pin_function(pin, NULL);
	held = private_key("ec");
}

static void sign(void)
{
	gnutls_privkey_t found = private_key("rsa");

	sign_with(held, "ec", GNUTLS_SIGN_ECDSA_SHA256);
	sign_with(found, "rsa", GNUTLS_SIGN_RSA_SHA256);
	gnutls_privkey_deinit(found);
}

static void generate(void)
{
	static int number;
	gnutls_privkey_t key;
	char label[64];

	snprintf(label, sizeof label, "gnutls-%d-%d", (int)getpid(), ++number);
	OK(gnutls_pkcs11_privkey_generate3("pkcs11:token=token", GNUTLS_PK_ECDSA,
		GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), label, NULL, 0, NULL, 0, GNUTLS_PKCS11_OBJ_FLAG_LOGIN));
	key = private_key(label);
	sign_with(key, label, GNUTLS_SIGN_ECDSA_SHA256);
	gnutls_privkey_deinit(key);
}

static void stop(void)
{
	gnutls_privkey_deinit(held);
	gnutls_pkcs11_deinit();
}

const struct party gnutls_party = { "GnuTLS", start, generate, sign, stop };

struct der gnutls_public(const char *label)
{
	gnutls_pubkey_t key = public_key(label);
	struct der der = { .n = sizeof der.octets };

	OK(gnutls_pubkey_export(key, GNUTLS_X509_FMT_DER, der.octets, &der.n));
	gnutls_pubkey_deinit(key);
	return der;
}

struct der gnutls_certify(const char *name, const struct der *public)
{
	static unsigned char serial;
	gnutls_datum_t info = { (void *)public->octets, public->n };
	gnutls_pubkey_t key, issuers = public_key("ec");
	gnutls_x509_crt_t crt, issuer;
	struct der der = { .n = sizeof der.octets };

	must(++serial < 0x80);
	OK(gnutls_pubkey_init(&key));
	OK(gnutls_pubkey_import(key, &info, GNUTLS_X509_FMT_DER));
	OK(gnutls_x509_crt_init(&issuer));
	OK(gnutls_x509_crt_set_dn_by_oid(issuer, GNUTLS_OID_X520_COMMON_NAME, 0, "server", strlen("server")));
	OK(gnutls_x509_crt_set_pubkey(issuer, issuers));
	OK(gnutls_x509_crt_init(&crt));
	OK(gnutls_x509_crt_set_version(crt, 3));
	OK(gnutls_x509_crt_set_serial(crt, &serial, 1));
	OK(gnutls_x509_crt_set_activation_time(crt, time(NULL) - 3600));
	OK(gnutls_x509_crt_set_expiration_time(crt, time(NULL) + 3600));
	OK(gnutls_x509_crt_set_dn_by_oid(crt, GNUTLS_OID_X520_COMMON_NAME, 0, name, strlen(name)));
	OK(gnutls_x509_crt_set_basic_constraints(crt, strcmp(name, "server") == 0, -1));
	OK(gnutls_x509_crt_set_pubkey(crt, key));
	OK(gnutls_x509_crt_privkey_sign(crt, issuer, held, GNUTLS_DIG_SHA256, 0));
	OK(gnutls_x509_crt_export(crt, GNUTLS_X509_FMT_DER, der.octets, &der.n));
	gnutls_x509_crt_deinit(crt);
	gnutls_x509_crt_deinit(issuer);
	gnutls_pubkey_deinit(issuers);
	gnutls_pubkey_deinit(key);
	return der;
}

void gnutls_publish(const struct der *certificate)
{
	gnutls_datum_t der = { (void *)certificate->octets, certificate->n };
	gnutls_x509_crt_t crt;

	OK(gnutls_x509_crt_init(&crt));
	OK(gnutls_x509_crt_import(crt, &der, GNUTLS_X509_FMT_DER));
	OK(gnutls_pkcs11_copy_x509_crt("pkcs11:token=token", crt, "issuer", GNUTLS_PKCS11_OBJ_FLAG_LOGIN));
	gnutls_x509_crt_deinit(crt);
}

/* The credentials of one end: a certificate, and the key in the token that it is of. */
static gnutls_certificate_credentials_t credentials(const struct der *certificate, const char *label)
{
	gnutls_datum_t der = { (void *)certificate->octets, certificate->n };
	gnutls_certificate_credentials_t all;
	gnutls_pcert_st pcert;

	OK(gnutls_certificate_allocate_credentials(&all));
	OK(gnutls_pcert_import_x509_raw(&pcert, &der, GNUTLS_X509_FMT_DER, 0));
	/* The credentials own both from now on. */
	OK(gnutls_certificate_set_key(all, NULL, 0, &pcert, 1, private_key(label)));
	return all;
}

static gnutls_session_t connection(unsigned flags, gnutls_certificate_credentials_t own, int fd)
{
	gnutls_session_t s;
	int rc;

	OK(gnutls_init(&s, flags));
	OK(gnutls_set_default_priority(s));
	OK(gnutls_credentials_set(s, GNUTLS_CRD_CERTIFICATE, own));
	if (flags & GNUTLS_SERVER)
		gnutls_certificate_server_set_request(s, GNUTLS_CERT_REQUIRE);
	gnutls_transport_set_int(s, fd);
	do {
		rc = gnutls_handshake(s);
	} while (rc < 0 && !gnutls_error_is_fatal(rc));
	if (rc < 0)
		die("handshake of the %s: %s", flags & GNUTLS_SERVER ? "server" : "client", gnutls_strerror(rc));
	return s;
}

struct server {
	pthread_t thread;
	int fd;
	struct der own, client;
};

static void *serve(void *arg)
{
	struct server *server = arg;
	gnutls_certificate_credentials_t own = credentials(&server->own, "ec");
	gnutls_session_t s = connection(GNUTLS_SERVER, own, server->fd);
	const gnutls_datum_t *shown;
	unsigned n;

	shown = gnutls_certificate_get_peers(s, &n);
	must(shown != NULL && n == 1 && shown->size == server->client.n &&
	     memcmp(shown->data, server->client.octets, shown->size) == 0);
	must(gnutls_record_send(s, "hello", 5) == 5);
	OK(gnutls_bye(s, GNUTLS_SHUT_WR));
	gnutls_deinit(s);
	gnutls_certificate_free_credentials(own);
	close(server->fd);
	return NULL;
}

struct server *gnutls_serve(int fd, const struct der *own, const struct der *client)
{
	struct server *s = malloc(sizeof *s);

	must(s != NULL);
	s->fd = fd;
	s->own = *own;
	s->client = *client;
	must(pthread_create(&s->thread, NULL, serve, s) == 0);
	return s;
}

void gnutls_served(struct server *s)
{
	must(pthread_join(s->thread, NULL) == 0);
	free(s);
}

void gnutls_client(int fd, const struct der *certificate)
{
	gnutls_certificate_credentials_t own = credentials(certificate, "rsa");
	gnutls_session_t s = connection(GNUTLS_CLIENT, own, fd);
	char heard[8];

	must(gnutls_record_recv(s, heard, sizeof heard) == 5 && memcmp(heard, "hello", 5) == 0);
	gnutls_deinit(s);
	gnutls_certificate_free_credentials(own);
	close(fd);
}
