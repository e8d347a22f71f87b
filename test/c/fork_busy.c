/* Forks while threads are busy in the library, from handlers of fork itself, and
 * in sandboxes that leave little to a child. */
#include "fork.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

static atomic_bool stop;
static list_t busy;

static void *work(void *arg)
{
	CK_BYTE random[16];
	CK_SESSION_INFO info;
	CK_SESSION_HANDLE s;

	while (!atomic_load(&stop)) {
		must_ok(busy->C_OpenSession(1 + (arg != NULL), CKF_SERIAL_SESSION, NULL, NULL, &s));
		must_ok(busy->C_GetSessionInfo(s, &info));
		must_ok(busy->C_GenerateRandom(s, random, sizeof random));
		must_ok(busy->C_CloseSession(s));
		if (arg != NULL) {
			/* Also the part that loads, so that its locks are often held. */
			list_t other = p11_kit_module_load(module_path("a"), 0);

			must(other);
			must_ok(other->C_Initialize(NULL));
			must_ok(other->C_Finalize(NULL));
			p11_kit_module_release(other);
		}
	}
	return NULL;
}

static void child_of_busy(void *label)
{
	CK_SESSION_HANDLE s;
	list_t fresh;

	must_ok(busy->C_Initialize(NULL));
	must_ok(busy->C_OpenSession(1, CKF_SERIAL_SESSION, NULL, NULL, &s));
	must_ok(busy->C_Finalize(NULL));
	fresh = p11_kit_module_load(module_path("b"), 0);
	must(fresh);
	must_ok(fresh->C_Initialize(NULL));
	fork_use(label);
	exit(0);
}

void fork_busy(void)
{
	counting_t c = counting_open("a");
	pthread_t t[8];
	int i;

	fork_load();
	busy = p11_kit_module_load(module_path("a"), 0);
	must(busy);
	must_ok(busy->C_Initialize(NULL));
	for (i = 0; i < 8; i++)
		must(pthread_create(&t[i], NULL, work, i % 2 ? rsa : NULL) == 0);
	for (i = 0; i < 25; i++) {
		fork_expect_child(child_of_busy, i % 2 ? rsa : ec);
		sleep_ms(i % 7);
	}
	atomic_store(&stop, true);
	for (i = 0; i < 8; i++)
		pthread_join(t[i], NULL);
	must(c.get("open") == 0);
	must_ok(busy->C_Finalize(NULL));
	if (c.get("faults"))
		die("%s", c.text("fault"));
	fork_use("rsa");
}

static bool in_handler;

static void child_handler(void)
{
	/* run_child's own children come here too; only one is of interest. */
	if (!in_handler)
		return;
	in_handler = false;
	must_ok(m->C_Initialize(NULL));
}

static void child_after_handler(void *arg)
{
	CK_INFO info;

	(void)arg;
	must_ok(m->C_GetInfo(&info));
	must_rv(m->C_Initialize(NULL), CKR_CRYPTOKI_ALREADY_INITIALIZED);
	must_ok(m->C_Finalize(NULL));
	fork_use("rsa");
}

/* A library that initialises again inside its pthread_atfork handler. */
void fork_atfork(void)
{
	fork_load();
	must(pthread_atfork(NULL, NULL, child_handler) == 0);
	must_ok(m->C_Initialize(NULL));
	in_handler = true;
	fork_expect_child(child_after_handler, NULL);
	in_handler = false;
	must_ok(m->C_Finalize(NULL));
}

/* Makes memfd_create fail from now on, and with no_files the creation of files
 * as well. */
static void sandbox(bool no_files)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_memfd_create, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[2])),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K,
			 no_files ? O_CREAT | (O_TMPFILE & ~O_DIRECTORY) : 0, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EACCES),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { sizeof code / sizeof code[0], code };

	must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	must(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0);
	must(syscall(SYS_memfd_create, "x", 0) < 0 && errno == EPERM);
}

static void child_signs_in_sandbox(void *arg)
{
	(void)arg;
	fork_use("rsa");
}

/* Without memfd_create another way is found. */
void fork_no_memfd(void)
{
	fork_load();
	must_ok(m->C_Initialize(NULL));
	sandbox(false);
	fork_expect_child(child_signs_in_sandbox, NULL);
	must_ok(m->C_Finalize(NULL));
	fork_use("ec");
}

static void child_has_nothing(void *arg)
{
	CK_INFO info;
	CK_RV rv = m->C_Initialize(NULL);

	(void)arg;
	must(rv == CKR_OK || p11_kit_message() != NULL);
	must_rv(m->C_GetInfo(&info), rv == CKR_OK ? CKR_OK : CKR_CRYPTOKI_NOT_INITIALIZED);
}

/* Without any file either, a child may fail, but it is told and goes on. */
void fork_no_files(void)
{
	list_t counting = p11_kit_module_load(module_path("a"), 0);
	CK_INFO info;

	must(counting);
	m = counting;
	must_ok(m->C_Initialize(NULL));
	sandbox(true);
	must(open("/tmp/p11mux-test-file", O_RDWR | O_CREAT, 0600) < 0 && errno == EACCES);
	fork_expect_child(child_has_nothing, NULL);
	must_ok(m->C_GetInfo(&info));
	must_ok(m->C_Finalize(NULL));
}
