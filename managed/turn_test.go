package managed

import (
	"errors"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/p11mux/p11mux/ck"
	"github.com/p11mux/p11mux/internal/testkit"
	"github.com/p11mux/p11mux/internal/turn"
)

// during gives a hook that does something once, inside the first call of a function.
func during(fn ck.Func, do func()) func(ck.Call) error {
	var once sync.Once
	return func(call ck.Call) error {
		if call.Func() == fn {
			once.Do(do)
		}
		return nil
	}
}

// A module that comes back while it is initialized, finalized, or rid of its sessions by C_Finalize, is refused, and all
// goes on (abi.md 2.4, 11.1).
func TestRecursion(t *testing.T) {
	for _, fn := range []ck.Func{ck.FuncInitialize, ck.FuncFinalize, ck.FuncCloseSession} {
		for _, own := range []bool{true, false} {
			name := fn.String() + " by another caller"
			if own {
				name = fn.String() + " by the same caller"
			}
			t.Run(name, func(t *testing.T) {
				f, m := new(fake), new(told)
				shared := share(f, m)
				c, inner := shared.NewCaller(nil), shared.NewCaller(nil)
				if own {
					inner = c
				}
				var errs [2]error
				count := -1
				f.hook = during(fn, func() {
					errs[0] = inner.Initialize(t.Context(), nil)
					errs[1] = inner.Finalize(t.Context())
					count = shared.Initialized()
				})
				testkit.Finishes(t, func() {
					gives(t, "C_Initialize", c.Initialize(t.Context(), nil), ck.CKR_OK)
					_ = c.Do(t.Context(), &ck.OpenSessionCall{Flags: ck.CKF_SERIAL_SESSION})
					gives(t, "C_Finalize", c.Finalize(t.Context()), ck.CKR_OK)
				})
				gives(t, "C_Initialize from inside", errs[0], ck.CKR_FUNCTION_FAILED)
				gives(t, "C_Finalize from inside", errs[1], ck.CKR_FUNCTION_FAILED)
				if text := m.took(); text != "p11-kit initialization called recursively; p11-kit finalization called recursively" {
					t.Errorf("messages: %q", text)
				}
				if count < 1 {
					t.Errorf("from inside, %d callers are initialized", count)
				}
				takes(t, f, "both", "C_Initialize, C_OpenSession, C_CloseSession 1, C_Finalize")
				testkit.Finishes(t, func() {
					gives(t, "C_Initialize", c.Initialize(t.Context(), nil), ck.CKR_OK)
					gives(t, "C_Finalize", c.Finalize(t.Context()), ck.CKR_OK)
				})
				f.verify(t)
			})
		}
	}
}

// A caller that is closed from inside the C_Initialize that is for it does not stay initialized for ever.
func TestCloseRecursion(t *testing.T) {
	f := new(fake)
	shared := share(f, new(told))
	var states []bool
	c := shared.NewCaller(func(on bool) { states = append(states, on) })
	var inside error
	f.hook = during(ck.FuncInitialize, func() { inside = c.Close(t.Context()) })
	testkit.Finishes(t, func() {
		gives(t, "C_Initialize", c.Initialize(t.Context(), nil), ck.CKR_GENERAL_ERROR)
		gives(t, "C_Initialize after Close", c.Initialize(t.Context(), nil), ck.CKR_GENERAL_ERROR)
	})
	gives(t, "Close from inside", inside, ck.CKR_FUNCTION_FAILED)
	takes(t, f, "both", "C_Initialize, C_Finalize")
	if n := shared.Initialized(); n != 0 || states != nil {
		t.Errorf("%d callers are initialized, states %v", n, states)
	}
	f.verify(t)
}

// A module may initialize another one while it is initialized.
func TestOtherFromInside(t *testing.T) {
	fx, fy := new(fake), new(fake)
	x, y := share(fx, new(told)), share(fy, new(told))
	outer, inner := x.NewCaller(nil), y.NewCaller(nil)
	var errs [2]error
	fx.hook = func(call ck.Call) error {
		switch call.(type) {
		case *ck.InitializeCall:
			errs[0] = inner.Initialize(t.Context(), nil)
		case *ck.FinalizeCall:
			errs[1] = inner.Finalize(t.Context())
		}
		return nil
	}
	testkit.Finishes(t, func() {
		gives(t, "C_Initialize", outer.Initialize(t.Context(), nil), ck.CKR_OK)
		gives(t, "C_Finalize", outer.Finalize(t.Context()), ck.CKR_OK)
	})
	if errors.Join(errs[:]...) != nil {
		t.Errorf("from inside: %v", errs)
	}
	takes(t, fy, "the other module", "C_Initialize, C_Finalize")

	// Also through two modules it is recursion.
	again := x.NewCaller(nil)
	fx.hook = during(ck.FuncInitialize, func() { errs[0] = y.NewCaller(nil).Initialize(t.Context(), nil) })
	fy.hook = during(ck.FuncInitialize, func() { errs[1] = again.Initialize(t.Context(), nil) })
	testkit.Finishes(t, func() { gives(t, "C_Initialize", outer.Initialize(t.Context(), nil), ck.CKR_OK) })
	gives(t, "C_Initialize of the second module", errs[0], ck.CKR_OK)
	gives(t, "C_Initialize of the first module from inside the second", errs[1], ck.CKR_FUNCTION_FAILED)
	fx.verify(t)
	fy.verify(t)
}

// Modules that initialize each other in a ring, each on a thread of its own: one is refused, and nobody hangs.
func TestRing(t *testing.T) {
	for _, n := range []int{2, 3, 5} {
		fakes := make([]fake, n)
		shared := make([]*Module, n)
		errs := make([]error, n)
		outer := make([]error, n)
		var inside sync.WaitGroup
		inside.Add(n)
		for i := range n {
			shared[i] = share(&fakes[i], new(told))
			fakes[i].hook = during(ck.FuncInitialize, func() {
				inside.Done()
				inside.Wait() // now all are inside a module, and each goes on to the next one
				errs[i] = shared[(i+1)%n].NewCaller(nil).Initialize(t.Context(), nil)
			})
		}
		testkit.Finishes(t, func() {
			var wg sync.WaitGroup
			for i := range n {
				wg.Go(func() { outer[i] = shared[i].NewCaller(nil).Initialize(t.Context(), nil) })
			}
			wg.Wait()
		})
		refused := 0
		for i := range n {
			gives(t, "C_Initialize", outer[i], ck.CKR_OK)
			switch ck.RVOf(errs[i]) {
			case ck.CKR_OK:
			case ck.CKR_FUNCTION_FAILED:
				refused++
			default:
				t.Errorf("from inside, C_Initialize gives %v", errs[i])
			}
			fakes[i].verify(t)
		}
		if refused != 1 {
			t.Errorf("in a ring of %d, %d are refused, want 1: %v", n, refused, errs)
		}
		quiet(t)
	}
}

// quiet checks that nobody is written down as waiting or inside a module.
func quiet(t *testing.T) {
	t.Helper()
	if inside, waiting := turn.Known(); inside != 0 || waiting != 0 {
		t.Errorf("left behind: inside %d, waiting %d", inside, waiting)
	}
}

// A thread that waits for a module is not refused, whether or not it is inside another one itself.
func TestWaiting(t *testing.T) {
	fx, fy := new(fake), new(fake)
	x, y := share(fx, new(told)), share(fy, new(told))
	inside, leave := make(chan struct{}), make(chan struct{})
	fx.hook = during(ck.FuncInitialize, func() {
		close(inside)
		<-leave
	})
	var errs [4]error
	fy.hook = during(ck.FuncInitialize, func() { errs[2] = x.NewCaller(nil).Initialize(t.Context(), nil) })
	testkit.Finishes(t, func() {
		var wg sync.WaitGroup
		wg.Go(func() { errs[0] = x.NewCaller(nil).Initialize(t.Context(), nil) })
		<-inside
		wg.Go(func() { errs[1] = x.NewCaller(nil).Initialize(t.Context(), nil) })
		wg.Go(func() { errs[3] = y.NewCaller(nil).Initialize(t.Context(), nil) })
		for waiting := 0; waiting == 0; runtime.Gosched() { // until y's module waits for x's
			_, waiting = turn.Known()
		}
		close(leave)
		wg.Wait()
	})
	if err := errors.Join(errs[:]...); err != nil {
		t.Errorf("C_Initialize: %v", err)
	}
	takes(t, fx, "three C_Initialize", "C_Initialize")
	if n := x.Initialized(); n != 3 {
		t.Errorf("%d callers are initialized, want 3", n)
	}
	quiet(t)
}

// Recursion is the thread's, not the last one's that came (abi.md 11.1, 7): while one thread waits, the one inside is
// still refused.
func TestRecursionWhileOthersWait(t *testing.T) {
	f, m := new(fake), new(told)
	shared := share(f, m)
	inside, waiting := make(chan struct{}), make(chan struct{})
	var inner error
	f.hook = during(ck.FuncInitialize, func() {
		close(inside)
		<-waiting
		for range 100 {
			runtime.Gosched() // lets the other thread come to the module, if it has not
		}
		inner = shared.NewCaller(nil).Initialize(t.Context(), nil)
	})
	var errs [2]error
	testkit.Finishes(t, func() {
		var wg sync.WaitGroup
		wg.Go(func() { errs[0] = shared.NewCaller(nil).Initialize(t.Context(), nil) })
		<-inside
		wg.Go(func() {
			close(waiting)
			errs[1] = shared.NewCaller(nil).Initialize(t.Context(), nil)
		})
		wg.Wait()
	})
	gives(t, "C_Initialize from inside", inner, ck.CKR_FUNCTION_FAILED)
	if err := errors.Join(errs[:]...); err != nil {
		t.Errorf("C_Initialize: %v", err)
	}
	if text := m.took(); strings.Count(text, "recursively") != 1 {
		t.Errorf("messages: %q", text)
	}
	f.verify(t)
}
