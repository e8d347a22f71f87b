/* The proxy module's entry points (abi.md 7.1): each function list that they give is an instance of its own (proxy.c). */
#include <string.h>

#include "internal.h"

#define INTERFACE_NAME "PKCS 11"

/* The versions that the proxy has an interface of, the default first. */
static const CK_VERSION versions[] = { { 3, 2 }, { 3, 1 }, { 3, 0 }, { 2, 40 } };
#define VERSIONS (sizeof versions / sizeof *versions)

/* A new instance. */
static CK_RV new_instance(CK_VERSION version, struct p11_handle **handle)
{
	p11_message_clear();
	const struct p11_engine *engine = p11_engine_get();
	if (!engine)
		return CKR_GENERAL_ERROR;
	if (!p11_load_enter()) {
		p11_message("a module loads the proxy module while it is being loaded itself, again and again");
		return CKR_GENERAL_ERROR;
	}
	void *list = NULL;
	CK_RV rv = engine->proxy_load(version.major, version.minor, &list);
	p11_load_leave();
	if (rv == CKR_OK)
		*handle = list; /* the list is the first thing in it */
	return rv;
}

/*
 * C_GetFunctionList of the proxy module: a new instance, with a 2.40 list. It
 * lives as long as the process. CKR_ARGUMENTS_BAD for NULL, otherwise what
 * loading the configured modules gives. From any thread (PKCS#11 3.2 §5.4.4,
 * abi.md 7.1).
 */
P11_EXPORT CK_RV C_GetFunctionList(CK_FUNCTION_LIST_PTR_PTR ppFunctionList)
{
	if (!ppFunctionList)
		return CKR_ARGUMENTS_BAD;
	struct p11_handle *handle;
	CK_RV rv = new_instance((CK_VERSION){ 2, 40 }, &handle);
	if (rv == CKR_OK)
		*ppFunctionList = (CK_FUNCTION_LIST *)&handle->list;
	return rv;
}

/*
 * C_GetInterfaceList of the proxy module: its interfaces, each a new instance.
 * With a NULL list only their number; CKR_BUFFER_TOO_SMALL where they do not
 * fit (PKCS#11 3.2 §5.4.5, abi.md 7.1).
 */
P11_EXPORT CK_RV C_GetInterfaceList(CK_INTERFACE_PTR pInterfacesList, CK_ULONG_PTR pulCount)
{
	if (!pulCount)
		return CKR_ARGUMENTS_BAD;
	CK_ULONG room = *pulCount;
	*pulCount = VERSIONS;
	if (!pInterfacesList)
		return CKR_OK;
	if (room < VERSIONS)
		return CKR_BUFFER_TOO_SMALL;
	CK_INTERFACE interfaces[VERSIONS];
	for (size_t i = 0; i < VERSIONS; i++) {
		struct p11_handle *handle;
		CK_RV rv = new_instance(versions[i], &handle);
		if (rv != CKR_OK)
			return rv;
		interfaces[i] = handle->interface;
	}
	memcpy(pInterfacesList, interfaces, sizeof interfaces);
	return CKR_OK;
}

/*
 * C_GetInterface of the proxy module: a new instance, with a list of the version
 * that is asked for, 3.2 if none is. CKR_ARGUMENTS_BAD for a name or version
 * that there is none of, and for any flags: the one that is defined,
 * CKF_INTERFACE_FORK_SAFE, would promise that sessions outlive a fork (PKCS#11
 * 3.2 §5.4.6, abi.md 7.1).
 */
P11_EXPORT CK_RV C_GetInterface(CK_UTF8CHAR_PTR pInterfaceName, CK_VERSION_PTR pVersion,
                                CK_INTERFACE_PTR_PTR ppInterface, CK_FLAGS flags)
{
	if (!ppInterface || flags != 0 || (pInterfaceName && strcmp((const char *)pInterfaceName, INTERFACE_NAME) != 0))
		return CKR_ARGUMENTS_BAD;
	for (size_t i = 0; i < VERSIONS; i++) {
		if (pVersion && (pVersion->major != versions[i].major || pVersion->minor != versions[i].minor))
			continue;
		struct p11_handle *handle;
		CK_RV rv = new_instance(versions[i], &handle);
		if (rv == CKR_OK)
			*ppInterface = &handle->interface;
		return rv;
	}
	return CKR_ARGUMENTS_BAD;
}
