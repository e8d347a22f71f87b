/* Shared by the files of the fork program. */
#ifndef P11MUX_TEST_FORK_H
#define P11MUX_TEST_FORK_H

#include "token.h"

#include <unistd.h>

/* The list that the cases use, and the labels of the token's keys. */
extern list_t m;
extern char rsa[], ec[];

/* Loads the configured modules and sets m. */
void fork_load(void);

/* Initialises m, signs, and finalises it again. */
void fork_use(const char *label);

/* Runs fn in a child that must exit with 0. */
void fork_expect_child(void (*fn)(void *), void *arg);

/* Cases. */
void fork_busy(void);
void fork_atfork(void);
void fork_no_memfd(void);
void fork_no_files(void);

#endif
