package proxy

import (
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/p11mux/p11mux/ck"
	"github.com/p11mux/p11mux/internal/testkit"
)

// Sessions of members that have the same handles are apart, and those of one proxy are unknown to another.
func TestSessions(t *testing.T) {
	a, b := newFake(1), newFake(1)
	h := started(t, []*fake{a, b}, nil)
	other := started(t, []*fake{newFake(1)}, nil)
	s := [4]ck.SessionHandle{h.opens(17), h.opens(18), h.opens(17), other.opens(17)}
	for i, handle := range s {
		if handle < firstID || slices.Contains(s[:i], handle) {
			t.Errorf("the handles are %v", s)
		}
	}
	for i, slot := range []ck.SlotID{17, 18, 17} {
		info := &ck.GetSessionInfoCall{Session: s[i]}
		h.gives("C_GetSessionInfo", h.do(info), ck.CKR_OK)
		if info.Info.Slot != slot {
			t.Errorf("session %d is in slot %d, want %d", s[i], info.Info.Slot, slot)
		}
	}
	h.takes(a, "OpenSession in 1, OpenSession in 1, GetSessionInfo 1, GetSessionInfo 2")
	h.takes(b, "OpenSession in 1, GetSessionInfo 1")
	for _, unknown := range []ck.SessionHandle{0, 1, s[3], s[3] + 1, 1 << 63, ^ck.SessionHandle(0)} {
		h.gives("C_GetSessionInfo", h.do(&ck.GetSessionInfoCall{Session: unknown}), ck.CKR_SESSION_HANDLE_INVALID)
		h.gives("C_CloseSession", h.do(&ck.CloseSessionCall{Session: unknown}), ck.CKR_SESSION_HANDLE_INVALID)
	}
	h.gives("C_CloseSession", h.do(&ck.CloseSessionCall{Session: s[0]}), ck.CKR_OK)
	h.gives("C_CloseSession", h.do(&ck.CloseSessionCall{Session: s[0]}), ck.CKR_SESSION_HANDLE_INVALID)
	h.gives("C_GetSessionInfo", h.do(&ck.GetSessionInfoCall{Session: s[0]}), ck.CKR_SESSION_HANDLE_INVALID)
	h.gives("C_GetSessionInfo", h.do(&ck.GetSessionInfoCall{Session: s[1]}), ck.CKR_OK)
	h.takes(a, "CloseSession 1")
	if again := h.opens(17); slices.Contains(s[:], again) {
		t.Errorf("handle %d is used again", again)
	}
}

// The module gets the call of C_OpenSession with its own slot, and when it refuses, the call is as it was.
func TestOpenFails(t *testing.T) {
	f := newFake(1)
	f.hook = func(call ck.Call) error {
		if c, ok := call.(*ck.OpenSessionCall); ok {
			if c.Slot != 1 || c.Flags != 6 || c.Application != 7 || c.Notify != 8 {
				t.Errorf("the module sees %+v", c)
			}
			c.Session = 99
			return ck.CKR_TOKEN_NOT_PRESENT
		}
		return nil
	}
	h := started(t, []*fake{f}, nil)
	before := ck.OpenSessionCall{Slot: 17, Flags: 6, Application: 7, Notify: 8, Session: 5}
	call := before
	h.gives("C_OpenSession", h.do(&call), ck.CKR_TOKEN_NOT_PRESENT)
	if call != before {
		t.Errorf("the call is %+v, was %+v", call, before)
	}
	call.Slot = 1
	h.gives("C_OpenSession", h.do(&call), ck.CKR_SLOT_ID_INVALID)
}

// A small table has room for some sessions only.
type small struct {
	Table
	room, slots int
}

func (s *small) Open(member int, real ck.SessionHandle, slot ck.SlotID) (ck.SessionHandle, bool) {
	if s.room == 0 {
		return 0, false
	}
	s.room--
	return s.Table.Open(member, real, slot)
}

func (s *small) Slot(id ck.SlotID, member int, real ck.SlotID) {
	s.slots++
	s.Table.Slot(id, member, real)
}

// When the table is full, no session stays open.
func TestTableIsFull(t *testing.T) {
	f := newFake(1)
	h := started(t, []*fake{f}, func(o *Options) { o.Table = &small{Table: NewTable(), room: 1} })
	h.opens(17)
	call := &ck.OpenSessionCall{Slot: 17, Session: 5}
	h.gives("C_OpenSession", h.do(call), ck.CKR_SESSION_COUNT)
	if call.Session != 5 || call.Slot != 17 {
		t.Errorf("the call is %+v", call)
	}
	h.takes(f, "OpenSession in 1, OpenSession in 1, CloseSession 2")
}

// The table learns each slot of the members once in a life, whoever lists it.
func TestTableLearns(t *testing.T) {
	a, b := newFake(1), newFake(1, 2)
	table := &small{Table: NewTable(), room: 9}
	slots := NewSlots()
	h := started(t, []*fake{a}, func(o *Options) { o.Table, o.Slots = table, slots })
	h.has(17)
	h.has(17)
	if table.slots != 1 {
		t.Errorf("the table is told of %d slots, want 1", table.slots)
	}
	foreign, known := slots.ID(b, 2), slots.ID(a, 2)
	a.set(func() { a.slots = append(a.slots, 2) })
	h.gives("C_GetSlotInfo", h.do(&ck.GetSlotInfoCall{Slot: foreign}), ck.CKR_SLOT_ID_INVALID)
	for range 2 {
		h.opens(known)
		h.gives("C_GetSlotInfo", h.do(&ck.GetSlotInfoCall{Slot: known}), ck.CKR_OK)
	}
	if table.slots != 2 {
		t.Errorf("the table is told of %d slots, want 2", table.slots)
	}
	h.gives("C_Finalize", h.Finalize(t.Context()), ck.CKR_OK)
	h.gives("C_Initialize", h.Initialize(t.Context(), nil), ck.CKR_OK)
	if table.slots != 4 {
		t.Errorf("the table is told of %d slots, want 4", table.slots)
	}
	// A call that is still at work when the proxy is finalized tells it nothing.
	a.hook = during(ck.FuncGetSlotList, func() {
		h.gives("C_Finalize", h.Finalize(t.Context()), ck.CKR_OK)
		a.set(func() { a.alive, a.slots = true, append(a.slots, 3) })
	})
	h.gives("C_GetSlotList", h.do(new(ck.GetSlotListCall)), ck.CKR_OK)
	if table.slots != 4 {
		t.Errorf("the table is told of %d slots, want 4", table.slots)
	}
	h.tells("")
}

// What C_CloseSession answers decides whether the session is still there.
func TestCloseFails(t *testing.T) {
	for rv, open := range map[ck.RV]bool{
		ck.CKR_OK: false, ck.CKR_SESSION_HANDLE_INVALID: false, ck.CKR_SESSION_CLOSED: false, ck.CKR_DEVICE_REMOVED: false,
		ck.CKR_CRYPTOKI_NOT_INITIALIZED: false, ck.CKR_FUNCTION_FAILED: true, ck.CKR_DEVICE_ERROR: true,
	} {
		var hidden error
		f := newFake(1)
		var h *house
		var session ck.SessionHandle
		f.hook = func(call ck.Call) error {
			if call.Func() == ck.FuncCloseSession {
				hidden = h.do(&ck.GetSessionInfoCall{Session: session})
				return rv.Err()
			}
			return nil
		}
		h = started(t, []*fake{f}, nil)
		session = h.opens(17)
		h.gives("C_CloseSession", h.do(&ck.CloseSessionCall{Session: session}), rv)
		h.gives("C_GetSessionInfo meanwhile", hidden, ck.CKR_SESSION_HANDLE_INVALID)
		want := ck.CKR_SESSION_HANDLE_INVALID
		if open {
			want = ck.CKR_OK
		}
		h.gives("C_GetSessionInfo after "+rv.Error(), h.do(&ck.GetSessionInfoCall{Session: session}), want)
	}
}

// C_CloseAllSessions closes the sessions on one slot, this proxy's alone, and goes on where one cannot be closed.
func TestCloseAll(t *testing.T) {
	f := newFake(1, 2)
	f.hook = func(call ck.Call) error {
		if c, ok := call.(*ck.CloseSessionCall); ok && c.Session == 3 {
			return ck.CKR_DEVICE_ERROR
		}
		return nil
	}
	h := started(t, []*fake{f}, nil)
	other := started(t, []*fake{f}, nil)
	for _, slot := range []ck.SlotID{17, 18, 17, 17} {
		h.opens(slot)
	}
	other.opens(17)
	f.took()
	h.gives("C_CloseAllSessions", h.do(&ck.CloseAllSessionsCall{Slot: 17}), ck.CKR_OK)
	h.takes(f, "CloseSession 1, CloseSession 3, CloseSession 4")
	h.tells("couldn't close session: CKR_DEVICE_ERROR")
	if left := f.sessions(); !slices.Equal(left, []ck.SessionHandle{2, 3, 5}) {
		t.Errorf("sessions %v are left", left)
	}
	h.gives("C_CloseAllSessions", h.do(&ck.CloseAllSessionsCall{Slot: 19}), ck.CKR_SLOT_ID_INVALID)
}

// Of many threads that close one session, one does.
func TestCloseOnce(t *testing.T) {
	f := newFake(1)
	f.hook = func(ck.Call) error { runtime.Gosched(); return nil }
	h := started(t, []*fake{f}, nil)
	for range 100 {
		session := h.opens(17)
		var closed atomic.Int32
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				switch rv := ck.RVOf(h.do(&ck.CloseSessionCall{Session: session})); rv {
				case ck.CKR_OK:
					closed.Add(1)
				case ck.CKR_SESSION_HANDLE_INVALID:
				default:
					t.Errorf("C_CloseSession gives %v", rv)
				}
			})
		}
		wg.Wait()
		if closed.Load() != 1 {
			t.Fatalf("%d threads close one session", closed.Load())
		}
	}
}

// C_Finalize waits for calls that open and close sessions. Such a call is refused while it waits, rather than left hanging.
func TestFinalizeWaits(t *testing.T) {
	for _, fn := range []ck.Func{ck.FuncOpenSession, ck.FuncCloseSession} {
		f := newFake(1)
		inside, leave := make(chan struct{}), make(chan struct{})
		f.hook = during(fn, func() {
			close(inside)
			<-leave
		})
		h := started(t, []*fake{f}, nil)
		var over atomic.Bool // the call may return
		testkit.Finishes(t, func() {
			var wg sync.WaitGroup
			wg.Go(func() {
				call := &ck.OpenSessionCall{Slot: 17}
				h.gives("C_OpenSession", h.do(call), ck.CKR_OK)
				if fn == ck.FuncCloseSession {
					h.gives("C_CloseSession", h.do(&ck.CloseSessionCall{Session: call.Session}), ck.CKR_OK)
				}
			})
			<-inside
			wg.Go(func() {
				h.gives("C_Finalize", h.Finalize(t.Context()), ck.CKR_OK)
				if !over.Load() {
					t.Error("it did not wait")
				}
			})
			for h.do(&ck.GetInfoCall{}) == nil {
				runtime.Gosched() // until it waits
			}
			for range 100 {
				runtime.Gosched()
			}
			h.gives("C_OpenSession", h.do(&ck.OpenSessionCall{Slot: 17}), ck.CKR_CRYPTOKI_NOT_INITIALIZED)
			h.gives("C_CloseAllSessions", h.do(&ck.CloseAllSessionsCall{Slot: 17}), ck.CKR_CRYPTOKI_NOT_INITIALIZED)
			over.Store(true)
			close(leave)
			wg.Wait()
		})
	}
}
