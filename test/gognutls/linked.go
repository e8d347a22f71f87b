//go:build !late

package main

// #cgo LDFLAGS: -lgnutls
import "C"

// linked tells whether GnuTLS is there from the start.
var linked = true
