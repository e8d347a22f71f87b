package managed

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/p11mux/p11mux/ck"
	"github.com/p11mux/p11mux/internal/turn"
	"github.com/p11mux/p11mux/module"
)

// Options say how a module is shared.
type Options struct {
	// Args are what the real C_Initialize gets, whatever the first caller asked for: later callers may have threads, so
	// the flags should have CKF_OS_LOCKING_OK. Reserved is the configured reserved string, or 0.
	Args ck.InitializeArgs
	// TakesReserved allows callers to pass a reserved pointer of their own. PKCS#11 forbids it (§5.4), but the modules
	// that are configured with x-init-reserved live by it.
	TakesReserved bool
	// Message is told what went wrong where no return value can carry it, on the thread that called. It may be nil.
	Message func(text string)
}

// A Module is one PKCS#11 module that any number of callers share. All its methods may be called from any goroutine.
type Module struct {
	mod     module.Module
	options atomic.Pointer[Options]

	turn  turn.Turn
	count int  // callers that are initialized; guarded by turn
	ours  bool // the real C_Initialize was ours, so C_Finalize is; guarded by turn

	mu       sync.Mutex
	sessions map[ck.SessionHandle]session // every session that a caller has open; guarded by mu
}

// session tells whose a session is.
type session struct {
	caller *Caller
	slot   ck.SlotID
}

// New makes a module that can be shared. Nobody else should initialize or finalize mod from then on.
func New(mod module.Module, options Options) *Module {
	m := &Module{mod: mod, sessions: make(map[ck.SessionHandle]session)}
	m.options.Store(&options)
	return m
}

// NewCaller makes a view of the module for one more caller. changed, if not nil, is told each time the caller becomes
// initialized or ceases to be, before the call that does it returns; it must not call back.
func (m *Module) NewCaller(changed func(initialized bool)) *Caller {
	return &Caller{m: m, changed: changed}
}

// Initialized tells how many callers are initialized.
func (m *Module) Initialized() int {
	if !m.turn.Take() {
		return 1 // asked from inside the module's own C_Initialize or C_Finalize: it is in use
	}
	defer m.turn.Give()
	return m.count
}

// start counts one more caller; the turn must have been taken. args are those of the caller, nil for none.
func (m *Module) start(ctx context.Context, args *ck.InitializeArgs) error {
	if m.count == 0 || !m.ours {
		real := m.options.Load().Args
		if args != nil && args.Reserved != 0 {
			real.Reserved = args.Reserved
		}
		err := m.turn.Call(func() error { return m.mod.Do(ctx, &ck.InitializeCall{Args: &real}) })
		switch {
		case err == nil:
			m.ours = true
		case ck.RVOf(err) == ck.CKR_CRYPTOKI_ALREADY_INITIALIZED:
			// Somebody else in the process did it, and will finalize it.
		default:
			return err
		}
	}
	m.count++
	return nil
}

// stop counts one caller less; the turn must have been taken. The real C_Finalize has no say: the caller is finalized
// whatever it answers, as it would be at the end of the process.
func (m *Module) stop(ctx context.Context) {
	if m.count--; m.count > 0 {
		return
	}
	if m.ours {
		m.ours = false
		_ = m.turn.Call(func() error { return m.mod.Do(ctx, &ck.FinalizeCall{}) })
	}
}

// validate checks what a caller passed to C_Initialize (PKCS#11 3.2 §5.4.1).
func (m *Module) validate(args *ck.InitializeArgs, takesReserved bool) error {
	if args == nil {
		return nil
	}
	if args.Reserved != 0 && !takesReserved && !m.options.Load().TakesReserved {
		return ck.CKR_ARGUMENTS_BAD
	}
	if !args.Complete() {
		return ck.CKR_ARGUMENTS_BAD
	}
	return nil
}

func (m *Module) message(text string) {
	if tell := m.options.Load().Message; tell != nil {
		tell(text)
	}
}

// SetOptions changes how the module is shared, from the next call on.
func (m *Module) SetOptions(options Options) { m.options.Store(&options) }
