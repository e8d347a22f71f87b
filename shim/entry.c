/*
 * The entry points of a module that makes a new function list each time: the
 * proxy (proxy_entry.c) and the client (client.c). They say in p11_entry what
 * lists there are.
 */
#include <string.h>

#include "internal.h"

#define INTERFACE_NAME "PKCS 11"

/*
 * C_GetFunctionList of the module: a new 2.40 list: an instance of the proxy, or
 * a connection of the client. It lives as long as the process.
 * CKR_ARGUMENTS_BAD for NULL, otherwise what making it gives. From any thread
 * (PKCS#11 3.2 §5.4.4, abi.md 7.1, 7.8).
 */
P11_EXPORT CK_RV C_GetFunctionList(CK_FUNCTION_LIST_PTR_PTR ppFunctionList)
{
	if (!ppFunctionList)
		return CKR_ARGUMENTS_BAD;
	struct p11_handle *handle;
	CK_RV rv = p11_entry.new_list((CK_VERSION){ 2, 40 }, &handle);
	if (rv == CKR_OK)
		*ppFunctionList = (CK_FUNCTION_LIST *)&handle->list;
	return rv;
}

/*
 * C_GetInterfaceList of the module: its interfaces, each with a new list. With
 * a NULL list only their number; CKR_BUFFER_TOO_SMALL where they do not fit
 * (PKCS#11 3.2 §5.4.5, abi.md 7.1, 7.8).
 */
P11_EXPORT CK_RV C_GetInterfaceList(CK_INTERFACE_PTR pInterfacesList, CK_ULONG_PTR pulCount)
{
	if (!pulCount)
		return CKR_ARGUMENTS_BAD;
	CK_ULONG room = *pulCount;
	*pulCount = p11_entry.count;
	if (!pInterfacesList)
		return CKR_OK;
	if (room < p11_entry.count)
		return CKR_BUFFER_TOO_SMALL;
	CK_INTERFACE interfaces[P11_ENTRY_VERSIONS];
	for (size_t i = 0; i < p11_entry.count; i++) {
		struct p11_handle *handle;
		CK_RV rv = p11_entry.new_list(p11_entry.versions[i], &handle);
		if (rv != CKR_OK)
			return rv;
		interfaces[i] = handle->interface;
	}
	memcpy(pInterfacesList, interfaces, p11_entry.count * sizeof *interfaces);
	return CKR_OK;
}

/*
 * C_GetInterface of the module: a new list of the version that is asked for, 3.2
 * if none is, or the module's own interface by its name. CKR_ARGUMENTS_BAD for a
 * name or version that there is none of, and for any flags: the one that is
 * defined, CKF_INTERFACE_FORK_SAFE, would promise that sessions outlive a fork
 * (PKCS#11 3.2 §5.4.6, abi.md 7.1, 7.8).
 */
P11_EXPORT CK_RV C_GetInterface(CK_UTF8CHAR_PTR pInterfaceName, CK_VERSION_PTR pVersion,
                                CK_INTERFACE_PTR_PTR ppInterface, CK_FLAGS flags)
{
	const char *name = (const char *)pInterfaceName;
	if (!ppInterface || flags != 0)
		return CKR_ARGUMENTS_BAD;
	if (name && p11_entry.vendor && strcmp(name, (const char *)p11_entry.vendor->pInterfaceName) == 0) {
		*ppInterface = p11_entry.vendor;
		return CKR_OK;
	}
	if (name && strcmp(name, INTERFACE_NAME) != 0)
		return CKR_ARGUMENTS_BAD;
	for (size_t i = 0; i < p11_entry.count; i++) {
		CK_VERSION version = p11_entry.versions[i];
		if (pVersion && (pVersion->major != version.major || pVersion->minor != version.minor))
			continue;
		struct p11_handle *handle;
		CK_RV rv = p11_entry.new_list(version, &handle);
		if (rv == CKR_OK)
			*ppInterface = &handle->interface;
		return rv;
	}
	return CKR_ARGUMENTS_BAD;
}
