// Package cabi converts between calls as Go structs and calls as the words of the C ABI, in both directions. It uses no
// cgo, so that it can be tested without C.
//
// Outbound, towards a module in C: an [Arena] of C memory holds everything that the words point to; [Arena.Encode] fills
// it and [Arena.Decode] reads the results. Inbound, from a caller in C: [Serve] makes a call of the caller's words, lets a
// module do it, and stores the results in the caller's memory. Inbound calls share the caller's buffers, outbound ones copy.
//
// Everything here assumes 64-bit Linux: a CK_ULONG and a pointer are one word of 8 octets.
package cabi
