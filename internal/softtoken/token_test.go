package softtoken

import (
	"context"
	"errors"
	"testing"

	"github.com/p11mux/p11mux/ck"
)

func TestEveryCall(t *testing.T) {
	c := &client{T: t, token: New()}
	for f := range ck.NumFuncs {
		switch f {
		case ck.FuncInitialize:
		case ck.FuncGetFunctionList, ck.FuncGetInterfaceList, ck.FuncGetInterface:
			c.refused(ck.CKR_FUNCTION_NOT_SUPPORTED, ck.NewCall(f))
		default:
			c.refused(ck.CKR_CRYPTOKI_NOT_INITIALIZED, ck.NewCall(f))
		}
	}
	c.do(&ck.InitializeCall{})
	for f := range ck.NumFuncs {
		call := ck.NewCall(f)
		switch w := call.(type) {
		case *ck.FinalizeCall:
			continue
		case *ck.WaitForSlotEventCall:
			w.Flags = ck.CKF_DONT_BLOCK
		}
		// With a zero session, whatever needs one must say so and nothing may panic.
		rv := ck.RVOf(c.try(call))
		switch f {
		case ck.FuncGetInfo, ck.FuncGetSlotList, ck.FuncGetSlotInfo, ck.FuncGetTokenInfo, ck.FuncGetMechanismList,
			ck.FuncGetMechanismInfo, ck.FuncInitToken, ck.FuncOpenSession, ck.FuncCloseAllSessions, ck.FuncInitialize,
			ck.FuncWaitForSlotEvent, ck.FuncGetFunctionStatus, ck.FuncCancelFunction:
		default:
			if rv != ck.CKR_SESSION_HANDLE_INVALID && rv != ck.CKR_FUNCTION_NOT_SUPPORTED {
				t.Errorf("%v without a session gave %v", f, rv)
			}
		}
	}
}

func TestInitialize(t *testing.T) {
	c := &client{T: t, token: New()}
	c.refused(ck.CKR_ARGUMENTS_BAD, &ck.InitializeCall{Args: &ck.InitializeArgs{Reserved: 1}})
	c.refused(ck.CKR_ARGUMENTS_BAD, &ck.InitializeCall{Args: &ck.InitializeArgs{LockMutex: 1}})
	c.do(&ck.InitializeCall{Args: &ck.InitializeArgs{Flags: ck.CKF_OS_LOCKING_OK}})
	c.refused(ck.CKR_CRYPTOKI_ALREADY_INITIALIZED, &ck.InitializeCall{})

	c.session = c.openSession(readWrite)
	c.login(ck.CKU_USER, UserPIN)
	kept := num(ck.CKA_CLASS, ck.CKO_DATA)
	c.create(kept, flag(ck.CKA_TOKEN, true))
	c.create(kept)
	c.refused(ck.CKR_ARGUMENTS_BAD, &ck.FinalizeCall{Reserved: 1})
	c.do(&ck.FinalizeCall{})
	c.refused(ck.CKR_CRYPTOKI_NOT_INITIALIZED, &ck.FinalizeCall{})

	c.do(&ck.InitializeCall{})
	c.refused(ck.CKR_SESSION_HANDLE_INVALID, &ck.GetSessionInfoCall{Session: c.session})
	c.session = c.openSession(readWrite)
	c.refused(ck.CKR_USER_NOT_LOGGED_IN, &ck.LogoutCall{Session: c.session})
	if n := len(c.found(kept)); n != 1 {
		t.Errorf("found %d objects after C_Finalize, want the one token object", n)
	}
}

func TestWaitForSlotEvent(t *testing.T) {
	c := open(t)
	c.refused(ck.CKR_NO_EVENT, &ck.WaitForSlotEventCall{Flags: ck.CKF_DONT_BLOCK})
	c.refused(ck.CKR_ARGUMENTS_BAD, &ck.WaitForSlotEventCall{Reserved: 1})

	ctx, cancel := context.WithCancel(context.Background())
	answer := make(chan error)
	go func() { answer <- c.token.Do(ctx, &ck.WaitForSlotEventCall{}) }()
	cancel()
	if err := <-answer; !errors.Is(err, context.Canceled) || ck.RVOf(err) != ck.CKR_FUNCTION_CANCELED {
		t.Errorf("waiting gave %v after its context ended", err)
	}
	go func() { answer <- c.try(&ck.WaitForSlotEventCall{}) }()
	c.do(&ck.FinalizeCall{})
	if err := <-answer; ck.RVOf(err) != ck.CKR_CRYPTOKI_NOT_INITIALIZED {
		t.Errorf("waiting gave %v after C_Finalize", err)
	}
}

func TestSlot(t *testing.T) {
	c := open(t)
	slots := &ck.GetSlotListCall{TokenPresent: true}
	c.do(slots)
	if slots.Slots.N != 1 {
		t.Fatalf("%d slots, want 1", slots.Slots.N)
	}
	slots.Slots.Buf = make([]ck.SlotID, 0)
	c.refused(ck.CKR_BUFFER_TOO_SMALL, slots)
	slots.Slots.Buf = make([]ck.SlotID, 3)
	c.do(slots)
	if got := slots.Slots.Bytes(); len(got) != 1 || got[0] != Slot {
		t.Errorf("slots %v", got)
	}
	slot := &ck.GetSlotInfoCall{}
	c.do(slot)
	if slot.Info.Flags != ck.CKF_TOKEN_PRESENT {
		t.Errorf("slot flags %#x", slot.Info.Flags)
	}
	info := &ck.GetTokenInfoCall{}
	c.do(info)
	want := ck.CKF_RNG | ck.CKF_LOGIN_REQUIRED | ck.CKF_USER_PIN_INITIALIZED | ck.CKF_TOKEN_INITIALIZED
	if i := &info.Info; i.LabelString() != Label || i.Flags != want || i.SessionCount != 1 || i.RWSessionCount != 1 {
		t.Errorf("token %q, flags %#x, %d sessions", i.LabelString(), i.Flags, i.SessionCount)
	}
	for _, call := range []ck.Call{
		&ck.GetSlotInfoCall{Slot: 1}, &ck.GetTokenInfoCall{Slot: 1}, &ck.GetMechanismListCall{Slot: 1},
		&ck.GetMechanismInfoCall{Slot: 1}, &ck.OpenSessionCall{Slot: 1, Flags: readOnly},
		&ck.CloseAllSessionsCall{Slot: 1}, &ck.InitTokenCall{Slot: 1},
	} {
		c.refused(ck.CKR_SLOT_ID_INVALID, call)
	}
}

func TestMechanisms(t *testing.T) {
	c := open(t)
	list := &ck.GetMechanismListCall{}
	c.do(list)
	list.Mechanisms.Buf = make([]ck.MechanismType, list.Mechanisms.N)
	c.do(list)
	seen := make(map[ck.MechanismType]bool)
	for _, m := range list.Mechanisms.Bytes() {
		if seen[m] {
			t.Errorf("%v is listed twice", m)
		}
		seen[m] = true
		info := &ck.GetMechanismInfoCall{Type: m}
		c.do(info)
		if info.Info.Flags == 0 || info.Info.MinKeySize > info.Info.MaxKeySize {
			t.Errorf("%v has info %+v", m, info.Info)
		}
	}
	if !seen[ck.CKM_RSA_PKCS] || !seen[ck.CKM_AES_GCM] {
		t.Errorf("mechanisms are missing from %v", list.Mechanisms.Bytes())
	}
	c.refused(ck.CKR_MECHANISM_INVALID, &ck.GetMechanismInfoCall{Type: ck.CKM_DES3_CBC})
}

func TestInitToken(t *testing.T) {
	c := open(t)
	label := make([]byte, 32)
	ck.Pad(label, "another")
	c.create(num(ck.CKA_CLASS, ck.CKO_DATA), flag(ck.CKA_TOKEN, true))
	c.refused(ck.CKR_SESSION_EXISTS, &ck.InitTokenCall{PIN: []byte(SOPIN), Label: label})
	c.do(&ck.CloseSessionCall{Session: c.session})
	c.refused(ck.CKR_ARGUMENTS_BAD, &ck.InitTokenCall{PIN: []byte(SOPIN), Label: label[:5]})
	c.refused(ck.CKR_ARGUMENTS_BAD, &ck.InitTokenCall{Label: label})
	c.refused(ck.CKR_PIN_INCORRECT, &ck.InitTokenCall{PIN: []byte("wrong"), Label: label})
	c.do(&ck.InitTokenCall{PIN: []byte(SOPIN), Label: label})

	info := &ck.GetTokenInfoCall{}
	c.do(info)
	if info.Info.LabelString() != "another" || info.Info.Flags&ck.CKF_USER_PIN_INITIALIZED != 0 {
		t.Errorf("token %q, flags %#x", info.Info.LabelString(), info.Info.Flags)
	}
	c.session = c.openSession(readWrite)
	if n := len(c.found()); n != 0 {
		t.Errorf("%d objects are left", n)
	}
	c.refused(ck.CKR_USER_PIN_NOT_INITIALIZED, &ck.LoginCall{Session: c.session, UserType: ck.CKU_USER, PIN: []byte(UserPIN)})
	c.login(ck.CKU_SO, SOPIN)
	c.refused(ck.CKR_PIN_LEN_RANGE, &ck.InitPINCall{Session: c.session, PIN: []byte("123")})
	c.do(&ck.InitPINCall{Session: c.session, PIN: []byte("secret")})
	c.do(&ck.LogoutCall{Session: c.session})
	c.refused(ck.CKR_PIN_INCORRECT, &ck.LoginCall{Session: c.session, UserType: ck.CKU_USER, PIN: []byte(UserPIN)})
	c.login(ck.CKU_USER, "secret")
}
