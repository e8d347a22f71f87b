package native

// #cgo CFLAGS: -std=gnu11 -Wall -Wextra -I${SRCDIR}/../../include
// #cgo noescape p11_native_call
// #include "call.h"
import "C"

import (
	"sync"
	"unsafe"

	"github.com/p11mux/p11mux/internal/cabi"
)

// invoke calls a C function with the words. They hold numbers and C addresses only, never addresses of Go memory.
func invoke(function unsafe.Pointer, w *cabi.Words) uint64 {
	return uint64(C.p11_native_call(function, (*C.ulong)(unsafe.Pointer(w))))
}

// arenas keeps a few arenas for calls to come. More calls at once than that make arenas of their own.
var arenas struct {
	sync.Mutex
	n    int
	free [16]*cabi.Arena
}

// takeArena gives an arena that nobody else uses.
func takeArena() *cabi.Arena {
	arenas.Lock()
	defer arenas.Unlock()
	if arenas.n == 0 {
		return cabi.NewArena(
			func(n uintptr) unsafe.Pointer { return C.p11_native_alloc(C.size_t(n)) },
			func(p unsafe.Pointer) { C.p11_native_free(p) },
		)
	}
	arenas.n--
	a := arenas.free[arenas.n]
	arenas.free[arenas.n] = nil
	return a
}

// giveArena wipes an arena and keeps it, or frees its memory.
func giveArena(a *cabi.Arena) {
	a.Reset()
	arenas.Lock()
	if arenas.n < len(arenas.free) {
		arenas.free[arenas.n] = a
		arenas.n++
		a = nil
	}
	arenas.Unlock()
	if a != nil {
		a.Close()
	}
}
