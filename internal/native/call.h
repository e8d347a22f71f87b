#ifndef P11MUX_NATIVE_CALL_H
#define P11MUX_NATIVE_CALL_H

#include <stddef.h>
#include <stdint.h>

/*
 * Calls a function of a PKCS#11 module with as many words as the longest of them has. On amd64 and its kin a function
 * does not see the words that it does not take.
 */
unsigned long p11_native_call(uintptr_t function, unsigned long *words);

/* Call C_OpenSession and C_CloseSession. */
unsigned long p11_native_open_session(void *function, unsigned long slot, unsigned long flags, uintptr_t application,
                                      uintptr_t notify, unsigned long *session);
unsigned long p11_native_close_session(void *function, unsigned long session);
unsigned long p11_native_session_info(uintptr_t function, unsigned long session, unsigned long *info);

/* Gives zeroed memory aligned to 16 octets, NULL where there is none; p11_native_free takes it back. */
void *p11_native_alloc(size_t size);
void p11_native_free(void *memory);

#endif
