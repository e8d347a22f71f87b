package proxy

import (
	"reflect"
	"strings"
	"testing"

	"github.com/p11mux/p11mux/ck"
)

// What comes after the members of a call that no module has seen.
type strange struct{}

func (strange) Func() ck.Func { return ck.NumFuncs }

// Without C_Initialize nothing works, and with it only what PKCS#11 has.
func TestNotInitialized(t *testing.T) {
	f := newFake(1)
	h := over(t, []*fake{f}, nil)
	for fn := range ck.NumFuncs {
		want := ck.CKR_CRYPTOKI_NOT_INITIALIZED
		switch fn {
		case ck.FuncInitialize:
			continue
		case ck.FuncGetFunctionList, ck.FuncGetInterface, ck.FuncGetInterfaceList:
			want = ck.CKR_FUNCTION_NOT_SUPPORTED
		case ck.FuncGetFunctionStatus, ck.FuncCancelFunction:
			want = ck.CKR_FUNCTION_NOT_PARALLEL
		}
		h.gives(fn.String(), h.do(ck.NewCall(fn)), want)
	}
	h.takes(f, "")
	h.gives("C_Initialize", h.do(&ck.InitializeCall{}), ck.CKR_OK)
	h.gives("a call of no function", h.do(strange{}), ck.CKR_FUNCTION_NOT_SUPPORTED)
	h.gives("no call", h.do(nil), ck.CKR_FUNCTION_NOT_SUPPORTED)
	for _, fn := range []ck.Func{ck.FuncGetFunctionList, ck.FuncGetInterface, ck.FuncGetInterfaceList} {
		h.gives(fn.String(), h.do(ck.NewCall(fn)), ck.CKR_FUNCTION_NOT_SUPPORTED)
	}
	for _, fn := range []ck.Func{ck.FuncGetFunctionStatus, ck.FuncCancelFunction} {
		h.gives(fn.String(), h.do(ck.NewCall(fn)), ck.CKR_FUNCTION_NOT_PARALLEL)
	}
	h.gives("C_Finalize", h.do(&ck.FinalizeCall{Reserved: 1}), ck.CKR_ARGUMENTS_BAD)
	h.gives("C_Finalize", h.do(&ck.FinalizeCall{}), ck.CKR_OK)
	h.gives("C_Finalize", h.do(&ck.FinalizeCall{}), ck.CKR_CRYPTOKI_NOT_INITIALIZED)
}

func TestInfo(t *testing.T) {
	for _, version := range []ck.Version{{Major: 2, Minor: 40}, {Major: 3, Minor: 2}} {
		h := started(t, nil, func(o *Options) { o.Version = version })
		call := new(ck.GetInfoCall)
		h.gives("C_GetInfo", h.do(call), ck.CKR_OK)
		info := call.Info
		if info.CryptokiVersion != version || info.ManufacturerIDString() != "PKCS#11 Kit" || info.Flags != 0 ||
			info.LibraryDescriptionString() != "PKCS#11 Kit Proxy Module" || info.LibraryVersion != (ck.Version{Major: 1, Minor: 1}) {
			t.Errorf("of %v: %+v", version, info)
		}
		if info.ManufacturerID[31] != ' ' || info.LibraryDescription[31] != ' ' {
			t.Error("the texts are not padded with blanks")
		}
	}
}

// Every call about a session or a slot goes to its module alone, with the module's own number in it, and comes back with the
// proxy's, whatever the module answers.
func TestForwarding(t *testing.T) {
	var real any // what the module saw in the place of the session or slot
	var answer error
	look := func(call ck.Call) error {
		if s := ck.SessionOf(call); s != nil {
			real = *s
			return answer
		}
		if s := ck.SlotOf(call); s != nil && call.Func() != ck.FuncOpenSession {
			real = *s
			return answer
		}
		return nil
	}
	a, b := newFake(1, 2), newFake(1, 2)
	b.hook = look
	h := started(t, []*fake{a, b}, nil)
	slot := h.lists(false)[3]
	for range 4 {
		h.opens(slot)
	}
	session := h.opens(slot)
	a.took()
	forwarded := 0
	for fn := range ck.NumFuncs {
		switch fn {
		case ck.FuncCloseSession, ck.FuncCloseAllSessions, ck.FuncOpenSession, ck.FuncGetFunctionStatus, ck.FuncCancelFunction:
			continue // are not forwarded as they are
		}
		for _, answer = range []error{nil, ck.CKR_DEVICE_ERROR, ck.CKR_BUFFER_TOO_SMALL} {
			real = nil
			call, before := ck.NewCall(fn), ck.NewCall(fn)
			var want any
			for _, c := range []ck.Call{call, before} {
				if s := ck.SessionOf(c); s != nil {
					*s, want = session, ck.SessionHandle(5)
				} else if s := ck.SlotOf(c); s != nil {
					*s, want = slot, ck.SlotID(2)
				}
			}
			if want == nil {
				break
			}
			forwarded++
			h.gives(fn.String(), h.do(call), ck.RVOf(answer))
			if real != want {
				t.Errorf("%v: the module sees %v, want %v", fn, real, want)
			}
			if s, ok := call.(*ck.GetSessionInfoCall); ok && answer == nil {
				if s.Info.Slot != slot {
					t.Errorf("the session is in slot %d, want %d", s.Info.Slot, slot)
				}
				s.Info.Slot = 0
			}
			if s, ok := call.(*ck.GetSlotInfoCall); ok && answer == nil {
				if s.Info.HardwareVersion.Major != 2 {
					t.Errorf("the result of C_GetSlotInfo is %+v", s.Info)
				}
				s.Info.HardwareVersion.Major = 0
			}
			if !reflect.DeepEqual(call, before) {
				t.Errorf("%v: afterwards the call is %+v, before it was %+v", fn, call, before)
			}
			real = nil
			if s := ck.SessionOf(call); s != nil {
				*s += 100
				h.gives(fn.String()+" of no session", h.do(call), ck.CKR_SESSION_HANDLE_INVALID)
			} else {
				*ck.SlotOf(call) += 100
				h.gives(fn.String()+" of no slot", h.do(call), ck.CKR_SLOT_ID_INVALID)
			}
			if real != nil {
				t.Errorf("%v: the module sees %v, which is not in it", fn, real)
			}
		}
	}
	if want := 3 * (int(ck.NumFuncs) - 8 - 5); forwarded != want {
		t.Errorf("%d calls were forwarded, want %d", forwarded, want)
	}
	h.takes(a, "") // the other module has been asked nothing
}

// A call on a slot that is gone is for the module to refuse, and comes to it.
func TestSlotIsGone(t *testing.T) {
	f := newFake(1, 2)
	h := started(t, []*fake{f}, nil)
	slot := h.lists(false)[1]
	f.set(func() { f.slots = f.slots[:1] })
	h.has(firstID)
	f.took()
	h.gives("C_GetTokenInfo", h.do(&ck.GetTokenInfoCall{Slot: slot}), ck.CKR_SLOT_ID_INVALID)
	h.gives("C_OpenSession", h.do(&ck.OpenSessionCall{Slot: slot}), ck.CKR_SLOT_ID_INVALID)
	h.gives("C_CloseAllSessions", h.do(&ck.CloseAllSessionsCall{Slot: slot}), ck.CKR_OK)
	h.takes(f, "GetTokenInfo in 2, OpenSession in 2")
}

// Messages have the text that Describe gives.
func TestDescribe(t *testing.T) {
	f := newFake(1)
	f.hook = answers(ck.FuncInitialize, ck.CKR_DEVICE_ERROR)
	h := started(t, []*fake{f}, func(o *Options) {
		o.Describe = func(rv ck.RV) string { return strings.ToLower(rv.Error()) }
	})
	h.tells("a: module failed to initialize, skipping: ckr_device_error")
	_ = over(t, []*fake{f}, func(o *Options) { o.Message = nil }).Initialize(t.Context(), nil) // nobody to tell is no fault
}
