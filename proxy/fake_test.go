package proxy

import (
	"context"
	"slices"
	"sync"
	"testing"

	"github.com/p11mux/p11mux/ck"
)

// A fake is a module whose slots, events and answers a test sets.
type fake struct {
	mu      sync.Mutex
	slots   []ck.SlotID
	claims  uint64 // slots that it claims to have beyond those
	events  []ck.SlotID
	answers map[ck.Func]ck.RV
	hook    func(ck.Call) // runs inside C_Initialize
	starts  int
	alive   bool
	next    ck.SessionHandle
	open    map[ck.SessionHandle]ck.SlotID
}

func (f *fake) Do(_ context.Context, call ck.Call) error {
	f.mu.Lock()
	if rv, set := f.answers[call.Func()]; set {
		f.mu.Unlock()
		return rv.Err()
	}
	hook := f.hook
	f.mu.Unlock()
	if _, ok := call.(*ck.InitializeCall); ok && hook != nil {
		hook(call)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, ok := call.(*ck.InitializeCall); ok {
		if f.alive {
			return ck.CKR_CRYPTOKI_ALREADY_INITIALIZED
		}
		f.alive = true
		f.starts++
		f.open = make(map[ck.SessionHandle]ck.SlotID)
		return nil
	}
	if !f.alive {
		return ck.CKR_CRYPTOKI_NOT_INITIALIZED
	}
	switch call := call.(type) {
	case *ck.FinalizeCall:
		f.alive = false
		f.open = nil
	case *ck.GetSlotListCall:
		call.Slots.N = uint64(len(f.slots)) + f.claims
		if call.Slots.Buf == nil {
			return nil
		}
		if len(call.Slots.Buf) < len(f.slots) {
			return ck.CKR_BUFFER_TOO_SMALL
		}
		copy(call.Slots.Buf, f.slots)
	case *ck.GetSlotInfoCall:
		if !slices.Contains(f.slots, call.Slot) {
			return ck.CKR_SLOT_ID_INVALID
		}
		call.Info.FirmwareVersion.Minor = byte(call.Slot)
	case *ck.OpenSessionCall:
		if !slices.Contains(f.slots, call.Slot) {
			return ck.CKR_SLOT_ID_INVALID
		}
		f.next++
		call.Session = f.next
		f.open[f.next] = call.Slot
	case *ck.CloseSessionCall:
		if _, ok := f.open[call.Session]; !ok {
			return ck.CKR_SESSION_HANDLE_INVALID
		}
		delete(f.open, call.Session)
	case *ck.GetSessionInfoCall:
		slot, ok := f.open[call.Session]
		if !ok {
			return ck.CKR_SESSION_HANDLE_INVALID
		}
		call.Info.Slot = slot
	case *ck.WaitForSlotEventCall:
		if call.Flags&ck.CKF_DONT_BLOCK == 0 {
			panic("a proxy must not wait inside a module")
		}
		if len(f.events) == 0 {
			return ck.CKR_NO_EVENT
		}
		call.Slot, f.events = f.events[0], f.events[1:]
	default:
		return ck.CKR_FUNCTION_NOT_SUPPORTED
	}
	return nil
}

// set changes a fake while it may be in use.
func (f *fake) set(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

// A fixture is a proxy and what it said.
type fixture struct {
	*testing.T
	*Proxy
	mu    sync.Mutex
	texts []string
}

// join makes a proxy of modules; all that a test makes share slots.
func join(t *testing.T, slots *Slots, modules ...*fake) *fixture {
	f := &fixture{T: t}
	var members []Member
	for i, m := range modules {
		members = append(members, Member{Module: m, Key: m, Name: string(rune('a' + i))})
	}
	f.Proxy = New(Options{
		Version: ck.Version{Major: 3, Minor: 2}, Members: members, Slots: slots,
		Message: func(text string) {
			f.mu.Lock()
			f.texts = append(f.texts, text)
			f.mu.Unlock()
		},
	})
	return f
}

func (f *fixture) said() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	texts := f.texts
	f.texts = nil
	return texts
}

// gives makes a call and compares its answer.
func (f *fixture) gives(call ck.Call, want ck.RV) {
	f.Helper()
	if rv := ck.RVOf(f.Do(f.Context(), call)); rv != want {
		f.Errorf("%v gives %v, want %v", call.Func(), rv, want)
	}
}

// list compares the slot ids.
func (f *fixture) list(want ...ck.SlotID) {
	f.Helper()
	call := ck.GetSlotListCall{Slots: ck.Out[ck.SlotID]{Buf: make([]ck.SlotID, 32)}}
	f.gives(&call, ck.CKR_OK)
	if got := call.Slots.Bytes(); !slices.Equal(got, want) {
		f.Errorf("slots %v, want %v", got, want)
	}
}

func (f *fixture) session(slot ck.SlotID) ck.SessionHandle {
	f.Helper()
	call := ck.OpenSessionCall{Slot: slot, Flags: ck.CKF_SERIAL_SESSION}
	f.gives(&call, ck.CKR_OK)
	if call.Slot != slot {
		f.Errorf("the call's slot has become %d", call.Slot)
	}
	return call.Session
}
