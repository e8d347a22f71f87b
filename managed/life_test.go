package managed

import (
	"errors"
	"slices"
	"testing"

	"github.com/p11mux/p11mux/ck"
)

// Two callers of one module, step by step (abi.md 2.5).
func TestCounting(t *testing.T) {
	f, m := new(fake), new(told)
	shared := share(f, m)
	callers := []*Caller{shared.NewCaller(nil), shared.NewCaller(nil)}
	const (
		ok      = ck.CKR_OK
		already = ck.CKR_CRYPTOKI_ALREADY_INITIALIZED
		not     = ck.CKR_CRYPTOKI_NOT_INITIALIZED
	)
	for i, step := range []struct {
		who   int
		call  ck.Call
		want  ck.RV
		sees  string
		count int
	}{
		{0, &ck.GetInfoCall{}, not, "", 0},
		{0, &ck.FinalizeCall{}, not, "", 0},
		{0, &ck.InitializeCall{}, ok, "C_Initialize", 1},
		{0, &ck.InitializeCall{}, already, "", 1},
		{1, &ck.GetInfoCall{}, not, "", 1}, // no caller works by accident of another one's initialization
		{1, &ck.InitializeCall{}, ok, "", 2},
		{0, &ck.GetInfoCall{}, ok, "C_GetInfo", 2},
		{0, &ck.FinalizeCall{}, ok, "", 1},
		{0, &ck.GetInfoCall{}, not, "", 1},
		{1, &ck.GetInfoCall{}, ok, "C_GetInfo", 1},
		{0, &ck.FinalizeCall{}, not, "", 1},
		{1, &ck.FinalizeCall{}, ok, "C_Finalize", 0},
		{1, &ck.GetInfoCall{}, not, "", 0},
		{0, &ck.InitializeCall{}, ok, "C_Initialize", 1},
		{0, &ck.FinalizeCall{}, ok, "C_Finalize", 0},
		{1, &ck.InitializeCall{}, ok, "C_Initialize", 1},
		{1, &ck.FinalizeCall{Reserved: 1}, ck.CKR_ARGUMENTS_BAD, "", 1},
		{1, &ck.FinalizeCall{}, ok, "C_Finalize", 0},
	} {
		err := callers[step.who].Do(t.Context(), step.call)
		if ck.RVOf(err) != step.want {
			t.Errorf("step %d: %v by %d gives %v, want %v", i, step.call.Func(), step.who, ck.RVOf(err), step.want)
		}
		if seen := f.took(); seen != step.sees {
			t.Errorf("step %d: the module sees %q, want %q", i, seen, step.sees)
		}
		if n := shared.Initialized(); n != step.count {
			t.Errorf("step %d: %d callers are initialized, want %d", i, n, step.count)
		}
	}
	f.verify(t)
	if text := m.took(); text != "" {
		t.Errorf("messages: %s", text)
	}
}

// Some calls are answered whatever the state (PKCS#11 3.2 §5.4, §5.21).
func TestStateless(t *testing.T) {
	f := new(fake)
	c := share(f, new(told)).NewCaller(nil)
	for _, call := range []ck.Call{&ck.GetFunctionStatusCall{}, &ck.CancelFunctionCall{}} {
		gives(t, call.Func().String(), c.Do(t.Context(), call), ck.CKR_FUNCTION_NOT_PARALLEL)
		takes(t, f, call.Func().String(), "")
	}
	for _, call := range []ck.Call{&ck.GetFunctionListCall{}, &ck.GetInterfaceListCall{}, &ck.GetInterfaceCall{}} {
		_ = c.Do(t.Context(), call)
		takes(t, f, call.Func().String(), call.Func().String())
	}
}

// The module gets what it was configured with, whatever the caller asks for.
func TestInitializeArgs(t *testing.T) {
	const own = 0x1000
	for _, test := range []struct {
		name     string
		args     *ck.InitializeArgs
		takes    bool    // TakesReserved
		caller   bool    // the caller takes one
		reserved uintptr // configured
		want     ck.RV
		gets     uintptr // reserved at the module
	}{
		{name: "none"},
		{name: "empty", args: &ck.InitializeArgs{}},
		{name: "no threads", args: &ck.InitializeArgs{Flags: ck.CKF_LIBRARY_CANT_CREATE_OS_THREADS}},
		{name: "locking", args: &ck.InitializeArgs{Flags: ck.CKF_OS_LOCKING_OK}},
		{name: "mutexes", args: &ck.InitializeArgs{CreateMutex: 11, DestroyMutex: 12, LockMutex: 13, UnlockMutex: 14}},
		{name: "one mutex function", args: &ck.InitializeArgs{LockMutex: 13}, want: ck.CKR_ARGUMENTS_BAD},
		{name: "three mutex functions", args: &ck.InitializeArgs{CreateMutex: 11, DestroyMutex: 12, LockMutex: 13, Flags: ck.CKF_OS_LOCKING_OK}, want: ck.CKR_ARGUMENTS_BAD},
		{name: "reserved", args: &ck.InitializeArgs{Reserved: 7}, want: ck.CKR_ARGUMENTS_BAD},
		{name: "reserved and configured", args: &ck.InitializeArgs{Reserved: 7}, takes: true, reserved: own, gets: 7},
		{name: "reserved by a caller that may", args: &ck.InitializeArgs{Reserved: 7}, caller: true, gets: 7},
		{name: "configured", takes: true, reserved: own, gets: own},
		{name: "configured, and args without", args: &ck.InitializeArgs{Flags: ck.CKF_OS_LOCKING_OK}, takes: true, reserved: own, gets: own},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := new(fake)
			real := ck.InitializeArgs{CreateMutex: 1, DestroyMutex: 2, LockMutex: 3, UnlockMutex: 4, Flags: ck.CKF_OS_LOCKING_OK, Reserved: test.reserved}
			shared := New(f, Options{Args: real, TakesReserved: test.takes})
			c := shared.NewCaller(nil)
			if test.caller {
				c.TakeReserved()
			}
			gives(t, "C_Initialize", c.Initialize(t.Context(), test.args), test.want)
			if test.want != ck.CKR_OK {
				takes(t, f, "a refused C_Initialize", "")
				if n := shared.Initialized(); n != 0 {
					t.Errorf("%d callers are initialized", n)
				}
				gives(t, "the next C_Initialize", c.Initialize(t.Context(), nil), ck.CKR_OK)
				return
			}
			real.Reserved = test.gets
			if f.args != real {
				t.Errorf("the module gets %+v, want %+v", f.args, real)
			}
		})
	}
}

// Bad arguments are refused also where the module has been initialized already, but not before the caller's own state.
func TestArgsOfSecondCaller(t *testing.T) {
	shared := share(new(fake), new(told))
	first := initialized(t, shared)
	bad := &ck.InitializeArgs{LockMutex: 1}
	gives(t, "C_Initialize by another caller", shared.NewCaller(nil).Initialize(t.Context(), bad), ck.CKR_ARGUMENTS_BAD)
	gives(t, "C_Initialize again", first.Initialize(t.Context(), bad), ck.CKR_CRYPTOKI_ALREADY_INITIALIZED)
}

// SetOptions counts from the next C_Initialize on.
func TestSetOptions(t *testing.T) {
	f, m := new(fake), new(told)
	shared := New(f, Options{})
	c := initialized(t, shared)
	if want := (ck.InitializeArgs{}); f.args != want {
		t.Errorf("the module gets %+v", f.args)
	}
	shared.SetOptions(Options{Args: ck.InitializeArgs{Flags: ck.CKF_OS_LOCKING_OK, Reserved: 9}, TakesReserved: true, Message: m.message})
	gives(t, "C_Finalize", c.Finalize(t.Context()), ck.CKR_OK)
	gives(t, "C_Initialize", c.Initialize(t.Context(), nil), ck.CKR_OK)
	if f.args.Reserved != 9 || f.args.Flags != ck.CKF_OS_LOCKING_OK {
		t.Errorf("the module gets %+v", f.args)
	}
}

// A module that somebody else initialized is used, but never finalized, and asked again for each caller
// (abi.md 2.4, 2.5).
func TestAlreadyInitialized(t *testing.T) {
	answer := error(ck.CKR_CRYPTOKI_ALREADY_INITIALIZED)
	f := new(fake)
	f.hook = func(call ck.Call) error {
		if _, ok := call.(*ck.InitializeCall); ok {
			return answer
		}
		return nil
	}
	shared := share(f, new(told))
	a, b := shared.NewCaller(nil), shared.NewCaller(nil)
	gives(t, "C_Initialize", a.Initialize(t.Context(), nil), ck.CKR_OK)
	takes(t, f, "C_Initialize", "C_Initialize")
	gives(t, "C_Initialize", b.Initialize(t.Context(), nil), ck.CKR_OK)
	takes(t, f, "C_Initialize by another caller", "C_Initialize")
	gives(t, "C_Finalize", a.Finalize(t.Context()), ck.CKR_OK)
	gives(t, "C_Finalize", b.Finalize(t.Context()), ck.CKR_OK)
	takes(t, f, "C_Finalize of all", "")

	// The other one has finalized it meanwhile: the next caller's C_Initialize is the real one, and counts.
	gives(t, "C_Initialize", a.Initialize(t.Context(), nil), ck.CKR_OK)
	answer = nil
	gives(t, "C_Initialize", b.Initialize(t.Context(), nil), ck.CKR_OK)
	takes(t, f, "two C_Initialize", "C_Initialize, C_Initialize")
	gives(t, "C_Finalize", b.Finalize(t.Context()), ck.CKR_OK)
	takes(t, f, "the first C_Finalize", "")
	gives(t, "C_Finalize", a.Finalize(t.Context()), ck.CKR_OK)
	takes(t, f, "the last C_Finalize", "C_Finalize")

	// And again somebody else was faster.
	answer = ck.CKR_CRYPTOKI_ALREADY_INITIALIZED
	gives(t, "C_Initialize", a.Initialize(t.Context(), nil), ck.CKR_OK)
	gives(t, "C_Finalize", a.Finalize(t.Context()), ck.CKR_OK)
	takes(t, f, "both", "C_Initialize")
	f.verify(t)
}

// A module's refusal is the caller's, and nothing is counted.
func TestInitializeRefused(t *testing.T) {
	cause := errors.New("the line is dead")
	for _, answer := range []error{ck.CKR_DEVICE_ERROR, ck.CKR_CANT_LOCK, &ck.CallError{RV: ck.CKR_DEVICE_REMOVED, Err: cause}, cause} {
		var states []bool
		f := &fake{hook: func(ck.Call) error { return answer }}
		shared := share(f, new(told))
		c := shared.NewCaller(func(on bool) { states = append(states, on) })
		if err := c.Initialize(t.Context(), nil); err != answer {
			t.Errorf("C_Initialize gives %v, want %v", err, answer)
		}
		if n := shared.Initialized(); n != 0 || states != nil {
			t.Errorf("%v: %d callers are initialized, states %v", answer, n, states)
		}
		gives(t, "C_Finalize", c.Finalize(t.Context()), ck.CKR_CRYPTOKI_NOT_INITIALIZED)
		takes(t, f, "both", "C_Initialize")
		f.hook = nil
		gives(t, "the next C_Initialize", c.Initialize(t.Context(), nil), ck.CKR_OK)
		takes(t, f, "the next C_Initialize", "C_Initialize")
		f.verify(t)
	}
}

// What the real C_Finalize answers is nobody's business (abi.md 2.4).
func TestFinalizeRefused(t *testing.T) {
	f := new(fake)
	f.hook = func(call ck.Call) error {
		if _, ok := call.(*ck.FinalizeCall); ok {
			f.mu.Lock()
			f.alive = false
			f.mu.Unlock()
			return ck.CKR_DEVICE_ERROR
		}
		return nil
	}
	shared := share(f, new(told))
	c := initialized(t, shared)
	gives(t, "C_Finalize", c.Finalize(t.Context()), ck.CKR_OK)
	gives(t, "C_Finalize again", c.Finalize(t.Context()), ck.CKR_CRYPTOKI_NOT_INITIALIZED)
	gives(t, "C_Initialize", c.Initialize(t.Context(), nil), ck.CKR_OK)
	takes(t, f, "all", "C_Initialize, C_Finalize, C_Initialize")
	f.verify(t)
}

// The one who is told of a caller's state hears of each change, once, before the call is over.
func TestChanged(t *testing.T) {
	var states []bool
	shared := share(new(fake), new(told))
	c := shared.NewCaller(func(on bool) { states = append(states, on) })
	other := initialized(t, shared)
	expect := func(what string, want ...bool) {
		t.Helper()
		if !slices.Equal(states, want) {
			t.Errorf("after %s: %v, want %v", what, states, want)
		}
		states = nil
	}
	_ = c.Finalize(t.Context())
	expect("C_Finalize before all")
	_ = c.Initialize(t.Context(), nil)
	expect("C_Initialize", true)
	_ = c.Initialize(t.Context(), nil)
	expect("C_Initialize again")
	_ = other.Finalize(t.Context())
	expect("C_Finalize by another caller")
	_ = c.Finalize(t.Context())
	expect("C_Finalize", false)
	_ = c.Initialize(t.Context(), nil)
	expect("C_Initialize", true)
	_ = c.Close(t.Context())
	expect("Close", false)
	_ = c.Close(t.Context())
	_ = c.Initialize(t.Context(), nil)
	expect("the end")
}

// Close finalizes for a caller that forgot to, once, and for ever.
func TestClose(t *testing.T) {
	f := new(fake)
	shared := share(f, new(told))
	c, other := initialized(t, shared), initialized(t, shared)
	opened(t, c, 1)
	kept := opened(t, other, 1)
	f.took()

	gives(t, "Close", c.Close(t.Context()), ck.CKR_OK)
	takes(t, f, "Close", "C_CloseSession 1")
	gives(t, "Close again", c.Close(t.Context()), ck.CKR_OK)
	takes(t, f, "Close again", "")
	if n := shared.Initialized(); n != 1 {
		t.Errorf("%d callers are initialized, want 1", n)
	}

	for _, use := range []struct {
		call ck.Call
		want ck.RV
	}{
		{&ck.InitializeCall{}, ck.CKR_GENERAL_ERROR},
		{&ck.FinalizeCall{}, ck.CKR_CRYPTOKI_NOT_INITIALIZED},
		{&ck.OpenSessionCall{Flags: ck.CKF_SERIAL_SESSION}, ck.CKR_CRYPTOKI_NOT_INITIALIZED},
		{&ck.CloseSessionCall{Session: kept}, ck.CKR_CRYPTOKI_NOT_INITIALIZED},
		{&ck.CloseAllSessionsCall{Slot: 1}, ck.CKR_CRYPTOKI_NOT_INITIALIZED},
		{&ck.GetSessionInfoCall{Session: kept}, ck.CKR_CRYPTOKI_NOT_INITIALIZED},
	} {
		gives(t, use.call.Func().String(), c.Do(t.Context(), use.call), use.want)
		takes(t, f, use.call.Func().String(), "")
	}

	gives(t, "Close of the last", other.Close(t.Context()), ck.CKR_OK)
	takes(t, f, "Close of the last", "C_CloseSession 2, C_Finalize")
	gives(t, "Close of one that never was initialized", shared.NewCaller(nil).Close(t.Context()), ck.CKR_OK)
	takes(t, f, "Close of one that never was initialized", "")
	f.verify(t)
}
