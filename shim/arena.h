/* Arenas: blocks of handles and their stubs. See arena.c. */
#ifndef P11_ARENA_H
#define P11_ARENA_H

#include "internal.h"

/* The page of state words; the kernel wipes it in a forked child. */
struct p11_states {
	_Atomic(struct p11_table *) of[P11_ARENA_HANDLES];
	_Atomic uint32_t mark; /* in the first arena: 1 while this process is the one that set it */
};

_Static_assert(sizeof(struct p11_states) <= P11_STATE_SIZE, "the states fill at most their page");

struct p11_arena {
	struct p11_arena *next; /* in the queue of retired arenas */
	const unsigned char *code;
	struct p11_states *states;
	void **entries;
	unsigned char *handles;
	uint32_t used; /* handles given out so far */
	uint32_t live; /* of them not yet released */
};

/* The block that is part of the library (stubs.S). */
extern const unsigned char p11_arena_code[P11_CODE_SIZE];
extern struct p11_states p11_arena_state;
extern void *p11_arena_entries[P11_ENTRY_SIZE / sizeof(void *)];
extern unsigned char p11_arena_handles[P11_HANDLES_SIZE];

/* arena_map.c: the same block once more, at a place of its own; false when the kernel will not. */
bool p11_arena_map(struct p11_arena *arena);

#endif
