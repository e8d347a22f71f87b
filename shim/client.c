/*
 * The client module, p11-kit-client.so (abi.md 7.8): the tokens of a server, as a
 * PKCS#11 module. It is this library with other function lists behind its entry
 * points (entry.c), and has an engine of its own.
 *
 * Each function list is of the server that P11_KIT_SERVER_ADDRESS names, or of the
 * one at the usual place; CKR_GENERAL_ERROR for an address that is none. It has a
 * connection of its own, so two of them share neither sessions nor logins. It
 * lives as long as the process.
 */
#include <stdlib.h>
#include <string.h>

#include "internal.h"

#define VENDOR_NAME "Vendor p11-kit client"

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

/* p11-kit's way to say it before it asks for a function list: an interface with this name. */
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

const struct p11_entry p11_entry = {
	.versions = { { 3, 2 }, { 2, 40 } },
	.count = 2,
	.new_list = new_list,
	.vendor = &vendor_interface,
};
