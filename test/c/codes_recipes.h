/* How each function is called as it is meant to be; see codes_functions.c. */
#ifndef P11MUX_TEST_CODES_RECIPES_H
#define P11MUX_TEST_CODES_RECIPES_H

#include "codes.h"

/*
 * Kinds of arguments, by letters.
 *   s session   i slot id   f flags   u user type   b boolean   e mechanism type
 *   d input, 32 octets      n its length, y another input, w its length
 *   p PIN, q its length     a label, 32 octets      g name of a function
 *   o output   l pointer to the output's room       v length of an output as a value
 *   m mechanism   k key, K another   h object
 *   t template, c its length, T another, C its length
 *   H place for a handle, J another, A place for handles, B how many, L place for their number
 *   x structure to fill      z reserved or a callback
 */
struct recipe {
	int member;
	const char *kinds;
	void (*prepare)(void); /* what has to come before; NULL: nothing */
	CK_MECHANISM *mech;
	CK_OBJECT_HANDLE (*key)(CK_SESSION_HANDLE);
	CK_ULONG flags;
	bool random; /* the output is different each time */
};

/* All functions but those that codes_life.c, codes_slots.c and codes_token.c are
 * about, in the order of the list. */
extern const struct recipe recipes[];
extern const size_t recipe_count;

/* Those that codes_slots.c and codes_token.c are about: here they are called
 * before C_Initialize and after C_Finalize only. */
extern const struct recipe other_recipes[];
extern const size_t other_recipe_count;

#endif
