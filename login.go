package p11mux

import (
	"context"
	"errors"
	"sync"

	"github.com/p11mux/p11mux/ck"
)

// login lets one goroutine at a time log in to a token.
type login struct {
	turn     chan struct{} // has room for who has the turn
	refusals refusals

	mu       sync.Mutex
	attempts [2]attempts // with the PINs of the user and the security officer
}

// attempts are the PINs that a token was given.
type attempts struct {
	n    uint64
	last error // what it said to the last one
}

// errRefusedBefore says why a PIN was not tried.
var errRefusedBefore = errors.New("the token refused this PIN before, and it was not tried again")

// of gives the attempts with the PIN that a user has. The lock must be held.
func (l *login) of(user ck.UserType) *attempts {
	if user == ck.CKU_SO {
		return &l.attempts[1]
	}
	return &l.attempts[0]
}

// attempted tells of the PINs that the token was given.
func (l *login) attempted(user ck.UserType) attempts {
	l.mu.Lock()
	defer l.mu.Unlock()
	return *l.of(user)
}

// takeLogin waits for the turn to log in. Whoever waited while another's PIN was refused gets that refusal, and does not
// try its own.
func (t *Token) takeLogin(ctx context.Context, user ck.UserType) error {
	l := &t.login
	before := l.attempted(user)
	select {
	case l.turn <- struct{}{}:
	case <-ctx.Done():
		return t.module().canceled(ck.FuncLogin, ctx)
	case <-t.module().done:
		return t.module().refused(ck.FuncLogin, ck.CKR_CRYPTOKI_NOT_INITIALIZED, ErrClosed)
	}
	if now := l.attempted(user); now.n > before.n && now.last != nil {
		t.giveLogin()
		return now.last
	}
	return nil
}

func (t *Token) giveLogin() { <-t.login.turn }

// Login logs the user in, with the PIN that pin finds out. In PKCS#11 it is the application that is logged in, which is
// the whole process: nothing is asked and nothing done if it is so already, and all who use the token in the process may
// use its private objects then. It lasts until anybody logs out, the last session is closed, or the token is removed.
//
// A wrong PIN is an error that is CKR_PIN_INCORRECT, and tried no more than once, for tokens lock themselves after a few:
// goroutines that wait for a login whose PIN is refused get the same error and do not try theirs, and a PIN that this
// Token saw refused is refused at once from then on, until another one is right or [Token.Logout].
func (t *Token) Login(ctx context.Context, pin PIN) error {
	return t.With(ctx, func(s *Session) error { return s.Login(ctx, ck.CKU_USER, pin) })
}

// Logout logs out whoever is logged in: for PKCS#11 knows no other way, for all users of the token in the process. Handles
// of private objects are of no use after it. Nobody being logged in is no error.
func (t *Token) Logout(ctx context.Context) error {
	t.login.refusals.forget()
	return t.With(ctx, func(s *Session) error {
		err := s.Do(ctx, &ck.LogoutCall{})
		if errors.Is(err, ck.CKR_USER_NOT_LOGGED_IN) {
			return nil
		}
		return err
	})
}

// Login logs in as a user of the caller's choice: CKU_USER, CKU_SO, for which the session has to be [ReadWrite] and nobody
// may have one that is not, or CKU_CONTEXT_SPECIFIC after the beginning of an operation with a key that wants it. Like
// [Token.Login], it tries no PIN that the token has refused. Being logged in already is no error.
func (s *Session) Login(ctx context.Context, user ck.UserType, pin PIN) error {
	if user == ck.CKU_SO {
		s.token.pool.drain() // its sessions are read-only
	}
	return s.withTurn(ctx, user, pin, func(value []byte) error {
		if err := s.begin(ctx, ck.FuncLogin); err != nil {
			return err
		}
		defer s.mu.Unlock()
		return s.present(ctx, user, value)
	})
}

// withTurn finds out a PIN and calls f with it, when it is this goroutine's turn to log in. Where the user is logged in
// already nothing is done, and a PIN that was refused before does not get to f. The session must not have been taken: a
// person may have to be asked.
func (s *Session) withTurn(ctx context.Context, user ck.UserType, pin PIN, f func(pin []byte) error) error {
	t := s.token
	if err := t.takeLogin(ctx, user); err != nil {
		return err
	}
	defer t.giveLogin()
	if user == ck.CKU_USER {
		info, err := s.Info(ctx)
		if err != nil || info.State == ck.CKS_RO_USER_FUNCTIONS || info.State == ck.CKS_RW_USER_FUNCTIONS {
			return err
		}
	}
	return t.withPIN(ctx, pin, func(value []byte) error {
		if value != nil && t.login.refusals.has(user, value) {
			return t.module().refused(ck.FuncLogin, ck.CKR_PIN_INCORRECT, errRefusedBefore)
		}
		return f(value)
	})
}

// present gives a PIN to the token. The session must have been taken.
func (s *Session) present(ctx context.Context, user ck.UserType, pin []byte) error {
	err := s.do(ctx, &ck.LoginCall{Session: s.handle, UserType: user, PIN: pin})
	s.token.login.note(user, pin, err)
	if errors.Is(err, ck.CKR_USER_ALREADY_LOGGED_IN) {
		return nil
	}
	return err
}

// note remembers what the token said to a PIN.
func (l *login) note(user ck.UserType, pin []byte, err error) {
	switch ck.RVOf(err) {
	case ck.CKR_OK:
		l.refusals.forget()
	case ck.CKR_PIN_INCORRECT, ck.CKR_PIN_INVALID, ck.CKR_PIN_LEN_RANGE, ck.CKR_PIN_EXPIRED, ck.CKR_PIN_LOCKED:
		if pin != nil {
			l.refusals.add(user, pin)
		}
	default:
		return // it is not about the PIN
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	tried := l.of(user)
	tried.n, tried.last = tried.n+1, err
}

// InitPIN gives the user a first PIN. The security officer must be logged in (C_InitPIN, PKCS#11 3.2 §5.5).
func (s *Session) InitPIN(ctx context.Context, pin PIN) error {
	s.token.login.refusals.forget()
	return s.token.withPIN(ctx, pin, func(value []byte) error {
		return s.Do(ctx, &ck.InitPINCall{PIN: value})
	})
}

// SetPIN changes the PIN of who is logged in, or the user's if nobody is (C_SetPIN, PKCS#11 3.2 §5.5).
func (s *Session) SetPIN(ctx context.Context, old, fresh PIN) error {
	return s.token.withPIN(ctx, old, func(oldValue []byte) error {
		return s.token.withPIN(ctx, fresh, func(freshValue []byte) error {
			err := s.Do(ctx, &ck.SetPINCall{OldPIN: oldValue, NewPIN: freshValue})
			if err == nil {
				s.token.login.refusals.forget()
			}
			return err
		})
	})
}
