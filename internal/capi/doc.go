// Package capi is the engine's C face: it exports what engine_abi.h lists for the shim, and calls the shim back. A program
// that links it can be the engine of the libp11-kit.so.0 in its process.
package capi
