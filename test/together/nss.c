/*
 * GnuTLS and NSS with one token in one process. GnuTLS comes to it through libp11-kit.so.0, NSS through the proxy module
 * whose path is in $TEST_PROXY.
 */
#include "together.h"

#include <cert.h>
#include <cryptohi.h>
#include <keyhi.h>
#include <nss.h>
#include <pk11pub.h>
#include <prerror.h>
#include <prio.h>
#include <private/pprio.h>
#include <secerr.h>
#include <secmod.h>
#include <ssl.h>
#include <unistd.h>

#define OK(call) do { if ((call) != SECSuccess) failed(#call); } while (0)
#define SOME(pointer) do { if ((pointer) == NULL) failed(#pointer); } while (0)

static void failed(const char *what)
{
	die("%s: %s; message: %s", what, PR_ErrorToName(PR_GetError()), last_message());
}

static const SECOidTag algorithm = SEC_OID_ANSIX962_ECDSA_SHA256_SIGNATURE;
static SECMODModule *module;
static PK11SlotInfo *token;
static SECKEYPrivateKey *held;

static char *pin(PK11SlotInfo *slot, PRBool again, void *arg)
{
	(void)slot, (void)arg;
	return again ? NULL : PORT_Strdup("1234");
}

static SECKEYPrivateKey *find(char *label)
{
	SECKEYPrivateKeyList *list = PK11_ListPrivKeysInSlot(token, label, NULL);
	SECKEYPrivateKey *key;

	if (list == NULL || PRIVKEY_LIST_END(PRIVKEY_LIST_HEAD(list), list))
		failed(label);
	key = SECKEY_CopyPrivateKey(PRIVKEY_LIST_HEAD(list)->key);
	SECKEY_DestroyPrivateKeyList(list);
	SOME(key);
	return key;
}

static void sign_with(SECKEYPrivateKey *key, SECKEYPublicKey *public)
{
	unsigned char document[] = "a document";
	SECItem sig = { siBuffer, NULL, 0 };

	SOME(public);
	OK(SEC_SignData(&sig, document, sizeof document, key, algorithm));
	OK(VFY_VerifyData(document, sizeof document, public, &sig, algorithm, NULL));
	document[0] ^= 1;
	must(VFY_VerifyData(document, sizeof document, public, &sig, algorithm, NULL) != SECSuccess);
	SECITEM_FreeItem(&sig, PR_FALSE);
	SECKEY_DestroyPublicKey(public);
}

static void start(void)
{
	char spec[4096 + 64];
	const char *proxy = getenv("TEST_PROXY");
	int i;

	must(proxy != NULL);
	OK(NSS_NoDB_Init(NULL));
	OK(NSS_SetDomesticPolicy());
	PK11_SetPasswordFunc(pin);
	snprintf(spec, sizeof spec, "name=\"proxy\" library=\"%s\"", proxy);
	module = SECMOD_LoadUserModule(spec, NULL, PR_FALSE);
	SOME(module);
	must(module->loaded);
	for (i = 0; i < module->slotCount; i++) {
		if (strcmp(PK11_GetTokenName(module->slots[i]), "token") == 0)
			token = PK11_ReferenceSlot(module->slots[i]);
	}
	SOME(token);
	OK(PK11_Authenticate(token, PR_TRUE, NULL));
	held = find("ec");
}

static void sign(void)
{
	SECKEYPrivateKey *found = find("ec");

	sign_with(held, SECKEY_ConvertToPublicKey(held));
	sign_with(found, SECKEY_ConvertToPublicKey(found));
	SECKEY_DestroyPrivateKey(found);
}

/* A key pair on the curve P-256, which stays in the token. */
static SECKEYPrivateKey *new_key(SECKEYPublicKey **public)
{
	static unsigned char p256[] = { 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07 };
	SECItem curve = { siDEROID, p256, sizeof p256 };
	SECKEYPrivateKey *key = PK11_GenerateKeyPair(token, CKM_EC_KEY_PAIR_GEN, &curve, public, PR_TRUE, PR_TRUE, NULL);

	SOME(key);
	return key;
}

static void generate(void)
{
	SECKEYPublicKey *public;
	SECKEYPrivateKey *key = new_key(&public);

	sign_with(key, public);
	SECKEY_DestroyPrivateKey(key);
}

static void stop(void)
{
	SECKEY_DestroyPrivateKey(held);
	PK11_FreeSlot(token);
	token = NULL;
	SSL_ClearSessionCache();
	OK(SECMOD_UnloadUserModule(module));
	SECMOD_DestroyModule(module);
	OK(NSS_Shutdown());
}

static SECStatus accept_server(void *expected, PRFileDesc *fd, PRBool check, PRBool is_server)
{
	CERTCertificate *shown = SSL_PeerCertificate(fd);
	struct der *want = expected;
	bool same;

	(void)check, (void)is_server;
	SOME(shown);
	same = shown->derCert.len == want->n && memcmp(shown->derCert.data, want->octets, want->n) == 0;
	CERT_DestroyCertificate(shown);
	return same ? SECSuccess : SECFailure;
}

static SECStatus give_client(void *own, PRFileDesc *fd, CERTDistNames *issuers, CERTCertificate **cert, SECKEYPrivateKey **key)
{
	(void)fd, (void)issuers;
	*cert = CERT_DupCertificate(own);
	*key = PK11_FindKeyByAnyCert(own, NULL);
	SOME(*key);
	return SECSuccess;
}

/* NSS makes a key and GnuTLS certifies it; then NSS, with that key, is the client of GnuTLS's server. */
static void handshake(void)
{
	struct der ec = gnutls_public("ec"), server = gnutls_certify("server", &ec), fresh, client;
	CERTCertificate *own;
	SECKEYPrivateKey *key;
	SECKEYPublicKey *public;
	PRFileDesc *fd;
	SECItem *info, der;
	struct server *s;
	char heard[8];
	int fds[2];

	key = new_key(&public);
	info = SECKEY_EncodeDERSubjectPublicKeyInfo(public);
	SOME(info);
	must(info->len <= sizeof fresh.octets);
	fresh.n = info->len;
	memcpy(fresh.octets, info->data, info->len);
	client = gnutls_certify("client", &fresh);
	der = (SECItem){ siDERCertBuffer, client.octets, client.n };
	own = CERT_NewTempCertificate(CERT_GetDefaultCertDB(), &der, NULL, PR_FALSE, PR_TRUE);
	SOME(own);
	OK(PK11_ImportCert(token, own, CK_INVALID_HANDLE, "client", PR_FALSE));

	tcp_pair(fds);
	s = gnutls_serve(fds[0], &server, &client);
	fd = SSL_ImportFD(NULL, PR_ImportTCPSocket(fds[1]));
	SOME(fd);
	OK(SSL_OptionSet(fd, SSL_SECURITY, PR_TRUE));
	OK(SSL_OptionSet(fd, SSL_NO_CACHE, PR_TRUE));
	OK(SSL_AuthCertificateHook(fd, accept_server, &server));
	OK(SSL_GetClientAuthDataHook(fd, give_client, own));
	OK(SSL_SetURL(fd, "server"));
	OK(SSL_ResetHandshake(fd, PR_FALSE));
	OK(SSL_ForceHandshake(fd));
	must(PR_Read(fd, heard, sizeof heard) == 5 && memcmp(heard, "hello", 5) == 0);
	must(PR_Close(fd) == PR_SUCCESS);
	gnutls_served(s);

	SECITEM_FreeItem(info, PR_TRUE);
	CERT_DestroyCertificate(own);
	SECKEY_DestroyPublicKey(public);
	SECKEY_DestroyPrivateKey(key);
}

static const struct party nss_party = { "NSS", start, generate, sign, stop };

int main(int argc, char **argv)
{
	return together(&nss_party, handshake, argc, argv);
}
