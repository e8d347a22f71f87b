/*
 * What the C test programs share: configuration directories, output that can
 * be compared between libraries, capture of stderr, and access to the members
 * of function lists by number.  Every program is linked to libp11-kit.so.0 by
 * name only, so that LD_LIBRARY_PATH decides which library it tests.
 */
#ifndef P11MUX_TEST_COMMON_H
#define P11MUX_TEST_COMMON_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#define P11_KIT_FUTURE_UNSTABLE_API
/* The deprecated functions are tested like the others. */
#define P11_KIT_NO_DEPRECATIONS
#include <p11-kit/p11-kit.h>

#include "base.h"

/* The configuration directory of this run ($TEST_CONF_DIR) and the directory
 * of test modules ($TEST_MODULE_DIR). */
const char *conf_dir(void);
const char *module_dir(void);

/* True if the library under test is ours ($TEST_LIBRARY is "ours").  Only for
 * cases where the reference crashes or hangs. */
bool is_ours(void);

/* Points the library to $TEST_CONF_DIR: pkcs11.conf, user.conf, package/,
 * modules/ and user/.  Does nothing if TEST_CONF_DIR is unset. */
void use_conf(void);

/* Writes a file below the configuration directory, making its directories.
 * In the text, "@MOD@" stands for the directory of modules. */
void conf_file(const char *name, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* Removes a file below the configuration directory. */
void conf_remove(const char *name);

/* The path of a test module, "a" giving $TEST_MODULE_DIR/a.so.  Four rotating
 * buffers. */
const char *module_path(const char *base);

/* One line of output, "section/name: value".  Directories are printed as
 * $CONF and $MOD, and texts of p11_kit_strerror as <CKR_NAME>, so that only
 * behaviour is compared and not wording. */
void out(const char *name, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void out_rv(const char *name, CK_RV rv);
void out_message(const char *name);
extern const char *section;

/* Captures what is written to descriptor 2 until capture_end, which returns
 * the text (malloc). */
void capture_begin(void);
char *capture_end(void);

/* One case of a host. */
struct host_case {
	const char *name;
	void (*fn)(void);
	bool ours; /* the reference cannot pass it */
};

/*
 * The main function of a host: runs the case that its argument names, after
 * prepare unless that is NULL, or lists the cases, "name both|ours" a line, if
 * there is no argument.
 */
int run_cases(const struct host_case *cases, size_t n, int argc, char **argv, void (*prepare)(void));

/* Runs fn in a child; its exit status, or 1000 + the signal that ended it, or
 * 2000 if it had to be killed after "seconds". */
int run_child(void (*fn)(void *), void *data, int seconds);

/* Counters and hooks of a counting module that is loaded in this process. */
typedef struct {
	void *handle;
	long (*get)(const char *name);
	void (*reset)(void);
	void (*hook)(const char *where, void (*fn)(void *), void *data);
	const char *(*text)(const char *name);
} counting_t;
counting_t counting_open(const char *base);

/* The resident set of this process in KiB, and the number of open fds. */
long rss_kib(void);
int open_fds(void);

#ifndef CKR_CRYPTOKI_NOT_INITIALIZED
#error "the PKCS#11 header lacks CKR_CRYPTOKI_NOT_INITIALIZED"
#endif

#endif
