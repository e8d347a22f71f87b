/*
 * What the groups of proxy_codes share; see proxy_codes.c.  A case runs with
 * the module in the state that it needs, prints what it observed by report,
 * and may leave any mess within the session: the runner closes all sessions.
 */
#ifndef P11MUX_TEST_CODES_H
#define P11MUX_TEST_CODES_H

#include "base.h"

/* The list under test.  Members after "last" (see members.h) are not there. */
extern CK_FUNCTION_LIST_3_2 *mod;
extern int last;

/* The slot of the token, and the session that the runner has opened there. */
extern CK_SLOT_ID slot;
extern CK_SESSION_HANDLE session;

/* How many slots the list has besides those of the module that is compared. */
extern CK_ULONG extra_slots;

/* Whether the compared module has a slot whose token is not initialized. */
extern bool has_free_slot;

/* The directory with the files of the token, or NULL if it has none. */
extern const char *token_dir;

#define USER_PIN ((CK_BYTE *)"1234")
#define USER_PIN_N 4ul
#define SO_PIN ((CK_BYTE *)so_pin)
#define SO_PIN_N strlen(so_pin)
extern const char *so_pin;

/* A handle or an id that was never given out. */
#define NEVER 0xdead5eedul
#define HUGE_COUNT (~0ul)

enum needs {
	NOTHING, /* the module is not initialized */
	MODULE, /* it is, and nothing more */
	SESSION, /* a read-write session of nobody in particular */
	USER, /* the same, logged in */
};

#define CASE_NAME 128

struct code_case {
	const char *name;
	void (*fn)(void);
	enum needs needs;
};

/* Cases that are not in a table: how many there are, their names, and how to
 * run them. */
struct code_group {
	const char *name;
	const struct code_case *cases;
	size_t n;
	size_t (*count)(void);
	enum needs (*describe)(size_t i, char name[CASE_NAME]);
	void (*run)(size_t i);
};

#define TABLE(name, cases) { name, cases, sizeof cases / sizeof *cases, NULL, NULL, NULL }

extern const struct code_group life_group, slots_group, sessions_group, pins_group,
	objects_group, search_group, crypto_group, keys_group, messages_group, token_group,
	removed_group, before_group, after_group, functions_group;

/*
 * Prints "group case[/step]: CKR_NAME facts".  step may be NULL; the facts are a
 * format, whose arguments are read when the call is over.  Nothing that may
 * differ between a module and a proxy of it, such as handles, belongs there.
 */
#define report(step, call, ...) do { CK_RV reported_ = (call); report_result(step, reported_, __VA_ARGS__); } while (0)
#define report_rv(step, call) report(step, call, "%s", "")
void report_result(const char *step, CK_RV rv, const char *facts, ...) __attribute__((format(printf, 3, 4)));

/* For steps that must succeed for the case to make sense: says so if it does not,
 * and ends the case's process. */
#define need(call) do { CK_RV rv_ = (call); if (rv_ != CKR_OK) { \
	report(#call, rv_, "(the case ends here)"); fflush(stdout); _exit(9); } } while (0)

/* Opens another session on the slot. */
CK_SESSION_HANDLE open_another(CK_FLAGS flags);

/* Memory of n octets that ends where a page ends which nobody may touch, so that
 * reading or writing past it is a crash and not an accident. */
void *guarded(size_t n);

/* A short checksum, for octets that have to be equal. */
unsigned checksum(const void *data, size_t n);

/* Keys in the session, each made anew: AES (128 bits, any use), a secret for
 * SHA256_HMAC, both with the same value always; and a pair on P-256. */
CK_OBJECT_HANDLE make_aes(CK_SESSION_HANDLE s);
CK_OBJECT_HANDLE make_hmac(CK_SESSION_HANDLE s);
void make_pair(CK_SESSION_HANDLE s, CK_OBJECT_HANDLE *public, CK_OBJECT_HANDLE *private);

/* An object with the value "data", and its label. */
CK_OBJECT_HANDLE make_data(CK_SESSION_HANDLE s, const char *label, CK_BBOOL on_token, CK_BBOOL private);

/* Mechanisms: HMAC, CBC with an IV, SHA-256, ECDSA, key wrap. */
extern CK_MECHANISM hmac_mech, cbc_mech, cbc_pad_mech, sha_mech, ecdsa_mech, wrap_mech, aes_gen_mech, ec_gen_mech, no_mech;
extern CK_BYTE octets[64];
extern CK_BYTE p256[10];

#define ATTR(type, value) { type, (void *)&(value), sizeof (value) }
extern CK_BBOOL yes, no;

#include <unistd.h>

#endif
