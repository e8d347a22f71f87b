// Package ck is PKCS#11's vocabulary in Go: its types, constants, return values and calls (PKCS#11 3.2).
//
// Types have Go names, constants keep the standard's spelling. Every C_ function is a struct that implements [Call]; a
// module executes calls, see package module. The two-call convention for lengths is kept: see [Out].
//
// Calls are plain data and not safe for concurrent use. Byte slices in them may be memory of a C caller and are valid
// only while the call runs. The package depends on the standard library only and starts nothing.
package ck
