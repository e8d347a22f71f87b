/*
 * Two consumers of one PKCS#11 module in one process: what goes wrong when they
 * share it unmanaged, and how it goes when p11mux manages it.
 *
 * The consumers stand for two libraries that know nothing of each other, such
 * as GnuTLS and NSS in a mail client. Both parts run the same code of theirs;
 * only where the function list comes from differs.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <p11-kit/p11-kit.h>

struct consumer {
	const char *name;
	CK_FUNCTION_LIST *module;
	CK_SESSION_HANDLE session;
	CK_OBJECT_HANDLE private_key, public_key;
};

static CK_BYTE message[] = "a message to sign";

static const char *word(CK_RV rv)
{
	switch (rv) {
	case CKR_OK: return "CKR_OK";
	case CKR_CRYPTOKI_NOT_INITIALIZED: return "CKR_CRYPTOKI_NOT_INITIALIZED";
	case CKR_CRYPTOKI_ALREADY_INITIALIZED: return "CKR_CRYPTOKI_ALREADY_INITIALIZED";
	default: return p11_kit_strerror(rv);
	}
}

static CK_RV say(const struct consumer *c, const char *what, CK_RV rv)
{
	printf("  %s: %-28s %s\n", c->name, what, word(rv));
	return rv;
}

static void need(const struct consumer *c, const char *what, CK_RV rv)
{
	if (rv != CKR_OK) {
		say(c, what, rv);
		fprintf(stderr, "demo: this should have worked\n");
		exit(1);
	}
}

/* Logs in and makes a key pair, as a library does that has found its module ready. */
static void prepare(struct consumer *c)
{
	static CK_UTF8CHAR pin[] = "1234"; /* of the demonstration token; it keeps nothing */
	CK_SLOT_ID slot;
	CK_ULONG slots = 1;
	need(c, "C_GetSlotList", c->module->C_GetSlotList(CK_TRUE, &slot, &slots));
	need(c, "C_OpenSession", c->module->C_OpenSession(slot, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &c->session));
	CK_RV rv = c->module->C_Login(c->session, CKU_USER, pin, sizeof pin - 1);
	need(c, "C_Login", rv == CKR_USER_ALREADY_LOGGED_IN ? CKR_OK : rv);

	CK_BYTE p256[] = { 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07 };
	CK_BBOOL yes = CK_TRUE;
	CK_MECHANISM mechanism = { CKM_EC_KEY_PAIR_GEN, NULL, 0 };
	CK_ATTRIBUTE public_template[] = { { CKA_EC_PARAMS, p256, sizeof p256 }, { CKA_VERIFY, &yes, sizeof yes } };
	CK_ATTRIBUTE private_template[] = { { CKA_SIGN, &yes, sizeof yes } };
	need(c, "C_GenerateKeyPair", c->module->C_GenerateKeyPair(c->session, &mechanism, public_template, 2,
	                                                          private_template, 1, &c->public_key, &c->private_key));
}

static CK_RV sign(struct consumer *c)
{
	CK_MECHANISM mechanism = { CKM_ECDSA_SHA256, NULL, 0 };
	CK_BYTE signature[64];
	CK_ULONG len = sizeof signature;
	CK_RV rv = c->module->C_SignInit(c->session, &mechanism, c->private_key);
	if (rv == CKR_OK)
		rv = c->module->C_Sign(c->session, message, sizeof message, signature, &len);
	if (rv == CKR_OK)
		rv = c->module->C_VerifyInit(c->session, &mechanism, c->public_key);
	if (rv == CKR_OK)
		rv = c->module->C_Verify(c->session, message, sizeof message, signature, len);
	return rv;
}

/* Both consumers at work, then A is done while B goes on. What B's last signature gave. */
static CK_RV both(struct consumer *a, struct consumer *b)
{
	say(a, "C_Initialize", a->module->C_Initialize(NULL));
	say(b, "C_Initialize", b->module->C_Initialize(NULL));
	prepare(a);
	prepare(b);
	say(a, "signs and verifies", sign(a));
	say(b, "signs and verifies", sign(b));
	say(a, "C_Finalize: A is done", a->module->C_Finalize(NULL));
	return say(b, "signs and verifies", sign(b));
}

/* The module itself, as each library would load it. */
static CK_FUNCTION_LIST *load_raw(const char *path)
{
	void *module = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	CK_C_GetFunctionList get = module ? (CK_C_GetFunctionList)dlsym(module, "C_GetFunctionList") : NULL;
	CK_FUNCTION_LIST *list = NULL;
	if (!get || get(&list) != CKR_OK) {
		fprintf(stderr, "demo: cannot load %s: %s\n", path, dlerror());
		exit(1);
	}
	return list;
}

/* The same module by p11mux: the first one that is configured. */
static CK_FUNCTION_LIST **load_managed(void)
{
	CK_FUNCTION_LIST **modules = p11_kit_modules_load(NULL, 0);
	if (!modules || !modules[0]) {
		const char *why = p11_kit_message();
		fprintf(stderr, "demo: no module is configured: %s\n", why ? why : "no *.module file");
		exit(1);
	}
	return modules;
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		fprintf(stderr, "usage: demo MODULE.so\n");
		return 2;
	}

	printf("Two consumers, A and B, each with the module's own function list:\n");
	struct consumer a = { .name = "A", .module = load_raw(argv[1]) };
	struct consumer b = { .name = "B", .module = load_raw(argv[1]) };
	CK_RV raw = both(&a, &b);
	b.module->C_Finalize(NULL);

	printf("\nThe same two consumers, each with a managed list from p11mux:\n");
	CK_FUNCTION_LIST **of_a = load_managed(), **of_b = load_managed();
	a = (struct consumer){ .name = "A", .module = of_a[0] };
	b = (struct consumer){ .name = "B", .module = of_b[0] };
	CK_RV managed = both(&a, &b);
	say(&b, "C_Finalize: B is done", b.module->C_Finalize(NULL));
	p11_kit_modules_release(of_a);
	p11_kit_modules_release(of_b);

	if (raw == CKR_OK || managed != CKR_OK) {
		fprintf(stderr, "demo: that is not what it was meant to show\n");
		return 1;
	}
	printf("\nUnmanaged, A's C_Finalize broke B. Managed, B went on signing.\n");
	return 0;
}
