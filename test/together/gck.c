/*
 * GnuTLS, libgck and libgcr with one token in one process, as a program of GNOME has them. All of them come to it through
 * libp11-kit.so.0.
 */
#include "together.h"

#define GCK_API_SUBJECT_TO_CHANGE
#include <gck/gck.h>

/* What the program uses of libgcr: its header needs those of a desktop's toolkit. */
typedef struct _GcrCertificate GcrCertificate;
typedef struct _GcrCertificateChain GcrCertificateChain;
gboolean gcr_pkcs11_initialize(GCancellable *cancellable, GError **error);
GList *gcr_pkcs11_get_modules(void);
void gcr_pkcs11_set_modules(GList *modules);
GcrCertificate *gcr_simple_certificate_new(const guchar *data, gsize n);
const guchar *gcr_certificate_get_der_data(GcrCertificate *certificate, gsize *n);
GcrCertificateChain *gcr_certificate_chain_new(void);
void gcr_certificate_chain_add(GcrCertificateChain *chain, GcrCertificate *certificate);
gboolean gcr_certificate_chain_build(GcrCertificateChain *chain, const char *purpose, const char *peer, int flags,
	GCancellable *cancellable, GError **error);
guint gcr_certificate_chain_get_length(GcrCertificateChain *chain);
GcrCertificate *gcr_certificate_chain_get_certificate(GcrCertificateChain *chain, guint i);

#define CLIENT_AUTH "1.3.6.1.5.5.7.3.2"

/* The call is given &error. */
#define OK(call) do { GError *error = NULL; if (!(call)) die("%s: %s; message: %s", #call, \
	error ? error->message : "(no error)", last_message()); } while (0)

static GList *modules;
static GckSession *session;
static GckObject *held;

static GckObject *find(GckSession *s, const char *label, gulong class)
{
	GckBuilder want = GCK_BUILDER_INIT;
	GList *found = NULL;
	GckObject *key;

	gck_builder_add_ulong(&want, CKA_CLASS, class);
	gck_builder_add_string(&want, CKA_LABEL, label);
	OK(found = gck_session_find_objects(s, gck_builder_end(&want), NULL, &error));
	must(g_list_length(found) == 1);
	key = g_object_ref(found->data);
	gck_list_unref_free(found);
	return key;
}

static GckSession *login(GList *of)
{
	GError *refused = NULL;
	GckSession *s;
	GckSlot *slot;

	OK(slot = gck_modules_token_for_uri(of, "pkcs11:token=token", &error));
	OK(s = gck_slot_open_session(slot, GCK_SESSION_READ_WRITE, NULL, &error));
	g_object_unref(slot);
	/* One application is logged in once, whoever of its libraries did it. */
	if (!gck_session_login(s, CKU_USER, (const guchar *)"1234", 4, NULL, &refused) &&
	    !g_error_matches(refused, GCK_ERROR, CKR_USER_ALREADY_LOGGED_IN))
		die("login: %s", refused->message);
	g_clear_error(&refused);
	return s;
}

static GList *load(void)
{
	GError *error = NULL;
	GList *all = gck_modules_initialize_registered(NULL, &error);

	if (error != NULL || g_list_length(all) != 1)
		die("%u modules: %s", g_list_length(all), error ? error->message : "(no error)");
	return all;
}

static void start(void)
{
	GList *others;

	modules = load();
	session = login(modules);
	held = find(session, "ec", CKO_PRIVATE_KEY);
	OK(gcr_pkcs11_initialize(NULL, &error));
	others = gcr_pkcs11_get_modules();
	if (others == NULL) {
		/* libgcr loads modules once; when it has dropped them it must be given some. */
		others = load();
		gcr_pkcs11_set_modules(others);
	}
	gck_list_unref_free(others);
}

static void sign_with(GckSession *s, GckObject *key, GckObject *public)
{
	guchar digest[32] = "a digest of thirty-two octets";
	guchar *sig;
	gsize n;

	OK(sig = gck_session_sign(s, key, CKM_ECDSA, digest, sizeof digest, &n, NULL, &error));
	OK(gck_session_verify(s, public, CKM_ECDSA, digest, sizeof digest, sig, n, NULL, &error));
	digest[0] ^= 1;
	must(!gck_session_verify(s, public, CKM_ECDSA, digest, sizeof digest, sig, n, NULL, NULL));
	g_free(sig);
}

static void sign_in(GckSession *s)
{
	GckObject *key = find(s, "ec", CKO_PRIVATE_KEY), *public = find(s, "ec", CKO_PUBLIC_KEY);

	sign_with(s, key, public);
	if (s == session)
		sign_with(s, held, public);
	g_object_unref(key);
	g_object_unref(public);
}

static void sign(void)
{
	/* libgcr has loaded modules of its own. */
	GList *others = gcr_pkcs11_get_modules();
	GckSession *other = login(others);

	must(others != NULL && others->data != modules->data);
	sign_in(session);
	sign_in(other);
	g_object_unref(other);
	gck_list_unref_free(others);
}

static void generate(void)
{
	static const guchar p256[] = { 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07 };
	GckBuilder public_of = GCK_BUILDER_INIT, private_of = GCK_BUILDER_INIT;
	GckObject *public, *private;

	gck_builder_add_data(&public_of, CKA_EC_PARAMS, p256, sizeof p256);
	gck_builder_add_boolean(&public_of, CKA_TOKEN, TRUE);
	gck_builder_add_boolean(&public_of, CKA_VERIFY, TRUE);
	gck_builder_add_boolean(&private_of, CKA_TOKEN, TRUE);
	gck_builder_add_boolean(&private_of, CKA_PRIVATE, TRUE);
	gck_builder_add_boolean(&private_of, CKA_SIGN, TRUE);
	OK(gck_session_generate_key_pair(session, CKM_EC_KEY_PAIR_GEN, gck_builder_end(&public_of), gck_builder_end(&private_of),
		&public, &private, NULL, &error));
	sign_with(session, private, public);
	g_object_unref(public);
	g_object_unref(private);
}

static void stop(void)
{
	g_object_unref(held);
	g_object_unref(session);
	gck_list_unref_free(modules);
	gcr_pkcs11_set_modules(NULL);
}

/* libgcr finds in the token who has issued a certificate. */
static void build_chain(const struct der *subject, const struct der *issuer)
{
	GcrCertificateChain *chain = gcr_certificate_chain_new();
	GcrCertificate *end = gcr_simple_certificate_new(subject->octets, subject->n);
	const guchar *der;
	gsize n;

	gcr_certificate_chain_add(chain, end);
	OK(gcr_certificate_chain_build(chain, CLIENT_AUTH, NULL, 0, NULL, &error));
	must(gcr_certificate_chain_get_length(chain) == 2);
	der = gcr_certificate_get_der_data(gcr_certificate_chain_get_certificate(chain, 1), &n);
	must(der != NULL && n == issuer->n && memcmp(der, issuer->octets, n) == 0);
	g_object_unref(end);
	g_object_unref(chain);
}

/* GnuTLS talks to itself with two keys of the token. */
static void handshake(void)
{
	static struct der server;
	struct der ec, rsa, client;
	struct server *s;
	int fds[2];

	if (server.n == 0) {
		ec = gnutls_public("ec");
		server = gnutls_certify("server", &ec);
		gnutls_publish(&server);
	}
	rsa = gnutls_public("rsa");
	client = gnutls_certify("client", &rsa);
	tcp_pair(fds);
	s = gnutls_serve(fds[0], &server, &client);
	gnutls_client(fds[1], &client);
	gnutls_served(s);
	build_chain(&client, &server);
}

static const struct party gck_party = { "libgck", start, generate, sign, stop };

int main(int argc, char **argv)
{
	return together(&gck_party, handshake, argc, argv);
}
