package managed

import (
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/p11mux/p11mux/ck"
	"github.com/p11mux/p11mux/internal/testkit"
)

// yield has other goroutines run inside a module's calls.
func yield(ck.Call) error {
	runtime.Gosched()
	return nil
}

// Many callers that come and go: the real C_Initialize and C_Finalize alternate and overlap nothing, and when all have
// gone nothing is left open (abi.md 11.1, 3 to 5).
func TestManyCallers(t *testing.T) {
	f := &fake{hook: yield, reuse: true}
	shared := share(f, new(told))
	var opens atomic.Int64
	testkit.Finishes(t, func() {
		var wg sync.WaitGroup
		for n := range 16 {
			wg.Go(func() {
				random := rand.New(rand.NewPCG(1, uint64(n)))
				for range 30 {
					var on atomic.Int64
					c := shared.NewCaller(func(initialized bool) {
						if initialized {
							on.Add(1)
						} else {
							on.Add(-1)
						}
					})
					gives(t, "C_Initialize", c.Initialize(t.Context(), nil), ck.CKR_OK)
					if on.Load() != 1 {
						t.Errorf("after C_Initialize the state is %d", on.Load())
					}
					for range random.IntN(6) {
						open := &ck.OpenSessionCall{Slot: ck.SlotID(random.IntN(2)), Flags: ck.CKF_SERIAL_SESSION}
						gives(t, "C_OpenSession", c.Do(t.Context(), open), ck.CKR_OK)
						opens.Add(1)
						switch random.IntN(4) {
						case 0:
							gives(t, "C_CloseSession", c.CloseSession(t.Context(), open.Session), ck.CKR_OK)
						case 1:
							gives(t, "C_CloseAllSessions", c.CloseAllSessions(t.Context(), open.Slot), ck.CKR_OK)
						}
					}
					f.mu.Lock()
					if !f.alive {
						f.fault("the module is not initialized while a caller is")
					}
					f.mu.Unlock()
					if random.IntN(2) == 0 {
						gives(t, "C_Finalize", c.Finalize(t.Context()), ck.CKR_OK)
					}
					if random.IntN(2) == 0 {
						gives(t, "Close", c.Close(t.Context()), ck.CKR_OK)
					} else {
						_ = c.Finalize(t.Context())
					}
					if on.Load() != 0 {
						t.Errorf("at the end the state is %d", on.Load())
					}
				}
			})
		}
		wg.Wait()
	})
	f.verify(t)
	if f.alive || f.starts == 0 || opens.Load() == 0 {
		t.Errorf("the module is initialized: %v; it was %d times, with %d sessions", f.alive, f.starts, opens.Load())
	}
	if left := f.sessions(); left != nil {
		t.Errorf("sessions %v are left", left)
	}
	if n := shared.Initialized(); n != 0 {
		t.Errorf("%d callers are initialized", n)
	}
	if len(shared.sessions) != 0 {
		t.Errorf("%d sessions are remembered", len(shared.sessions))
	}
	quiet(t)
}

// Goroutines move between threads, also while they wait: none is taken for the one that is inside the module.
func TestGoroutinesMove(t *testing.T) {
	fakes := [4]fake{}
	var shared [4]*Module
	for i := range fakes {
		fakes[i].hook = yield
		shared[i] = share(&fakes[i], new(told))
	}
	testkit.Finishes(t, func() {
		var wg sync.WaitGroup
		for n := range 32 {
			wg.Go(func() {
				for round := range 150 {
					c := shared[(n+round)%len(shared)].NewCaller(nil)
					gives(t, "C_Initialize", c.Initialize(t.Context(), nil), ck.CKR_OK)
					gives(t, "C_Finalize", c.Finalize(t.Context()), ck.CKR_OK)
				}
			})
		}
		wg.Wait()
	})
	for i := range fakes {
		fakes[i].verify(t)
	}
	quiet(t)
}

// The threads of one caller, which do not ask each other, cannot break its module either.
func TestOneCallerManyThreads(t *testing.T) {
	f := &fake{hook: yield, reuse: true}
	shared := share(f, new(told))
	var state atomic.Int64
	c := shared.NewCaller(func(on bool) {
		if on && state.Add(1) != 1 || !on && state.Add(-1) != 0 {
			t.Error("the caller's state does not alternate")
		}
	})
	testkit.Finishes(t, func() {
		var wg sync.WaitGroup
		for n := range 8 {
			wg.Go(func() {
				random := rand.New(rand.NewPCG(2, uint64(n)))
				for range 300 {
					switch random.IntN(8) {
					case 0, 1, 2:
						either(t, c.Initialize(t.Context(), nil), ck.CKR_OK, ck.CKR_CRYPTOKI_ALREADY_INITIALIZED)
					case 3:
						either(t, c.Finalize(t.Context()), ck.CKR_OK, ck.CKR_CRYPTOKI_NOT_INITIALIZED)
					case 4, 5:
						either(t, c.Do(t.Context(), &ck.OpenSessionCall{Slot: 1}), ck.CKR_OK, ck.CKR_CRYPTOKI_NOT_INITIALIZED)
					case 6:
						either(t, c.CloseSession(t.Context(), ck.SessionHandle(random.IntN(8))), ck.CKR_OK, ck.CKR_CRYPTOKI_NOT_INITIALIZED, ck.CKR_SESSION_HANDLE_INVALID)
					case 7:
						either(t, c.CloseAllSessions(t.Context(), 1), ck.CKR_OK, ck.CKR_CRYPTOKI_NOT_INITIALIZED)
					}
				}
			})
		}
		wg.Wait()
	})
	gives(t, "Close", c.Close(t.Context()), ck.CKR_OK)
	f.verify(t)
	if left := f.sessions(); left != nil || f.alive || state.Load() != 0 {
		t.Errorf("sessions %v are left; initialized: %v, %d", left, f.alive, state.Load())
	}
}

// either checks that a call gave one of the values.
func either(t *testing.T, err error, want ...ck.RV) {
	t.Helper()
	if rv := ck.RVOf(err); !slices.Contains(want, rv) {
		t.Errorf("got %v, want one of %v", rv, want)
	}
}

// C_Finalize waits for a C_OpenSession that is at work, and closes that session too.
func TestFinalizeWaitsForOpen(t *testing.T) {
	for _, end := range []struct {
		name string
		call func(c *Caller) error
	}{
		{"C_Finalize", func(c *Caller) error { return c.Finalize(t.Context()) }},
		{"Close", func(c *Caller) error { return c.Close(t.Context()) }},
	} {
		t.Run(end.name, func(t *testing.T) {
			f := new(fake)
			inside, leave := make(chan struct{}), make(chan struct{})
			f.hook = during(ck.FuncOpenSession, func() {
				close(inside)
				<-leave
			})
			c := initialized(t, share(f, new(told)))
			var over atomic.Bool // C_OpenSession may return
			testkit.Finishes(t, func() {
				var wg sync.WaitGroup
				wg.Go(func() {
					gives(t, "C_OpenSession", c.Do(t.Context(), &ck.OpenSessionCall{Flags: ck.CKF_SERIAL_SESSION}), ck.CKR_OK)
				})
				<-inside
				wg.Go(func() {
					gives(t, end.name, end.call(c), ck.CKR_OK)
					if !over.Load() {
						t.Error("it did not wait")
					}
				})
				for range 1000 {
					runtime.Gosched() // lets it come to where it waits
				}
				over.Store(true)
				close(leave)
				wg.Wait()
			})
			takes(t, f, "all", "C_Initialize, C_OpenSession, C_CloseSession 1, C_Finalize")
			f.verify(t)
		})
	}
}

// C_CloseAllSessions against C_OpenSession: a session is closed or remembered, never lost.
func TestCloseAllAgainstOpen(t *testing.T) {
	f := &fake{hook: yield, reuse: true}
	shared := share(f, new(told))
	c := initialized(t, shared)
	testkit.Finishes(t, func() {
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for range 200 {
					gives(t, "C_OpenSession", c.Do(t.Context(), &ck.OpenSessionCall{Slot: 1}), ck.CKR_OK)
				}
			})
			wg.Go(func() {
				for range 200 {
					gives(t, "C_CloseAllSessions", c.CloseAllSessions(t.Context(), 1), ck.CKR_OK)
				}
			})
		}
		wg.Wait()
	})
	var remembered []ck.SessionHandle
	for s, of := range shared.sessions {
		if of != (session{c, 1}) {
			t.Errorf("session %d is remembered as %v", s, of)
		}
		remembered = append(remembered, s)
	}
	slices.Sort(remembered)
	if open := f.sessions(); !slices.Equal(open, remembered) {
		t.Errorf("sessions %v are open, but %v are remembered", open, remembered)
	}
	gives(t, "C_CloseAllSessions", c.CloseAllSessions(t.Context(), 1), ck.CKR_OK)
	if left := f.sessions(); left != nil {
		t.Errorf("sessions %v are left", left)
	}
	f.verify(t)
}
