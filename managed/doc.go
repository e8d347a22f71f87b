// Package managed shares one PKCS#11 module between callers that know nothing of each other.
//
// PKCS#11 has one state for each process: a second C_Initialize is refused, and the first C_Finalize ends the module for
// everybody. A [Module] counts instead: the real C_Initialize is called for the first caller and the real C_Finalize for
// the last, one at a time. A [Caller] is one caller's view: it has to initialize for itself, the sessions that it opens
// are its own, and when it finalizes they are closed and nobody else's are.
//
// Login state, object handles and slots belong to the token and are shared by all callers, as between the threads of one
// program (PKCS#11 3.2 §5.6.1).
package managed
