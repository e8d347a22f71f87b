/*
 * The client module, p11-kit-client.so (abi.md 7.8): the tokens of a server, as a
 * PKCS#11 module. It is this library with other entry points, and has an engine
 * of its own.
 *
 * Each function list has a connection of its own, so two of them share neither
 * sessions nor logins. It lives as long as the process.
 */
#include <stdlib.h>
#include <string.h>

#include "internal.h"

#define INTERFACE_NAME "PKCS 11"
#define VENDOR_NAME    "Vendor p11-kit client"

static const CK_VERSION versions[] = { { 3, 2 }, { 2, 40 } };
#define VERSIONS (sizeof versions / sizeof *versions)

/* Where the next function list has its server, or NULL; guarded by the load lock. */
static char *next_address;

/* Sets it; from then on the program that loads the module, not its user, says where the server is, unless the environment does. */
static void set_server_address(const char *address)
{
	char *copy = address ? strdup(address) : NULL;
	p11_load_lock();
	char *old = next_address;
	next_address = copy;
	p11_load_unlock();
	free(old);
}

/* p11-kit's way to say it before it asks for a function list. */
static struct {
	CK_VERSION version;
	void (*set_server_address)(const char *address);
} vendor_list = { { 0, 0 }, set_server_address };

static CK_INTERFACE vendor_interface = { (CK_UTF8CHAR *)VENDOR_NAME, &vendor_list, 0 };

/* A new function list. */
static CK_RV new_list(CK_VERSION version, struct p11_handle **handle)
{
	p11_message_clear();
	const struct p11_engine *engine = p11_engine_get();
	if (!engine)
		return CKR_GENERAL_ERROR;
	p11_load_lock();
	char *address = next_address;
	next_address = NULL;
	p11_load_unlock();
	void *list = NULL;
	CK_RV rv = engine->client_load(address, &list);
	free(address);
	if (rv != CKR_OK)
		return rv;
	*handle = list; /* the list is the first thing in it */
	(*handle)->list.version = version;
	return CKR_OK;
}

/*
 * C_GetFunctionList of the client module: a new 2.40 list, of the server that
 * P11_KIT_SERVER_ADDRESS names, or the one at the usual place. CKR_ARGUMENTS_BAD
 * for NULL, CKR_GENERAL_ERROR for an address that is none. From any thread
 * (PKCS#11 3.2 §5.4.4).
 */
P11_EXPORT CK_RV C_GetFunctionList(CK_FUNCTION_LIST_PTR_PTR ppFunctionList)
{
	if (!ppFunctionList)
		return CKR_ARGUMENTS_BAD;
	struct p11_handle *handle;
	CK_RV rv = new_list((CK_VERSION){ 2, 40 }, &handle);
	if (rv == CKR_OK)
		*ppFunctionList = (CK_FUNCTION_LIST *)&handle->list;
	return rv;
}

/*
 * C_GetInterfaceList of the client module: its interfaces, each with a function
 * list of its own. With a NULL list only their number; CKR_BUFFER_TOO_SMALL where
 * they do not fit (PKCS#11 3.2 §5.4.5).
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
		CK_RV rv = new_list(versions[i], &handle);
		if (rv != CKR_OK)
			return rv;
		interfaces[i] = handle->interface;
	}
	memcpy(pInterfacesList, interfaces, sizeof interfaces);
	return CKR_OK;
}

/*
 * C_GetInterface of the client module: a new function list of the version that is
 * asked for, 3.2 if none is. CKR_ARGUMENTS_BAD for a name or version that there
 * is none of, and for any flags (PKCS#11 3.2 §5.4.6). By the name "Vendor p11-kit
 * client" the library that loads the module says where the server is.
 */
P11_EXPORT CK_RV C_GetInterface(CK_UTF8CHAR_PTR pInterfaceName, CK_VERSION_PTR pVersion,
                                CK_INTERFACE_PTR_PTR ppInterface, CK_FLAGS flags)
{
	if (!ppInterface || flags != 0)
		return CKR_ARGUMENTS_BAD;
	if (pInterfaceName && strcmp((const char *)pInterfaceName, VENDOR_NAME) == 0) {
		*ppInterface = &vendor_interface;
		return CKR_OK;
	}
	if (pInterfaceName && strcmp((const char *)pInterfaceName, INTERFACE_NAME) != 0)
		return CKR_ARGUMENTS_BAD;
	for (size_t i = 0; i < VERSIONS; i++) {
		if (pVersion && (pVersion->major != versions[i].major || pVersion->minor != versions[i].minor))
			continue;
		struct p11_handle *handle;
		CK_RV rv = new_list(versions[i], &handle);
		if (rv == CKR_OK)
			*ppInterface = &handle->interface;
		return rv;
	}
	return CKR_ARGUMENTS_BAD;
}
