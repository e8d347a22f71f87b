//go:build !cgo

package native

import (
	"unsafe"

	"github.com/p11mux/p11mux/ck"
	"github.com/p11mux/p11mux/internal/cabi"
)

// This file stands in for what is written in C, so that everything above this package builds, and is tested, by the Go
// tools alone. No module can be loaded then, and none that is adopted can be called.

// nocgo is what is wrong with such a program, and what to do.
const nocgo = "built without cgo: build with CGO_ENABLED=1 and a C compiler"

// Open gives an error that names the path and says how to build a program that can load modules.
func Open(path string) (*Module, error) {
	return nil, &LoadError{RV: ck.CKR_GENERAL_ERROR, Text: "couldn't load module: " + path + ": " + nocgo}
}

// TellServer is always false: there is nobody to tell.
func TellServer(path, address string) (forget func(), ok bool) { return nil, false }

// SetGuard does nothing: there is no use of the dynamic linker to guard.
func SetGuard(enter, leave unsafe.Pointer) {}

// UsualCrashes does nothing: no module can crash.
func UsualCrashes() {}

// SetSelf does nothing: no module is loaded.
func SetSelf(entry unsafe.Pointer) {}

// InitializeArgs lacks the mutex functions, which are C.
func InitializeArgs() ck.InitializeArgs { return ck.InitializeArgs{Flags: ck.CKF_OS_LOCKING_OK} }

// ReservedString gives 0: there is no C memory for the text.
func ReservedString(text string) uintptr { return 0 }

// ListBytes gives 0, for a list of no functions: none of them can be called.
func ListBytes(list unsafe.Pointer) int { return 0 }

// unload has nothing to unload.
func unload(dl unsafe.Pointer) {}

// invoke refuses: calling C takes cgo.
func invoke(function unsafe.Pointer, w *cabi.Words) uint64 {
	return uint64(ck.CKR_FUNCTION_NOT_SUPPORTED)
}

// openSession refuses, as invoke does.
func openSession(unsafe.Pointer, *ck.OpenSessionCall) error { return ck.CKR_FUNCTION_NOT_SUPPORTED }

// closeSession refuses, as invoke does.
func closeSession(unsafe.Pointer, *ck.CloseSessionCall) error { return ck.CKR_FUNCTION_NOT_SUPPORTED }

// sessionInfo refuses, as invoke does.
func sessionInfo(unsafe.Pointer, *ck.GetSessionInfoCall) error { return ck.CKR_FUNCTION_NOT_SUPPORTED }

// newArena gives an arena without memory.
func newArena() *cabi.Arena {
	return cabi.NewArena(func(uintptr) unsafe.Pointer { return nil }, func(unsafe.Pointer) {})
}
