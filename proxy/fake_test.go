package proxy

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/p11mux/p11mux/ck"
	"github.com/p11mux/p11mux/internal/testkit"
	"github.com/p11mux/p11mux/module"
)

// A fake is a module whose slots, events and failures a test says. Its slots and sessions have small numbers, the same as
// those of every other fake, so a number that is not translated finds the wrong one. What PKCS#11 forbids is a fault.
type fake struct {
	// hook, if not nil, runs inside each call, and what it answers other than nil is the call's answer. It must be set before
	// the module is used.
	hook func(call ck.Call) error

	mu     sync.Mutex
	alive  bool
	slots  []ck.SlotID
	empty  []ck.SlotID // those of slots that have no token
	events []ck.SlotID // told one by one
	open   map[ck.SessionHandle]ck.SlotID
	next   ck.SessionHandle
	seen   []string
	faults []string
	starts int
}

var _ module.Module = (*fake)(nil)

func newFake(slots ...ck.SlotID) *fake {
	return &fake{slots: slots, open: make(map[ck.SessionHandle]ck.SlotID)}
}

// Do is the module.
func (f *fake) Do(_ context.Context, call ck.Call) error {
	f.mu.Lock()
	f.seen = append(f.seen, note(call))
	f.mu.Unlock()
	if f.hook != nil {
		if err := f.hook(call); err != nil {
			return err
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	switch c := call.(type) {
	case *ck.InitializeCall:
		if f.alive {
			return ck.CKR_CRYPTOKI_ALREADY_INITIALIZED
		}
		if c.Args != nil {
			f.faults = append(f.faults, "C_Initialize has arguments")
		}
		f.alive = true
		f.starts++
		return nil
	case *ck.FinalizeCall:
		if !f.alive {
			f.faults = append(f.faults, "C_Finalize of a module that is not initialized")
		}
		f.alive = false
		clear(f.open)
		return nil
	}
	if !f.alive {
		return ck.CKR_CRYPTOKI_NOT_INITIALIZED
	}
	if s := ck.SessionOf(call); s != nil {
		if _, open := f.open[*s]; !open {
			return ck.CKR_SESSION_HANDLE_INVALID
		}
	}
	switch c := call.(type) {
	case *ck.GetSlotListCall:
		list := slices.DeleteFunc(slices.Clone(f.slots), func(id ck.SlotID) bool { return c.TokenPresent && slices.Contains(f.empty, id) })
		c.Slots.N = uint64(len(list))
		if c.Slots.Buf != nil && copy(c.Slots.Buf, list) < len(list) {
			return ck.CKR_BUFFER_TOO_SMALL
		}
		return nil
	case *ck.WaitForSlotEventCall:
		if c.Flags&ck.CKF_DONT_BLOCK == 0 {
			f.faults = append(f.faults, "C_WaitForSlotEvent would block")
		}
		if len(f.events) == 0 {
			return ck.CKR_NO_EVENT
		}
		c.Slot, f.events = f.events[0], f.events[1:]
		return nil
	case *ck.CloseAllSessionsCall:
		f.faults = append(f.faults, "C_CloseAllSessions, which closes the sessions of others too")
	}
	if s := ck.SlotOf(call); s != nil && !slices.Contains(f.slots, *s) {
		return ck.CKR_SLOT_ID_INVALID
	}
	switch c := call.(type) {
	case *ck.OpenSessionCall:
		f.next++
		c.Session = f.next
		f.open[c.Session] = c.Slot
	case *ck.CloseSessionCall:
		delete(f.open, c.Session)
	case *ck.GetSessionInfoCall:
		c.Info.Slot = f.open[c.Session]
	case *ck.GetSlotInfoCall:
		c.Info.HardwareVersion.Major = byte(c.Slot)
	}
	return nil
}

// note says which call it is, and of which slot or session.
func note(call ck.Call) string {
	text := strings.TrimPrefix(call.Func().String(), "C_")
	if s := ck.SessionOf(call); s != nil {
		text += " " + strconv.FormatUint(uint64(*s), 10)
	}
	if s := ck.SlotOf(call); s != nil {
		text += " in " + strconv.FormatUint(uint64(*s), 10)
	}
	if c, ok := call.(*ck.GetSlotListCall); ok {
		if c.TokenPresent {
			text += " present"
		}
		if c.Slots.Buf == nil {
			text += " count"
		}
	}
	return text
}

// took gives the calls since it was last asked.
func (f *fake) took() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	seen := strings.Join(f.seen, ", ")
	f.seen = nil
	return seen
}

// set changes what the module has.
func (f *fake) set(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

// sessions gives the open sessions in order.
func (f *fake) sessions() []ck.SessionHandle {
	f.mu.Lock()
	defer f.mu.Unlock()
	var all []ck.SessionHandle
	for s := range f.open {
		all = append(all, s)
	}
	slices.Sort(all)
	return all
}

// verify fails the test for each fault.
func (f *fake) verify(t *testing.T) {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	testkit.Report(t, f.faults)
}

// answers is a hook that answers calls of one function.
func answers(fn ck.Func, rv ck.RV) func(ck.Call) error {
	return func(call ck.Call) error {
		if call.Func() == fn {
			return rv.Err()
		}
		return nil
	}
}

// during is a hook that does something once, inside the first call of a function.
func during(fn ck.Func, do func()) func(ck.Call) error {
	var once sync.Once
	return func(call ck.Call) error {
		if call.Func() == fn {
			once.Do(do)
		}
		return nil
	}
}

// A told collects messages.
type told struct {
	mu    sync.Mutex
	texts []string
}

func (m *told) message(text string) {
	m.mu.Lock()
	m.texts = append(m.texts, text)
	m.mu.Unlock()
}

func (m *told) took() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	text := strings.Join(m.texts, "; ")
	m.texts = nil
	return text
}

// A house is a proxy of fakes, with the messages that it told.
type house struct {
	*Proxy
	*testing.T
	told told
}

// over makes a proxy of fakes, whose names are a, b, c and so on. change may say more of it, or be nil.
func over(t *testing.T, fakes []*fake, change func(*Options)) *house {
	t.Helper()
	h := &house{T: t}
	o := Options{Version: ck.Version{Major: 3, Minor: 2}, Message: h.told.message}
	for i, f := range fakes {
		o.Members = append(o.Members, Member{Module: f, Key: f, Name: string(rune('a' + i))})
	}
	if change != nil {
		change(&o)
	}
	h.Proxy = New(o)
	t.Cleanup(func() {
		for _, f := range fakes {
			f.verify(t)
		}
	})
	return h
}

// started is over, and C_Initialize.
func started(t *testing.T, fakes []*fake, change func(*Options)) *house {
	t.Helper()
	h := over(t, fakes, change)
	h.gives("C_Initialize", h.Initialize(t.Context(), nil), ck.CKR_OK)
	for _, f := range fakes {
		f.took()
	}
	return h
}

// do makes a call.
func (h *house) do(call ck.Call) error { return h.Do(h.Context(), call) }

// gives checks what a call gave.
func (h *house) gives(what string, err error, want ck.RV) {
	h.Helper()
	if ck.RVOf(err) != want {
		h.Errorf("%s gives %v, want %v", what, ck.RVOf(err), want)
	}
}

// tells checks the messages since it was last asked.
func (h *house) tells(want string) {
	h.Helper()
	if text := h.told.took(); text != want {
		h.Errorf("messages %q, want %q", text, want)
	}
}

// takes checks what reached a member.
func (h *house) takes(f *fake, want string) {
	h.Helper()
	if seen := f.took(); seen != want {
		h.Errorf("the module sees %q, want %q", seen, want)
	}
}

// lists gives the slots, by the two-call convention.
func (h *house) lists(present bool) []ck.SlotID {
	h.Helper()
	list := &ck.GetSlotListCall{TokenPresent: present}
	h.gives("C_GetSlotList", h.do(list), ck.CKR_OK)
	list.Slots.Buf = make([]ck.SlotID, list.Slots.N)
	h.gives("C_GetSlotList", h.do(list), ck.CKR_OK)
	return list.Slots.Bytes()
}

// has checks which slots there are.
func (h *house) has(want ...ck.SlotID) {
	h.Helper()
	if got := h.lists(false); !slices.Equal(got, want) {
		h.Errorf("the slots are %v, want %v", got, want)
	}
}

// opens opens a session that must open.
func (h *house) opens(slot ck.SlotID) ck.SessionHandle {
	h.Helper()
	call := &ck.OpenSessionCall{Slot: slot, Flags: ck.CKF_SERIAL_SESSION}
	if err := h.do(call); err != nil {
		h.Fatalf("C_OpenSession: %v", err)
	}
	return call.Session
}

// errDone is what a hook of instead answers to have its call succeed as it is.
const errDone = ck.RV(0xffff_ffff)

// instead is a module that hook answers for, unless it gives nil.
func instead(m module.Module, hook func(call ck.Call) error) module.Module {
	return module.Func(func(ctx context.Context, call ck.Call) error {
		switch err := hook(call); {
		case err == nil:
			return m.Do(ctx, call)
		case err == error(errDone):
			return nil
		default:
			return err
		}
	})
}
