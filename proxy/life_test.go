package proxy

import (
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/p11mux/p11mux/ck"
	"github.com/p11mux/p11mux/internal/testkit"
	"github.com/p11mux/p11mux/internal/turn"
	"github.com/p11mux/p11mux/managed"
)

// C_Initialize and C_Finalize reach each member once, in order, and again after they came in pairs.
func TestLife(t *testing.T) {
	a, b := newFake(1), newFake(1)
	var states []bool
	h := over(t, []*fake{a, b}, func(o *Options) {
		o.Initialized = func(on bool) { states = append(states, on) }
	})
	for range 3 {
		h.gives("C_Finalize", h.do(new(ck.FinalizeCall)), ck.CKR_CRYPTOKI_NOT_INITIALIZED)
		h.gives("C_Initialize", h.do(new(ck.InitializeCall)), ck.CKR_OK)
		h.gives("C_Initialize", h.do(new(ck.InitializeCall)), ck.CKR_CRYPTOKI_ALREADY_INITIALIZED)
		h.gives("C_Initialize", h.do(&ck.InitializeCall{Args: &ck.InitializeArgs{Reserved: 1}}), ck.CKR_CRYPTOKI_ALREADY_INITIALIZED)
		for _, f := range []*fake{a, b} {
			h.takes(f, "Initialize, GetSlotList count, GetSlotList")
		}
		if len(states) != 1 || !states[0] {
			t.Errorf("the states are %v", states)
		}
		h.gives("C_Finalize", h.do(&ck.FinalizeCall{Reserved: 1}), ck.CKR_ARGUMENTS_BAD)
		h.gives("C_Finalize", h.do(new(ck.FinalizeCall)), ck.CKR_OK)
		for _, f := range []*fake{a, b} {
			h.takes(f, "Finalize")
		}
		if len(states) != 2 || states[1] {
			t.Errorf("the states are %v", states)
		}
		states = nil
	}
	h.tells("")
}

func TestArguments(t *testing.T) {
	f := newFake(1)
	h := over(t, []*fake{f}, nil)
	for _, bad := range []ck.InitializeArgs{{Reserved: 1}, {CreateMutex: 1}, {CreateMutex: 1, DestroyMutex: 2, LockMutex: 3}} {
		h.gives("C_Initialize", h.do(&ck.InitializeCall{Args: &bad}), ck.CKR_ARGUMENTS_BAD)
	}
	h.takes(f, "")
	for _, good := range []ck.InitializeArgs{
		{}, {Flags: ck.CKF_OS_LOCKING_OK}, {CreateMutex: 1, DestroyMutex: 2, LockMutex: 3, UnlockMutex: 4},
	} {
		h.gives("C_Initialize", h.do(&ck.InitializeCall{Args: &good}), ck.CKR_OK) // the member checks that it gets none
		h.gives("C_Finalize", h.Finalize(t.Context()), ck.CKR_OK)
	}
}

// Close is C_Finalize, if need be.
func TestClose(t *testing.T) {
	f := newFake(1)
	h := started(t, []*fake{f}, nil)
	h.gives("Close", h.Close(t.Context()), ck.CKR_OK)
	h.gives("Close", h.Close(t.Context()), ck.CKR_OK)
	h.gives("C_GetInfo", h.do(new(ck.GetInfoCall)), ck.CKR_CRYPTOKI_NOT_INITIALIZED)
	h.takes(f, "Finalize")
	var inside error
	f.hook = during(ck.FuncInitialize, func() { inside = h.Close(t.Context()) })
	h.gives("C_Initialize", h.Initialize(t.Context(), nil), ck.CKR_OK)
	h.gives("Close from inside", inside, ck.CKR_FUNCTION_FAILED)
}

// A proxy of nothing works, with no slots (abi.md 7.2).
func TestNoMembers(t *testing.T) {
	h := started(t, nil, nil)
	h.has()
	h.gives("C_GetSlotList", h.do(&ck.GetSlotListCall{Slots: ck.Out[ck.SlotID]{Buf: []ck.SlotID{}}}), ck.CKR_OK)
	h.gives("C_GetSlotInfo", h.do(&ck.GetSlotInfoCall{Slot: firstID}), ck.CKR_SLOT_ID_INVALID)
	h.gives("C_OpenSession", h.do(&ck.OpenSessionCall{Slot: firstID}), ck.CKR_SLOT_ID_INVALID)
	h.gives("C_CloseAllSessions", h.do(&ck.CloseAllSessionsCall{Slot: firstID}), ck.CKR_SLOT_ID_INVALID)
	h.gives("C_Login", h.do(&ck.LoginCall{Session: firstID}), ck.CKR_SESSION_HANDLE_INVALID)
	h.gives("C_WaitForSlotEvent", h.do(&ck.WaitForSlotEventCall{Flags: ck.CKF_DONT_BLOCK}), ck.CKR_NO_EVENT)
	h.gives("C_Finalize", h.do(new(ck.FinalizeCall)), ck.CKR_OK)
}

// A member that cannot be initialized is left out, and tried again the next time.
func TestMemberFails(t *testing.T) {
	a, b, c := newFake(1), newFake(1), newFake(1)
	fails := true
	b.hook = func(call ck.Call) error {
		if call.Func() == ck.FuncInitialize && fails {
			return ck.CKR_TOKEN_NOT_PRESENT
		}
		return nil
	}
	h := over(t, []*fake{a, b, c}, nil)
	h.gives("C_Initialize", h.do(new(ck.InitializeCall)), ck.CKR_OK)
	h.tells("b: module failed to initialize, skipping: CKR_TOKEN_NOT_PRESENT")
	h.takes(b, "Initialize")
	h.has(17, 18)
	h.gives("C_WaitForSlotEvent", h.do(&ck.WaitForSlotEventCall{Flags: ck.CKF_DONT_BLOCK}), ck.CKR_NO_EVENT)
	id := h.o.Slots.ID(b, 1) // as another proxy might have given out
	h.gives("C_GetSlotInfo", h.do(&ck.GetSlotInfoCall{Slot: id}), ck.CKR_SLOT_ID_INVALID)
	h.gives("C_OpenSession", h.do(&ck.OpenSessionCall{Slot: id}), ck.CKR_SLOT_ID_INVALID)
	h.gives("C_Finalize", h.do(new(ck.FinalizeCall)), ck.CKR_OK)
	h.takes(b, "")
	fails = false
	h.gives("C_Initialize", h.do(new(ck.InitializeCall)), ck.CKR_OK)
	h.tells("")
	h.has(17, id, 18)
	h.gives("C_OpenSession", h.do(&ck.OpenSessionCall{Slot: id}), ck.CKR_OK)
}

// If a critical member fails, all is as before.
func TestCriticalMemberFails(t *testing.T) {
	a, b, c := newFake(1), newFake(1), newFake(1)
	b.hook = answers(ck.FuncInitialize, ck.CKR_DEVICE_ERROR)
	told := false
	h := over(t, []*fake{a, b, c}, func(o *Options) {
		o.Members[1].Critical = true
		o.Initialized = func(bool) { told = true }
	})
	for range 2 {
		h.gives("C_Initialize", h.do(new(ck.InitializeCall)), ck.CKR_DEVICE_ERROR)
		h.tells("b: module failed to initialize: CKR_DEVICE_ERROR")
		h.takes(a, "Initialize, Finalize")
		h.takes(b, "Initialize")
		h.takes(c, "")
		h.gives("C_Finalize", h.do(new(ck.FinalizeCall)), ck.CKR_CRYPTOKI_NOT_INITIALIZED)
	}
	if told {
		t.Error("it was said to be initialized")
	}
}

// A module that somebody else initialized is used, and left to them; only its sessions that are ours are closed.
func TestAlreadyInitialized(t *testing.T) {
	a, b := newFake(1, 2), newFake(1)
	for _, call := range []ck.Call{new(ck.InitializeCall), &ck.OpenSessionCall{Slot: 1}} {
		if err := a.Do(t.Context(), call); err != nil {
			t.Fatal(err)
		}
	}
	h := started(t, []*fake{a, b}, func(o *Options) { o.Members[0].Critical = true })
	h.tells("")
	h.has(17, 18, 19)
	h.opens(17)
	h.opens(18)
	stays := h.opens(18)
	a.took()
	b.took()
	h.opens(19)
	a.hook = func(call ck.Call) error { // one that will not be closed ends nothing
		if c, ok := call.(*ck.CloseSessionCall); ok && c.Session == 4 {
			return ck.CKR_FUNCTION_FAILED
		}
		return nil
	}
	h.gives("C_Finalize", h.do(new(ck.FinalizeCall)), ck.CKR_OK)
	h.tells("couldn't close session: CKR_FUNCTION_FAILED")
	if seen := a.took(); strings.Count(seen, "CloseSession") != 3 || strings.Contains(seen, "Finalize") {
		t.Errorf("the module sees %q", seen)
	}
	if left := a.sessions(); len(left) != 2 || left[0] != 1 || left[1] != 4 {
		t.Errorf("sessions %v are left", left)
	}
	h.takes(b, "OpenSession in 1, Finalize")
	h.gives("C_Initialize", h.do(new(ck.InitializeCall)), ck.CKR_OK)
	h.gives("C_GetSessionInfo", h.do(&ck.GetSessionInfoCall{Session: stays}), ck.CKR_SESSION_HANDLE_INVALID)
}

// What a member answers to C_Finalize changes nothing.
func TestFinalizeFails(t *testing.T) {
	a, b := newFake(1), newFake(1)
	a.hook = answers(ck.FuncFinalize, ck.CKR_GENERAL_ERROR)
	h := started(t, []*fake{a, b}, nil)
	session := h.opens(17)
	h.gives("C_Finalize", h.do(new(ck.FinalizeCall)), ck.CKR_OK)
	h.takes(b, "Finalize")
	h.gives("C_Initialize", h.do(new(ck.InitializeCall)), ck.CKR_OK)
	h.gives("C_GetSessionInfo", h.do(&ck.GetSessionInfoCall{Session: session}), ck.CKR_SESSION_HANDLE_INVALID)
}

// Of many threads that initialize or finalize at once, one does.
func TestOneWins(t *testing.T) {
	f := newFake(1)
	f.hook = func(ck.Call) error { runtime.Gosched(); return nil }
	h := over(t, []*fake{f}, nil)
	for range 20 {
		for _, c := range []struct {
			call func() error
			late ck.RV
		}{
			{func() error { return h.Initialize(t.Context(), nil) }, ck.CKR_CRYPTOKI_ALREADY_INITIALIZED},
			{func() error { return h.Finalize(t.Context()) }, ck.CKR_CRYPTOKI_NOT_INITIALIZED},
		} {
			var won, lost atomic.Int32
			testkit.Finishes(t, func() {
				var wg sync.WaitGroup
				for range 16 {
					wg.Go(func() {
						switch ck.RVOf(c.call()) {
						case ck.CKR_OK:
							won.Add(1)
						case c.late:
							lost.Add(1)
						}
					})
				}
				wg.Wait()
			})
			if won.Load() != 1 || lost.Load() != 15 {
				t.Fatalf("%d threads win, and %d are told %v", won.Load(), lost.Load(), c.late)
			}
		}
	}
	quiet(t)
}

// A member that comes back while it is initialized or finalized is refused, and all goes on.
func TestRecursion(t *testing.T) {
	for _, fn := range []ck.Func{ck.FuncInitialize, ck.FuncFinalize, ck.FuncGetSlotList} {
		t.Run(fn.String(), func(t *testing.T) {
			f := newFake(1)
			h := over(t, []*fake{f}, nil)
			var errs [3]error
			f.hook = during(fn, func() {
				errs[0], errs[1] = h.Initialize(t.Context(), nil), h.Finalize(t.Context())
				errs[2] = h.do(&ck.OpenSessionCall{Slot: firstID})
			})
			testkit.Finishes(t, func() {
				h.gives("C_Initialize", h.Initialize(t.Context(), nil), ck.CKR_OK)
				h.gives("C_Finalize", h.Finalize(t.Context()), ck.CKR_OK)
			})
			h.gives("C_Initialize from inside", errs[0], ck.CKR_FUNCTION_FAILED)
			h.gives("C_Finalize from inside", errs[1], ck.CKR_FUNCTION_FAILED)
			h.gives("C_OpenSession from inside", errs[2], ck.CKR_CRYPTOKI_NOT_INITIALIZED)
			h.tells("p11-kit initialization called recursively; p11-kit finalization called recursively")
			h.takes(f, "Initialize, GetSlotList count, GetSlotList, Finalize")
			quiet(t)
		})
	}
}

// Two proxies whose members initialize each other's proxy at once, also where the members are managed and the proxies share
// them: somebody is refused, and nobody hangs.
func TestRing(t *testing.T) {
	for _, shared := range []bool{false, true} {
		fakes := [2]*fake{newFake(1), newFake(1)}
		var proxies [2]*Proxy
		var inside sync.WaitGroup
		inside.Add(2)
		var errs, outer [2]error
		var modules [2]*managed.Module
		for i, f := range fakes {
			args := ck.InitializeArgs{Flags: ck.CKF_OS_LOCKING_OK}
			modules[i] = managed.New(f, managed.Options{Args: args})
			f.hook = during(ck.FuncInitialize, func() {
				inside.Done()
				inside.Wait()
				errs[i] = proxies[1-i].Initialize(t.Context(), nil)
			})
		}
		for i, f := range fakes {
			o := Options{Members: []Member{{Module: f, Key: i, Name: "a"}}}
			if shared {
				o.Members = []Member{
					{Module: modules[i].NewCaller(nil), Key: i, Name: "a"}, {Module: modules[1-i].NewCaller(nil), Key: 1 - i, Name: "b"},
				}
			}
			proxies[i] = New(o)
		}
		testkit.Finishes(t, func() {
			var wg sync.WaitGroup
			for i, p := range proxies {
				wg.Go(func() { outer[i] = p.Initialize(t.Context(), nil) })
			}
			wg.Wait()
		})
		refused := 0
		for i := range proxies {
			if ck.RVOf(errs[i]) == ck.CKR_FUNCTION_FAILED {
				refused++
			}
			if err := proxies[i].Finalize(t.Context()); err != nil || outer[i] != nil {
				t.Errorf("proxy %d: C_Initialize gives %v, C_Finalize %v", i, outer[i], err)
			}
		}
		if refused == 0 {
			t.Errorf("nobody is refused: %v", errs)
		}
		quiet(t)
	}
}

// quiet checks that nobody is written down as waiting or inside a module.
func quiet(t *testing.T) {
	t.Helper()
	if inside, waiting := turn.Known(); inside != 0 || waiting != 0 {
		t.Errorf("left behind: %d threads inside a module, %d waiting", inside, waiting)
	}
}
