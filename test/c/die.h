/* How test programs end when something is not as it must be. It needs no header of PKCS#11: some have their own. */
#ifndef P11MUX_TEST_DIE_H
#define P11MUX_TEST_DIE_H

/* Stops the program with a message; for failures of the test itself. */
#define die(...) die_at(__FILE__, __LINE__, __VA_ARGS__)
void die_at(const char *file, int line, const char *fmt, ...)
	__attribute__((noreturn, format(printf, 3, 4)));

/* What the library that the program is linked to last said, or "(none)". */
const char *last_message(void);

/* Stops the program when the condition does not hold: an expectation that is
 * the same for every library. */
#define must(cond) do { if (!(cond)) die("expected %s; message: %s", #cond, last_message()); } while (0)

#endif
