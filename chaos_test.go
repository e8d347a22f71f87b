package p11mux

import (
	"bytes"
	"context"
	"crypto"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/p11mux/p11mux/ck"
	"github.com/p11mux/p11mux/internal/softtoken"
	"github.com/p11mux/p11mux/module"
)

// stumbling is a token where something happens at a call of the caller's choice.
type stumbling struct {
	module.Module
	left atomic.Int64                // calls until it happens
	at   func(ck.Call) (bool, error) // what happens: whether the token gets the call, or else its answer
}

func newStumbling() *stumbling {
	s := &stumbling{Module: softtoken.New()}
	s.left.Store(-1)
	return s
}

func (s *stumbling) Do(ctx context.Context, call ck.Call) error {
	if s.left.Add(-1) == 0 {
		if pass, err := s.at(call); !pass {
			return err
		}
	}
	return s.Module.Do(ctx, call)
}

// What a program may do, each with all that it needs.
var uses = []struct {
	name string
	do   func(ctx context.Context, m *Module) error
}{
	{"find", func(ctx context.Context, m *Module) error {
		for _, err := range m.Find(ctx, "pkcs11:token=p11mux%20demo?pin-value=1234") {
			if err != nil {
				return err
			}
		}
		return nil
	}},
	{"sign", func(ctx context.Context, m *Module) error {
		key, err := m.PrivateKey(ctx, "pkcs11:object=k?pin-value=1234")
		if err == nil {
			_, err = key.WithContext(ctx).Sign(nil, hashed(crypto.SHA256), crypto.SHA256)
		}
		return err
	}},
	{"sign with the PIN", func(ctx context.Context, m *Module) error {
		key, err := m.PrivateKey(ctx, "pkcs11:object=again?pin-value=1234")
		if err == nil {
			_, err = key.WithContext(ctx).Sign(nil, hashed(crypto.SHA256), crypto.SHA256)
		}
		return err
	}},
	{"digest", func(ctx context.Context, m *Module) error {
		t, err := m.Token(ctx, "pkcs11:")
		if err != nil {
			return err
		}
		return t.With(ctx, func(s *Session) error {
			w, err := s.NewDigest(ctx, ck.Mechanism{Type: ck.CKM_SHA256})
			if err != nil {
				return err
			}
			defer w.Close()
			if _, err := w.Write([]byte("abc")); err != nil {
				return err
			}
			_, err = w.Sum()
			return err
		})
	}},
	{"encrypt", func(ctx context.Context, m *Module) error {
		t, err := m.Token(ctx, "pkcs11:")
		if err != nil {
			return err
		}
		if err := t.Login(ctx, PINString(softtoken.UserPIN)); err != nil {
			return err
		}
		s, err := t.OpenSession(ctx, ReadWrite)
		if err != nil {
			return err
		}
		defer s.Close()
		key, err := s.GenerateKey(ctx, ck.Mechanism{Type: ck.CKM_AES_KEY_GEN}, Attr(ck.CKA_VALUE_LEN, 32), Attr(ck.CKA_ENCRYPT, true))
		if err != nil {
			return err
		}
		var sealed bytes.Buffer
		w, err := s.NewEncrypter(ctx, &sealed, ck.Mechanism{Type: ck.CKM_AES_CBC_PAD, Param: ck.RawParam(make([]byte, 16))}, key)
		if err != nil {
			return err
		}
		if _, err := io.WriteString(w, "some text that is longer than a block"); err != nil {
			w.Cancel()
			return err
		}
		if err := w.Close(); err != nil {
			return err
		}
		return key.Destroy(ctx)
	}},
}

// prepared gives a view of the token with the keys that the uses need.
func prepared(t testing.TB, s *stumbling) *Module {
	m := load(t, s, WithMaxSessions(2))
	f := &fixture{TB: t, ctx: context.Background(), token: firstToken(t, m)}
	f.must(f.token.Login(f.ctx, PINString(softtoken.UserPIN)))
	own, err := f.token.OpenSession(f.ctx, ReadWrite)
	f.must(err)
	f.Session = own
	f.generate("P-256", "k")
	f.generate("P-256", "again", Attr(ck.CKA_ALWAYS_AUTHENTICATE, true))
	f.must(own.Close())
	return m
}

// whole checks that the token's pool has all of its sessions back.
func whole(t testing.TB, m *Module) {
	t.Helper()
	m.mu.Lock()
	open := len(m.sessions)
	tokens := len(m.tokens)
	p := &m.tokens[0].pool
	m.mu.Unlock()
	p.mu.Lock()
	defer p.mu.Unlock()
	if tokens != 1 || len(p.idle) != p.open || open != p.open || p.open > p.limit || len(p.waiting) != 0 {
		t.Errorf("%d tokens, %d sessions, of the pool %d idle and %d open, %d wait", tokens, open, len(p.idle), p.open, len(p.waiting))
	}
}

// at does every use once for each call that it makes, with something happening at that call. Whatever it is, the use ends
// with an error that is allowed or with none, and everything can be done afterwards.
func (s *stumbling) everywhere(t *testing.T, m *Module, happens func(ctx context.Context, cancel func()) func(ck.Call) (bool, error), allowed func(error) bool) {
	for _, use := range uses {
		for n := int64(1); ; n++ {
			ctx, cancel := context.WithCancel(context.Background())
			s.at = happens(ctx, cancel)
			s.left.Store(n)
			err := use.do(ctx, m)
			over := s.left.Swap(-1) > 0
			cancel()
			if err != nil && !allowed(err) {
				t.Errorf("%s, call %d: %v", use.name, n, err)
			}
			for _, use := range uses {
				if err := use.do(context.Background(), m); err != nil {
					t.Fatalf("%s after something happened at call %d: %v", use.name, n, err)
				}
			}
			whole(t, m)
			if over {
				break // it makes no more calls
			}
		}
	}
}

// A context may end at any call.
func TestCanceledAnywhere(t *testing.T) {
	s := newStumbling()
	s.everywhere(t, prepared(t, s), func(_ context.Context, cancel func()) func(ck.Call) (bool, error) {
		return func(ck.Call) (bool, error) { cancel(); return true, nil }
	}, func(err error) bool {
		return errors.Is(err, context.Canceled) && ck.RVOf(err) == ck.CKR_FUNCTION_CANCELED || errors.Is(err, ErrNotFound)
	})
}

// Any call may fail.
func TestFailsAnywhere(t *testing.T) {
	for _, rv := range []ck.RV{
		ck.CKR_GENERAL_ERROR, ck.CKR_DEVICE_ERROR, ck.CKR_DEVICE_REMOVED, ck.CKR_TOKEN_NOT_PRESENT, ck.CKR_SESSION_HANDLE_INVALID,
		ck.CKR_OBJECT_HANDLE_INVALID, ck.CKR_BUFFER_TOO_SMALL, ck.CKR_SESSION_COUNT, ck.CKR_USER_NOT_LOGGED_IN, ck.CKR_OPERATION_ACTIVE,
		ck.CKR_FUNCTION_NOT_SUPPORTED, ck.CKR_HOST_MEMORY, ck.RV(0x80001234),
	} {
		t.Run(fmt.Sprint(rv), func(t *testing.T) {
			s := newStumbling()
			s.everywhere(t, prepared(t, s), func(context.Context, func()) func(ck.Call) (bool, error) {
				return func(ck.Call) (bool, error) { return false, rv }
			}, func(err error) bool { return ck.RVOf(err) != ck.CKR_OK })
		})
	}
}

// The module may be closed at any call, by another goroutine.
func TestClosedAnywhere(t *testing.T) {
	for _, use := range uses {
		for n, over := int64(1), false; !over; n++ { // until it makes no more calls
			s := newStumbling()
			m := prepared(t, s)
			var closing sync.WaitGroup
			s.at = func(ck.Call) (bool, error) {
				closing.Go(func() { _ = m.Close() })
				<-m.done
				return true, nil
			}
			s.left.Store(n)
			err := use.do(context.Background(), m)
			over = s.left.Swap(-1) > 0
			if err != nil && !errors.Is(err, ErrClosed) {
				t.Errorf("%s, call %d: %v", use.name, n, err)
			}
			closing.Wait()
		}
	}
}
