package proxy

import (
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/p11mux/p11mux/ck"
	"github.com/p11mux/p11mux/internal/testkit"
	"github.com/p11mux/p11mux/managed"
)

// Threads that open, use and close sessions while others finalize and initialize: each call gives what it may give, a session
// leads to the slot that it was opened on, and in the end nothing is left open.
func TestManyThreads(t *testing.T) {
	yield := func(ck.Call) error { runtime.Gosched(); return nil }
	a, b, c := newFake(1, 2), newFake(1, 2), newFake(1, 2)
	foreign := newFake(3)
	for _, f := range []*fake{a, b, c, foreign} {
		f.hook = yield
	}
	if err := foreign.Do(t.Context(), new(ck.InitializeCall)); err != nil {
		t.Fatal(err)
	}
	var state atomic.Int32
	h := over(t, []*fake{a, b, c, foreign}, func(o *Options) {
		args := managed.Options{Args: ck.InitializeArgs{Flags: ck.CKF_OS_LOCKING_OK}}
		for i, f := range []*fake{b, c} {
			o.Members[i+1].Module = managed.New(instead(f, func(call ck.Call) error {
				if i, ok := call.(*ck.InitializeCall); ok {
					i.Args = nil // which a fake wants, and a managed module does not
				}
				return nil
			}), args).NewCaller(nil)
		}
		o.Initialized = func(on bool) {
			if on && state.Add(1) != 1 || !on && state.Add(-1) != 0 {
				t.Error("the state does not alternate")
			}
		}
	})
	const gone, none = ck.CKR_CRYPTOKI_NOT_INITIALIZED, ck.CKR_SESSION_HANDLE_INVALID
	var lives atomic.Int32
	either := func(call ck.Call, want ...ck.RV) bool {
		rv := ck.RVOf(h.do(call))
		if rv != ck.CKR_OK && !slices.Contains(want, rv) {
			t.Errorf("%v gives %v", call.Func(), rv)
		}
		return rv == ck.CKR_OK
	}
	testkit.Finishes(t, func() {
		var users, wg sync.WaitGroup
		var over atomic.Bool
		for n := range 4 {
			wg.Go(func() {
				random := rand.New(rand.NewPCG(3, uint64(n)))
				for !over.Load() {
					if random.IntN(3) == 0 {
						either(new(ck.FinalizeCall), gone)
					} else if either(new(ck.InitializeCall), ck.CKR_CRYPTOKI_ALREADY_INITIALIZED) {
						lives.Add(1)
					}
					for range random.IntN(500) {
						runtime.Gosched() // has the others run meanwhile
					}
				}
			})
		}
		for n := range 28 {
			users.Go(func() {
				random := rand.New(rand.NewPCG(4, uint64(n)))
				for used := 0; used < 20; runtime.Gosched() {
					list := &ck.GetSlotListCall{Slots: ck.Out[ck.SlotID]{Buf: make([]ck.SlotID, 10)}}
					if !either(list, gone) {
						continue
					}
					if list.Slots.N != 7 {
						t.Errorf("there are %d slots, want 7", list.Slots.N)
						return
					}
					slots := list.Slots.Bytes()
					open := &ck.OpenSessionCall{Slot: slots[random.IntN(len(slots))]}
					if !either(open, gone) {
						continue
					}
					info := &ck.GetSessionInfoCall{Session: open.Session}
					if either(info, gone, none) {
						used++
						if info.Info.Slot != open.Slot {
							t.Errorf("the session is in slot %d, want %d", info.Info.Slot, open.Slot)
						}
					}
					switch random.IntN(3) {
					case 0:
						either(&ck.CloseSessionCall{Session: open.Session}, gone, none)
					case 1:
						either(&ck.CloseAllSessionsCall{Slot: open.Slot}, gone)
					}
				}
			})
		}
		users.Wait()
		over.Store(true)
		wg.Wait()
	})
	_ = h.Finalize(t.Context())
	if lives.Load() < 2 {
		t.Errorf("the proxy had %d lives", lives.Load())
	}
	for _, f := range []*fake{a, b, c, foreign} {
		if left := f.sessions(); left != nil || f.alive != (f == foreign) {
			t.Errorf("sessions %v are left; initialized: %v", left, f.alive)
		}
	}
	if table := h.o.Table.(*table); len(table.open)+len(table.hidden) != 0 {
		t.Errorf("sessions %v and, hidden, %v are remembered", table.open, table.hidden)
	}
	h.tells("")
	quiet(t)
}

// Proxies of one managed module that come and go under threads that use their sessions: each has its own sessions, and the
// module is initialized as long as one is.
func TestManyProxies(t *testing.T) {
	f := newFake(1)
	f.hook = func(call ck.Call) error {
		if i, ok := call.(*ck.InitializeCall); ok {
			i.Args = nil // which a fake wants, and a managed module does not
		}
		runtime.Gosched()
		return nil
	}
	shared := managed.New(f, managed.Options{Args: ck.InitializeArgs{Flags: ck.CKF_OS_LOCKING_OK}})
	slots := NewSlots()
	var used atomic.Int32
	testkit.Finishes(t, func() {
		var wg sync.WaitGroup
		for range 4 {
			p := New(Options{Slots: slots, Members: []Member{{Module: shared.NewCaller(nil), Key: shared, Name: "a"}}})
			var over atomic.Bool
			var users sync.WaitGroup
			wg.Go(func() {
				for !over.Load() {
					if err := p.Initialize(t.Context(), nil); err != nil {
						t.Errorf("C_Initialize: %v", err)
					}
					for range 50 {
						runtime.Gosched()
					}
					if err := p.Finalize(t.Context()); err != nil {
						t.Errorf("C_Finalize: %v", err)
					}
				}
			})
			for range 6 {
				users.Go(func() {
					for n := 0; n < 20; runtime.Gosched() {
						open := &ck.OpenSessionCall{Slot: firstID}
						if p.Do(t.Context(), open) != nil {
							continue
						}
						if p.Do(t.Context(), &ck.GetSessionInfoCall{Session: open.Session}) == nil {
							n++
						}
						if n%2 == 0 {
							_ = p.CloseSession(t.Context(), open.Session)
						}
					}
					used.Add(1)
				})
			}
			wg.Go(func() {
				users.Wait()
				over.Store(true)
			})
		}
		wg.Wait()
	})
	if left := f.sessions(); f.alive || left != nil || used.Load() != 4*6 {
		t.Errorf("initialized: %v; sessions %v are left; %d threads used some", f.alive, left, used.Load())
	}
	f.verify(t)
	quiet(t)
}

// C_CloseAllSessions against C_OpenSession: a session is closed or known, never lost.
func TestCloseAllAgainstOpen(t *testing.T) {
	f := newFake(1)
	f.hook = func(ck.Call) error { runtime.Gosched(); return nil }
	h := started(t, []*fake{f}, nil)
	testkit.Finishes(t, func() {
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for range 200 {
					h.gives("C_OpenSession", h.do(&ck.OpenSessionCall{Slot: 17}), ck.CKR_OK)
				}
			})
			wg.Go(func() {
				for range 200 {
					h.gives("C_CloseAllSessions", h.do(&ck.CloseAllSessionsCall{Slot: 17}), ck.CKR_OK)
				}
			})
		}
		wg.Wait()
	})
	var known []ck.SessionHandle
	h.o.Table.Sessions(17, func(handle ck.SessionHandle) {
		_, real, _, _ := h.o.Table.Lookup(handle)
		known = append(known, real)
	})
	slices.Sort(known)
	if open := f.sessions(); !slices.Equal(open, known) {
		t.Errorf("sessions %v are open, but %v are known", open, known)
	}
	h.gives("C_CloseAllSessions", h.do(&ck.CloseAllSessionsCall{Slot: 17}), ck.CKR_OK)
	if left := f.sessions(); left != nil {
		t.Errorf("sessions %v are left", left)
	}
}
