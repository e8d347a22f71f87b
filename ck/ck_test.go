package ck

import (
	"errors"
	"fmt"
	"reflect"
	"testing"
)

func TestNames(t *testing.T) {
	for _, c := range []struct {
		v    fmt.Stringer
		want string
	}{
		{CKR_OK, "CKR_OK"}, {CKR_PIN_INCORRECT, "CKR_PIN_INCORRECT"}, {CKR_PUBLIC_KEY_INVALID, "CKR_PUBLIC_KEY_INVALID"},
		{RV(0x80001234), "CKR_0x80001234"}, {RV(0x1_0000_0000), "CKR_0x100000000"},
		{CKM_RSA_PKCS_KEY_PAIR_GEN, "CKM_RSA_PKCS_KEY_PAIR_GEN"}, {CKM_EC_KEY_PAIR_GEN, "CKM_EC_KEY_PAIR_GEN"}, {CKM_VENDOR_DEFINED, "CKM_VENDOR_DEFINED"},
		{CKM_ECDSA_KEY_PAIR_GEN, "CKM_EC_KEY_PAIR_GEN"}, {MechanismType(0x99999), "CKM_0x99999"},
		{CKA_EC_PARAMS, "CKA_EC_PARAMS"}, {CKA_ALLOWED_MECHANISMS, "CKA_ALLOWED_MECHANISMS"},
		{CKO_TRUST, "CKO_TRUST"}, {CKK_EC, "CKK_EC"}, {CKC_X_509, "CKC_X_509"}, {CKU_CONTEXT_SPECIFIC, "CKU_CONTEXT_SPECIFIC"},
		{CKS_RW_SO_FUNCTIONS, "CKS_RW_SO_FUNCTIONS"}, {Version{3, 2}, "3.2"},
		{FuncInitialize, "C_Initialize"}, {FuncUnwrapKeyAuthenticated, "C_UnwrapKeyAuthenticated"}, {NumFuncs, "C_0x68"},
	} {
		if got := c.v.String(); got != c.want {
			t.Errorf("got %s, want %s", got, c.want)
		}
	}
}

func TestFuncs(t *testing.T) {
	for f := range NumFuncs {
		c := NewCall(f)
		if c == nil || c.Func() != f {
			t.Fatalf("%v: NewCall gives %T", f, c)
		}
		if g, ok := FuncByName(f.String()); !ok || g != f {
			t.Errorf("%v: found as %v", f, g)
		}
	}
	if NewCall(NumFuncs) != nil || NewCall(-1) != nil {
		t.Error("a call of no function")
	}
	if _, ok := FuncByName("C_Nothing"); ok {
		t.Error("found C_Nothing")
	}
	for f, want := range map[Func]Version{FuncWaitForSlotEvent: {2, 40}, FuncGetInterfaceList: {3, 0}, FuncMessageVerifyFinal: {3, 0}, FuncEncapsulateKey: {3, 2}, NumFuncs: {255, 255}} {
		if got := f.Since(); got != want {
			t.Errorf("%v since %v, want %v", f, got, want)
		}
	}
	if !(Version{3, 0}).AtLeast(Version{2, 40}) || (Version{2, 40}).AtLeast(Version{3, 0}) || !(Version{3, 2}).AtLeast(Version{3, 2}) {
		t.Error("versions are in the wrong order")
	}
}

func TestRVOf(t *testing.T) {
	cause := errors.New("the line went dead")
	call := &CallError{Module: "softhsm2", Call: "C_Login", RV: CKR_DEVICE_REMOVED, Err: cause}
	for _, c := range []struct {
		err  error
		want RV
	}{
		{nil, CKR_OK}, {CKR_PIN_INCORRECT, CKR_PIN_INCORRECT}, {cause, CKR_GENERAL_ERROR}, {call, CKR_DEVICE_REMOVED},
		{fmt.Errorf("login: %w", call), CKR_DEVICE_REMOVED}, {fmt.Errorf("odd: %w", CKR_OK), CKR_GENERAL_ERROR},
	} {
		if got := RVOf(c.err); got != c.want {
			t.Errorf("%v: got %v, want %v", c.err, got, c.want)
		}
	}
	if !errors.Is(call, CKR_DEVICE_REMOVED) || !errors.Is(call, cause) {
		t.Error("a CallError does not wrap both its parts")
	}
	if got, want := call.Error(), "softhsm2: C_Login: CKR_DEVICE_REMOVED: the line went dead"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := (&CallError{RV: CKR_HOST_MEMORY}).Error(), "CKR_HOST_MEMORY"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if CKR_OK.Err() != nil || CKR_CANCEL.Err() != CKR_CANCEL {
		t.Error("Err")
	}
}

func TestPadding(t *testing.T) {
	var i TokenInfo
	Pad(i.Label[:], "key ring")
	if got := i.LabelString(); got != "key ring" || i.Label[31] != ' ' {
		t.Errorf("got %q in %q", got, i.Label)
	}
	copy(i.Model[:], "v1\x00rubbish")
	if got := i.ModelString(); got != "v1" {
		t.Errorf("got %q", got)
	}
	var f [4]byte
	Pad(f[:], "abcé")
	if string(f[:]) != "abc " {
		t.Errorf("got %q", f)
	}
}

func TestNewParam(t *testing.T) {
	if _, ok := NewParam(CKM_AES_GCM).(*GCMParams); !ok {
		t.Errorf("got %T", NewParam(CKM_AES_GCM))
	}
	if _, ok := NewParam(CKM_SHA256_RSA_PKCS_PSS).(*RSAPKCSPSSParams); !ok {
		t.Errorf("got %T", NewParam(CKM_SHA256_RSA_PKCS_PSS))
	}
	if p := NewParam(CKM_AES_CBC); p != nil {
		t.Errorf("got %T for a plain IV", p)
	}
}

func TestIsTemplate(t *testing.T) {
	for _, a := range []AttributeType{CKA_WRAP_TEMPLATE, CKA_UNWRAP_TEMPLATE, CKA_DERIVE_TEMPLATE, CKA_ENCAPSULATE_TEMPLATE, CKA_DECAPSULATE_TEMPLATE | CKF_ARRAY_ATTRIBUTE} {
		if !a.IsTemplate() {
			t.Errorf("%v is no template", a)
		}
	}
	for _, a := range []AttributeType{CKA_LABEL, CKA_ALLOWED_MECHANISMS, 0x211} {
		if a.IsTemplate() {
			t.Errorf("%v is a template", a)
		}
	}
}

func TestOutBytes(t *testing.T) {
	o := Out[byte]{Buf: []byte("abcd"), N: 2}
	if got := string(o.Bytes()); got != "ab" {
		t.Errorf("got %q", got)
	}
	if o.N = 9; o.Bytes() != nil {
		t.Error("gave more than there is")
	}
}

// SessionOf and SlotOf give the place in the call itself, for each call that takes a session or a slot.
func TestPlaces(t *testing.T) {
	sessions, slots := 0, 0
	for f := range NumFuncs {
		call := NewCall(f)
		fields := reflect.ValueOf(call).Elem()
		if s := SessionOf(call); s != nil {
			sessions++
			*s = 1234
			if got := fields.FieldByName("Session"); !got.IsValid() || got.Uint() != 1234 {
				t.Errorf("%v: the place of the session is not in the call", f)
			}
		} else if fields.FieldByName("Session").IsValid() && f != FuncOpenSession {
			t.Errorf("%v has a session, but no place of it", f)
		}
		if s := SlotOf(call); s != nil {
			slots++
			*s = 5678
			if got := fields.FieldByName("Slot"); !got.IsValid() || got.Uint() != 5678 {
				t.Errorf("%v: the place of the slot is not in the call", f)
			}
		} else if fields.FieldByName("Slot").IsValid() && f != FuncWaitForSlotEvent {
			t.Errorf("%v has a slot, but no place of it", f)
		}
	}
	// The others are about the library: one describes it, three find it, two begin and end it, and two are about all slots.
	if want := int(NumFuncs) - 8 - slots; sessions != want || slots != 7 {
		t.Errorf("%d calls are about a session and %d about a slot, want %d and 7", sessions, slots, want)
	}
	if SessionOf(nil) != nil || SlotOf(nil) != nil {
		t.Error("no call is about something")
	}
}

func TestComplete(t *testing.T) {
	all := InitializeArgs{CreateMutex: 1, DestroyMutex: 2, LockMutex: 3, UnlockMutex: 4}
	for _, a := range []InitializeArgs{{}, {Flags: CKF_OS_LOCKING_OK, Reserved: 1}, all} {
		if !a.Complete() {
			t.Errorf("%+v is not complete", a)
		}
	}
	some := []InitializeArgs{all, all, all, all, {CreateMutex: 1}, {DestroyMutex: 1}, {LockMutex: 1}, {UnlockMutex: 1}}
	some[0].CreateMutex, some[1].DestroyMutex, some[2].LockMutex, some[3].UnlockMutex = 0, 0, 0, 0
	for _, a := range some {
		if a.Complete() {
			t.Errorf("%+v is complete", a)
		}
	}
}
