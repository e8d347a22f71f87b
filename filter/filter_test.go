package filter_test

import (
	"strings"
	"testing"

	"github.com/p11mux/p11mux/ck"
	"github.com/p11mux/p11mux/filter"
	"github.com/p11mux/p11mux/internal/softtoken"
	"github.com/p11mux/p11mux/module"
	"github.com/p11mux/p11mux/module/moduletest"
	"github.com/p11mux/p11mux/proxy"
)

// labelled is a rule for tokens by the beginning of their label.
func labelled(label string, readOnly bool) filter.Rule {
	return filter.Rule{Match: func(t *ck.TokenInfo) bool { return strings.HasPrefix(t.LabelString(), label) }, ReadOnly: readOnly}
}

// A filter behaves as every module has to.
func TestModule(t *testing.T) {
	moduletest.Run(t, func(t *testing.T) moduletest.Fixture {
		return moduletest.Fixture{
			Module: filter.New(softtoken.New(), filter.Options{Rules: []filter.Rule{labelled("", false)}, First: 17}),
			Label:  softtoken.Label, UserPIN: []byte(softtoken.UserPIN), SOPIN: []byte(softtoken.SOPIN),
			Again: ck.CKR_CRYPTOKI_ALREADY_INITIALIZED, Offers: []ck.MechanismType{ck.CKM_SHA256, ck.CKM_ECDSA},
		}
	})
}

// do makes a call that must give rv.
func do(t *testing.T, m module.Module, call ck.Call, rv ck.RV) {
	t.Helper()
	if err := m.Do(t.Context(), call); ck.RVOf(err) != rv {
		t.Fatalf("%v gives %v, want %v", call.Func(), err, rv)
	}
}

// two is two tokens behind one module.
func two() module.Module {
	a, b := softtoken.New(), softtoken.New()
	return proxy.New(proxy.Options{Version: ck.Version{Major: 3, Minor: 2}, Members: []proxy.Member{{Module: a, Key: a}, {Module: b, Key: b}}})
}

// Only what a rule chooses is there, under ids that begin where they shall.
func TestSlots(t *testing.T) {
	for _, c := range []struct {
		name  string
		rules []filter.Rule
		n     uint64
	}{
		{"none", nil, 0},
		{"no such label", []filter.Rule{labelled("nothing", false)}, 0},
		{"both", []filter.Rule{labelled(softtoken.Label, false)}, 2},
		{"both twice", []filter.Rule{labelled("", false), labelled(softtoken.Label, true)}, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := filter.New(two(), filter.Options{Rules: c.rules, First: 5})
			do(t, m, &ck.GetSlotListCall{}, ck.CKR_CRYPTOKI_NOT_INITIALIZED)
			do(t, m, &ck.InitializeCall{}, ck.CKR_OK)
			list := &ck.GetSlotListCall{}
			do(t, m, list, ck.CKR_OK)
			if list.Slots.N != c.n {
				t.Fatalf("there are %d slots, want %d", list.Slots.N, c.n)
			}
			do(t, m, &ck.GetTokenInfoCall{Slot: 4}, ck.CKR_SLOT_ID_INVALID)
			do(t, m, &ck.GetTokenInfoCall{Slot: 5 + ck.SlotID(c.n)}, ck.CKR_SLOT_ID_INVALID)
			do(t, m, &ck.OpenSessionCall{Slot: 5 + ck.SlotID(c.n), Flags: ck.CKF_SERIAL_SESSION}, ck.CKR_SLOT_ID_INVALID)
			do(t, m, &ck.CloseAllSessionsCall{Slot: 5 + ck.SlotID(c.n)}, ck.CKR_SLOT_ID_INVALID)
			event := ck.CKR_FUNCTION_NOT_SUPPORTED
			if c.n == 0 {
				event = ck.CKR_NO_EVENT
			}
			do(t, m, &ck.WaitForSlotEventCall{Flags: ck.CKF_DONT_BLOCK}, event)
			do(t, m, &ck.WaitForSlotEventCall{}, ck.CKR_FUNCTION_NOT_SUPPORTED)
			for i := range c.n {
				open := &ck.OpenSessionCall{Slot: 5 + ck.SlotID(i), Flags: ck.CKF_SERIAL_SESSION | ck.CKF_RW_SESSION}
				do(t, m, open, ck.CKR_OK)
				info := &ck.GetSessionInfoCall{Session: open.Session}
				do(t, m, info, ck.CKR_OK)
				if info.Info.Slot != open.Slot {
					t.Errorf("the session is in slot %d, want %d", info.Info.Slot, open.Slot)
				}
			}
			do(t, m, &ck.FinalizeCall{}, ck.CKR_OK)
			do(t, m, &ck.GetSlotListCall{}, ck.CKR_CRYPTOKI_NOT_INITIALIZED)
		})
	}
}

// The first rule that matches decides that a token cannot be written, and the token says so.
func TestReadOnly(t *testing.T) {
	m := filter.New(softtoken.New(), filter.Options{Rules: []filter.Rule{labelled(softtoken.Label, true), labelled("", false)}})
	do(t, m, &ck.InitializeCall{}, ck.CKR_OK)
	info := &ck.GetTokenInfoCall{}
	do(t, m, info, ck.CKR_OK)
	if info.Info.Flags&ck.CKF_WRITE_PROTECTED == 0 {
		t.Error("the token does not say that it is write-protected")
	}
	do(t, m, &ck.OpenSessionCall{Flags: ck.CKF_SERIAL_SESSION | ck.CKF_RW_SESSION}, ck.CKR_TOKEN_WRITE_PROTECTED)
	do(t, m, &ck.InitTokenCall{PIN: []byte(softtoken.SOPIN), Label: []byte("other")}, ck.CKR_TOKEN_WRITE_PROTECTED)
	do(t, m, &ck.OpenSessionCall{Flags: ck.CKF_SERIAL_SESSION}, ck.CKR_OK)
}

// A session that somebody else has opened cannot be reached by its handle.
func TestForeignSession(t *testing.T) {
	token := softtoken.New()
	m := filter.New(token, filter.Options{Rules: []filter.Rule{labelled("", false)}})
	do(t, m, &ck.InitializeCall{}, ck.CKR_OK)
	foreign := &ck.OpenSessionCall{Flags: ck.CKF_SERIAL_SESSION}
	do(t, token, foreign, ck.CKR_OK)
	do(t, m, &ck.FindObjectsInitCall{Session: foreign.Session}, ck.CKR_SESSION_HANDLE_INVALID)
	do(t, m, &ck.CloseSessionCall{Session: foreign.Session}, ck.CKR_SESSION_HANDLE_INVALID)
	do(t, m, &ck.CloseAllSessionsCall{}, ck.CKR_OK)
	do(t, token, &ck.GetSessionInfoCall{Session: foreign.Session}, ck.CKR_OK)
}

// Each text that is given must be the token's.
func TestLike(t *testing.T) {
	token := ck.TokenInfo{Label: [32]byte{'l'}, ManufacturerID: [32]byte{'m'}, Model: [16]byte{'o'}, SerialNumber: [16]byte{'s'}}
	for _, c := range []struct {
		like ck.TokenInfo
		want bool
	}{
		{ck.TokenInfo{}, true},
		{token, true},
		{ck.TokenInfo{Label: token.Label}, true},
		{ck.TokenInfo{SerialNumber: token.SerialNumber, Flags: 7}, true},
		{ck.TokenInfo{Label: [32]byte{'l', ' '}}, false},
		{ck.TokenInfo{Label: token.Label, ManufacturerID: [32]byte{'x'}}, false},
		{ck.TokenInfo{Model: [16]byte{'x'}}, false},
		{ck.TokenInfo{SerialNumber: [16]byte{'x'}}, false},
		{ck.TokenInfo{Label: [32]byte{0, 'x'}}, true},
	} {
		if filter.Like(c.like)(&token) != c.want {
			t.Errorf("%+v: %v", c.like, !c.want)
		}
	}
}
