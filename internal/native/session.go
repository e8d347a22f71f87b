package native

// #include "call.h"
import "C"

import (
	"unsafe"

	"github.com/p11mux/p11mux/ck"
)

// Sessions are opened and closed for every caller of a managed list, by whichever thread comes along, so the two calls for
// that have a way of their own: no arena, and no copy.

func openSession(function unsafe.Pointer, call *ck.OpenSessionCall) error {
	var session C.ulong
	rv := ck.RV(C.p11_native_open_session(function, C.ulong(call.Slot), C.ulong(call.Flags),
		C.uintptr_t(call.Application), C.uintptr_t(call.Notify), &session))
	if rv == ck.CKR_OK {
		call.Session = ck.SessionHandle(session)
	}
	return rv.Err()
}

func closeSession(function unsafe.Pointer, call *ck.CloseSessionCall) error {
	return ck.RV(C.p11_native_close_session(function, C.ulong(call.Session))).Err()
}
