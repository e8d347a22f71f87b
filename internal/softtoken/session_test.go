package softtoken

import (
	"testing"

	"github.com/p11mux/p11mux/ck"
)

func (c *client) state(s ck.SessionHandle) ck.State {
	c.Helper()
	call := &ck.GetSessionInfoCall{Session: s}
	c.do(call)
	return call.Info.State
}

func TestSessionStates(t *testing.T) {
	c := open(t)
	ro := c.openSession(readOnly)
	states := func(rw, other ck.State) {
		t.Helper()
		if a, b := c.state(c.session), c.state(ro); a != rw || b != other {
			t.Errorf("states %v and %v, want %v and %v", a, b, rw, other)
		}
	}
	states(ck.CKS_RW_PUBLIC_SESSION, ck.CKS_RO_PUBLIC_SESSION)
	c.refused(ck.CKR_SESSION_READ_ONLY_EXISTS, &ck.LoginCall{Session: c.session, UserType: ck.CKU_SO, PIN: []byte(SOPIN)})
	c.login(ck.CKU_USER, UserPIN)
	states(ck.CKS_RW_USER_FUNCTIONS, ck.CKS_RO_USER_FUNCTIONS)
	c.do(&ck.LogoutCall{Session: ro})
	states(ck.CKS_RW_PUBLIC_SESSION, ck.CKS_RO_PUBLIC_SESSION)
	c.do(&ck.CloseSessionCall{Session: ro})
	c.refused(ck.CKR_SESSION_HANDLE_INVALID, &ck.CloseSessionCall{Session: ro})
	c.login(ck.CKU_SO, SOPIN)
	if s := c.state(c.session); s != ck.CKS_RW_SO_FUNCTIONS {
		t.Errorf("state %v", s)
	}
	c.refused(ck.CKR_SESSION_READ_WRITE_SO_EXISTS, &ck.OpenSessionCall{Flags: readOnly})
	c.refused(ck.CKR_SESSION_PARALLEL_NOT_SUPPORTED, &ck.OpenSessionCall{Flags: ck.CKF_RW_SESSION})
	c.refused(ck.CKR_SESSION_ASYNC_NOT_SUPPORTED, &ck.OpenSessionCall{Flags: readWrite | ck.CKF_ASYNC_SESSION})
	c.do(&ck.CloseAllSessionsCall{})
	c.session = c.openSession(readOnly)
	if s := c.state(c.session); s != ck.CKS_RO_PUBLIC_SESSION {
		t.Errorf("state %v after the last session closed", s)
	}
}

func TestLogin(t *testing.T) {
	c := open(t)
	login := func(who ck.UserType, value []byte) *ck.LoginCall {
		return &ck.LoginCall{Session: c.session, UserType: who, PIN: value}
	}
	c.refused(ck.CKR_USER_TYPE_INVALID, login(7, []byte(UserPIN)))
	c.refused(ck.CKR_ARGUMENTS_BAD, login(ck.CKU_USER, nil))
	c.refused(ck.CKR_PIN_INCORRECT, login(ck.CKU_USER, []byte{}))
	c.refused(ck.CKR_PIN_INCORRECT, login(ck.CKU_USER, []byte(UserPIN+"5")))
	c.refused(ck.CKR_OPERATION_NOT_INITIALIZED, login(ck.CKU_CONTEXT_SPECIFIC, []byte(UserPIN)))
	c.refused(ck.CKR_USER_NOT_LOGGED_IN, &ck.LogoutCall{Session: c.session})
	c.refused(ck.CKR_USER_NOT_LOGGED_IN, &ck.InitPINCall{Session: c.session, PIN: []byte(UserPIN)})
	c.login(ck.CKU_USER, UserPIN)
	c.refused(ck.CKR_USER_ALREADY_LOGGED_IN, login(ck.CKU_USER, []byte(UserPIN)))
	c.refused(ck.CKR_USER_ANOTHER_ALREADY_LOGGED_IN, login(ck.CKU_SO, []byte(SOPIN)))
	c.do(&ck.LogoutCall{Session: c.session})
	c.login(ck.CKU_SO, SOPIN)
	c.refused(ck.CKR_USER_ALREADY_LOGGED_IN, login(ck.CKU_SO, []byte(SOPIN)))
	c.refused(ck.CKR_USER_ANOTHER_ALREADY_LOGGED_IN, login(ck.CKU_USER, []byte(UserPIN)))
	c.refused(ck.CKR_FUNCTION_NOT_SUPPORTED, &ck.LoginUserCall{Session: c.session})
}

func TestPINLock(t *testing.T) {
	c := open(t)
	flags := func(want ck.Flags) {
		t.Helper()
		info := &ck.GetTokenInfoCall{}
		c.do(info)
		all := ck.CKF_USER_PIN_COUNT_LOW | ck.CKF_USER_PIN_FINAL_TRY | ck.CKF_USER_PIN_LOCKED | ck.CKF_SO_PIN_COUNT_LOW
		if got := info.Info.Flags & all; got != want {
			t.Errorf("flags %#x, want %#x", got, want)
		}
	}
	login := &ck.LoginCall{Session: c.session, UserType: ck.CKU_USER, PIN: []byte("0000")}
	flags(0)
	for range maxTries - 1 {
		c.refused(ck.CKR_PIN_INCORRECT, login)
	}
	flags(ck.CKF_USER_PIN_COUNT_LOW | ck.CKF_USER_PIN_FINAL_TRY)
	c.login(ck.CKU_USER, UserPIN)
	flags(0)
	c.do(&ck.LogoutCall{Session: c.session})
	for range maxTries {
		c.refused(ck.CKR_PIN_INCORRECT, login)
	}
	flags(ck.CKF_USER_PIN_LOCKED)
	login.PIN = []byte(UserPIN)
	c.refused(ck.CKR_PIN_LOCKED, login)
	c.refused(ck.CKR_PIN_LOCKED, &ck.SetPINCall{Session: c.session, OldPIN: []byte(UserPIN), NewPIN: []byte("4321")})
	c.login(ck.CKU_SO, SOPIN)
	c.do(&ck.InitPINCall{Session: c.session, PIN: []byte("4321")})
	c.do(&ck.LogoutCall{Session: c.session})
	flags(0)
	c.login(ck.CKU_USER, "4321")
}

func TestSetPIN(t *testing.T) {
	c := open(t)
	set := func(s ck.SessionHandle, old, new string) *ck.SetPINCall {
		return &ck.SetPINCall{Session: s, OldPIN: []byte(old), NewPIN: []byte(new)}
	}
	ro := c.openSession(readOnly)
	c.refused(ck.CKR_SESSION_READ_ONLY, set(ro, UserPIN, "abcd"))
	c.do(&ck.CloseSessionCall{Session: ro})
	c.refused(ck.CKR_PIN_INCORRECT, set(c.session, "wrong", "abcd"))
	c.refused(ck.CKR_PIN_LEN_RANGE, set(c.session, UserPIN, "abc"))
	c.refused(ck.CKR_ARGUMENTS_BAD, &ck.SetPINCall{Session: c.session, OldPIN: []byte(UserPIN)})
	c.do(set(c.session, UserPIN, "abcd"))
	c.login(ck.CKU_USER, "abcd")
	c.do(set(c.session, "abcd", "efgh"))
	c.do(&ck.LogoutCall{Session: c.session})
	c.login(ck.CKU_SO, SOPIN)
	c.do(set(c.session, SOPIN, "officer"))
	c.do(&ck.LogoutCall{Session: c.session})
	c.login(ck.CKU_SO, "officer")
	c.do(&ck.LogoutCall{Session: c.session})
	c.login(ck.CKU_USER, "efgh")
}

// A PIN that belongs to the caller is neither changed nor kept.
func TestPINBuffer(t *testing.T) {
	c := open(t)
	buf := []byte(UserPIN)
	c.do(&ck.LoginCall{Session: c.session, UserType: ck.CKU_USER, PIN: buf})
	if string(buf) != UserPIN {
		t.Errorf("the caller's buffer has become %q", buf)
	}
	newPIN := []byte("9876")
	c.do(&ck.SetPINCall{Session: c.session, OldPIN: buf, NewPIN: newPIN})
	clear(newPIN)
	c.do(&ck.LogoutCall{Session: c.session})
	c.login(ck.CKU_USER, "9876")
}

func TestPrivateObjects(t *testing.T) {
	c := openUser(t)
	data := num(ck.CKA_CLASS, ck.CKO_DATA)
	open := c.create(data)
	private := c.create(data, flag(ck.CKA_PRIVATE, true))
	kept := c.create(data, flag(ck.CKA_PRIVATE, true), flag(ck.CKA_TOKEN, true), octs(ck.CKA_LABEL, "kept"))
	if n := len(c.found(data)); n != 3 {
		t.Errorf("found %d objects, want 3", n)
	}
	// A search that began before C_Logout gives nothing private after it.
	c.do(&ck.FindObjectsInitCall{Session: c.session})
	c.do(&ck.LogoutCall{Session: c.session})
	c.refused(ck.CKR_OPERATION_NOT_INITIALIZED, &ck.FindObjectsFinalCall{Session: c.session})
	if all := c.found(data); len(all) != 1 || all[0] != open {
		t.Errorf("found %v in public, want %v", all, open)
	}
	c.refused(ck.CKR_USER_NOT_LOGGED_IN, &ck.CreateObjectCall{
		Session: c.session, Template: []ck.Attribute{data, flag(ck.CKA_PRIVATE, true)}})
	c.login(ck.CKU_SO, SOPIN)
	if n := len(c.found(data)); n != 1 {
		t.Errorf("the security officer found %d objects, want 1", n)
	}
	c.do(&ck.LogoutCall{Session: c.session})
	c.login(ck.CKU_USER, UserPIN)
	c.refused(ck.CKR_OBJECT_HANDLE_INVALID, &ck.GetObjectSizeCall{Session: c.session, Object: private})
	c.refused(ck.CKR_OBJECT_HANDLE_INVALID, &ck.GetObjectSizeCall{Session: c.session, Object: kept})
	if all := c.found(octs(ck.CKA_LABEL, "kept")); len(all) != 1 || all[0] == kept {
		t.Errorf("found %v, want one object under a new handle", all)
	}
}

func TestSessionObjects(t *testing.T) {
	c := open(t)
	other := c.openSession(readOnly)
	data := num(ck.CKA_CLASS, ck.CKO_DATA)
	c.create(data)
	call := &ck.CreateObjectCall{Session: other, Template: []ck.Attribute{data}}
	c.do(call)
	if n := len(c.found(data)); n != 2 {
		t.Errorf("found %d objects, want those of both sessions", n)
	}
	call.Template = append(call.Template, flag(ck.CKA_TOKEN, true))
	c.refused(ck.CKR_SESSION_READ_ONLY, call)
	c.do(&ck.CloseSessionCall{Session: other})
	if n := len(c.found(data)); n != 1 {
		t.Errorf("found %d objects after one session closed, want 1", n)
	}
}

func TestSessionCancel(t *testing.T) {
	c := openUser(t)
	aes := c.secretKey(ck.CKK_AES, make([]byte, 16))
	mac := c.secretKey(ck.CKK_GENERIC_SECRET, []byte("key"))
	inits := func() []ck.Call {
		return []ck.Call{
			&ck.FindObjectsInitCall{Session: c.session},
			&ck.DigestInitCall{Session: c.session, Mechanism: mech(ck.CKM_SHA256)},
			&ck.SignInitCall{Session: c.session, Mechanism: mech(ck.CKM_SHA256_HMAC), Key: mac},
			&ck.VerifyInitCall{Session: c.session, Mechanism: mech(ck.CKM_SHA256_HMAC), Key: mac},
			&ck.EncryptInitCall{Session: c.session, Mechanism: mech(ck.CKM_AES_ECB), Key: aes},
			&ck.DecryptInitCall{Session: c.session, Mechanism: mech(ck.CKM_AES_ECB), Key: aes},
		}
	}
	c.refused(ck.CKR_OPERATION_NOT_INITIALIZED, &ck.GetOperationStateCall{Session: c.session})
	for _, call := range inits() {
		c.do(call)
	}
	for _, call := range inits() {
		c.refused(ck.CKR_OPERATION_ACTIVE, call)
	}
	c.refused(ck.CKR_STATE_UNSAVEABLE, &ck.GetOperationStateCall{Session: c.session})
	c.refused(ck.CKR_SAVED_STATE_INVALID, &ck.SetOperationStateCall{Session: c.session})
	c.do(&ck.SessionCancelCall{Session: c.session, Flags: ck.CKF_FIND_OBJECTS | ck.CKF_DIGEST | ck.CKF_SIGN |
		ck.CKF_VERIFY | ck.CKF_ENCRYPT | ck.CKF_DECRYPT | ck.CKF_SIGN_RECOVER})
	for _, call := range inits() {
		c.do(call)
	}
	// An Init call without a mechanism ends an operation as well.
	for _, call := range []ck.Call{
		&ck.DigestInitCall{Session: c.session}, &ck.SignInitCall{Session: c.session},
		&ck.VerifyInitCall{Session: c.session}, &ck.EncryptInitCall{Session: c.session},
		&ck.DecryptInitCall{Session: c.session},
	} {
		c.do(call)
		c.refused(ck.CKR_OPERATION_NOT_INITIALIZED, call)
	}
}
