package softtoken

import "github.com/p11mux/p11mux/ck"

// A role is who is logged in; all sessions share it (PKCS#11 3.2 §2).
type role int

const (
	public  role = iota // nobody
	user                // the normal user
	officer             // the security officer
)

// doLogin is C_Login.
func (t *Token) doLogin(s *session, c *ck.LoginCall) error {
	if c.PIN == nil {
		return ck.CKR_ARGUMENTS_BAD // there is no protected path to ask for it
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	switch c.UserType {
	case ck.CKU_USER:
		return t.loginUser(c.PIN)
	case ck.CKU_SO:
		return t.loginOfficer(c.PIN)
	case ck.CKU_CONTEXT_SPECIFIC:
		return t.loginAgain(s, c.PIN)
	}
	return ck.CKR_USER_TYPE_INVALID
}

func (t *Token) loginUser(value []byte) error {
	switch {
	case t.login == user:
		return ck.CKR_USER_ALREADY_LOGGED_IN
	case t.login == officer:
		return ck.CKR_USER_ANOTHER_ALREADY_LOGGED_IN
	case !t.user.known:
		return ck.CKR_USER_PIN_NOT_INITIALIZED
	}
	if err := t.user.check(value); err != nil {
		return err
	}
	t.login = user
	return nil
}

func (t *Token) loginOfficer(value []byte) error {
	switch t.login {
	case officer:
		return ck.CKR_USER_ALREADY_LOGGED_IN
	case user:
		return ck.CKR_USER_ANOTHER_ALREADY_LOGGED_IN
	}
	for _, s := range t.sessions {
		if !s.rw {
			return ck.CKR_SESSION_READ_ONLY_EXISTS
		}
	}
	if err := t.so.check(value); err != nil {
		return err
	}
	t.login = officer
	return nil
}

// loginAgain releases an operation with a key that has CKA_ALWAYS_AUTHENTICATE, for one use.
func (t *Token) loginAgain(s *session, value []byte) error {
	waiting := s.waitingForLogin()
	if len(waiting) == 0 {
		return ck.CKR_OPERATION_NOT_INITIALIZED
	}
	if t.login != user {
		return ck.CKR_USER_NOT_LOGGED_IN
	}
	if err := t.user.check(value); err != nil {
		return err
	}
	for _, l := range waiting {
		*l = false
	}
	return nil
}

// doLogout is C_Logout. Handles of private objects become invalid, also for the next user; operations end.
func (t *Token) doLogout(c *ck.LogoutCall) error {
	s, err := t.acquire(c.Session)
	if err != nil {
		return err
	}
	s.mu.Unlock() // all sessions are locked below, one at a time
	t.mu.Lock()
	if t.login == public {
		t.mu.Unlock()
		return ck.CKR_USER_NOT_LOGGED_IN
	}
	t.forgetLogin()
	all := make([]*session, 0, len(t.sessions))
	for _, s := range t.sessions {
		all = append(all, s)
	}
	t.mu.Unlock()
	for _, s := range all {
		s.mu.Lock()
		s.cancel()
		s.mu.Unlock()
	}
	return nil
}

// forgetLogin makes the token public again. The caller holds t.mu.
func (t *Token) forgetLogin() {
	t.login = public
	var private []ck.ObjectHandle
	for h, o := range t.objects {
		if o.flag(ck.CKA_PRIVATE) {
			private = append(private, h)
		}
	}
	for _, h := range private {
		o := t.objects[h]
		delete(t.objects, h)
		if o.owner == nil {
			t.publish(o)
		}
	}
}

// initPIN is C_InitPIN: the security officer gives the user a PIN, also in place of one that is locked.
func (t *Token) initPIN(s *session, c *ck.InitPINCall) error {
	if c.PIN == nil {
		return ck.CKR_ARGUMENTS_BAD
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.login != officer {
		return ck.CKR_USER_NOT_LOGGED_IN
	}
	if err := checkNewPIN(c.PIN); err != nil {
		return err
	}
	t.user.set(c.PIN)
	return nil
}

// setPIN is C_SetPIN: it changes the PIN of who is logged in, and the user's when nobody is.
func (t *Token) setPIN(s *session, c *ck.SetPINCall) error {
	if c.OldPIN == nil || c.NewPIN == nil {
		return ck.CKR_ARGUMENTS_BAD
	}
	if !s.rw {
		return ck.CKR_SESSION_READ_ONLY
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	p := &t.user
	if t.login == officer {
		p = &t.so
	}
	if !p.known {
		return ck.CKR_USER_PIN_NOT_INITIALIZED
	}
	if err := checkNewPIN(c.NewPIN); err != nil {
		return err
	}
	if err := p.check(c.OldPIN); err != nil {
		return err
	}
	p.set(c.NewPIN)
	return nil
}
