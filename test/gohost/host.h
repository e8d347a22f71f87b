/* The C half of the Go host: the library through function pointers only. */
#ifndef P11MUX_TEST_GOHOST_H
#define P11MUX_TEST_GOHOST_H

#include <stdlib.h>

/* Opens libp11-kit.so.0; 0, or the number of the step that failed. */
int host_open(void);

/* Loads the module, uses it and releases it; 0, or the line of the failure. */
int host_cycle(const char *path);

#endif
