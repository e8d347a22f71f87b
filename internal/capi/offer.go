package capi

// #include "host.h"
import "C"

// Offer makes this program the engine of its process: a libp11-kit.so.0 that is or comes to be in the process joins it
// instead of loading an engine of its own. Harmless if called again.
func Offer() { C.p11_offer_make() }
