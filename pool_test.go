package p11mux

import (
	"context"
	"crypto"
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/p11mux/p11mux/ck"
	"github.com/p11mux/p11mux/internal/softtoken"
	"github.com/p11mux/p11mux/module"
)

// limited is a token that has no more than so many sessions, and does not tell.
func limited(mod module.Module, limit int64) module.Module {
	var open atomic.Int64
	return module.Func(func(ctx context.Context, call ck.Call) error {
		switch call.(type) {
		case *ck.OpenSessionCall:
			if open.Add(1) > limit {
				open.Add(-1)
				return ck.CKR_SESSION_COUNT
			}
			err := mod.Do(ctx, call)
			if err != nil {
				open.Add(-1)
			}
			return err
		case *ck.CloseSessionCall:
			open.Add(-1)
		}
		return mod.Do(ctx, call)
	})
}

// manySign has 64 goroutines sign with one key.
func manySign(t *testing.T, f *fixture, key *PrivateKey) {
	t.Helper()
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() {
			for range 5 {
				signs(t, key, crypto.SHA256)
			}
		})
	}
	wg.Wait()
	f.token.pool.mu.Lock()
	defer f.token.pool.mu.Unlock()
	p := &f.token.pool
	if len(p.idle) != p.open || p.open > p.limit || len(p.waiting) != 0 {
		t.Errorf("%d idle sessions of %d, %d wait", len(p.idle), p.open, len(p.waiting))
	}
}

func TestManySign(t *testing.T) {
	for name, mod := range map[string]module.Module{
		"enough sessions": softtoken.New(), "a hidden limit": limited(softtoken.New(), 4), "one for the pool": limited(softtoken.New(), 2),
	} {
		t.Run(name, func(t *testing.T) {
			f := use(t, load(t, mod, WithMaxSessions(8)), softtoken.UserPIN)
			f.generate("P-256", "k")
			key, err := f.token.module().PrivateKey(f.ctx, "pkcs11:object=k")
			f.must(err)
			manySign(t, f, key)
		})
	}
}

// A token that tells how many sessions it has gets no more.
func TestMaxSessionCount(t *testing.T) {
	soft := softtoken.New()
	f := use(t, load(t, module.Func(func(ctx context.Context, call ck.Call) error {
		err := soft.Do(ctx, call)
		if info, ok := call.(*ck.GetTokenInfoCall); ok {
			info.Info.MaxSessionCount = 3
		}
		return err
	})), softtoken.UserPIN)
	if f.token.pool.limit != 3 {
		t.Errorf("limit %d", f.token.pool.limit)
	}
}

func TestPoolWaits(t *testing.T) {
	f := use(t, load(t, softtoken.New(), WithMaxSessions(1)), softtoken.UserPIN)
	ctx, cancel := context.WithCancel(f.ctx)
	err := f.token.With(f.ctx, func(s *Session) error {
		ended := make(chan error)
		go func() {
			ended <- f.token.With(ctx, func(*Session) error { return nil })
		}()
		go cancel()
		refused(t, "the context's end", <-ended, context.Canceled)
		go func() {
			ended <- f.token.With(f.ctx, func(*Session) error { return nil })
		}()
		if err := f.token.module().Close(); err != nil {
			return err
		}
		return <-ended
	})
	refused(t, "Close", err, ErrClosed)
}

// Sessions that may have an operation left do not go to others, and who is logged in stays so.
func TestPoolDiscards(t *testing.T) {
	f := use(t, load(t, softtoken.New(), WithMaxSessions(1)), softtoken.UserPIN)
	f.must(f.Close()) // the pool's session is the only one now
	f.must(f.token.With(f.ctx, func(s *Session) error {
		_, err := s.NewDigest(f.ctx, ck.Mechanism{Type: ck.CKM_SHA256})
		return err
	}))
	f.must(f.token.With(f.ctx, func(s *Session) error {
		return s.Do(f.ctx, &ck.DigestInitCall{Mechanism: &ck.Mechanism{Type: ck.CKM_SHA256}})
	}))
	f.must(f.token.With(f.ctx, func(s *Session) error {
		if _, err := s.Digest(f.ctx, ck.Mechanism{Type: ck.CKM_SHA256}, nil); err != nil {
			return err
		}
		info, err := s.Info(f.ctx)
		if info.State != ck.CKS_RO_USER_FUNCTIONS {
			t.Errorf("state %v", info.State)
		}
		return err
	}))
	f.must(f.token.With(f.ctx, func(s *Session) error { return s.Close() })) // which it should not
	f.must(f.token.With(f.ctx, func(s *Session) error {
		_, err := s.Info(f.ctx)
		return err
	}))
	wrong := errors.New("f's own error")
	refused(t, "an error of f", f.token.With(f.ctx, func(s *Session) error { return wrong }), wrong)
}

// A token that is gone and comes back: what was found on it is refused, and what is found again works.
func TestTokenRemoved(t *testing.T) {
	soft := softtoken.New()
	var gone atomic.Bool
	f := use(t, load(t, module.Func(func(ctx context.Context, call ck.Call) error {
		if gone.Load() {
			switch call.(type) {
			case *ck.GetTokenInfoCall, *ck.OpenSessionCall:
				return ck.CKR_TOKEN_NOT_PRESENT
			case *ck.SignInitCall:
				return ck.CKR_DEVICE_REMOVED
			}
		}
		return soft.Do(ctx, call)
	})), softtoken.UserPIN)
	f.generate("P-256", "k")
	key, err := f.token.module().PrivateKey(f.ctx, "pkcs11:object=k")
	f.must(err)
	signs(t, key, crypto.SHA256)

	gone.Store(true)
	_, err = key.Sign(nil, hashed(crypto.SHA256), crypto.SHA256)
	refused(t, "first signature", err, ck.CKR_DEVICE_REMOVED)
	_, err = key.Sign(nil, hashed(crypto.SHA256), crypto.SHA256)
	refused(t, "second signature", err, ck.CKR_TOKEN_NOT_PRESENT)
	if _, found, err := next(f.token.module().Tokens(f.ctx)); found {
		t.Errorf("a token is found: %v", err)
	}

	gone.Store(false)
	_, err = key.Sign(nil, hashed(crypto.SHA256), crypto.SHA256)
	refused(t, "a key of before", err, ck.CKR_KEY_HANDLE_INVALID)
	key, err = f.token.module().PrivateKey(f.ctx, "pkcs11:object=k")
	f.must(err)
	signs(t, key, crypto.SHA256)
}

// Another token in the slot is not taken for the one that was there.
func TestTokenReplaced(t *testing.T) {
	soft := softtoken.New()
	var serial atomic.Uint32
	m := load(t, module.Func(func(ctx context.Context, call ck.Call) error {
		err := soft.Do(ctx, call)
		if info, ok := call.(*ck.GetTokenInfoCall); ok {
			info.Info.SerialNumber[0] = byte(serial.Load())
		}
		return err
	}))
	f := use(t, m, softtoken.UserPIN)
	_, key := f.generate("P-256", "k")
	pooled, err := m.PrivateKey(f.ctx, "pkcs11:object=k")
	f.must(err)
	serial.Add(1)
	_, err = f.token.OpenSession(f.ctx, ReadOnly)
	refused(t, "a session with the old one", err, ck.CKR_TOKEN_NOT_RECOGNIZED)
	if again := firstToken(t, m); again == f.token {
		t.Error("it is the same Token")
	}
	_, err = pooled.Sign(nil, hashed(crypto.SHA256), crypto.SHA256)
	refused(t, "its key", err, ck.CKR_TOKEN_NOT_RECOGNIZED)
	_, err = f.Sign(f.ctx, ck.Mechanism{Type: ck.CKM_ECDSA}, key, hashed(crypto.SHA256))
	refused(t, "its key in its session", err, ck.CKR_KEY_HANDLE_INVALID)
}

// A module may give the handle of a session that ended with its token's removal to another one. Who has the former session
// gets an error, and does nothing to the new one.
func TestSessionHandleComesBack(t *testing.T) {
	soft := softtoken.New()
	var closed, opened atomic.Int32
	const handle = 7 // all sessions have it
	var real ck.SessionHandle
	f := use(t, load(t, module.Func(func(ctx context.Context, call ck.Call) error {
		switch call := call.(type) {
		case *ck.OpenSessionCall:
			opened.Add(1)
			err := soft.Do(ctx, call)
			real, call.Session = call.Session, handle
			return err
		case *ck.CloseSessionCall:
			closed.Add(1)
		}
		if session := ck.SessionOf(call); session != nil {
			*session = real
			defer func() { *session = handle }()
		}
		return soft.Do(ctx, call)
	})), softtoken.UserPIN)
	old := f.Session // took the handle of the one that Login left in the pool
	s, err := f.token.OpenSession(f.ctx, ReadOnly)
	f.must(err)
	_, err = old.Digest(f.ctx, ck.Mechanism{Type: ck.CKM_SHA256}, nil)
	refused(t, "the former session", err, ck.CKR_SESSION_HANDLE_INVALID)
	if errors.Is(err, ErrClosed) {
		t.Errorf("nobody closed it: %v", err)
	}
	f.must(old.Close())
	if closed.Load() != 0 {
		t.Error("the new session was closed")
	}
	_, err = s.Digest(f.ctx, ck.Mechanism{Type: ck.CKM_SHA256}, nil)
	f.must(err)
	// The pool's session is gone too, and another one takes its place.
	f.must(f.token.With(f.ctx, func(s *Session) error {
		_, err := s.Info(f.ctx)
		return err
	}))
	if opened.Load() != 4 || closed.Load() != 0 {
		t.Errorf("%d sessions opened and %d closed", opened.Load(), closed.Load())
	}
}

// A watched context tells when somebody has looked whether it is over, and when somebody waits for its end.
type watched struct {
	context.Context
	looked, waits func() // nil where nobody wants to know
}

func (w *watched) Err() error {
	if w.looked != nil {
		defer w.looked()
	}
	return w.Context.Err()
}

func (w *watched) Done() <-chan struct{} {
	if w.waits != nil {
		defer w.waits()
	}
	return w.Context.Done()
}

// waiting has f wait in a goroutine of its own, until the context that it gets ends with the cause of cancel. It gives
// what f gives then.
func waiting(ctx context.Context, f func(ctx context.Context) error) (cancel context.CancelCauseFunc, ended <-chan error) {
	ctx, cancel = context.WithCancelCause(ctx)
	result, waits := make(chan error, 1), make(chan struct{})
	go func() { result <- f(&watched{Context: ctx, waits: sync.OnceFunc(func() { close(waits) })}) }()
	<-waits
	return cancel, result
}

// Who gives up waiting for a session leaves the others their places, and what was given to him meanwhile.
func TestPoolLeaves(t *testing.T) {
	f := use(t, load(t, softtoken.New(), WithMaxSessions(1)), softtoken.UserPIN)
	nothing := func(ctx context.Context) error { return f.token.With(ctx, func(*Session) error { return nil }) }
	bored := errors.New("bored")
	var patient <-chan error
	f.must(f.token.With(f.ctx, func(*Session) error {
		cancel, impatient := waiting(f.ctx, nothing)
		_, patient = waiting(f.ctx, nothing)
		cancel(bored)
		refused(t, "a wait", <-impatient, bored)
		return nil
	}))
	f.must(<-patient)

	// Giving up and getting one at the same time.
	var wg sync.WaitGroup
	for range 200 {
		f.must(f.token.With(f.ctx, func(*Session) error {
			for range 3 {
				cancel, ended := waiting(f.ctx, nothing)
				wg.Go(func() { cancel(bored) })
				wg.Go(func() {
					if err := <-ended; err != nil {
						refused(t, "a wait", err, bored)
					}
				})
			}
			return nil
		}))
	}
	wg.Wait()
	p := &f.token.pool
	if len(p.idle) != 1 || p.open != 1 || len(p.waiting) != 0 {
		t.Errorf("%d idle sessions of %d, %d wait", len(p.idle), p.open, len(p.waiting))
	}
}

// Who waits for a session that others use waits no longer than his context.
func TestSessionWaits(t *testing.T) {
	soft := softtoken.New()
	var slow atomic.Bool
	inside, goOn := make(chan struct{}), make(chan struct{})
	f := use(t, load(t, module.Func(func(ctx context.Context, call ck.Call) error {
		if _, ok := call.(*ck.GenerateRandomCall); ok && slow.Load() {
			inside <- struct{}{}
			<-goOn
		}
		return soft.Do(ctx, call)
	})), softtoken.UserPIN)
	slow.Store(true)
	var wg sync.WaitGroup
	wg.Go(func() { f.must(f.Random(f.ctx, make([]byte, 8))) })
	<-inside
	ctx, cancel := context.WithCancelCause(f.ctx)
	bored := errors.New("bored")
	ended := make(chan error)
	for range 8 {
		begun := make(chan struct{})
		go func() {
			_, err := f.Info(&watched{Context: ctx, looked: sync.OnceFunc(func() { close(begun) })})
			ended <- err
		}()
		<-begun
	}
	cancel(bored)
	for range 8 {
		refused(t, "a call that waits", <-ended, bored)
	}
	patient, stop := context.WithCancel(f.ctx)
	defer stop()
	for range 8 {
		wg.Go(func() {
			if _, err := f.Info(patient); err != nil {
				t.Error(err)
			}
		})
	}
	goOn <- struct{}{}
	wg.Wait()
	slow.Store(false)
	_, err := f.Info(f.ctx)
	f.must(err)
}
