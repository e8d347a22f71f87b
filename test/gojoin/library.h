/* A C library in the same process that uses libp11-kit.so.0, through function pointers only. */
#ifndef P11MUX_TEST_GOJOIN_H
#define P11MUX_TEST_GOJOIN_H

#include <stdlib.h>

/* Opens libp11-kit.so.0 and loads the module; 0, or the line of the failure. */
int library_load(const char *path);

/* Initializes the module, and uses it. */
int library_begin(void);
int library_use(void);

/* Finalizes and releases it. */
int library_end(void);

/* Has a forked child initialize and use the module; 0 if it ended well. */
int library_fork(void);

/* One of the counters of the counting module at this path. */
long library_count(const char *path, const char *counter);

#endif
