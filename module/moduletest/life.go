package moduletest

import "github.com/p11mux/p11mux/ck"

// uninitialized sends every call to a module that nobody has initialized.
func (s *suite) uninitialized() {
	for f := range ck.NumFuncs {
		call := ck.NewCall(f)
		var want []ck.RV
		switch f {
		case ck.FuncInitialize:
			continue // would initialize it
		case ck.FuncGetFunctionList, ck.FuncGetInterfaceList, ck.FuncGetInterface:
			// These work without C_Initialize, as far as the module has them (PKCS#11 3.2 §5.4).
			if err := s.do(call); err != nil && ck.RVOf(err) != ck.CKR_FUNCTION_NOT_SUPPORTED {
				s.Errorf("%v: %v", f, err)
			}
			continue
		case ck.FuncGetFunctionStatus, ck.FuncCancelFunction:
			want = []ck.RV{ck.CKR_FUNCTION_NOT_PARALLEL} // whatever else is wrong
		}
		s.refused(call, append(want, ck.CKR_CRYPTOKI_NOT_INITIALIZED, ck.CKR_FUNCTION_NOT_SUPPORTED)...)
	}
}

// life initializes and finalizes the module, more than once.
func (s *suite) life() {
	for range 3 {
		s.must(&ck.InitializeCall{Args: &ck.InitializeArgs{Flags: ck.CKF_OS_LOCKING_OK}})
		if s.Again == ck.CKR_OK {
			s.must(&ck.InitializeCall{})
			s.must(&ck.FinalizeCall{})
		} else {
			s.refused(&ck.InitializeCall{}, s.Again)
		}
		info := new(ck.GetInfoCall)
		s.must(info)
		if v := info.Info.CryptokiVersion; v.Major < 2 || v.Major > 3 {
			s.Errorf("the module says that it is of PKCS#11 %v", v)
		}
		s.refused(&ck.FinalizeCall{Reserved: 1}, ck.CKR_ARGUMENTS_BAD)
		s.must(&ck.FinalizeCall{})
		s.refused(&ck.FinalizeCall{}, ck.CKR_CRYPTOKI_NOT_INITIALIZED)
		s.refused(new(ck.GetInfoCall), ck.CKR_CRYPTOKI_NOT_INITIALIZED)
		s.refused(&ck.GetSlotListCall{}, ck.CKR_CRYPTOKI_NOT_INITIALIZED)
	}
}

// slots lists slots, tokens and mechanisms.
func (s *suite) slots() {
	s.start()
	list := &ck.GetSlotListCall{}
	s.must(list)
	n := list.Slots.N
	if n == 0 {
		s.Fatal("there are no slots")
	}
	list.Slots.Buf = []ck.SlotID{}
	s.refused(list, ck.CKR_BUFFER_TOO_SMALL)
	if list.Slots.N != n {
		s.Errorf("without room there are %d slots, before there were %d", list.Slots.N, n)
	}
	list.Slots.Buf = make([]ck.SlotID, n+5)
	s.must(list)
	if list.Slots.N != n {
		s.Errorf("with much room there are %d slots, before there were %d", list.Slots.N, n)
	}
	seen := map[ck.SlotID]bool{}
	for _, slot := range list.Slots.Bytes() {
		if seen[slot] {
			s.Errorf("slot %d is there twice", slot)
		}
		seen[slot] = true
		s.must(&ck.GetSlotInfoCall{Slot: slot})
	}
	if !seen[s.slot] {
		s.Errorf("slot %d has a token, but is not among the slots", s.slot)
	}
	slot := &ck.GetSlotInfoCall{Slot: s.slot}
	s.must(slot)
	if slot.Info.Flags&ck.CKF_TOKEN_PRESENT == 0 {
		s.Error("the slot says that it has no token")
	}
	token := &ck.GetTokenInfoCall{Slot: s.slot}
	s.must(token)
	if token.Info.Flags&(ck.CKF_TOKEN_INITIALIZED|ck.CKF_USER_PIN_INITIALIZED) != ck.CKF_TOKEN_INITIALIZED|ck.CKF_USER_PIN_INITIALIZED {
		s.Errorf("the token has flags %#x", uint64(token.Info.Flags))
	}

	var none ck.SlotID = 987654321
	for seen[none] {
		none++
	}
	s.refused(&ck.GetSlotInfoCall{Slot: none}, ck.CKR_SLOT_ID_INVALID)
	s.refused(&ck.GetTokenInfoCall{Slot: none}, ck.CKR_SLOT_ID_INVALID)
	s.refused(&ck.OpenSessionCall{Slot: none, Flags: ck.CKF_SERIAL_SESSION}, ck.CKR_SLOT_ID_INVALID)

	mechs := &ck.GetMechanismListCall{Slot: s.slot}
	s.must(mechs)
	mechs.Mechanisms.Buf = make([]ck.MechanismType, mechs.Mechanisms.N)
	s.must(mechs)
	for _, m := range mechs.Mechanisms.Bytes() {
		s.must(&ck.GetMechanismInfoCall{Slot: s.slot, Type: m})
	}
	if mechs.Mechanisms.N > 1 {
		mechs.Mechanisms.Buf = mechs.Mechanisms.Buf[:1]
		s.refused(mechs, ck.CKR_BUFFER_TOO_SMALL)
	}
	s.refused(&ck.GetMechanismInfoCall{Slot: s.slot, Type: 0x7fffffff}, ck.CKR_MECHANISM_INVALID)
	s.refused(&ck.WaitForSlotEventCall{Flags: ck.CKF_DONT_BLOCK}, ck.CKR_NO_EVENT, ck.CKR_FUNCTION_NOT_SUPPORTED)
}

// sessions opens and closes sessions.
func (s *suite) sessions() {
	s.start()
	s.refused(&ck.OpenSessionCall{Slot: s.slot}, ck.CKR_SESSION_PARALLEL_NOT_SUPPORTED)
	a, b := s.session(), s.session()
	if a == b || a == 0 || b == 0 {
		s.Fatalf("two sessions are %d and %d", a, b)
	}
	ro := &ck.OpenSessionCall{Slot: s.slot, Flags: ck.CKF_SERIAL_SESSION}
	s.must(ro)
	for session, want := range map[ck.SessionHandle]ck.State{a: ck.CKS_RW_PUBLIC_SESSION, ro.Session: ck.CKS_RO_PUBLIC_SESSION} {
		info := &ck.GetSessionInfoCall{Session: session}
		s.must(info)
		if info.Info.State != want || info.Info.Slot != s.slot {
			s.Errorf("the session is %v in slot %d, want %v in %d", info.Info.State, info.Info.Slot, want, s.slot)
		}
	}
	s.must(&ck.CloseSessionCall{Session: a})
	s.refused(&ck.CloseSessionCall{Session: a}, ck.CKR_SESSION_HANDLE_INVALID, ck.CKR_SESSION_CLOSED)
	s.must(&ck.GetSessionInfoCall{Session: b})
	s.must(&ck.CloseAllSessionsCall{Slot: s.slot})
	s.refused(&ck.GetSessionInfoCall{Session: b}, ck.CKR_SESSION_HANDLE_INVALID, ck.CKR_SESSION_CLOSED)
	s.refused(&ck.GetSessionInfoCall{Session: ro.Session}, ck.CKR_SESSION_HANDLE_INVALID, ck.CKR_SESSION_CLOSED)
	s.must(&ck.GetSessionInfoCall{Session: s.session()})
}

// login logs in and out.
func (s *suite) login() {
	s.start()
	session := s.session()
	state := func(want ck.State) {
		s.Helper()
		info := &ck.GetSessionInfoCall{Session: session}
		s.must(info)
		if info.Info.State != want {
			s.Errorf("the session is %v, want %v", info.Info.State, want)
		}
	}
	s.refused(&ck.LoginCall{Session: session, UserType: ck.CKU_USER, PIN: append([]byte("no"), s.UserPIN...)}, ck.CKR_PIN_INCORRECT)
	state(ck.CKS_RW_PUBLIC_SESSION)
	s.must(&ck.LoginCall{Session: session, UserType: ck.CKU_USER, PIN: s.UserPIN})
	state(ck.CKS_RW_USER_FUNCTIONS)
	s.refused(&ck.LoginCall{Session: session, UserType: ck.CKU_USER, PIN: s.UserPIN}, ck.CKR_USER_ALREADY_LOGGED_IN)
	s.refused(&ck.LoginCall{Session: session, UserType: ck.CKU_SO, PIN: s.SOPIN}, ck.CKR_USER_ANOTHER_ALREADY_LOGGED_IN)
	s.must(&ck.LogoutCall{Session: session})
	state(ck.CKS_RW_PUBLIC_SESSION)
	s.must(&ck.LoginCall{Session: session, UserType: ck.CKU_SO, PIN: s.SOPIN})
	state(ck.CKS_RW_SO_FUNCTIONS)
	s.must(&ck.LogoutCall{Session: session})
	s.refused(&ck.LoginCall{Session: session, UserType: 77, PIN: s.UserPIN}, ck.CKR_USER_TYPE_INVALID)
}

// pins changes PINs, and changes them back.
func (s *suite) pins() {
	session := s.user()
	other := append([]byte("new"), s.UserPIN...)
	s.refused(&ck.SetPINCall{Session: session, OldPIN: other, NewPIN: other}, ck.CKR_PIN_INCORRECT)
	s.must(&ck.SetPINCall{Session: session, OldPIN: s.UserPIN, NewPIN: other})
	s.must(&ck.LogoutCall{Session: session})
	s.refused(&ck.LoginCall{Session: session, UserType: ck.CKU_USER, PIN: s.UserPIN}, ck.CKR_PIN_INCORRECT)
	s.must(&ck.LoginCall{Session: session, UserType: ck.CKU_SO, PIN: s.SOPIN})
	s.must(&ck.InitPINCall{Session: session, PIN: s.UserPIN})
	s.must(&ck.LogoutCall{Session: session})
	s.must(&ck.LoginCall{Session: session, UserType: ck.CKU_USER, PIN: s.UserPIN})
}
