/* Shared by the files of the quiet program. */
#ifndef P11MUX_TEST_QUIET_H
#define P11MUX_TEST_QUIET_H

#include "common.h"

/* Loads a counting module; stops the program on failure. */
list_t quiet_load(const char *base);

/* Initialises, opens and closes sessions, finalises. */
void quiet_use(list_t m);

/* Writes a configuration of two modules and a missing one. */
void quiet_configure(void);

/* Every way of using the library once; needs that configuration. */
void quiet_use_all(void);

/* A host that looks at itself before and after. */
void quiet_still(void);

/* Hosts that end in unusual ways. */
void quiet_no_finalize(void);
void quiet_quick_exit(void);
void quiet_underscore_exit(void);
void quiet_exit_thread(void);
void quiet_exit_busy(void);
void quiet_main_ends(void);

/* Hosts that have no thread, or no memory, to spare. */
void quiet_no_threads(void);
void quiet_no_memory(void);

/* Hosts with fast timers and greedy signal handlers. */
void quiet_signals(void);
void quiet_signals_blocked(void);
void quiet_signals_special(void);
void quiet_signals_load(void);

#endif
