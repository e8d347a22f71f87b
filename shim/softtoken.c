/*
 * The C face of the bundled token: a PKCS#11 module whose every function is a
 * few words of C before the engine (internal/softtoken has the token itself).
 *
 * The engine is loaded and kept as libp11-kit's is, so the module may be used in
 * a process that forks; a child starts with a new, empty token.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <string.h>
#include <sys/mman.h>

#include "internal.h"
#include "zfunctions.h"

static p11_token_call token_call;
static void (*token_warm)(void);

const char *p11_engine_bind(void *dl)
{
	p11_token_start start = (p11_token_start)dlsym(dl, "p11mux_engine_token_start");
	token_call = (p11_token_call)dlsym(dl, "p11mux_engine_token_call");
	token_warm = (void (*)(void))dlsym(dl, "p11mux_engine_warm");
	return start && token_call && token_warm && start(P11_ENGINE_ABI) == 0 ? NULL : P11_OTHER_BUILD;
}

/* The token's engine is its own. */
bool p11_engine_join(void)
{
	return false;
}

void p11_engine_warm(void)
{
	token_warm();
}

/* A page of its own, for the kernel wipes whole pages. */
static struct {
	_Alignas(4096) _Atomic uint32_t mark;
	char rest[4096 - sizeof(uint32_t)];
} page;

bool p11_process_marked(void)
{
	return atomic_load(&page.mark) != 0;
}

void p11_process_mark(void)
{
	madvise(&page, sizeof page, MADV_WIPEONFORK);
	atomic_store(&page.mark, 1);
}

void p11_process_forget(void)
{
}

void p11_process_forked(void)
{
}

static CK_RV call(int function, uintptr_t words[10])
{
	return p11_engine_enter() ? token_call(function, words) : CKR_GENERAL_ERROR;
}

/* P11_WORDS(a, b, ...) is each argument as a word. */
#define P11_W1(a) (uintptr_t)(a)
#define P11_W2(a, ...) P11_W1(a), P11_W1(__VA_ARGS__)
#define P11_W3(a, ...) P11_W1(a), P11_W2(__VA_ARGS__)
#define P11_W4(a, ...) P11_W1(a), P11_W3(__VA_ARGS__)
#define P11_W5(a, ...) P11_W1(a), P11_W4(__VA_ARGS__)
#define P11_W6(a, ...) P11_W1(a), P11_W5(__VA_ARGS__)
#define P11_W7(a, ...) P11_W1(a), P11_W6(__VA_ARGS__)
#define P11_W8(a, ...) P11_W1(a), P11_W7(__VA_ARGS__)
#define P11_W9(a, ...) P11_W1(a), P11_W8(__VA_ARGS__)
#define P11_W10(a, ...) P11_W1(a), P11_W9(__VA_ARGS__)
#define P11_PICK(a, b, c, d, e, f, g, h, i, j, words, ...) words
#define P11_WORDS(...) \
	P11_PICK(__VA_ARGS__, P11_W10, P11_W9, P11_W8, P11_W7, P11_W6, P11_W5, P11_W4, P11_W3, P11_W2, P11_W1) \
	(__VA_ARGS__)

#define P11_FUNCTION(index, name, major, minor, parameters, arguments) \
	static CK_RV token_##name parameters \
	{ \
		return call(index, (uintptr_t[10]){ P11_WORDS arguments }); \
	}
/* What is about the module itself, and answered here. */
#define token_C_GetFunctionList unused_C_GetFunctionList
#define token_C_GetInterfaceList unused_C_GetInterfaceList
#define token_C_GetInterface unused_C_GetInterface
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
P11_FUNCTIONS
#pragma GCC diagnostic pop
#undef P11_FUNCTION
#undef token_C_GetFunctionList
#undef token_C_GetInterfaceList
#undef token_C_GetInterface

#define token_C_GetFunctionList C_GetFunctionList
#define token_C_GetInterfaceList C_GetInterfaceList
#define token_C_GetInterface C_GetInterface

#define P11_FUNCTION(index, name, major, minor, parameters, arguments) .name = token_##name,
static CK_FUNCTION_LIST list_2_40 = { { 2, 40 }, P11_FUNCTIONS_2_40 };
static CK_FUNCTION_LIST_3_2 list_3_2 = { .version = { 3, 2 }, P11_FUNCTIONS };
#undef P11_FUNCTION

static CK_UTF8CHAR interface_name[] = "PKCS 11";
static CK_INTERFACE interfaces[] = {
	{ interface_name, &list_3_2, 0 }, /* the default is the first */
	{ interface_name, &list_2_40, 0 },
};
#define INTERFACES (sizeof interfaces / sizeof *interfaces)

/* The module's 2.40 function list (PKCS#11 3.2 §5.4.4). */
P11_EXPORT CK_RV C_GetFunctionList(CK_FUNCTION_LIST_PTR_PTR ppFunctionList)
{
	if (!ppFunctionList)
		return CKR_ARGUMENTS_BAD;
	*ppFunctionList = &list_2_40;
	return CKR_OK;
}

/* The module's interfaces (PKCS#11 3.2 §5.4.5). */
P11_EXPORT CK_RV C_GetInterfaceList(CK_INTERFACE_PTR pInterfacesList, CK_ULONG_PTR pulCount)
{
	if (!pulCount)
		return CKR_ARGUMENTS_BAD;
	CK_ULONG room = *pulCount;
	*pulCount = INTERFACES;
	if (!pInterfacesList)
		return CKR_OK;
	if (room < INTERFACES)
		return CKR_BUFFER_TOO_SMALL;
	memcpy(pInterfacesList, interfaces, sizeof interfaces);
	return CKR_OK;
}

/* The interface of a name, version and flags, each of which may be left open (PKCS#11 3.2 §5.4.6). */
P11_EXPORT CK_RV C_GetInterface(CK_UTF8CHAR_PTR pInterfaceName, CK_VERSION_PTR pVersion,
                                CK_INTERFACE_PTR_PTR ppInterface, CK_FLAGS flags)
{
	if (!ppInterface)
		return CKR_ARGUMENTS_BAD;
	for (size_t i = 0; i < INTERFACES; i++) {
		const CK_VERSION *version = interfaces[i].pFunctionList;
		if (pInterfaceName && strcmp((const char *)pInterfaceName, (const char *)interface_name) != 0)
			continue;
		if (pVersion && (pVersion->major != version->major || pVersion->minor != version->minor))
			continue;
		if ((interfaces[i].flags & flags) != flags)
			continue;
		*ppInterface = &interfaces[i];
		return CKR_OK;
	}
	return CKR_FUNCTION_FAILED;
}
