/* For programs that load the proxy module beside the library. */
#ifndef P11MUX_TEST_PROXYLIB_H
#define P11MUX_TEST_PROXYLIB_H

#include "common.h"

typedef CK_FUNCTION_LIST_3_2 *list32_t;

/* The entry points of the proxy module, once proxy_open has been called: it stops
 * the program unless the module is the library that the program is linked to. */
extern CK_C_GetFunctionList proxy_get_list;
extern CK_C_GetInterface proxy_get_interface;
extern CK_C_GetInterfaceList proxy_get_interfaces;
void proxy_open(void);

/* A new instance, not initialized, with the default interface's list. */
list32_t proxy_new(void);

/* All slots of an instance, and how many. */
struct slots {
	CK_SLOT_ID id[256];
	CK_ULONG n;
};
struct slots proxy_slots(list32_t p);

/* The slot that is described, or whose token is labelled, so; stops the program
 * if there is none. */
CK_SLOT_ID proxy_slot_described(list32_t p, const char *description);
CK_SLOT_ID proxy_slot_labelled(list32_t p, const char *label);

/* Whether the id is among the slots. */
bool proxy_has(struct slots s, CK_SLOT_ID id);

#endif
