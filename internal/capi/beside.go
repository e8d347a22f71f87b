package capi

/*
#include <stdlib.h>
#include "beside.h"
*/
import "C"

import (
	"unsafe"

	"github.com/p11mux/p11mux/ck"
	"github.com/p11mux/p11mux/internal/native"
	"github.com/p11mux/p11mux/registry"
)

// beside gives the way to open modules where a libp11-kit.so.0 in this process is served by another engine: its modules
// are shared by everybody there. Nil if there is no such library.
func beside() registry.Opener {
	library := C.p11_library_beside()
	if library == nil {
		return nil
	}
	return func(path string) (*native.Module, error) {
		cpath := append([]byte(path), 0)
		var lent C.struct_p11_lent
		rv := ck.RV(C.p11_library_load(library, (*C.char)(unsafe.Pointer(&cpath[0])), &lent))
		if rv != ck.CKR_OK {
			text := C.GoString(&lent.message[0])
			if text == "" {
				text = "couldn't load module: " + path + ": " + rv.Error()
			}
			return nil, &native.LoadError{RV: rv, Text: text}
		}
		if lent.path != nil {
			defer C.free(unsafe.Pointer(lent.path))
			path = C.GoString(lent.path)
		}
		list := lent.list
		return native.Lent(path, list, func() { C.p11_library_release(library, list) }), nil
	}
}
