/*
 * Hosts that fork with the proxy module in use, and hosts that look at its
 * interfaces: proxy_fork CASE.  The only module is SoftHSM.
 */
#include "token.h"

#include <dlfcn.h>
#include <pthread.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static CK_RV (*get_list)(CK_FUNCTION_LIST **);
static CK_RV (*get_interface)(CK_UTF8CHAR *, CK_VERSION *, CK_INTERFACE **, CK_FLAGS);
static CK_RV (*get_interfaces)(CK_INTERFACE *, CK_ULONG *);
static const char data[] = "signed through the proxy";
static list_t m;
static CK_SLOT_ID slot;
static CK_SESSION_HANDLE session;

static void prepare(void)
{
	void *handle = dlopen("p11-kit-proxy.so", RTLD_NOW | RTLD_LOCAL);

	if (handle == NULL)
		die("%s", dlerror());
	*(void **)&get_list = dlsym(handle, "C_GetFunctionList");
	*(void **)&get_interface = dlsym(handle, "C_GetInterface");
	*(void **)&get_interfaces = dlsym(handle, "C_GetInterfaceList");
	must(get_list != NULL);
}

static void sign(const char *label)
{
	struct signature sig;

	must_ok(token_sign(m, session, label, data, sizeof data, &sig));
	must_ok(token_verify(m, session, label, data, sizeof data, &sig));
}

static void begin(void)
{
	must_ok(get_list(&m));
	must_ok(m->C_Initialize(NULL));
	slot = token_slot(m);
	session = token_login(m);
	sign("rsa");
}

static void go_on(void)
{
	sign("rsa");
	must_ok(m->C_CloseSession(session));
	must_ok(m->C_Finalize(NULL));
}

static void expect_child(void (*fn)(void *))
{
	int status = run_child(fn, NULL, 30);

	if (status != 0)
		die("the child ended with %d", status);
}

/* In a child nothing is initialized, and what the parent had is not there. */
static void child_asks(void *arg)
{
	CK_SESSION_INFO info;
	CK_SLOT_INFO slot_info;
	CK_ULONG n = 0;
	CK_SLOT_ID event;

	(void)arg;
	must_rv(m->C_GetSessionInfo(session, &info), CKR_CRYPTOKI_NOT_INITIALIZED);
	must_rv(m->C_GetSlotInfo(slot, &slot_info), CKR_CRYPTOKI_NOT_INITIALIZED);
	must_rv(m->C_GetSlotList(CK_FALSE, NULL, &n), CKR_CRYPTOKI_NOT_INITIALIZED);
	must_rv(m->C_WaitForSlotEvent(CKF_DONT_BLOCK, &event, NULL), CKR_CRYPTOKI_NOT_INITIALIZED);
	must_rv(m->C_CloseSession(session), CKR_CRYPTOKI_NOT_INITIALIZED);
	must_rv(m->C_CloseAllSessions(slot), CKR_CRYPTOKI_NOT_INITIALIZED);
	must_rv(m->C_Finalize(NULL), CKR_CRYPTOKI_NOT_INITIALIZED);
	must_rv(m->C_Finalize(NULL), CKR_CRYPTOKI_NOT_INITIALIZED);
	must_rv(m->C_GetSlotList(CK_FALSE, NULL, &n), CKR_CRYPTOKI_NOT_INITIALIZED);
}

/* It can initialize the instance that it inherited: slots have their ids, sessions are new. */
static void child_signs(void *arg)
{
	CK_SESSION_HANDLE parents = session;
	CK_SESSION_INFO info;

	(void)arg;
	must_ok(m->C_Initialize(NULL));
	must(token_slot(m) == slot);
	must_rv(m->C_GetSessionInfo(parents, &info), CKR_SESSION_HANDLE_INVALID);
	session = token_login(m);
	must(session != parents);
	must_ok(m->C_GetSessionInfo(session, &info));
	must(info.slotID == slot);
	sign("ec");
	must_ok(m->C_Finalize(NULL));
	must_ok(m->C_Initialize(NULL));
	session = token_login(m);
	sign("rsa");
	must_ok(m->C_Finalize(NULL));
}

static void child_of_child(void *arg)
{
	child_asks(arg);
	expect_child(child_signs);
	child_signs(arg);
}

static void inherited(void)
{
	begin();
	expect_child(child_asks);
	expect_child(child_signs);
	expect_child(child_of_child);
	go_on();
}

static void many_children(void)
{
	pid_t pids[20];
	int i, status;

	begin();
	for (i = 0; i < 20; i++) {
		pids[i] = fork();
		must(pids[i] >= 0);
		if (pids[i] == 0) {
			alarm(30);
			child_signs(NULL);
			_exit(0);
		}
	}
	for (i = 0; i < 20; i++) {
		must(waitpid(pids[i], &status, 0) == pids[i]);
		if (status != 0)
			die("child %d ended with %#x", i, status);
	}
	go_on();
}

static _Atomic int stop;

static void *busy(void *arg)
{
	CK_SESSION_HANDLE s;
	CK_SESSION_INFO info;

	(void)arg;
	while (!stop) {
		must_ok(m->C_OpenSession(slot, CKF_SERIAL_SESSION, NULL, NULL, &s));
		must_ok(m->C_GetSessionInfo(s, &info));
		must(info.slotID == slot);
		must_ok(m->C_CloseSession(s));
		must_rv(m->C_GetSessionInfo(s, &info), CKR_SESSION_HANDLE_INVALID);
	}
	return NULL;
}

/* Children of a process whose other threads are inside calls. */
static void busy_parent(void)
{
	pthread_t threads[8];
	int i;

	begin();
	for (i = 0; i < 8; i++)
		must(pthread_create(&threads[i], NULL, busy, NULL) == 0);
	for (i = 0; i < 10; i++)
		expect_child(child_asks);
	stop = 1;
	for (i = 0; i < 8; i++)
		must(pthread_join(threads[i], NULL) == 0);
	go_on();
}

/* The interfaces of the proxy, each an instance of its own. */
static void interfaces(void)
{
	static const CK_VERSION versions[] = { { 2, 40 }, { 3, 0 }, { 3, 1 }, { 3, 2 } };
	CK_INTERFACE *interface, all[8];
	CK_FUNCTION_LIST_3_2 *list;
	CK_VERSION none = { 4, 0 };
	CK_ULONG count = 0, i;
	CK_INFO info;

	must_rv(get_list(NULL), CKR_ARGUMENTS_BAD);
	must_ok(get_list(&m));
	must(m->version.major == 2 && m->version.minor == 40);
	for (i = 0; i < sizeof versions / sizeof *versions; i++) {
		CK_VERSION version = versions[i];

		must_ok(get_interface((CK_UTF8CHAR *)"PKCS 11", &version, &interface, 0));
		list = interface->pFunctionList;
		must(memcmp(&list->version, &version, sizeof version) == 0 && interface->flags == 0);
		must(list->C_Initialize != NULL && list->C_WaitForSlotEvent != NULL && list->C_UnwrapKeyAuthenticated != NULL);
		must_rv(list->C_GetInfo(&info), CKR_CRYPTOKI_NOT_INITIALIZED);
		/* As SoftHSM has it. */
		must_rv(list->C_GetFunctionStatus(1), CKR_CRYPTOKI_NOT_INITIALIZED);
		must_rv(list->C_Finalize(list), CKR_CRYPTOKI_NOT_INITIALIZED);
		must_ok(list->C_Initialize(NULL));
		must_rv(list->C_Initialize(NULL), CKR_CRYPTOKI_ALREADY_INITIALIZED);
		must_rv(list->C_GetInfo(NULL), CKR_ARGUMENTS_BAD);
		must_ok(list->C_GetInfo(&info));
		must(memcmp(&info.cryptokiVersion, &version, sizeof version) == 0);
		/* SoftHSM is a module of 2.40. */
		session = token_login((list_t)list);
		must_rv(list->C_GetFunctionStatus(session), CKR_FUNCTION_NOT_PARALLEL);
		must_rv(list->C_CancelFunction(session), CKR_FUNCTION_NOT_PARALLEL);
		must_rv(list->C_SessionCancel(session, 0), CKR_FUNCTION_NOT_SUPPORTED);
		must_rv(list->C_Finalize(list), CKR_ARGUMENTS_BAD);
		must_ok(list->C_Finalize(NULL));
	}
	must_ok(get_interface(NULL, NULL, &interface, 0));
	list = interface->pFunctionList;
	must(list->version.major == 3 && list->version.minor == 2);
	must_rv(get_interface(NULL, NULL, NULL, 0), CKR_ARGUMENTS_BAD);
	must_rv(get_interface(NULL, &none, &interface, 0), CKR_ARGUMENTS_BAD);
	must_rv(get_interface((CK_UTF8CHAR *)"PKCS 12", NULL, &interface, 0), CKR_ARGUMENTS_BAD);
	must_rv(get_interface(NULL, NULL, &interface, CKF_INTERFACE_FORK_SAFE), CKR_ARGUMENTS_BAD);

	must_rv(get_interfaces(NULL, NULL), CKR_ARGUMENTS_BAD);
	must_ok(get_interfaces(NULL, &count));
	must(count == 4);
	count = 1;
	must_rv(get_interfaces(all, &count), CKR_BUFFER_TOO_SMALL);
	must(count == 4);
	count = 8;
	must_ok(get_interfaces(all, &count));
	must(count == 4);
	for (i = 0; i < count; i++)
		must(all[i].flags == 0 && strcmp((char *)all[i].pInterfaceName, "PKCS 11") == 0);
	must_ok(((list_t)all[0].pFunctionList)->C_Initialize(NULL));
	must_rv(((list_t)all[1].pFunctionList)->C_Finalize(NULL), CKR_CRYPTOKI_NOT_INITIALIZED);
	must_ok(((list_t)all[0].pFunctionList)->C_Finalize(NULL));
}

/* What p11-kit's own functions say of an instance (abi.md 7.1). */
static void asked_for(void)
{
	begin();
	must(p11_kit_module_get_name(m) == NULL && p11_kit_module_get_filename(m) == NULL);
	must(p11_kit_module_get_flags(m) == P11_KIT_MODULE_CRITICAL);
	p11_kit_module_release(m);
	go_on();
}

/* The proxy that is configured as one of its own modules is left out, with a message. */
static void itself(void)
{
	char text[4200];
	CK_ULONG count = 0, again = 0;
	Dl_info self;

	begin();
	must_ok(m->C_GetSlotList(CK_FALSE, NULL, &count));
	go_on();
	must(dladdr(*(void **)&get_list, &self));
	snprintf(text, sizeof text, "module: %s\n", self.dli_fname);
	conf_file("modules/itself.module", text);
	must(p11_kit_module_load(self.dli_fname, 0) == NULL);
	must(strstr(p11_kit_message(), "refusing to load the p11-kit-proxy.so module as a registered module") != NULL);
	begin();
	must_ok(m->C_GetSlotList(CK_FALSE, NULL, &again));
	must(again == count);
	go_on();
}

/* Handles that are none, belong to somebody else, or are closed. */
static void handles(void)
{
	static const CK_ULONG bad[] = { 0, 1, 16, 1000, 1ul << 18, (1ul << 18) - 1, ~0ul, ~0ul - 1, 1ul << 63 };
	CK_SESSION_INFO info;
	CK_SLOT_INFO slot_info;
	CK_SESSION_HANDLE s;
	list_t other;
	size_t i;

	begin();
	for (i = 0; i < sizeof bad / sizeof *bad; i++) {
		must_rv(m->C_GetSessionInfo(bad[i], &info), CKR_SESSION_HANDLE_INVALID);
		must_rv(m->C_Logout(bad[i]), CKR_SESSION_HANDLE_INVALID);
		must_rv(m->C_CloseSession(bad[i]), CKR_SESSION_HANDLE_INVALID);
		must_rv(m->C_GetSlotInfo(bad[i], &slot_info), CKR_SLOT_ID_INVALID);
		must_rv(m->C_OpenSession(bad[i], CKF_SERIAL_SESSION, NULL, NULL, &s), CKR_SLOT_ID_INVALID);
		must_rv(m->C_CloseAllSessions(bad[i]), CKR_SLOT_ID_INVALID);
	}
	must_ok(get_list(&other));
	must_ok(other->C_Initialize(NULL));
	must(token_slot(other) == slot);
	must_ok(other->C_OpenSession(slot, CKF_SERIAL_SESSION, NULL, NULL, &s));
	must_rv(other->C_GetSessionInfo(session, &info), CKR_SESSION_HANDLE_INVALID);
	must_rv(m->C_GetSessionInfo(s, &info), CKR_SESSION_HANDLE_INVALID);
	must_rv(m->C_CloseSession(s), CKR_SESSION_HANDLE_INVALID);
	must_ok(other->C_CloseAllSessions(slot));
	must_rv(other->C_GetSessionInfo(s, &info), CKR_SESSION_HANDLE_INVALID);
	must_ok(other->C_Finalize(NULL));
	go_on();
}

int main(int argc, char **argv)
{
	static const struct host_case cases[] = {
		{ "inherited", inherited, true },
		{ "many_children", many_children, true },
		{ "busy_parent", busy_parent, true },
		{ "interfaces", interfaces, true },
		{ "asked_for", asked_for, true },
		{ "itself", itself, true },
		{ "handles", handles, true },
	};

	return run_cases(cases, sizeof cases / sizeof cases[0], argc, argv, prepare);
}
