package p11mux

import (
	"bytes"
	"context"
	"errors"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/p11mux/p11mux/ck"
)

// A Mode is what a session may do to the token.
type Mode ck.Flags

const (
	// ReadOnly sessions use the token, and make and change session objects only.
	ReadOnly = Mode(ck.CKF_SERIAL_SESSION)
	// ReadWrite sessions may also make, change and destroy objects of the token.
	ReadWrite = Mode(ck.CKF_SERIAL_SESSION | ck.CKF_RW_SESSION)
)

// A Session is an open session with a token. All cryptography of PKCS#11 happens in one.
//
// Safe for concurrent use: its calls are made one after the other, and those that belong together, such as C_SignInit and
// C_Sign, without another one between them. For work at the same time take several sessions, or use the token's pool by
// [Token.With] and the objects that [Token.Find] gives. An operation in parts occupies its session: one of the same kind
// gives CKR_OPERATION_ACTIVE until it is over (PKCS#11 3.2 §5).
//
// A context ends the wait for the session's other calls. A call of a module in this process cannot be interrupted.
type Session struct {
	token      *Token
	handle     ck.SessionHandle
	generation uint32 // of the token, when it was opened
	pooled     bool   // it is the pool's, and lent to one user after the other
	broken     atomic.Bool

	mu     sync.Mutex
	closed atomic.Bool // written with mu, but for what taken says
	taken  atomic.Bool // it was lost, and the module has given its handle to another session
	active int         // operations in parts; guarded by mu
	unsure bool        // an operation may have been left behind; guarded by mu
	// The calls that are made often, used again each time so that nothing has to be allocated, and room for their
	// results; guarded by mu.
	calls       calls
	description *description
	result      []byte
}

// open opens a session, after a look at whether the slot still has this token.
func (t *Token) open(ctx context.Context, mode Mode) (*Session, error) {
	s := &Session{token: t, generation: t.generation.Load()}
	info, err := t.slot.tokenInfo(ctx)
	if err != nil {
		t.note(s, err)
		return nil, err
	}
	if !t.is(&info) {
		return nil, t.module().refused(ck.FuncOpenSession, ck.CKR_TOKEN_NOT_RECOGNIZED, errors.New("another token is in the slot now"))
	}
	call := &ck.OpenSessionCall{Slot: t.slot.id, Flags: ck.Flags(mode)&ck.CKF_RW_SESSION | ck.CKF_SERIAL_SESSION}
	if err := t.module().openSession(ctx, s, call); err != nil {
		t.note(s, err)
		return nil, err
	}
	return s, nil
}

// openSession has the module open a session, and writes it down.
func (m *Module) openSession(ctx context.Context, s *Session, call *ck.OpenSessionCall) error {
	m.life.RLock()
	defer m.life.RUnlock()
	if m.closed.Load() {
		return m.afterClose(call)
	}
	if err := m.view.Do(ctx, call); err != nil {
		return m.failed(call.Func(), err)
	}
	s.handle = call.Session
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.sessions == nil {
		m.sessions, m.handles = make(map[*Session]struct{}), make(map[ck.SessionHandle]*Session)
	}
	if old := m.handles[s.handle]; old != nil {
		// The module has closed that one by itself, when the token was removed. It must not be used, nor closed: that would
		// be done to the new one.
		old.taken.Store(true)
		old.closed.Store(true)
	}
	m.sessions[s], m.handles[s.handle] = struct{}{}, s
	return nil
}

// forget notes that a session is no more.
func (m *Module) forget(s *Session) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.sessions, s)
	if m.handles[s.handle] == s {
		delete(m.handles, s.handle)
	}
}

// note looks at an error for what it says about the session and its token.
func (t *Token) note(s *Session, err error) {
	if err != nil && isLost(ck.RVOf(err)) && !t.module().closed.Load() {
		s.broken.Store(true)
		t.lost(s.generation)
	}
}

// Token is the token that the session is with.
func (s *Session) Token() *Token { return s.token }

// String names the session by its handle and its token's URI.
func (s *Session) String() string {
	return "session " + strconv.FormatUint(uint64(s.handle), 10) + " with " + s.token.String()
}

// gone tells whether the session is no more.
func (s *Session) gone() bool {
	return s.closed.Load() || s.broken.Load() || s.generation != s.token.generation.Load()
}

// usable tells whether the session can go to somebody else.
func (s *Session) usable() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.unsure && s.active == 0 && !s.gone()
}

// Close closes the session: its session objects are destroyed, and its operations end. Closing twice is harmless, and so
// is closing a session that has ended by itself.
func (s *Session) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.token.module()
	if s.closed.Load() {
		m.forget(s) // if its handle was taken
		return nil
	}
	err := s.do(context.Background(), &ck.CloseSessionCall{Session: s.handle})
	s.closed.Store(true)
	clear(s.result)
	m.forget(s)
	if err != nil && isLost(ck.RVOf(err)) {
		return nil
	}
	return err
}

// over notes that the session is closed together with its module.
func (s *Session) over() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed.Store(true)
	clear(s.result)
}

var errTaken = errors.New("the token was removed since the session was opened")

// lock takes the session for one or several calls.
func (s *Session) lock(f ck.Func) error {
	s.mu.Lock()
	return s.locked(f)
}

// locked gives the session back if it is closed.
func (s *Session) locked(f ck.Func) error {
	if !s.closed.Load() {
		return nil
	}
	s.mu.Unlock()
	reason := ErrClosed
	if s.taken.Load() {
		reason = errTaken
	}
	return s.token.module().refused(f, ck.CKR_SESSION_HANDLE_INVALID, reason)
}

// begin takes the session for an operation, unless the context is over.
func (s *Session) begin(ctx context.Context, f ck.Func) error {
	if ctx.Err() != nil || !s.mu.TryLock() && !s.wait(ctx) {
		return s.token.module().canceled(f, ctx)
	}
	return s.locked(f)
}

// wait takes the lock, which somebody has; false if the context ends first.
func (s *Session) wait(ctx context.Context) bool {
	if ctx.Done() == nil {
		s.mu.Lock()
		return true
	}
	got := make(chan struct{})
	go func() {
		s.mu.Lock()
		select {
		case got <- struct{}{}:
		case <-ctx.Done():
			s.mu.Unlock() // nobody wants it any more
		}
	}()
	select {
	case <-got:
		return true
	case <-ctx.Done():
		return false
	}
}

// do makes a call. The session must have been taken, which keeps its module from being closed meanwhile.
func (s *Session) do(ctx context.Context, call ck.Call) error {
	m := s.token.module()
	err := m.view.Do(ctx, call)
	if err == nil {
		return nil
	}
	s.token.note(s, err)
	return m.failed(call.Func(), err)
}

// Do makes a call of PKCS#11 in the session: the door to what this package has no method for. The call's Session is set;
// results are in the call. What opens or closes sessions is refused with CKR_ARGUMENTS_BAD.
func (s *Session) Do(ctx context.Context, call ck.Call) error {
	m := s.token.module()
	handle := ck.SessionOf(call)
	if handle == nil {
		return m.refused(call.Func(), ck.CKR_ARGUMENTS_BAD, errNoSession)
	}
	if call.Func() == ck.FuncCloseSession {
		return m.refused(call.Func(), ck.CKR_ARGUMENTS_BAD, errManaged)
	}
	if err := s.begin(ctx, call.Func()); err != nil {
		return err
	}
	defer s.mu.Unlock()
	switch call.Func() {
	case ck.FuncLogin, ck.FuncLogout, ck.FuncSetPIN, ck.FuncInitPIN, ck.FuncGetObjectSize, ck.FuncGenerateRandom, ck.FuncSeedRandom:
	default:
		s.unsure = true
	}
	*handle = s.handle
	return s.do(ctx, call)
}

// Info describes the session (C_GetSessionInfo, PKCS#11 3.2 §5.6).
func (s *Session) Info(ctx context.Context) (ck.SessionInfo, error) {
	if err := s.begin(ctx, ck.FuncGetSessionInfo); err != nil {
		return ck.SessionInfo{}, err
	}
	defer s.mu.Unlock()
	call := &s.calls.sessionInfo
	call.Session = s.handle
	err := s.do(ctx, call)
	return call.Info, err
}

// use gives the handle of an object, if this session may use it.
func (s *Session) use(o *Object, f ck.Func) (ck.ObjectHandle, error) {
	switch {
	case o == nil:
		return 0, s.useless(f, "there is no object")
	case o.token != s.token:
		return 0, s.useless(f, "the object is of another token or module")
	case o.generation != s.token.generation.Load():
		return 0, s.useless(f, "the token was removed since the object was found")
	}
	return o.handle, nil
}

// useless is the error for an object that the session cannot use.
func (s *Session) useless(f ck.Func, reason string) error {
	rv := ck.CKR_KEY_HANDLE_INVALID
	switch f {
	case ck.FuncGetAttributeValue, ck.FuncSetAttributeValue, ck.FuncGetObjectSize, ck.FuncCopyObject, ck.FuncDestroyObject:
		rv = ck.CKR_OBJECT_HANDLE_INVALID
	}
	return s.token.module().refused(f, rv, errors.New(reason))
}

const (
	// guess is room for the results of most operations.
	guess = 1024
	// maxKept is how much room a session keeps for results.
	maxKept = 16 << 10
	// maxResult is how long a result may be that a module announces, beyond the length of what it is made from.
	maxResult = 64 << 20
)

var errLength = errors.New("the module gives a length that cannot be")

// output makes a call with a result of unknown length, in room for it that is guessed, and gives the result. input is the
// length of what the result is made from. The session must have been taken.
func (s *Session) output(ctx context.Context, call ck.Call, out *ck.Out[byte], input int) ([]byte, error) {
	return s.outputUpTo(ctx, call, out, input+guess, uint64(input)+maxResult)
}

// outputUpTo is output with the room to begin with, and the most that is believed.
func (s *Session) outputUpTo(ctx context.Context, call ck.Call, out *ck.Out[byte], room int, most uint64) ([]byte, error) {
	for {
		out.Buf, out.N = s.room(room), 0
		err := s.do(ctx, call)
		produced, needed := out.Bytes(), out.N
		out.Buf = nil
		switch {
		case err == nil && needed > uint64(room):
			return nil, s.impossible(call)
		case err == nil && room > maxKept:
			return produced[:needed:needed], nil
		case err == nil:
			result := bytes.Clone(produced)
			clear(produced) // it may be a secret
			return result, nil
		case !errors.Is(err, ck.CKR_BUFFER_TOO_SMALL):
			s.unsure = true
			return nil, err
		case needed <= uint64(room): // it does not say, so it is asked
			if err := s.do(ctx, call); err != nil {
				s.unsure = true
				return nil, err
			}
			needed = out.N
		}
		if needed <= uint64(room) || needed > most {
			return nil, s.impossible(call)
		}
		room = int(needed)
	}
}

// impossible is the error for a length that cannot be. The session must have been taken.
func (s *Session) impossible(call ck.Call) error {
	s.unsure = true
	return s.token.module().refused(call.Func(), ck.CKR_GENERAL_ERROR, errLength)
}

// room gives memory for a result: the session's own, or fresh memory if it is much.
func (s *Session) room(n int) []byte {
	if n > maxKept {
		return make([]byte, n)
	}
	if n > len(s.result) {
		s.result = make([]byte, max(n, 2*guess))
	}
	return s.result[:n]
}

// Random fills p with random octets of the token (C_GenerateRandom, PKCS#11 3.2 §5.19).
func (s *Session) Random(ctx context.Context, p []byte) error {
	// Tokens that have small buffers may not get it all at once.
	const most = 16 << 10
	for len(p) > 0 {
		n := min(len(p), most)
		if err := s.Do(ctx, &ck.GenerateRandomCall{RandomData: p[:n]}); err != nil {
			return err
		}
		p = p[n:]
	}
	return nil
}

// SeedRandom adds seed to the token's random number generator (C_SeedRandom, PKCS#11 3.2 §5.19).
func (s *Session) SeedRandom(ctx context.Context, seed []byte) error {
	return s.Do(ctx, &ck.SeedRandomCall{Seed: seed})
}
