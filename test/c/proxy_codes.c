/*
 * Calls every function of a PKCS#11 module in right and in wrong ways, and
 * prints what it answers, so that a module and a proxy of it can be compared
 * line by line:
 *
 *   proxy_codes --groups
 *   proxy_codes MODULE.so softhsm|softtoken VERSION LAST EXTRA GROUP
 *
 * VERSION is that of the interface to ask for, such as 3.0, or "list" for
 * C_GetFunctionList; LAST is how many functions the compared module has; EXTRA
 * is how many slots the list has that are not the compared module's.
 *
 * Cases run in a child.  If one ends it, by a signal or otherwise, that is what
 * is printed, and the next case begins in a new child.
 */
#include "codes.h"

#include <dlfcn.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/wait.h>

static const struct code_group *const groups[] = {
	&before_group, &after_group, &functions_group, &life_group, &slots_group, &sessions_group,
	&pins_group, &objects_group, &search_group, &crypto_group, &keys_group, &messages_group,
	&token_group, &removed_group,
};
#define GROUPS (sizeof groups / sizeof *groups)

/* After how many seconds a case hangs. */
#define TOO_LONG 30

CK_FUNCTION_LIST_3_2 *mod;
int last;
CK_SLOT_ID slot;
CK_SESSION_HANDLE session;
CK_ULONG extra_slots;
bool has_free_slot;
const char *so_pin, *token_dir;

static const char *module_file, *label, *group_name;
static char case_name[CASE_NAME];
static const char *version;

/* What the parent knows of its child. */
static struct progress {
	size_t next;
	bool running;
	char name[CASE_NAME];
} *progress;

void report_result(const char *step, CK_RV rv, const char *facts, ...)
{
	char text[512];
	va_list va;

	va_start(va, facts);
	vsnprintf(text, sizeof text, facts, va);
	va_end(va);
	printf("%s %s%s%s: %s%s%s\n", group_name, case_name, step ? "/" : "", step ? step : "", rv_name(rv),
	       *text ? " " : "", text);
	fflush(stdout);
}

CK_SESSION_HANDLE open_another(CK_FLAGS flags)
{
	CK_SESSION_HANDLE s = 0;

	need(mod->C_OpenSession(slot, flags | CKF_SERIAL_SESSION, NULL, NULL, &s));
	return s;
}

static void load(void)
{
	void *dl = dlopen(module_file, RTLD_NOW | RTLD_LOCAL);
	CK_C_GetFunctionList get_list;
	CK_C_GetInterface get_interface;
	CK_INTERFACE *interface = NULL;
	CK_VERSION v = { 0, 0 };
	CK_RV rv;

	if (dl == NULL)
		die("%s", dlerror());
	if (sscanf(version, "%hhu.%hhu", &v.major, &v.minor) != 2) {
		*(void **)&get_list = dlsym(dl, "C_GetFunctionList");
		must(get_list);
		rv = get_list((CK_FUNCTION_LIST **)(void *)&mod);
	} else {
		*(void **)&get_interface = dlsym(dl, "C_GetInterface");
		must(get_interface);
		rv = get_interface(NULL, &v, &interface, 0);
		if (rv == CKR_OK)
			mod = interface->pFunctionList;
	}
	if (rv != CKR_OK || mod == NULL)
		die("no list of version %s: %s; %s", version, rv_name(rv), last_message());
}

static void find_slot(void)
{
	CK_SLOT_ID slots[64];
	CK_ULONG n = 64, i;
	CK_TOKEN_INFO info;
	char padded[33];

	snprintf(padded, sizeof padded, "%-32s", label);
	need(mod->C_GetSlotList(CK_TRUE, slots, &n));
	for (i = 0; i < n; i++) {
		need(mod->C_GetTokenInfo(slots[i], &info));
		if (memcmp(info.label, padded, sizeof info.label) == 0) {
			slot = slots[i];
			return;
		}
	}
	die("no slot of %lu has the token \"%s\"", n, label);
}

/* Brings the module into the state that a case needs. */
static void provide(enum needs needs)
{
	mod->C_Finalize(NULL);
	if (needs == NOTHING)
		return;
	need(mod->C_Initialize(NULL));
	find_slot();
	if (needs == MODULE)
		return;
	session = open_another(CKF_RW_SESSION);
	if (needs == USER)
		need(mod->C_Login(session, CKU_USER, USER_PIN, USER_PIN_N));
}

static size_t group_count(const struct code_group *g)
{
	return g->count ? g->count() : g->n;
}

static void run_from(const struct code_group *g, size_t i)
{
	size_t n = group_count(g);
	enum needs needs;

	load();
	for (; i < n; i++) {
		progress->next = i + 1;
		if (g->describe) {
			needs = g->describe(i, case_name);
		} else {
			needs = g->cases[i].needs;
			snprintf(case_name, sizeof case_name, "%s", g->cases[i].name);
		}
		memcpy(progress->name, case_name, sizeof case_name);
		alarm(TOO_LONG);
		provide(needs);
		if (g->run)
			g->run(i);
		else
			g->cases[i].fn();
		alarm(0);
	}
	progress->running = false;
	exit(0);
}

static void run_group(const struct code_group *g)
{
	int status;
	pid_t pid;

	progress->running = true;
	while (progress->running && progress->next < group_count(g)) {
		fflush(stdout);
		pid = fork();
		must(pid >= 0);
		if (pid == 0)
			run_from(g, progress->next);
		must(waitpid(pid, &status, 0) == pid);
		if (!progress->running && status == 0)
			break;
		if (WIFSIGNALED(status))
			printf("%s %s: signal %d\n", g->name, progress->name, WTERMSIG(status));
		else
			printf("%s %s: exit %d\n", g->name, progress->name, WEXITSTATUS(status));
	}
}

int main(int argc, char **argv)
{
	size_t i;

	if (argc == 2 && strcmp(argv[1], "--groups") == 0) {
		for (i = 0; i < GROUPS; i++)
			puts(groups[i]->name);
		return 0;
	}
	if (argc != 7)
		die("usage: proxy_codes --groups | MODULE.so softhsm|softtoken VERSION LAST EXTRA GROUP");
	module_file = argv[1];
	has_free_slot = strcmp(argv[2], "softhsm") == 0;
	label = has_free_slot ? "token" : "p11mux demo";
	so_pin = has_free_slot ? "5678" : "12345678";
	version = argv[3];
	last = atoi(argv[4]);
	extra_slots = strtoul(argv[5], NULL, 10);
	group_name = argv[6];
	token_dir = getenv("TEST_TOKEN_DIR");
	progress = mmap(NULL, sizeof *progress, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	must(progress != MAP_FAILED);
	for (i = 0; i < GROUPS; i++)
		if (strcmp(groups[i]->name, group_name) == 0) {
			run_group(groups[i]);
			return 0;
		}
	die("no group %s", group_name);
}
