/*
 * Serves on descriptors 0 and 1, as the commands of remote modules do:
 *
 *   serve module FILE            a module
 *   serve managed FILE           the same, by a managed list
 *   serve configured NAME        the same, of the configured module with a name
 *   serve forked FILE            the same in a child, of a host that uses the module itself
 *   serve token FILE LABEL       the tokens of a module with a label
 *   serve tokens FILE URI...     the tokens of a module that URIs name; of all modules if FILE is -
 *
 * Exits with what the function gave.
 */
#include "common.h"

#include <p11-kit/remote.h>
#include <sys/wait.h>
#include <unistd.h>

static CK_FUNCTION_LIST *own_list(const char *file)
{
	CK_FUNCTION_LIST *list = p11_kit_module_load(file, P11_KIT_MODULE_UNMANAGED);

	if (!list)
		die("%s: %s", file, p11_kit_message());
	return list;
}

static CK_FUNCTION_LIST *managed_list(const char *file)
{
	CK_FUNCTION_LIST *list = p11_kit_module_load(file, 0);

	if (!list)
		die("%s: %s", file, p11_kit_message());
	return list;
}

static CK_FUNCTION_LIST *configured_list(const char *name)
{
	CK_FUNCTION_LIST **all = p11_kit_modules_load(NULL, 0);

	for (; all && *all; all++) {
		char *of = p11_kit_module_get_name(*all);
		bool same = of && strcmp(of, name) == 0;

		free(of);
		if (same)
			return *all;
	}
	die("%s: %s", name, p11_kit_message());
}

static int serve_forked(const char *file)
{
	CK_FUNCTION_LIST *list = managed_list(file);
	CK_SESSION_HANDLE session;
	CK_SLOT_ID slots[16];
	CK_ULONG n = 16;
	int status;
	pid_t child;

	must_ok(p11_kit_module_initialize(list));
	must_ok(list->C_GetSlotList(CK_TRUE, slots, &n));
	must(n > 0);
	must_ok(list->C_OpenSession(slots[0], CKF_SERIAL_SESSION, NULL, NULL, &session));
	child = fork();
	if (child == 0)
		_exit(p11_kit_remote_serve_module(list, 0, 1));
	must(child > 0 && waitpid(child, &status, 0) == child);
	must_ok(list->C_CloseSession(session));
	must_ok(p11_kit_module_finalize(list));
	return WIFEXITED(status) ? WEXITSTATUS(status) : 100;
}

int main(int argc, char **argv)
{
	if (argc < 3)
		die("usage: serve module|managed|configured|forked|token|tokens FILE ...");
	use_conf();
	if (strcmp(argv[1], "module") == 0)
		return p11_kit_remote_serve_module(own_list(argv[2]), 0, 1);
	if (strcmp(argv[1], "managed") == 0)
		return p11_kit_remote_serve_module(managed_list(argv[2]), 0, 1);
	if (strcmp(argv[1], "configured") == 0)
		return p11_kit_remote_serve_module(configured_list(argv[2]), 0, 1);
	if (strcmp(argv[1], "forked") == 0)
		return serve_forked(argv[2]);
	if (strcmp(argv[1], "token") == 0 && argc == 4) {
		CK_TOKEN_INFO token = { 0 };

		memset(token.label, ' ', sizeof token.label);
		memcpy(token.label, argv[3], strnlen(argv[3], sizeof token.label));
		return p11_kit_remote_serve_token(own_list(argv[2]), &token, 0, 1);
	}
	if (strcmp(argv[1], "tokens") == 0)
		return p11_kit_remote_serve_tokens((const char **)argv + 3, argc - 3,
		                                   strcmp(argv[2], "-") ? own_list(argv[2]) : NULL, 0, 1);
	die("no such way to serve: %s", argv[1]);
}
