package p11mux

import (
	"context"
	"crypto/tls"
	"errors"
	"iter"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/p11mux/p11mux/ck"
)

// A Module is one caller's view of a PKCS#11 module. Other parts of the process may have views of the same module, and
// none of them notices when this one is closed. Safe for concurrent use.
type Module struct {
	name, path string
	view       caller
	options    *options
	release    func()

	closed atomic.Bool
	done   chan struct{} // closed by Close: ends what waits
	// life is held for reading by each call that is none of a session, and each session's lock by those of the session.
	// Close takes them all, so that it does not pull the module away under a call.
	life sync.RWMutex

	mu       sync.Mutex
	tokens   map[ck.SlotID]*Token          // the last ones seen; guarded by mu
	sessions map[*Session]struct{}         // that Close has to wait for; guarded by mu
	handles  map[ck.SessionHandle]*Session // those that have them now; guarded by mu
}

// Name is the module's name in the configuration, or that of its file without ".so".
func (m *Module) Name() string { return m.name }

// Path is the shared object that the module was loaded from.
func (m *Module) Path() string { return m.path }

// String is the module's name.
func (m *Module) String() string { return m.name }

// Close ends the use of the module: its sessions are closed and its objects are of no use any more. It waits for calls
// that are under way. Closing twice is harmless.
//
// What others logged in or opened is not touched. The module itself is finalized when nobody else in the process uses it.
func (m *Module) Close() error {
	if !m.closed.CompareAndSwap(false, true) {
		return nil
	}
	close(m.done)
	m.life.Lock() // no session is opened from here on
	defer m.life.Unlock()
	m.mu.Lock()
	sessions := slices.Collect(maps.Keys(m.sessions))
	m.mu.Unlock()
	for _, s := range sessions {
		s.over()
	}
	err := m.failed(ck.FuncFinalize, m.view.Close(context.Background()))
	m.release()
	return err
}

// do has the module execute a call that is none of a session.
func (m *Module) do(ctx context.Context, call ck.Call) error {
	m.life.RLock()
	defer m.life.RUnlock()
	if m.closed.Load() {
		return m.afterClose(call)
	}
	if err := m.view.Do(ctx, call); err != nil {
		return m.failed(call.Func(), err)
	}
	return nil
}

func (m *Module) afterClose(call ck.Call) error {
	return m.refused(call.Func(), ck.CKR_CRYPTOKI_NOT_INITIALIZED, ErrClosed)
}

// Do has the module execute a call that needs no session: the door to what this package has no method for. Results are
// in the call. Calls of sessions are for [Session.Do], and what opens, closes or waits is refused with CKR_ARGUMENTS_BAD,
// for the package has to keep account of it.
func (m *Module) Do(ctx context.Context, call ck.Call) error {
	switch c := call.(type) {
	case *ck.InitializeCall, *ck.FinalizeCall, *ck.OpenSessionCall, *ck.CloseAllSessionsCall:
		return m.refused(call.Func(), ck.CKR_ARGUMENTS_BAD, errManaged)
	case *ck.WaitForSlotEventCall:
		if c.Flags&ck.CKF_DONT_BLOCK == 0 { // Close would wait for it
			return m.refused(call.Func(), ck.CKR_ARGUMENTS_BAD, errBlocks)
		}
	}
	if ck.SessionOf(call) != nil {
		return m.refused(call.Func(), ck.CKR_ARGUMENTS_BAD, errNeedsSession)
	}
	if ctx.Err() != nil {
		return m.canceled(call.Func(), ctx)
	}
	return m.do(ctx, call)
}

var (
	errManaged      = errors.New("use the methods of package p11mux that open and close")
	errBlocks       = errors.New("use Module.WaitForSlotEvent, which waits and can be ended")
	errNeedsSession = errors.New("use Session.Do for calls of a session")
	errNoSession    = errors.New("use Module.Do for calls without a session")
)

// Info describes the module (C_GetInfo, PKCS#11 3.2 §5.4).
func (m *Module) Info(ctx context.Context) (ck.Info, error) {
	var call ck.GetInfoCall
	err := m.Do(ctx, &call)
	return call.Info, err
}

// Slots gives the module's slots, those without a token too.
func (m *Module) Slots(ctx context.Context) ([]*Slot, error) { return m.slots(ctx, false) }

// Slot gives a slot by its number. Whether there is such a slot shows when it is used: CKR_SLOT_ID_INVALID.
func (m *Module) Slot(id ck.SlotID) *Slot { return &Slot{m, id} }

// maxCount is how many slots, or mechanisms, this package believes a module to have.
const maxCount = 1 << 16

func (m *Module) slots(ctx context.Context, present bool) ([]*Slot, error) {
	call := &ck.GetSlotListCall{TokenPresent: present}
	if err := list(m, ctx, call, &call.Slots); err != nil {
		return nil, err
	}
	slots := make([]*Slot, len(call.Slots.Buf))
	for i, id := range call.Slots.Buf {
		slots[i] = &Slot{m, id}
	}
	return slots, nil
}

// list executes a call that lists something, in a buffer that it makes large enough and cuts to what there is.
func list[T any](m *Module, ctx context.Context, call ck.Call, out *ck.Out[T]) error {
	out.Buf = make([]T, 16)
	for {
		err := m.Do(ctx, call)
		switch {
		case err == nil && out.N <= uint64(len(out.Buf)):
			out.Buf = out.Buf[:out.N]
			return nil
		case err != nil && !errors.Is(err, ck.CKR_BUFFER_TOO_SMALL):
			return err
		case out.N > maxCount || err == nil:
			return m.refused(call.Func(), ck.CKR_GENERAL_ERROR, errCount)
		}
		// The list may have grown, and a module may not say by how much: it gets more room each time.
		out.Buf = make([]T, max(int(out.N), 2*len(out.Buf)))
		if len(out.Buf) > 2*maxCount {
			return m.refused(call.Func(), ck.CKR_GENERAL_ERROR, errCount)
		}
	}
}

var errCount = errors.New("the module gives a count that cannot be")

// Tokens goes through the tokens of the module that are there and initialized. A token that is removed meanwhile is left
// out. Other errors are yielded, and end it if there is no list of slots.
func (m *Module) Tokens(ctx context.Context) iter.Seq2[*Token, error] {
	return func(yield func(*Token, error) bool) {
		slots, err := m.slots(ctx, true)
		if err != nil {
			yield(nil, err)
			return
		}
		for _, slot := range slots {
			t, err := slot.Token(ctx)
			switch {
			case err != nil && isLost(ck.RVOf(err)) && !m.closed.Load():
				continue
			case err == nil && !t.has(ck.CKF_TOKEN_INITIALIZED):
				continue
			}
			if !yield(t, err) {
				return
			}
		}
	}
}

// place is where the module's things are looked for.
func (m *Module) place() place { return place{modules: []*Module{m}} }

// Token finds the one token that a PKCS#11 URI names, as [Modules.Token] does.
func (m *Module) Token(ctx context.Context, uri string) (*Token, error) {
	return find(uri, m.place(), func(s *search) (*Token, error) { return s.token(ctx) })
}

// FindTokens goes through the tokens that a PKCS#11 URI names, as [Modules.FindTokens] does.
func (m *Module) FindTokens(ctx context.Context, uri string) iter.Seq2[*Token, error] {
	return tokensOf(ctx, uri, m.place())
}

// Find goes through the objects that a PKCS#11 URI names, as [Modules.Find] does.
func (m *Module) Find(ctx context.Context, uri string) iter.Seq2[*Object, error] {
	return objects(ctx, uri, m.place())
}

// PrivateKey finds the one private key that a PKCS#11 URI names, as [Modules.PrivateKey] does.
func (m *Module) PrivateKey(ctx context.Context, uri string) (*PrivateKey, error) {
	return find(uri, m.place(), func(s *search) (*PrivateKey, error) { return s.privateKey(ctx) })
}

// TLSCertificate gives a key with its certificates, as [Modules.TLSCertificate] does.
func (m *Module) TLSCertificate(ctx context.Context, uri string) (tls.Certificate, error) {
	return find(uri, m.place(), func(s *search) (tls.Certificate, error) { return s.tlsCertificate(ctx) })
}

// eventInterval is how often a module is asked for events. People who plug tokens in do not notice it, nor does the
// processor.
const eventInterval = 200 * time.Millisecond

// WaitForSlotEvent waits until a token is inserted or removed, and gives the slot where. The end of the context ends it,
// and so does Close. CKR_FUNCTION_NOT_SUPPORTED from a module that knows no events.
//
// A call in C cannot be abandoned, so the module is asked five times in a second instead. PKCS#11 tells an event once to
// each application: other users of the module in this process may take it before us (PKCS#11 3.2 §5.5).
func (m *Module) WaitForSlotEvent(ctx context.Context) (*Slot, error) {
	ticker := time.NewTicker(eventInterval)
	defer ticker.Stop()
	for {
		call := &ck.WaitForSlotEventCall{Flags: ck.CKF_DONT_BLOCK}
		err := m.Do(ctx, call)
		if err == nil {
			return m.Slot(call.Slot), nil
		}
		if !errors.Is(err, ck.CKR_NO_EVENT) {
			return nil, err
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil, m.canceled(call.Func(), ctx)
		case <-m.done:
			return nil, m.afterClose(call)
		}
	}
}
