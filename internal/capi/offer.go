package capi

// #include "host.h"
import "C"

import "github.com/p11mux/p11mux/internal/process"

// Offer makes this program the engine of its process: a libp11-kit.so.0 that is or comes to be in the process joins it
// instead of loading an engine of its own. One that has an engine already, or takes none from another build, is used by
// this program's registry, so that there is one count for each module all the same. Harmless if called again.
func Offer() {
	C.p11_offer_make()
	process.Registry().Beside(beside)
}
