/*
 * A module in the program itself that writes down how it is called and does what
 * its script says: for what iterates modules.
 */
#ifndef P11MUX_TEST_SCRIPTED_H
#define P11MUX_TEST_SCRIPTED_H

#include "common.h"

/* What the module does; zeros are a module with two tokens, in the slots 5 and 6, without objects. */
struct script {
	CK_RV info, slots, slot_info, token_info, open, login, init, find, final, close, get; /* what they return */
	CK_SLOT_ID only;         /* open, token_info and slot_info return it for this slot alone, unless 0 */
	CK_ULONG objects;        /* on each token, or ENDLESS */
	CK_ULONG claimed_slots;  /* the count that C_GetSlotList claims, if not 0 */
	bool grows;              /* it says each time that the room is too small by one */
	CK_ULONG claimed_found;  /* the count that C_FindObjects claims, if not 0 */
	bool write_protected;
	bool silent;             /* nothing is written down */
	/* Called by C_GetAttributeValue, if not NULL. */
	CK_RV (*attributes)(CK_OBJECT_HANDLE object, CK_ATTRIBUTE *attrs, CK_ULONG n);
};
#define ENDLESS ((CK_ULONG)-1)

extern struct script script;
extern CK_FUNCTION_LIST scripted;

/* A copy of the module, the same in all but its address; and a NULL-terminated array of one and of both. */
extern CK_FUNCTION_LIST scripted_too;
extern CK_FUNCTION_LIST *const one_module[2], *const two_modules[3];

/* The calls since this was called last, " Name(arguments) ...". */
const char *calls_made(void);

/* Makes the script all zeros, forgets the calls, and numbers sessions from 100 on again. */
void script_reset(void);

/* Notes something beside the calls. */
void note_call(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
