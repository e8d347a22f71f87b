package native

// #include "call.h"
import "C"

import (
	"unsafe"

	"github.com/p11mux/p11mux/ck"
)

// Sessions are opened and closed for every caller of a managed list, by whichever thread comes along, and
// C_GetSessionInfo is what programs call to see whether a session is still there. So the three have a way of their own: no
// arena, and no copy.

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

// The compiler refuses a ck.SessionInfo that is not laid out as CK_SESSION_INFO is (zlayout.c says how).
const (
	_ uintptr = -unsafe.Offsetof(ck.SessionInfo{}.Slot)
	_ uintptr = -(unsafe.Offsetof(ck.SessionInfo{}.State) ^ 8)
	_ uintptr = -(unsafe.Offsetof(ck.SessionInfo{}.Flags) ^ 16)
	_ uintptr = -(unsafe.Offsetof(ck.SessionInfo{}.DeviceError) ^ 24)
	_ uintptr = -(unsafe.Sizeof(ck.SessionInfo{}) ^ 32)
)

// sessionInfo has the module write into the call itself. That is Go's memory, which C may have for the time of a call if
// there are no pointers in it; passing it on here keeps the call off the stack, which could move.
func sessionInfo(function unsafe.Pointer, call *ck.GetSessionInfoCall) error {
	rv := ck.RV(C.p11_native_session_info(C.uintptr_t(uintptr(function)), C.ulong(call.Session), (*C.ulong)(unsafe.Pointer(&call.Info))))
	if rv != ck.CKR_OK {
		call.Info = ck.SessionInfo{} // whatever it left there
	}
	return rv.Err()
}
