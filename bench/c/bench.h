/*
 * What the measuring programs share. A program prints its figures as lines
 * "name value", one line for each sample, and exits with 1 and a message if
 * anything does not work as it should.
 */
#ifndef BENCH_H
#define BENCH_H

#include <stdbool.h>

#include "p11-kit/p11-kit.h"

/* The PIN of the officer and the user of the tokens that are made for a measurement, and thrown away after it. */
#define BENCH_PIN "12345678"

/* The time in ns, for differences. */
double bench_now(void);

/* Prints a message and exits with 1. */
void bench_die(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

/* Dies unless rv is CKR_OK; what is the call. */
void bench_check(CK_RV rv, const char *what);

/* A positive number from the command line; what is it. */
long bench_number(const char *text, const char *what);

/* Initializes a module, and gives its first slot with a token; name is what to call it in a message. */
CK_SLOT_ID bench_begin(CK_FUNCTION_LIST *list, const char *name);

/* The module's own list. */
CK_FUNCTION_LIST *bench_raw(const char *module);

/* A way to function lists: the module itself, or a library that shares it. */
struct bench_way {
	CK_FUNCTION_LIST *(*load)(const char *module, int flags); /* NULL: the module itself */
	void (*release)(CK_FUNCTION_LIST *list);
	const char *(*message)(void);
	void (*configure)(const char *, const char *, const char *, const char *, const char *);
	CK_C_GetFunctionList proxy;
	void *object; /* of the library, for dlsym */
	CK_FUNCTION_LIST **(*load_all)(const char *reserved, int flags);
};

/* Before the root of a configuration (see bench_configure): the proxy module that has all its modules. */
#define BENCH_PROXY "proxy:"

/* The same: its first module, whose calls are logged; standard error becomes /dev/null. */
#define BENCH_LOGGED "logged:"

/* Has the library read its configuration from below root: system.conf, package/, system/ and so on. */
void bench_configure(const struct bench_way *way, const char *root);

/* Opens the library at a path; "-" is none, so that lists are the modules' own. */
void bench_way_open(struct bench_way *way, const char *library);

/* A function of the way's library, by its name; dies if there is none. */
void *bench_function(const struct bench_way *way, const char *name);

/* One more list of the module; never NULL. */
CK_FUNCTION_LIST *bench_load(const struct bench_way *way, const char *module);

void bench_release(const struct bench_way *way, CK_FUNCTION_LIST *list);

/* This process's memory in kB. */
struct bench_memory {
	long resident; /* pages that are in memory, shared or not */
	long own;      /* those that no other process shares */
};

struct bench_memory bench_memory(void);

#endif
