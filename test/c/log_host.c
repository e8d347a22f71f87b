/*
 * Programs whose calls are logged; the test reads the logs.
 *
 *   log_host example|two|threads|fork|many|proxy
 */
#include "proxylib.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

/* The one configured module, for a caller that calls itself so. */
static list_t load_as(const char *name, CK_FUNCTION_LIST ***array)
{
	p11_kit_set_progname(name);
	*array = p11_kit_modules_load(NULL, 0);
	must(*array && (*array)[0] && !(*array)[1]);
	return (list_t)(*array)[0];
}

static CK_SLOT_ID first_slot(list_t list)
{
	CK_SLOT_ID slots[8];
	CK_ULONG n = 8;
	must_ok(list->C_GetSlotList(CK_TRUE, slots, &n));
	must(n > 0);
	return slots[0];
}

static CK_SESSION_HANDLE login(list_t list, CK_SLOT_ID slot)
{
	CK_SESSION_HANDLE session;
	must_ok(list->C_OpenSession(slot, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &session));
	CK_RV rv = list->C_Login(session, CKU_USER, (CK_UTF8CHAR *)"1234", 4);
	must(rv == CKR_OK || rv == CKR_USER_ALREADY_LOGGED_IN);
	return session;
}

/* A walk through a token: what a program does that looks around, and then uses a key. */
static void walk(list_t list)
{
	CK_INFO info;
	CK_TOKEN_INFO token;
	CK_BYTE value[16] = "sixteen octets!", iv[16] = { 0 }, out_buf[64], digest[32];
	CK_ULONG class = CKO_SECRET_KEY, type = CKK_AES, n, got_class;
	CK_BBOOL yes = CK_TRUE;
	char label[32];
	CK_ATTRIBUTE template[] = {
		{ CKA_CLASS, &class, sizeof class }, { CKA_KEY_TYPE, &type, sizeof type }, { CKA_VALUE, value, sizeof value },
		{ CKA_LABEL, "secret\tkey", 10 }, { CKA_ENCRYPT, &yes, sizeof yes }, { CKA_EXTRACTABLE, &yes, sizeof yes },
	};
	CK_ATTRIBUTE wanted[] = {
		{ CKA_CLASS, &got_class, sizeof got_class }, { CKA_VALUE, NULL, 0 }, { CKA_LABEL, label, sizeof label },
	};
	CK_MECHANISM cbc = { CKM_AES_CBC_PAD, iv, sizeof iv }, sha = { CKM_SHA256, NULL, 0 };
	CK_OBJECT_HANDLE key, found[4];
	must_ok(list->C_GetInfo(&info));
	CK_SLOT_ID slot = first_slot(list);
	must_ok(list->C_GetTokenInfo(slot, &token));
	must(list->C_GetTokenInfo(999, &token) == CKR_SLOT_ID_INVALID);
	CK_SESSION_HANDLE session = login(list, slot);
	must_ok(list->C_CreateObject(session, template, 6, &key));
	list->C_GetAttributeValue(session, key, wanted, 3);
	must_ok(list->C_FindObjectsInit(session, template, 2));
	must_ok(list->C_FindObjects(session, found, 4, &n));
	must_ok(list->C_FindObjectsFinal(session));
	must_ok(list->C_EncryptInit(session, &cbc, key));
	n = 0;
	list->C_Encrypt(session, (CK_BYTE *)"top secret plaintext", 20, NULL, &n);
	n = 1;
	must(list->C_Encrypt(session, (CK_BYTE *)"top secret plaintext", 20, out_buf, &n) == CKR_BUFFER_TOO_SMALL);
	n = sizeof out_buf;
	must_ok(list->C_Encrypt(session, (CK_BYTE *)"top secret plaintext", 20, out_buf, &n));
	must_ok(list->C_DigestInit(session, &sha));
	n = sizeof digest;
	must_ok(list->C_Digest(session, (CK_BYTE *)"top secret plaintext", 20, digest, &n));
	must_ok(list->C_DestroyObject(session, key));
	must_ok(list->C_Logout(session));
	must_ok(list->C_CloseSession(session));
}

static void example(void)
{
	CK_FUNCTION_LIST **array;
	list_t list = load_as("example", &array);
	must_ok(list->C_Initialize(NULL));
	walk(list);
	p11_kit_modules_finalize_and_release(array);
}

/* Two libraries of one process, each with a caller of its own, that know nothing of each other. */
static void two(void)
{
	CK_FUNCTION_LIST **a_array, **b_array;
	list_t a = load_as("mail", &a_array), b = load_as("browser", &b_array);
	CK_MECHANISM mechanism = { CKM_SHA256_RSA_PKCS, NULL, 0 };
	CK_ULONG class = CKO_PRIVATE_KEY, n;
	CK_ATTRIBUTE template[] = { { CKA_CLASS, &class, sizeof class }, { CKA_LABEL, "rsa", 3 } };
	CK_OBJECT_HANDLE key;
	CK_BYTE signature[256];
	must_ok(a->C_Initialize(NULL));
	must_ok(b->C_Initialize(NULL));
	CK_SLOT_ID slot = first_slot(a);
	CK_SESSION_HANDLE of_a = login(a, slot), of_b = login(b, slot);
	must_ok(a->C_FindObjectsInit(of_a, template, 2));
	must_ok(a->C_FindObjects(of_a, &key, 1, &n));
	must_ok(a->C_FindObjectsFinal(of_a));
	must_ok(b->C_SignInit(of_b, &mechanism, key));
	n = sizeof signature;
	must_ok(b->C_Sign(of_b, (CK_BYTE *)"a message", 9, signature, &n));
	must(b->C_CloseSession(of_a) == CKR_SESSION_HANDLE_INVALID);
	must_ok(a->C_Finalize(NULL));
	must(a->C_GetInfo(&(CK_INFO){ 0 }) == CKR_CRYPTOKI_NOT_INITIALIZED);
	must_ok(b->C_CloseSession(of_b));
	must_ok(b->C_Finalize(NULL));
	p11_kit_modules_release(a_array);
	p11_kit_modules_release(b_array);
}

#define THREADS 8
#define CALLS 200

static list_t shared;

static void *many_calls(void *data)
{
	CK_SLOT_ID slot = first_slot(shared);
	CK_SESSION_HANDLE session;
	CK_MECHANISM_TYPE types[200];
	(void)data;
	must_ok(shared->C_OpenSession(slot, CKF_SERIAL_SESSION, NULL, NULL, &session));
	for (int i = 0; i < CALLS; i++) {
		CK_SESSION_INFO info;
		CK_ULONG n = 200;
		must_ok(shared->C_GetSessionInfo(session, &info));
		must_ok(shared->C_GetMechanismList(slot, types, &n));
	}
	must_ok(shared->C_CloseSession(session));
	return NULL;
}

static void threads(void)
{
	CK_FUNCTION_LIST **array;
	pthread_t all[THREADS];
	shared = load_as("threads", &array);
	must_ok(shared->C_Initialize(NULL));
	for (int i = 0; i < THREADS; i++)
		must(pthread_create(&all[i], NULL, many_calls, NULL) == 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(all[i], NULL);
	p11_kit_modules_finalize_and_release(array);
}

/* More than any pipe holds; nobody reads. Then the flags of the host's descriptor are as they were. */
static void many(void)
{
	int flags = fcntl(2, F_GETFL);
	threads();
	must(fcntl(2, F_GETFL) == flags && !(flags & O_NONBLOCK));
}

static void forks(void)
{
	CK_FUNCTION_LIST **array;
	list_t list = load_as("parent", &array);
	int status;
	must_ok(list->C_Initialize(NULL));
	first_slot(list);
	pid_t pid = fork();
	must(pid >= 0);
	if (pid == 0) {
		must(list->C_GetInfo(&(CK_INFO){ 0 }) == CKR_CRYPTOKI_NOT_INITIALIZED);
		p11_kit_set_progname("child");
		must_ok(list->C_Initialize(NULL));
		first_slot(list);
		must_ok(list->C_Finalize(NULL));
		_exit(0);
	}
	must(waitpid(pid, &status, 0) == pid && status == 0);
	first_slot(list);
	p11_kit_modules_finalize_and_release(array);
}

/* The proxy module, in a child too. */
static void use_proxy(list32_t p)
{
	CK_SESSION_HANDLE session;
	CK_SESSION_INFO info;
	must_ok(p->C_Initialize(NULL));
	CK_SLOT_ID slot = proxy_slot_labelled(p, "token");
	must_ok(p->C_OpenSession(slot, CKF_SERIAL_SESSION, NULL, NULL, &session));
	must_ok(p->C_GetSessionInfo(session, &info));
	must(info.slotID == slot);
	must_ok(p->C_Logout(session));
	must(p->C_GetFunctionStatus(session) == CKR_FUNCTION_NOT_PARALLEL);
	must_ok(p->C_CloseSession(session));
	must(p->C_Logout(session) == CKR_SESSION_HANDLE_INVALID);
	must_ok(p->C_Finalize(NULL));
}

static void through_proxy(void)
{
	int status;
	proxy_open();
	p11_kit_set_progname("proxied");
	list32_t p = proxy_new();
	use_proxy(p);
	pid_t pid = fork();
	must(pid >= 0);
	if (pid == 0) {
		use_proxy(p);
		_exit(0);
	}
	must(waitpid(pid, &status, 0) == pid && status == 0);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*fn)(void);
	} hosts[] = {
		{ "example", example }, { "two", two }, { "threads", threads }, { "fork", forks }, { "many", many }, { "proxy", through_proxy },
	};
	use_conf();
	for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
		if (argc == 2 && strcmp(argv[1], hosts[i].name) == 0) {
			hosts[i].fn();
			puts("done");
			return 0;
		}
	}
	die("usage: log_host example|two|threads|fork|many|proxy");
}
