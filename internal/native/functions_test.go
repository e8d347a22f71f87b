//go:build cgo

package native

import (
	"context"
	"errors"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/p11mux/p11mux/ck"
	"github.com/p11mux/p11mux/module"
)

var _ module.Module = (*Functions)(nil)

// openTestModule compiles and loads testdata/module.c.
func openTestModule(t testing.TB) *Module {
	t.Helper()
	out := filepath.Join(t.TempDir(), "module.so")
	cmd := exec.Command("gcc", "-std=gnu11", "-Wall", "-Wextra", "-Werror", "-fPIC", "-shared", "-I", filepath.Join("..", "..", "include"),
		"-o", out, filepath.Join("testdata", "module.c"))
	if msg, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("gcc: %v\n%s", err, msg)
	}
	m, err := Open(out)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	return m
}

// Each call reaches its own function and no other.
func TestEveryFunction(t *testing.T) {
	f := NewFunctions(openTestModule(t).List(), 840)
	for i := range ck.NumFuncs {
		switch i {
		case ck.FuncGetSessionInfo, ck.FuncSign, ck.FuncLogin, ck.FuncEncryptInit, ck.FuncGetAttributeValue, ck.FuncGenerateRandom, ck.FuncGetMechanismList,
			ck.FuncGetTokenInfo, ck.FuncUnwrapKeyAuthenticated, ck.FuncAsyncComplete, ck.FuncAsyncGetID:
			continue // have tests of their own
		}
		want := 0x80000000 + ck.RV(i)
		if i == ck.FuncWrapKeyAuthenticated {
			want = ck.CKR_FUNCTION_NOT_SUPPORTED // the member is NULL
		}
		if err := f.Do(context.Background(), ck.NewCall(i)); err != want {
			t.Errorf("%v: got %v, want %v", i, err, want)
		}
	}
	if err := f.Do(context.Background(), nil); err != ck.CKR_ARGUMENTS_BAD {
		t.Errorf("no call: %v", err)
	}
}

// A list has only the functions that fit into it, whatever lies behind.
func TestShortLists(t *testing.T) {
	list := openTestModule(t).List()
	for octets, last := range map[int]ck.Func{552: ck.FuncWaitForSlotEvent, 744: ck.FuncMessageVerifyFinal, 840: ck.FuncUnwrapKeyAuthenticated, 4096: ck.FuncUnwrapKeyAuthenticated, 0: -1} {
		f := NewFunctions(list, octets)
		for i := range ck.NumFuncs {
			want := i <= last && i != ck.FuncWrapKeyAuthenticated
			if got := f.Address(i) != nil; got != want {
				t.Errorf("%d octets: has %v is %v, want %v", octets, i, got, want)
			}
		}
		if f.Address(-1) != nil || f.Address(ck.NumFuncs) != nil {
			t.Errorf("%d octets: has what is no function", octets)
		}
	}
	if v := NewFunctions(list, 840).Version(); v != (ck.Version{Major: 3, Minor: 2}) {
		t.Errorf("version %v", v)
	}
}

func TestTwoCalls(t *testing.T) {
	m := openTestModule(t)
	for _, c := range []struct {
		buf  []byte
		want error
		text string
	}{
		{nil, nil, ""}, {make([]byte, 8), ck.CKR_BUFFER_TOO_SMALL, ""}, {[]byte{}, ck.CKR_BUFFER_TOO_SMALL, ""},
		{make([]byte, 9), nil, "signature"}, {make([]byte, 100000), nil, "signature"},
	} {
		call := &ck.SignCall{Session: 7, Data: []byte("data"), Signature: ck.Out[byte]{Buf: c.buf}}
		err := m.Do(context.Background(), call)
		if err != c.want || call.Signature.N != 9 {
			t.Errorf("room for %d: length %d, %v", len(c.buf), call.Signature.N, err)
		}
		if c.text != "" && string(call.Signature.Bytes()) != c.text {
			t.Errorf("room for %d: got %q", len(c.buf), call.Signature.Bytes())
		}
	}
}

func TestResults(t *testing.T) {
	m := openTestModule(t)
	ctx := context.Background()

	for pin, want := range map[string]error{"1234": nil, "12345": ck.CKR_PIN_INCORRECT, "": ck.CKR_PIN_INCORRECT} {
		if err := m.Do(ctx, &ck.LoginCall{PIN: []byte(pin)}); err != want {
			t.Errorf("a PIN of %d octets: got %v, want %v", len(pin), err, want)
		}
	}
	if err := m.Do(ctx, &ck.LoginCall{}); err != nil {
		t.Errorf("no PIN: %v", err)
	}

	gcm := &ck.GCMParams{IV: make([]byte, 12), IVBits: 96, AAD: []byte("aad"), TagBits: 128}
	if err := m.Do(ctx, &ck.EncryptInitCall{Mechanism: &ck.Mechanism{Type: ck.CKM_AES_GCM, Param: gcm}}); err != nil || string(gcm.IV) != "made by it!!" {
		t.Errorf("IV %q, %v", gcm.IV, err)
	}
	if err := m.Do(ctx, &ck.EncryptInitCall{}); err != ck.CKR_OPERATION_CANCEL_FAILED {
		t.Errorf("no mechanism: %v", err)
	}

	attrs := &ck.GetAttributeValueCall{Template: []ck.AttributeOut{
		{Type: ck.CKA_LABEL, Out: ck.Out[byte]{Buf: make([]byte, 10)}}, {Type: ck.CKA_ID}, {Type: ck.CKA_VALUE, Out: ck.Out[byte]{Buf: make([]byte, 10)}},
		{Type: ck.CKA_WRAP_TEMPLATE, Nested: []ck.AttributeOut{{Out: ck.Out[byte]{Buf: make([]byte, 1)}}}},
	}}
	if err := m.Do(ctx, attrs); err != ck.CKR_ATTRIBUTE_SENSITIVE {
		t.Error(err)
	}
	a := attrs.Template
	if string(a[0].Bytes()) != "label" || a[1].N != 77 || a[2].N != ck.CK_UNAVAILABLE_INFORMATION || a[2].Bytes() != nil ||
		a[3].N != 24 || a[3].Nested[0].Type != ck.CKA_TOKEN || string(a[3].Nested[0].Bytes()) != "\x01" {
		t.Errorf("got %+v", a)
	}

	random := &ck.GenerateRandomCall{RandomData: make([]byte, 5)}
	if err := m.Do(ctx, random); err != nil || string(random.RandomData) != "rrrrr" {
		t.Errorf("got %q, %v", random.RandomData, err)
	}

	session := &ck.GetSessionInfoCall{Session: 7}
	want := ck.SessionInfo{Slot: 11, State: ck.CKS_RW_USER_FUNCTIONS, Flags: ck.CKF_SERIAL_SESSION | ck.CKF_RW_SESSION, DeviceError: 14}
	if err := m.Do(ctx, session); err != nil || session.Info != want {
		t.Errorf("got %+v, %v", session.Info, err)
	}
	session.Session = 8
	if err := m.Do(ctx, session); err != ck.CKR_SESSION_HANDLE_INVALID || session.Info != (ck.SessionInfo{}) {
		t.Errorf("with an error: got %+v, %v", session.Info, err)
	}

	info := &ck.GetTokenInfoCall{Slot: 3}
	if err := m.Do(ctx, info); err != nil || info.Info.LabelString() != "a token" || info.Info.MaxPINLen != ck.CK_UNAVAILABLE_INFORMATION ||
		info.Info.FirmwareVersion.Minor != 5 || string(info.Info.UTCTime[:]) != "2026010203040500" {
		t.Errorf("got %+v, %v", info.Info, err)
	}

	unwrap := &ck.UnwrapKeyAuthenticatedCall{Session: 1, Mechanism: &ck.Mechanism{Type: ck.CKM_AES_KEY_WRAP}, UnwrappingKey: 2, WrappedKey: []byte("abc"),
		Template: []ck.Attribute{{Type: ck.CKA_LABEL, Value: []byte("l")}}, AssociatedData: []byte("abcde")}
	if err := m.Do(ctx, unwrap); err != nil || unwrap.Key != 99 {
		t.Errorf("key %d, %v", unwrap.Key, err)
	}
}

// A module that tells of more than it was given room for makes an error, not a fault.
func TestBoast(t *testing.T) {
	m := openTestModule(t)
	list := &ck.GetMechanismListCall{Mechanisms: ck.Out[ck.MechanismType]{Buf: make([]ck.MechanismType, 3)}}
	err := m.Do(context.Background(), list)
	var call *ck.CallError
	if !errors.As(err, &call) || call.Call != "C_GetMechanismList" || ck.RVOf(err) != ck.CKR_GENERAL_ERROR || len(list.Mechanisms.Bytes()) != 0 {
		t.Errorf("got %v, list %+v", err, list.Mechanisms)
	}
}

// Memory of a call that is pending is not used for another.
func TestPending(t *testing.T) {
	m := openTestModule(t)
	if err := m.Do(context.Background(), &ck.AsyncCompleteCall{FunctionName: "C_Sign"}); err != ck.CKR_PENDING {
		t.Fatal(err)
	}
	for range 3 {
		if err := m.Do(context.Background(), &ck.AsyncGetIDCall{FunctionName: "C_Encrypt"}); err != nil {
			t.Errorf("the module's memory was used again: %v", err)
		}
	}
}

func TestManyThreads(t *testing.T) {
	m := openTestModule(t)
	var wg sync.WaitGroup
	for range 32 {
		wg.Go(func() {
			for range 200 {
				call := &ck.SignCall{Session: 7, Data: []byte("data"), Signature: ck.Out[byte]{Buf: make([]byte, 20)}}
				if err := m.Do(context.Background(), call); err != nil || string(call.Signature.Bytes()) != "signature" {
					t.Errorf("got %q, %v", call.Signature.Bytes(), err)
				}
			}
		})
	}
	wg.Wait()
	for i := range frames {
		if frames[i].busy.Load() {
			t.Errorf("frame %d is still lent", i)
		}
	}
	if frames[0].arena == nil {
		t.Error("no frame is kept")
	}
}

func BenchmarkSign(b *testing.B) {
	m := openTestModule(b)
	call := &ck.SignCall{Session: 7, Data: []byte("data"), Signature: ck.Out[byte]{Buf: make([]byte, 20)}}
	for b.Loop() {
		if err := m.Do(context.Background(), call); err != nil {
			b.Fatal(err)
		}
	}
}
