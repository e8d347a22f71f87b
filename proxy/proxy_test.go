package proxy

import (
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/p11mux/p11mux/ck"
	"github.com/p11mux/p11mux/internal/softtoken"
	"github.com/p11mux/p11mux/managed"
	"github.com/p11mux/p11mux/module/moduletest"
)

// The proxy of two tokens behaves as one module.
func TestModule(t *testing.T) {
	moduletest.Run(t, func(t *testing.T) moduletest.Fixture {
		token := managed.New(softtoken.New(), managed.Options{})
		other := &fake{slots: []ck.SlotID{7}, answers: map[ck.Func]ck.RV{ck.FuncGetTokenInfo: ck.CKR_TOKEN_NOT_PRESENT}}
		other.answers[ck.FuncGetSlotList] = ck.CKR_DEVICE_ERROR
		p := New(Options{Version: ck.Version{Major: 3, Minor: 2}, Slots: NewSlots(), Members: []Member{
			{Module: other, Key: other, Name: "other"},
			{Module: token.NewCaller(nil), Key: token, Name: "token"},
		}})
		return moduletest.Fixture{
			Module: p, Label: softtoken.Label, UserPIN: []byte(softtoken.UserPIN), SOPIN: []byte(softtoken.SOPIN),
			Again:  ck.CKR_CRYPTOKI_ALREADY_INITIALIZED,
			Offers: []ck.MechanismType{ck.CKM_SHA256_RSA_PKCS, ck.CKM_ECDSA, ck.CKM_AES_GCM, ck.CKM_SHA256},
		}
	})
}

// A slot keeps its id while it comes and goes, in all instances, over C_Finalize too.
func TestSlotsKeepTheirIDs(t *testing.T) {
	slots := NewSlots()
	a, b := &fake{slots: []ck.SlotID{1, 2}}, &fake{slots: []ck.SlotID{1}}
	p, q := join(t, slots, a, b), join(t, slots, b)
	p.gives(&ck.InitializeCall{}, ck.CKR_OK)
	p.list(17, 18, 19)
	a.set(func() { a.slots = []ck.SlotID{2, 9} })
	p.list(18, 20, 19)
	p.gives(&ck.GetSlotInfoCall{Slot: 17}, ck.CKR_SLOT_ID_INVALID) // the module says so
	a.set(func() { a.slots = []ck.SlotID{1, 2} })
	p.list(17, 18, 19)
	p.gives(&ck.FinalizeCall{}, ck.CKR_OK)
	p.gives(&ck.InitializeCall{}, ck.CKR_OK)
	p.list(17, 18, 19)
	p.gives(&ck.FinalizeCall{}, ck.CKR_OK)
	q.gives(&ck.InitializeCall{}, ck.CKR_OK)
	q.list(19)
	q.gives(&ck.GetSlotInfoCall{Slot: 17}, ck.CKR_SLOT_ID_INVALID) // of a module that q does not have
	call := ck.GetSlotListCall{Slots: ck.Out[ck.SlotID]{Buf: []ck.SlotID{}}}
	q.gives(&call, ck.CKR_BUFFER_TOO_SMALL)
	if call.Slots.N != 1 {
		t.Errorf("the list needs %d, want 1", call.Slots.N)
	}
}

// What the parent of a process gave out stays given out.
func TestAdoptedSlots(t *testing.T) {
	slots := NewSlots()
	a := &fake{slots: []ck.SlotID{5, 6}}
	slots.Adopt(a, 6, 23)
	p := join(t, slots, a)
	p.gives(&ck.InitializeCall{}, ck.CKR_OK)
	p.list(24, 23)
}

// One module that fails hides nobody.
func TestFailures(t *testing.T) {
	a := &fake{slots: []ck.SlotID{1}, answers: map[ck.Func]ck.RV{ck.FuncInitialize: ck.CKR_DEVICE_ERROR}}
	b := &fake{slots: []ck.SlotID{1}, answers: map[ck.Func]ck.RV{ck.FuncGetSlotList: ck.CKR_DEVICE_ERROR}}
	c := &fake{slots: []ck.SlotID{1}, claims: 1 << 60}
	d := &fake{slots: []ck.SlotID{1}}
	p := join(t, NewSlots(), a, b, c, d)
	p.gives(&ck.InitializeCall{}, ck.CKR_OK)
	p.list(17)
	p.list(17)
	texts := strings.Join(p.said(), "\n")
	for _, want := range []string{"a: module failed to initialize, skipping: CKR_DEVICE_ERROR", "b: the module's slots are left out", "c claims 1152921504606846977 slots"} {
		if strings.Count(texts, want) != 1 {
			t.Errorf("said %q, want %q once", texts, want)
		}
	}
	p.gives(&ck.FinalizeCall{}, ck.CKR_OK)
	a.set(func() { a.answers = nil })
	p.gives(&ck.InitializeCall{}, ck.CKR_OK)
	p.list(18, 17)
	p.gives(&ck.FinalizeCall{}, ck.CKR_OK)
	if a.alive || b.alive || c.alive || d.alive {
		t.Error("a module is still initialized")
	}

	p.o.Members[1].Critical = true
	b.set(func() { b.answers = map[ck.Func]ck.RV{ck.FuncInitialize: ck.CKR_TOKEN_NOT_RECOGNIZED} })
	p.said()
	p.gives(&ck.InitializeCall{}, ck.CKR_TOKEN_NOT_RECOGNIZED)
	if texts := p.said(); !slices.Equal(texts, []string{"b: module failed to initialize: CKR_TOKEN_NOT_RECOGNIZED"}) {
		t.Errorf("said %q", texts)
	}
	if a.alive {
		t.Error("the modules before the critical one are still initialized")
	}
	p.gives(&ck.GetSlotListCall{}, ck.CKR_CRYPTOKI_NOT_INITIALIZED)
}

func TestLife(t *testing.T) {
	a := &fake{slots: []ck.SlotID{1}}
	p, none := join(t, NewSlots(), a), join(t, NewSlots())
	for i := range ck.NumFuncs {
		call := ck.NewCall(i)
		want := ck.CKR_CRYPTOKI_NOT_INITIALIZED
		switch call.(type) {
		case *ck.InitializeCall:
			continue
		case *ck.GetFunctionStatusCall, *ck.CancelFunctionCall:
			want = ck.CKR_FUNCTION_NOT_PARALLEL
		case *ck.GetFunctionListCall, *ck.GetInterfaceListCall, *ck.GetInterfaceCall:
			want = ck.CKR_FUNCTION_NOT_SUPPORTED
		}
		p.gives(call, want)
	}
	p.gives(&ck.InitializeCall{Args: &ck.InitializeArgs{Reserved: 1}}, ck.CKR_ARGUMENTS_BAD)
	p.gives(&ck.InitializeCall{Args: &ck.InitializeArgs{LockMutex: 1}}, ck.CKR_ARGUMENTS_BAD)
	p.gives(&ck.InitializeCall{Args: &ck.InitializeArgs{Flags: ck.CKF_OS_LOCKING_OK}}, ck.CKR_OK)
	p.gives(&ck.InitializeCall{}, ck.CKR_CRYPTOKI_ALREADY_INITIALIZED)
	p.gives(&ck.FinalizeCall{Reserved: 1}, ck.CKR_ARGUMENTS_BAD)
	p.gives(&ck.FinalizeCall{}, ck.CKR_OK)
	p.gives(&ck.FinalizeCall{}, ck.CKR_CRYPTOKI_NOT_INITIALIZED)
	if err := p.Close(t.Context()); err != nil {
		t.Error(err)
	}
	// From inside its own member, an instance is refused and does not hang.
	var inner error
	a.hook = func(ck.Call) { inner = p.Initialize(t.Context(), nil) }
	p.gives(&ck.InitializeCall{}, ck.CKR_OK)
	if ck.RVOf(inner) != ck.CKR_FUNCTION_FAILED {
		t.Errorf("C_Initialize from inside gives %v", inner)
	}

	none.gives(&ck.InitializeCall{}, ck.CKR_OK)
	none.list()
	var info ck.GetInfoCall
	none.gives(&info, ck.CKR_OK)
	if got := string(info.Info.LibraryDescription[:]); got != "PKCS#11 Kit Proxy Module        " || info.Info.CryptokiVersion != (ck.Version{Major: 3, Minor: 2}) {
		t.Errorf("info %+v", info.Info)
	}
	none.gives(&ck.WaitForSlotEventCall{Flags: ck.CKF_DONT_BLOCK}, ck.CKR_NO_EVENT)
	none.gives(&ck.FinalizeCall{}, ck.CKR_OK)
}

func TestSessions(t *testing.T) {
	slots := NewSlots()
	a, b := &fake{slots: []ck.SlotID{1, 2}}, &fake{slots: []ck.SlotID{1}}
	p, q := join(t, slots, a, b), join(t, slots)
	p.gives(&ck.InitializeCall{}, ck.CKR_OK)
	q.gives(&ck.InitializeCall{}, ck.CKR_OK)
	first, second := p.session(18), p.session(19)
	info := ck.GetSessionInfoCall{Session: second}
	p.gives(&info, ck.CKR_OK)
	if info.Info.Slot != 19 || info.Session != second {
		t.Errorf("the session is %d on slot %d", info.Session, info.Info.Slot)
	}
	q.gives(&ck.GetSessionInfoCall{Session: second}, ck.CKR_SESSION_HANDLE_INVALID)
	p.gives(&ck.OpenSessionCall{Slot: 99}, ck.CKR_SLOT_ID_INVALID)
	p.gives(&ck.CloseAllSessionsCall{Slot: 99}, ck.CKR_SLOT_ID_INVALID)
	p.gives(&ck.CloseAllSessionsCall{Slot: 18}, ck.CKR_OK)
	p.gives(&ck.CloseSessionCall{Session: first}, ck.CKR_SESSION_HANDLE_INVALID)
	// A session that could not be closed is there still.
	b.set(func() { b.answers = map[ck.Func]ck.RV{ck.FuncCloseSession: ck.CKR_DEVICE_ERROR} })
	p.gives(&ck.CloseSessionCall{Session: second}, ck.CKR_DEVICE_ERROR)
	p.gives(&ck.GetSessionInfoCall{Session: second}, ck.CKR_OK)
	b.set(func() { b.answers = nil })
	p.gives(&ck.CloseSessionCall{Session: second}, ck.CKR_OK)
	p.gives(&ck.CloseSessionCall{Session: second}, ck.CKR_SESSION_HANDLE_INVALID)
	third := p.session(17)
	p.gives(&ck.FinalizeCall{}, ck.CKR_OK)
	p.gives(&ck.InitializeCall{}, ck.CKR_OK)
	p.gives(&ck.GetSessionInfoCall{Session: third}, ck.CKR_SESSION_HANDLE_INVALID)
	if again := p.session(17); again == third {
		t.Error("a handle has come back")
	}
}

// A module that somebody else has initialized, past all sharing, is used and left as it was.
func TestTheirs(t *testing.T) {
	a := &fake{slots: []ck.SlotID{1}}
	if err := a.Do(t.Context(), &ck.InitializeCall{}); err != nil {
		t.Fatal(err)
	}
	p := join(t, NewSlots(), a)
	p.gives(&ck.InitializeCall{}, ck.CKR_OK)
	p.session(17)
	p.gives(&ck.FinalizeCall{}, ck.CKR_OK)
	if !a.alive || len(a.open) != 0 {
		t.Errorf("initialized %v, %d sessions open", a.alive, len(a.open))
	}
}

// Instances come and go under threads that use sessions: nothing is left open, and nothing is initialized twice.
func TestConcurrently(t *testing.T) {
	slots := NewSlots()
	shared := &fake{slots: []ck.SlotID{1}}
	module := managed.New(shared, managed.Options{})
	var wg sync.WaitGroup
	for range 4 {
		p := New(Options{Slots: slots, Members: []Member{{Module: module.NewCaller(nil), Key: module}}})
		wg.Go(func() {
			for range 200 {
				_ = p.Initialize(t.Context(), nil)
				_ = p.Finalize(t.Context())
			}
		})
		for range 6 {
			wg.Go(func() {
				for range 200 {
					open := ck.OpenSessionCall{Slot: 17}
					if p.Do(t.Context(), &open) == nil {
						_ = p.Do(t.Context(), &ck.GetSessionInfoCall{Session: open.Session})
						_ = p.CloseSession(t.Context(), open.Session)
					}
				}
			})
		}
	}
	wg.Wait()
	if shared.alive || shared.open != nil {
		t.Errorf("initialized %v, sessions %v", shared.alive, shared.open)
	}
}
