package p11mux

import (
	"context"
	"io"
	"sync/atomic"

	"github.com/p11mux/p11mux/ck"
	"github.com/p11mux/p11mux/uri"
)

// A Token is what is in a slot: it has objects, and a pool of sessions for those who use them. Safe for concurrent use.
//
// A token that is removed, or replaced, leaves its Token and the objects that were found on it without use: they give
// CKR_TOKEN_NOT_PRESENT, CKR_DEVICE_REMOVED and the like, and never act on another token. When it is back, its objects
// have to be looked for again.
type Token struct {
	slot  *Slot
	info  ck.TokenInfo  // as it was when the token was first seen
	flags atomic.Uint64 // as they were when it was last seen
	pool  pool
	login login
	// generation counts how often the token's sessions were lost. Handles of one generation say nothing in another.
	generation atomic.Uint32
}

func newToken(s *Slot, info ck.TokenInfo) *Token {
	t := &Token{slot: s, info: info}
	t.flags.Store(uint64(info.Flags))
	t.pool = pool{token: t, limit: s.module.options.maxSessions}
	if n := info.MaxSessionCount; n != ck.CK_EFFECTIVELY_INFINITE && n != ck.CK_UNAVAILABLE_INFORMATION {
		t.pool.limit = int(min(n, uint64(t.pool.limit)))
	}
	t.login.turn = make(chan struct{}, 1)
	return t
}

// is tells whether a token that is seen now is this one.
func (t *Token) is(info *ck.TokenInfo) bool {
	return t.info.SerialNumber == info.SerialNumber && t.info.Label == info.Label && t.info.Model == info.Model &&
		t.info.ManufacturerID == info.ManufacturerID
}

// has tells whether the token had a flag when it was last seen.
func (t *Token) has(flag ck.Flags) bool { return ck.Flags(t.flags.Load())&flag != 0 }

// lost notes that the sessions of a generation are gone.
func (t *Token) lost(generation uint32) { t.generation.CompareAndSwap(generation, generation+1) }

func (t *Token) module() *Module { return t.slot.module }

// Slot is the slot that the token is in.
func (t *Token) Slot() *Slot { return t.slot }

// Label is the token's name, as it was when the token was first seen.
func (t *Token) Label() string { return t.info.LabelString() }

// Info describes the token as it is now (C_GetTokenInfo, PKCS#11 3.2 §5.5).
func (t *Token) Info(ctx context.Context) (ck.TokenInfo, error) { return t.slot.tokenInfo(ctx) }

// URI names the token by a PKCS#11 URI, without a PIN.
func (t *Token) URI() string {
	var u uri.URI
	u.SetTokenInfo(&t.info)
	return u.Format(uri.ForToken)
}

// String gives the token's URI.
func (t *Token) String() string { return t.URI() }

// Mechanisms lists what the token can do.
func (t *Token) Mechanisms(ctx context.Context) ([]ck.MechanismType, error) {
	call := &ck.GetMechanismListCall{Slot: t.slot.id}
	if err := list(t.module(), ctx, call, &call.Mechanisms); err != nil {
		return nil, err
	}
	return call.Mechanisms.Buf, nil
}

// MechanismInfo tells the sizes of keys and the uses of a mechanism; CKR_MECHANISM_INVALID if the token does not have it.
func (t *Token) MechanismInfo(ctx context.Context, mechanism ck.MechanismType) (ck.MechanismInfo, error) {
	call := ck.GetMechanismInfoCall{Slot: t.slot.id, Type: mechanism}
	err := t.module().Do(ctx, &call)
	return call.Info, err
}

// OpenSession opens a session of the caller's own, to be closed by it. It is needed for what a session keeps: operations
// in parts, session objects, and changes of the token, for which it has to be [ReadWrite].
//
// CKR_SESSION_COUNT if the token allows no more: the token's pool has sessions too, see [WithMaxSessions].
func (t *Token) OpenSession(ctx context.Context, mode Mode) (*Session, error) {
	return t.open(ctx, mode)
}

// With calls f with a session of the token's pool, for reading. It waits for one if all are lent, until the context ends.
// The session goes back to the pool when f returns and must not be kept; operations that f leaves behind are ended. While
// f has it, the pool has one less for whatever else f does with the token.
func (t *Token) With(ctx context.Context, f func(s *Session) error) error {
	s, err := t.pool.get(ctx)
	if err != nil {
		return err
	}
	defer t.pool.put(s)
	return f(s)
}

// withReadWrite calls f with a session that can write.
func (t *Token) withReadWrite(ctx context.Context, f func(s *Session) error) error {
	s, err := t.open(ctx, ReadWrite)
	if err != nil {
		return err
	}
	defer s.Close()
	return f(s)
}

// Random gives a reader of the token's random numbers. It may be used from several goroutines, and each Read is a call of
// the token: buffer it for single octets. The context is that of all reads.
func (t *Token) Random(ctx context.Context) io.Reader {
	return readerFunc(func(p []byte) (n int, err error) {
		err = t.With(ctx, func(s *Session) error { return s.Random(ctx, p) })
		if err == nil {
			n = len(p)
		}
		return n, err
	})
}

// readerFunc is a function as an io.Reader.
type readerFunc func(p []byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }
