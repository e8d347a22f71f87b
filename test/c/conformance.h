/*
 * The conformance program: each section runs in a process of its own with an
 * empty configuration directory and prints what it observes.  The Go test
 * compares the output of the two libraries line by line.
 */
#ifndef P11MUX_TEST_CONFORMANCE_H
#define P11MUX_TEST_CONFORMANCE_H

#include "common.h"

/* Who runs a section.  OURS: the reference crashes, hangs or answers at random.
 * OURS_ENVIRONMENT: the section names its configuration by P11_* variables,
 * which the reference of a distribution ignores. */
enum { BOTH, OURS, OURS_ENVIRONMENT };

struct check {
	const char *name;
	void (*fn)(void);
	int who;
};

/* Tables that end with an empty entry. */
extern const struct check load_checks[], options_checks[], init_checks[],
	session_checks[], list_checks[], getter_checks[], registered_checks[],
	message_checks[], precondition_checks[], failure_checks[],
	uri_checks[], pin_checks[], iter_checks[], iter_set_checks[],
	iter_fail_checks[], iter_load_checks[];

/* Configures modules, each named as its file, without options. */
void configure(const char *base, ...) __attribute__((sentinel));

/* p11_kit_modules_load with the names of what came, space separated, or
 * "NULL", printed as NAME; and the message as NAME-message. */
list_t *load_and_print(const char *name, int flags);

/* Prints the names of the modules in a list. */
void print_names(const char *name, list_t *modules);

/* Loads the counting module "base" managed; stops the program on failure. */
list_t load_one(const char *base);

/* C_OpenSession on slot 1. */
CK_RV open_session(list_t m, CK_SLOT_ID slot, CK_SESSION_HANDLE *session);

/* True if the file of module "base" is mapped in this process by anybody but
 * this call. */
bool is_mapped(const char *base);

/* Whether the text is one or more precondition notes naming the function. */
bool is_note(const char *text, const char *function);

/* Prints what a call with a NULL gives, and whether there is a note on stderr. */
#define EACH_NULL(name, call) { \
	long value_; \
	char *note_; \
	capture_begin(); \
	value_ = (long)(call); \
	note_ = capture_end(); \
	out(#name, "%ld %s", value_, *note_ ? "noted" : "silent"); \
	free(note_); \
}

#endif
