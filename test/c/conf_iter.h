/* What the sections about iterators share. */
#ifndef P11MUX_TEST_CONF_ITER_H
#define P11MUX_TEST_CONF_ITER_H

#include "conformance.h"
#include "scripted.h"

#include <p11-kit/iter.h>

/* What 0.24's header does not have yet. */
#define ITER_WITH_LOGIN ((P11KitIterBehavior)0x80)
#define ITER_WITH_SESSIONS ((P11KitIterBehavior)0x100)
#define ITER_KIND_SESSION ((P11KitIterKind)4)

/* An iterator for a URI, NULL for everything. */
P11KitIter *iter_for(const char *uri, int behavior);

/* Prints what the iterator has after a step that gave rv, and the calls that were made for it. */
void out_step(const char *name, P11KitIter *iter, CK_RV rv);

/* Steps to the end, and prints each step as NAME-1, NAME-2 and so on. */
void run_iter(const char *name, P11KitIter *iter);

/* The same on the modules, beginning and freeing the iterator. */
void walk(const char *name, P11KitIter *iter, CK_FUNCTION_LIST *const *modules);

#endif
