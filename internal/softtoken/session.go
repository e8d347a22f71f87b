package softtoken

import (
	"sync"

	"github.com/p11mux/p11mux/ck"
)

// A session is what C_OpenSession gives. Its calls run one after the other.
type session struct {
	rw     bool
	handle ck.SessionHandle

	mu      sync.Mutex // guards what follows
	closed  bool
	find    *finder
	digest  *digestOp
	sign    *signOp
	verify  *signOp
	encrypt *cipherOp
	decrypt *cipherOp
}

// acquire finds an open session and locks it; the caller unlocks s.mu.
func (t *Token) acquire(h ck.SessionHandle) (*session, error) {
	t.mu.Lock()
	initialized, s := t.initialized, t.sessions[h]
	t.mu.Unlock()
	switch {
	case !initialized:
		return nil, ck.CKR_CRYPTOKI_NOT_INITIALIZED
	case s == nil:
		return nil, ck.CKR_SESSION_HANDLE_INVALID
	}
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil, ck.CKR_SESSION_HANDLE_INVALID
	}
	return s, nil
}

// in does a call in its session, which is locked meanwhile.
func in[C ck.Call](t *Token, h ck.SessionHandle, call C, do func(t *Token, s *session, call C) error) error {
	s, err := t.acquire(h)
	if err != nil {
		return err
	}
	defer s.mu.Unlock()
	return do(t, s, call)
}

// cancel ends all operations. The caller holds s.mu.
func (s *session) cancel() {
	s.find, s.digest, s.sign, s.verify, s.encrypt, s.decrypt = nil, nil, nil, nil, nil, nil
}

// waitingForLogin gives the marks of operations that wait for C_Login with CKU_CONTEXT_SPECIFIC. The caller holds s.mu.
func (s *session) waitingForLogin() []*bool {
	var waiting []*bool
	if s.sign != nil && s.sign.locked {
		waiting = append(waiting, &s.sign.locked)
	}
	if s.decrypt != nil && s.decrypt.locked {
		waiting = append(waiting, &s.decrypt.locked)
	}
	return waiting
}

// endAll marks sessions closed that no longer can be found. The caller holds no lock.
func endAll(sessions []*session) {
	for _, s := range sessions {
		s.mu.Lock()
		s.closed = true
		s.cancel()
		s.mu.Unlock()
	}
}

// forgetSession takes a session and its objects out of the token; the last one takes the login with it. The caller holds
// t.mu.
func (t *Token) forgetSession(s *session) {
	delete(t.sessions, s.handle)
	for h, o := range t.objects {
		if o.owner == s {
			delete(t.objects, h)
		}
	}
	if len(t.sessions) == 0 {
		t.forgetLogin()
	}
}

// forgetAllSessions is forgetSession for all of them, which it gives. The caller holds t.mu.
func (t *Token) forgetAllSessions() []*session {
	all := make([]*session, 0, len(t.sessions))
	for _, s := range t.sessions {
		all = append(all, s)
	}
	for _, s := range all {
		t.forgetSession(s)
	}
	return all
}

// openSession is C_OpenSession. The token notifies nobody, so Application and Notify are not kept.
func (t *Token) openSession(c *ck.OpenSessionCall) error {
	switch {
	case c.Slot != Slot:
		return ck.CKR_SLOT_ID_INVALID
	case c.Flags&ck.CKF_SERIAL_SESSION == 0:
		return ck.CKR_SESSION_PARALLEL_NOT_SUPPORTED
	case c.Flags&ck.CKF_ASYNC_SESSION != 0:
		return ck.CKR_SESSION_ASYNC_NOT_SUPPORTED
	}
	s := &session{rw: c.Flags&ck.CKF_RW_SESSION != 0}
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case !t.initialized:
		return ck.CKR_CRYPTOKI_NOT_INITIALIZED
	case !s.rw && t.login == officer:
		return ck.CKR_SESSION_READ_WRITE_SO_EXISTS
	}
	t.lastSession++
	s.handle = t.lastSession
	t.sessions[s.handle] = s
	c.Session = s.handle
	return nil
}

// closeSession is C_CloseSession.
func (t *Token) closeSession(c *ck.CloseSessionCall) error {
	t.mu.Lock()
	s := t.sessions[c.Session]
	if s == nil {
		t.mu.Unlock()
		return ck.CKR_SESSION_HANDLE_INVALID
	}
	t.forgetSession(s)
	t.mu.Unlock()
	endAll([]*session{s})
	return nil
}

// closeAllSessions is C_CloseAllSessions.
func (t *Token) closeAllSessions(c *ck.CloseAllSessionsCall) error {
	if c.Slot != Slot {
		return ck.CKR_SLOT_ID_INVALID
	}
	t.mu.Lock()
	ended := t.forgetAllSessions()
	t.mu.Unlock()
	endAll(ended)
	return nil
}

// getSessionInfo is C_GetSessionInfo.
func (t *Token) getSessionInfo(s *session, c *ck.GetSessionInfoCall) error {
	t.mu.Lock()
	login := t.login
	t.mu.Unlock()
	c.Info = ck.SessionInfo{Slot: Slot, State: s.state(login), Flags: ck.CKF_SERIAL_SESSION}
	if s.rw {
		c.Info.Flags |= ck.CKF_RW_SESSION
	}
	return nil
}

// state gives the state of a session (PKCS#11 3.2 §3).
func (s *session) state(login role) ck.State {
	switch {
	case login == officer:
		return ck.CKS_RW_SO_FUNCTIONS
	case login == user && s.rw:
		return ck.CKS_RW_USER_FUNCTIONS
	case login == user:
		return ck.CKS_RO_USER_FUNCTIONS
	case s.rw:
		return ck.CKS_RW_PUBLIC_SESSION
	}
	return ck.CKS_RO_PUBLIC_SESSION
}

// sessionCancel is C_SessionCancel. Flags of operations that are not active, or that the token does not offer, are ignored.
func (t *Token) sessionCancel(s *session, c *ck.SessionCancelCall) error {
	if c.Flags&ck.CKF_FIND_OBJECTS != 0 {
		s.find = nil
	}
	if c.Flags&ck.CKF_DIGEST != 0 {
		s.digest = nil
	}
	if c.Flags&ck.CKF_SIGN != 0 {
		s.sign = nil
	}
	if c.Flags&ck.CKF_VERIFY != 0 {
		s.verify = nil
	}
	if c.Flags&ck.CKF_ENCRYPT != 0 {
		s.encrypt = nil
	}
	if c.Flags&ck.CKF_DECRYPT != 0 {
		s.decrypt = nil
	}
	return nil
}

// getOperationState is C_GetOperationState, which would let key material out in the state of a digest or cipher.
func (t *Token) getOperationState(s *session, c *ck.GetOperationStateCall) error {
	if s.digest == nil && s.sign == nil && s.verify == nil && s.encrypt == nil && s.decrypt == nil {
		return ck.CKR_OPERATION_NOT_INITIALIZED
	}
	return ck.CKR_STATE_UNSAVEABLE
}

// setOperationState is C_SetOperationState. No state that was ever saved can be ours.
func (t *Token) setOperationState(s *session, c *ck.SetOperationStateCall) error {
	return ck.CKR_SAVED_STATE_INVALID
}
