package native

// #cgo CFLAGS: -std=gnu11 -Wall -Wextra -I${SRCDIR}/../../include
// #cgo noescape p11_native_call
// #include "call.h"
import "C"

import (
	"unsafe"

	"github.com/p11mux/p11mux/internal/cabi"
)

// invoke calls a C function with the words. They hold numbers and C addresses only, never addresses of Go memory. The
// function's address crosses as a number, for pointers cost a check that they are not Go's.
func invoke(function unsafe.Pointer, w *cabi.Words) uint64 {
	return uint64(C.p11_native_call(C.uintptr_t(uintptr(function)), (*C.ulong)(unsafe.Pointer(w))))
}

// newArena gives an arena of C memory.
func newArena() *cabi.Arena {
	return cabi.NewArena(
		func(n uintptr) unsafe.Pointer { return C.p11_native_alloc(C.size_t(n)) },
		func(p unsafe.Pointer) { C.p11_native_free(p) },
	)
}
