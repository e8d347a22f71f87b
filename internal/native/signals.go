//go:build cgo

package native

// #include "signals.h"
import "C"

// UsualCrashes has a crash end the process by its signal, so that who waits for the process learns which one it was: Go's runtime ends it
// with status 2. It is for a program of ours that only tries a module, never for a host, and takes away Go's own panics for wrong
// pointers.
func UsualCrashes() { C.p11_native_usual_crashes() }
