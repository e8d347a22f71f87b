package native

/*
#cgo CFLAGS: -std=gnu11 -Wall -Wextra -Werror -Wno-unused-parameter
#cgo LDFLAGS: -ldl -lpthread
#include "load.h"
*/
import "C"

import (
	"runtime"
	"sync"
	"unsafe"

	"github.com/p11mux/p11mux/ck"
)

// Open loads the module at path, an absolute path. Of the module's interfaces it takes the default one, and the list of
// C_GetFunctionList where C_GetInterface is absent or gives an error. Nothing is initialized.
//
// The error names the path and says what is wrong; it wraps the ck.RV that a C caller should see.
func Open(path string) (*Module, error) {
	cpath := append([]byte(path), 0) // C.CString would end the process where memory is short
	var loaded C.struct_p11_native_module
	step := C.p11_native_load((*C.char)(unsafe.Pointer(&cpath[0])), &loaded)
	if step == C.P11_NATIVE_LOADED {
		return Adopt(path, loaded.dl, loaded.list, int(loaded.list_bytes)), nil
	}
	rv, text := ck.CKR_GENERAL_ERROR, C.GoString(&loaded.text[0])
	switch step {
	case C.P11_NATIVE_NO_ENTRY:
		text = "couldn't find C_GetFunctionList entry point in module: " + path + ": " + text
	case C.P11_NATIVE_REFUSED:
		rv = ck.RV(loaded.rv)
		text = "call to C_GetFunctionList failed in module: " + path
		return nil, &LoadError{RV: rv, Text: text, Refused: true}
	case C.P11_NATIVE_SELF:
		rv, text = ck.CKR_FUNCTION_FAILED, "refusing to load the p11-kit-proxy.so module as a registered module: "+path
	case C.P11_NATIVE_NO_LIST:
		text = "call to C_GetFunctionList gave no function list in module: " + path
	default:
		text = "couldn't load module: " + path + ": " + text
	}
	return nil, &LoadError{RV: rv, Text: text}
}

// TellServer tells p11-kit's client module, at an absolute path, where the server is of the module that is opened next. It is false
// where the file is no such module. forget must be called after that.
func TellServer(path, address string) (forget func(), ok bool) {
	cpath, caddress := append([]byte(path), 0), append([]byte(address), 0)
	dl := C.p11_native_tell_server((*C.char)(unsafe.Pointer(&cpath[0])), (*C.char)(unsafe.Pointer(&caddress[0])))
	if dl == nil {
		return nil, false
	}
	return func() { unload(dl) }, true
}

// SetGuard has enter and leave, C functions without arguments, called around each use of the dynamic linker. A program
// that forks needs it: a child can never load anything if it was forked while the linker was at work. It must be called
// before anything is loaded.
func SetGuard(enter, leave unsafe.Pointer) {
	C.p11_native_guard_enter = (*[0]byte)(enter)
	C.p11_native_guard_leave = (*[0]byte)(leave)
}

// SetSelf makes the proxy module known by its C_GetFunctionList: it is never loaded as one of the modules that are behind
// it. It must be called before anything is loaded, or by what loading the proxy module brings about.
func SetSelf(entry unsafe.Pointer) { C.p11_native_self = entry }

// InitializeArgs are what a module gets to be used from many threads: CKF_OS_LOCKING_OK, and working mutex functions for
// modules that prefer them (PKCS#11 3.2 §5.4.1).
func InitializeArgs() ck.InitializeArgs {
	return ck.InitializeArgs{
		CreateMutex:  uintptr(unsafe.Pointer(C.p11_native_create_mutex)),
		DestroyMutex: uintptr(unsafe.Pointer(C.p11_native_destroy_mutex)),
		LockMutex:    uintptr(unsafe.Pointer(C.p11_native_lock_mutex)),
		UnlockMutex:  uintptr(unsafe.Pointer(C.p11_native_unlock_mutex)),
		Flags:        ck.CKF_OS_LOCKING_OK,
	}
}

// ReservedString is text as a C string, for CK_C_INITIALIZE_ARGS.pReserved. A module may keep the pointer, so the memory
// is never freed.
func ReservedString(text string) uintptr {
	b := append([]byte(text), 0)
	reserved.Lock()
	reserved.Pin(&b[0])
	reserved.Unlock()
	return uintptr(unsafe.Pointer(&b[0]))
}

// reserved holds on to what modules may hold on to.
var reserved struct {
	sync.Mutex
	runtime.Pinner
}

// ListBytes is how much of the function list there is by the version it begins with.
func ListBytes(list unsafe.Pointer) int { return int(C.p11_native_list_bytes(list)) }

// unload gives a dlopen handle back.
func unload(dl unsafe.Pointer) { C.p11_native_unload(dl) }
