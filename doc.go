// Package p11mux uses PKCS#11 modules: smart cards, hardware security modules, and tokens in software. It shares them with
// everybody else in the process.
//
// PKCS#11 has one state for each process, so two packages that use the same module get in each other's way: the second
// C_Initialize is refused, and the first C_Finalize ends it for both. Here each [Load] and [LoadModule] has a view of its
// own of the modules. Initialization is counted, sessions belong to the view that opened them, and whoever closes first
// hurts nobody. C libraries in the process that come to the modules by p11mux's libp11-kit.so.0 or p11-kit-proxy.so share
// them too, whoever comes first; those that come by p11-kit's own library do not.
//
// # A tour
//
// [Load] gives the modules that are configured on the machine, the way p11-kit configures them (package conf), and
// [LoadModule] the one in a shared object. A key that a PKCS#11 URI names (RFC 7512, package uri) is a crypto.Signer at
// once:
//
//	modules, err := p11mux.Load(p11mux.WithPIN(p11mux.PINFile("/run/secrets/pin")))
//	...
//	defer modules.Close()
//	key, err := modules.PrivateKey(ctx, "pkcs11:token=work;object=release")
//	...
//	signature, err := key.Sign(rand.Reader, digest, crypto.SHA256)
//
// [Modules.TLSCertificate] makes a key and its chain of certificates what crypto/tls wants, [Modules.Find] goes through
// whatever objects a URI names, and [Modules.Tokens] through all tokens.
//
// A [Token] is logged in to with [Token.Login], and searched with [Token.Find] by attributes, which [Attr] makes. It has
// a pool of sessions: an [Object] that a search gives, and the [PrivateKey] that is made of it, take one for each
// operation, so many goroutines can use them at the same time.
//
// What needs a [Session] of one's own gets it from [Token.OpenSession]: it makes keys and other objects
// ([Session.GenerateKeyPair], [Session.CreateObject]), and it signs, encrypts, digests, wraps and derives with any
// mechanism that the token has, in one part or, as an io.Writer, in many. The constants and the mechanisms' parameters
// are in package ck, with the standard's names. [Session.Do] and [Module.Do] make any other call of PKCS#11.
//
// # Errors
//
// Each error of a call is a *ck.CallError with the module, the function and the standard's return value:
//
//	if errors.Is(err, ck.CKR_PIN_INCORRECT) { ... }
//
// Use after Close is [ErrClosed]; closing twice is harmless. A token that is pulled out gives errors, and what was found
// on it is never taken for something on another token. A wrong PIN is tried once.
//
// # Concurrency and contexts
//
// Everything may be used by several goroutines at the same time, but for the writers of operations in parts. A context
// ends what waits: for a session of the pool, for a login, for events. A call in C that is under way cannot be
// interrupted, and Close waits for it.
//
// Modules are loaded with cgo. Without it the package builds, and loads nothing.
package p11mux
