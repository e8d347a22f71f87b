/* Hosts with next to nothing left at the first use: they are told so, and live. */
#include "quiet.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Either it works, or there is a message; in any case the host goes on. */
static void try_to_use(void)
{
	list_t m = p11_kit_module_load(module_path("a"), 0);

	if (m == NULL) {
		must(p11_kit_message() != NULL);
		return;
	}
	quiet_use(m);
	p11_kit_module_release(m);
}

static void *nothing(void *arg)
{
	return arg;
}

/* No thread can be made. */
void quiet_no_threads(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 1, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone3, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EAGAIN),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { sizeof code / sizeof code[0], code };
	pthread_t t;

	must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	must(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0);
	must(pthread_create(&t, NULL, nothing, NULL) != 0);
	try_to_use();
	try_to_use();
}

/* Hardly any address space is left; later there is enough again. */
void quiet_no_memory(void)
{
	struct rlimit old, little;
	long pages = 0;
	FILE *f = fopen("/proc/self/statm", "re");

	must(f && fscanf(f, "%ld", &pages) == 1);
	fclose(f);
	must(getrlimit(RLIMIT_AS, &old) == 0);
	little = old;
	little.rlim_cur = pages * sysconf(_SC_PAGESIZE) + (24 << 20);
	must(setrlimit(RLIMIT_AS, &little) == 0);
	try_to_use();
	must(setrlimit(RLIMIT_AS, &old) == 0);
	quiet_use(quiet_load("a"));
}
