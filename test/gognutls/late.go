//go:build late

package main

// With -tags late the program does not link GnuTLS: it comes into the process when it is first needed.

// #cgo CFLAGS: -DLATE
import "C"

// linked tells whether GnuTLS is there from the start.
var linked = false
