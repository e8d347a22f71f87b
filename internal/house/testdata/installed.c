/* A program of somebody who has installed the library: says where it comes from, and loads the module it is given. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>

#include <p11-kit/p11-kit.h>

int main(int argc, char **argv)
{
	Dl_info info;
	CK_FUNCTION_LIST *module;
	CK_INFO token;

	if (argc != 2 || !dladdr((void *)p11_kit_module_load, &info))
		return 2;
	if (!(module = p11_kit_module_load(argv[1], 0))) {
		fprintf(stderr, "%s\n", p11_kit_message());
		return 1;
	}
	if (p11_kit_module_initialize(module) != CKR_OK || module->C_GetInfo(&token) != CKR_OK)
		return 1;
	printf("%s\n%d.%d\n", info.dli_fname, token.cryptokiVersion.major, token.cryptokiVersion.minor);
	if (p11_kit_module_finalize(module) != CKR_OK)
		return 1;
	p11_kit_module_release(module);
	return 0;
}
