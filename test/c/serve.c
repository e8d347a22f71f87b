/*
 * Serves on descriptors 0 and 1, as the commands of remote modules do:
 *
 *   serve module FILE            a module
 *   serve managed FILE           the same, by a managed list
 *   serve token FILE LABEL       the tokens of a module with a label
 *   serve tokens FILE URI...     the tokens of a module that URIs name; of all modules if FILE is -
 *
 * Exits with what the function gave.
 */
#include "common.h"

#include <p11-kit/remote.h>

/* The module's own list: from its C_GetInterface as the library takes it, or from C_GetFunctionList. */
static CK_FUNCTION_LIST *own_list(const char *file)
{
	CK_FUNCTION_LIST *list = p11_kit_module_load(file, P11_KIT_MODULE_UNMANAGED);

	if (!list)
		die("%s: %s", file, p11_kit_message());
	return list;
}

int main(int argc, char **argv)
{
	if (argc < 3)
		die("usage: serve module|managed|token|tokens FILE ...");
	use_conf();
	if (strcmp(argv[1], "module") == 0)
		return p11_kit_remote_serve_module(own_list(argv[2]), 0, 1);
	if (strcmp(argv[1], "managed") == 0) {
		CK_FUNCTION_LIST *list = p11_kit_module_load(argv[2], 0);

		if (!list)
			die("%s: %s", argv[2], p11_kit_message());
		return p11_kit_remote_serve_module(list, 0, 1);
	}
	if (strcmp(argv[1], "token") == 0 && argc == 4) {
		CK_TOKEN_INFO token = { 0 };

		memset(token.label, ' ', sizeof token.label);
		memcpy(token.label, argv[3], strlen(argv[3]));
		return p11_kit_remote_serve_token(own_list(argv[2]), &token, 0, 1);
	}
	if (strcmp(argv[1], "tokens") == 0)
		return p11_kit_remote_serve_tokens((const char **)argv + 3, argc - 3,
		                                   strcmp(argv[2], "-") ? own_list(argv[2]) : NULL, 0, 1);
	die("no such way to serve: %s", argv[1]);
}
