// Package calllog writes calls of PKCS#11 down: which function was called with what, and what came back. It looks at calls as C makes
// them, at the words of the arguments and the memory that they lead to, since that is what a person who looks for a fault has to see:
// addresses, NULLs, and lengths as the caller passed them.
//
// There are two formats: the text that p11-kit's log-calls option writes (abi.md 8), and JSON, one object a line; docs/logging.md
// describes both. Secrets are in neither, unless the log is made with Secrets: in their place is their length. What is a secret is
// said in the tables of package spec.
//
// The package is linked into other people's processes. It allocates nothing for a call in text, and it never waits for a slow reader:
// what does not go out at once is dropped, and counted in the log.
package calllog
