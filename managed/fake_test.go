package managed

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

// A fake is a module with sessions that watches how it is used. Everything that PKCS#11 forbids is a fault.
type fake struct {
	// hook, if not nil, runs inside each call, and what it answers other than nil is the call's answer. It must be set
	// before the module is used.
	hook func(call ck.Call) error
	// reuse has a session get the handle of the one that was closed last.
	reuse bool

	mu     sync.Mutex
	alive  bool // initialized
	alone  bool // C_Initialize or C_Finalize is at work
	inside int  // other calls at work
	args   ck.InitializeArgs
	seen   []string
	faults []string
	next   ck.SessionHandle
	closed []ck.SessionHandle
	open   map[ck.SessionHandle]ck.SlotID
	starts int // successful C_Initialize
}

var _ module.Module = (*fake)(nil)

func (f *fake) fault(text string) { f.faults = append(f.faults, text) }

// Do is the module.
func (f *fake) Do(_ context.Context, call ck.Call) error {
	switch call := call.(type) {
	case *ck.InitializeCall:
		return f.exclusive(call, func() {
			if f.alive {
				f.fault("C_Initialize of an initialized module")
			}
			f.args = *call.Args
		}, func() {
			f.alive = true
			f.starts++
		})
	case *ck.FinalizeCall:
		return f.exclusive(call, func() {
			if !f.alive {
				f.fault("C_Finalize of a module that is not initialized")
			}
			if len(f.open) > 0 {
				f.fault("C_Finalize with " + strconv.Itoa(len(f.open)) + " open sessions")
			}
		}, func() {
			f.alive = false
			clear(f.open)
		})
	}
	f.mu.Lock()
	f.inside++
	f.note(call)
	if f.alone {
		f.fault(call.Func().String() + " while C_Initialize or C_Finalize is at work")
	}
	alive := f.alive
	f.mu.Unlock()
	err := f.run(call)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.inside--
	if err == nil && !alive {
		return ck.CKR_CRYPTOKI_NOT_INITIALIZED
	}
	if err != nil {
		return err
	}
	switch call := call.(type) {
	case *ck.OpenSessionCall:
		if n := len(f.closed); f.reuse && n > 0 {
			call.Session, f.closed = f.closed[n-1], f.closed[:n-1]
		} else {
			f.next++
			call.Session = f.next
		}
		if f.open == nil {
			f.open = make(map[ck.SessionHandle]ck.SlotID)
		}
		f.open[call.Session] = call.Slot
	case *ck.CloseSessionCall:
		if _, open := f.open[call.Session]; !open {
			return ck.CKR_SESSION_HANDLE_INVALID
		}
		f.drop(call.Session)
	case *ck.CloseAllSessionsCall:
		f.fault("C_CloseAllSessions, which closes the sessions of all callers")
	}
	return nil
}

// drop forgets a session; the lock must be held.
func (f *fake) drop(session ck.SessionHandle) {
	delete(f.open, session)
	f.closed = append(f.closed, session)
}

func (f *fake) exclusive(call ck.Call, before, after func()) error {
	f.mu.Lock()
	f.note(call)
	if f.alone || f.inside > 0 {
		f.fault(call.Func().String() + " while another call is at work")
	}
	f.alone = true
	before()
	f.mu.Unlock()
	err := f.run(call)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.alone = false
	if err == nil {
		after()
	}
	return err
}

func (f *fake) note(call ck.Call) {
	text := call.Func().String()
	if c, ok := call.(*ck.CloseSessionCall); ok {
		text += " " + strconv.FormatUint(uint64(c.Session), 10)
	}
	f.seen = append(f.seen, text)
}

func (f *fake) run(call ck.Call) error {
	if f.hook == nil {
		return nil
	}
	return f.hook(call)
}

// took gives the calls since it was last asked.
func (f *fake) took() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	seen := strings.Join(f.seen, ", ")
	f.seen = nil
	return seen
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

// share shares a module by ordinary options.
func share(f *fake, m *told) *Module {
	return New(f, Options{Args: ck.InitializeArgs{CreateMutex: 1, DestroyMutex: 2, LockMutex: 3, UnlockMutex: 4, Flags: ck.CKF_OS_LOCKING_OK}, Message: m.message})
}

// gives checks what a call gave.
func gives(t *testing.T, what string, err error, want ck.RV) {
	t.Helper()
	if ck.RVOf(err) != want {
		t.Errorf("%s gives %v, want %v", what, ck.RVOf(err), want)
	}
}

// takes checks what reached the module.
func takes(t *testing.T, f *fake, what, want string) {
	t.Helper()
	if seen := f.took(); seen != want {
		t.Errorf("%s: the module sees %q, want %q", what, seen, want)
	}
}

// opened opens a session that must open.
func opened(t *testing.T, c *Caller, slot ck.SlotID) ck.SessionHandle {
	t.Helper()
	call := &ck.OpenSessionCall{Slot: slot, Flags: ck.CKF_SERIAL_SESSION}
	if err := c.Do(t.Context(), call); err != nil {
		t.Fatalf("C_OpenSession: %v", err)
	}
	return call.Session
}

// initialized makes a caller that is initialized.
func initialized(t *testing.T, m *Module) *Caller {
	t.Helper()
	c := m.NewCaller(nil)
	if err := c.Initialize(t.Context(), nil); err != nil {
		t.Fatalf("C_Initialize: %v", err)
	}
	return c
}
