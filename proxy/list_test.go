package proxy

import (
	"slices"
	"testing"

	"github.com/p11mux/p11mux/ck"
)

// Slots are listed by member and in the member's own order, keep their ids when they go and come back, and have the same ids
// in every proxy (abi.md 7.5).
func TestSlotList(t *testing.T) {
	a, b := newFake(5, 3), newFake(5, 3)
	var shared *Slots
	h := started(t, []*fake{a, b}, func(o *Options) {
		o.Slots = NewSlots()
		shared = o.Slots
	})
	h.has(17, 18, 19, 20)
	for _, step := range []struct {
		a    []ck.SlotID
		want []ck.SlotID
	}{
		{[]ck.SlotID{5, 3, 8, 9}, []ck.SlotID{17, 18, 21, 22, 19, 20}},
		{[]ck.SlotID{3}, []ck.SlotID{18, 19, 20}},
		{nil, []ck.SlotID{19, 20}},
		{[]ck.SlotID{9, 8, 3}, []ck.SlotID{22, 21, 18, 19, 20}},
		{[]ck.SlotID{5, 3}, []ck.SlotID{17, 18, 19, 20}},
	} {
		a.set(func() { a.slots = step.a })
		h.has(step.want...)
	}
	h.gives("C_Finalize", h.Finalize(t.Context()), ck.CKR_OK)
	h.gives("C_Initialize", h.Initialize(t.Context(), nil), ck.CKR_OK)
	h.has(17, 18, 19, 20)
	h.gives("C_Finalize", h.Finalize(t.Context()), ck.CKR_OK)
	other := started(t, []*fake{b, newFake(1)}, func(o *Options) { o.Slots = shared })
	other.has(19, 20, 23)
}

// TokenPresent is the members' to judge.
func TestTokenPresent(t *testing.T) {
	a, b := newFake(1, 2), newFake(1, 2)
	a.empty, b.empty = []ck.SlotID{1}, []ck.SlotID{2}
	h := started(t, []*fake{a, b}, nil)
	if got := h.lists(true); !slices.Equal(got, []ck.SlotID{18, 19}) {
		t.Errorf("slots with a token are %v, want 18 19", got)
	}
	// The first call asks how many there are, and so must the proxy: that is when a module looks for new ones.
	h.takes(a, "GetSlotList present count, GetSlotList present, GetSlotList present")
	h.has(17, 18, 19, 20)
	h.takes(b, "GetSlotList present count, GetSlotList present, GetSlotList present, GetSlotList count, GetSlotList, GetSlotList")
}

// The two-call convention: too little room says how much there must be, and writes nothing behind it.
func TestRoom(t *testing.T) {
	h := started(t, []*fake{newFake(1, 2), newFake(1)}, nil)
	for room := range 6 {
		buf := make([]ck.SlotID, 6)
		call := &ck.GetSlotListCall{Slots: ck.Out[ck.SlotID]{Buf: buf[:room]}}
		want, list := ck.CKR_OK, []ck.SlotID{17, 18, 19, 0, 0, 0}
		if room < 3 {
			want, list = ck.CKR_BUFFER_TOO_SMALL, make([]ck.SlotID, 6)
		}
		h.gives("C_GetSlotList", h.do(call), want)
		if call.Slots.N != 3 || !slices.Equal(buf, list) {
			t.Errorf("with room for %d there are %d: %v", room, call.Slots.N, buf)
		}
	}
}

// A list that grows between the count and the listing, and while it is listed, loses nothing.
func TestListGrows(t *testing.T) {
	f := newFake()
	more := 0
	f.hook = func(call ck.Call) error {
		if call.Func() == ck.FuncGetSlotList && more > 0 && more < 2000 {
			f.set(func() {
				for range more {
					f.slots = append(f.slots, ck.SlotID(len(f.slots)))
				}
			})
			more *= 4
		}
		return nil
	}
	h := started(t, []*fake{f}, nil)
	for _, buf := range [][]ck.SlotID{nil, make([]ck.SlotID, 5000)} {
		f.set(func() { f.slots = nil })
		more = 17 // then 68 and so on, so that each answer is too little for the next
		call := &ck.GetSlotListCall{Slots: ck.Out[ck.SlotID]{Buf: buf}}
		h.gives("C_GetSlotList", h.do(call), ck.CKR_OK)
		if want := uint64(17 + 68 + 272 + 1088); call.Slots.N != want || buf != nil && buf[want-1] != ck.SlotID(firstID+want-1) {
			t.Errorf("there are %d slots, want %d", call.Slots.N, want)
		}
	}
	h.tells("")
}

// A member that cannot list its slots, or says what cannot be, has none. That is told once, until it can again.
func TestListFails(t *testing.T) {
	for _, c := range []struct {
		name  string
		hook  func(call *ck.GetSlotListCall) error
		text  string
		calls int // how often it is asked for one list
	}{
		{"refused", func(*ck.GetSlotListCall) error { return ck.CKR_DEVICE_ERROR }, "CKR_DEVICE_ERROR", 1},
		{"not filled", func(call *ck.GetSlotListCall) error {
			if call.Slots.Buf == nil {
				call.Slots.N = 3
				return errDone
			}
			return ck.CKR_TOKEN_NOT_RECOGNIZED
		}, "CKR_TOKEN_NOT_RECOGNIZED", 2},
		{"absurd", func(call *ck.GetSlotListCall) error {
			call.Slots.N = 1 << 60
			if call.Slots.Buf == nil {
				return errDone
			}
			return ck.CKR_BUFFER_TOO_SMALL
		}, "it claims 1152921504606846976 slots", 2},
		{"absurd and CKR_OK", func(call *ck.GetSlotListCall) error {
			call.Slots.N = 1 << 60
			return errDone
		}, "it claims 1152921504606846976 slots", 2},
		{"never enough", func(call *ck.GetSlotListCall) error {
			if call.Slots.N = 3; call.Slots.Buf == nil {
				return errDone
			}
			return ck.CKR_BUFFER_TOO_SMALL
		}, "it claims 3 slots", 14},
		{"always one more", func(call *ck.GetSlotListCall) error {
			call.Slots.N = uint64(len(call.Slots.Buf)) + 1
			return ck.CKR_BUFFER_TOO_SMALL
		}, "CKR_BUFFER_TOO_SMALL", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, b, d := newFake(1), newFake(1), newFake(1)
			bad := true
			asked := 0
			h := over(t, []*fake{a, b, d}, func(o *Options) {
				o.Members[1].Module = instead(b, func(call ck.Call) error {
					if list, ok := call.(*ck.GetSlotListCall); ok && bad {
						asked++
						return c.hook(list)
					}
					return nil
				})
			})
			h.gives("C_Initialize", h.Initialize(t.Context(), nil), ck.CKR_OK)
			h.tells("b: the module's slots are left out, its C_GetSlotList failed: " + c.text)
			if asked != c.calls {
				t.Errorf("it is asked %d times, want %d", asked, c.calls)
			}
			h.has(17, 18)
			h.has(17, 18)
			h.tells("")
			bad = false
			h.has(17, 19, 18)
			h.tells("")
			bad = true
			h.has(17, 18)
			h.tells("b: the module's slots are left out, its C_GetSlotList failed: " + c.text)
			// A session on a slot that is known is not concerned.
			h.gives("C_GetSessionInfo", h.do(&ck.GetSessionInfoCall{Session: h.opens(19)}), ck.CKR_OK)
		})
	}
}
