//go:build cgo

package registry

import (
	"bytes"
	"crypto/sha256"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/p11mux/p11mux/ck"
	"github.com/p11mux/p11mux/internal/softtoken"
	"github.com/p11mux/p11mux/internal/testkit"
	"github.com/p11mux/p11mux/module"
	"github.com/p11mux/p11mux/module/moduletest"
)

// tokens are the modules that the suite runs over. Each is loaded as a program's modules are.
var tokens = []struct {
	name string
	open func(h *house) (path string, fixture moduletest.Fixture)
}{
	{"SoftHSM", softHSM},
	{"bundled token", bundled},
}

// softHSM makes a token that is thrown away.
func softHSM(h *house) (string, moduletest.Fixture) {
	h.Helper()
	lib, _ := testkit.SoftHSMTokens(h, "moduletest")
	return lib, moduletest.Fixture{
		Label: "moduletest", UserPIN: []byte(testkit.UserPIN), SOPIN: []byte(testkit.SOPIN),
		Offers: []ck.MechanismType{ck.CKM_SHA256, ck.CKM_SHA256_RSA_PKCS, ck.CKM_ECDSA, ck.CKM_AES_GCM},
	}
}

// bundled finds the bundled token as a C program does.
func bundled(h *house) (string, moduletest.Fixture) {
	h.Helper()
	build := os.Getenv("P11MUX_BUILD")
	if build == "" {
		build = filepath.Join("..", "build")
	}
	path, err := filepath.Abs(filepath.Join(build, "lib", "pkcs11", "p11mux-softtoken.so"))
	if err != nil {
		h.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		h.Fatalf("%v: run make first", err)
	}
	return path, moduletest.Fixture{
		Label: softtoken.Label, UserPIN: []byte(softtoken.UserPIN), SOPIN: []byte(softtoken.SOPIN),
		Offers: []ck.MechanismType{ck.CKM_SHA256, ck.CKM_SHA256_RSA_PKCS, ck.CKM_ECDSA, ck.CKM_AES_GCM},
	}
}

// open gives a fixture whose module is still missing, and the module.
func openToken(t *testing.T, open func(h *house) (string, moduletest.Fixture)) (moduletest.Fixture, *Module) {
	t.Helper()
	h := newHouse(t)
	path, fixture := open(h)
	fixture.Again = ck.CKR_CRYPTOKI_ALREADY_INITIALIZED
	m, err := h.reg.ByPath(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		h.reg.Release(m)
		h.reg.Sweep()
		h.tells("all", "")
	})
	return fixture, m
}

// Modules behave, past all sharing, shared, and shared with somebody who does nothing with it.
func TestModules(t *testing.T) {
	for _, token := range tokens {
		for _, way := range []struct {
			name string
			view func(t *testing.T, m *Module) module.Module
		}{
			{"native", func(_ *testing.T, m *Module) module.Module { return m.Native() }},
			{"managed", func(_ *testing.T, m *Module) module.Module { return m.Shared().NewCaller(nil) }},
			{"managed beside another", func(t *testing.T, m *Module) module.Module {
				other := m.Shared().NewCaller(nil)
				if err := other.Initialize(t.Context(), nil); err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() {
					if err := other.Close(t.Context()); err != nil {
						t.Error(err)
					}
				})
				return m.Shared().NewCaller(nil)
			}},
		} {
			t.Run(token.name+"/"+way.name, func(t *testing.T) {
				moduletest.Run(t, func(t *testing.T) moduletest.Fixture {
					fixture, m := openToken(t, token.open)
					fixture.Module = way.view(t, m)
					return fixture
				})
			})
		}
	}
}

// Two callers come and go with one token, at once, and neither notices the other.
func TestTwoCallers(t *testing.T) {
	for _, token := range tokens {
		t.Run(token.name, func(t *testing.T) {
			fixture, m := openToken(t, token.open)
			testkit.Finishes(t, func() {
				var wg sync.WaitGroup
				for n := range 2 {
					wg.Go(func() {
						for round := range 20 {
							if !visit(t, m.Shared().NewCaller(nil), fixture.Label, []byte{byte(n), byte(round)}) {
								return
							}
						}
					})
				}
				wg.Wait()
			})
			if n := m.Shared().Initialized(); n != 0 {
				t.Errorf("%d callers are still initialized", n)
			}
		})
	}
}

// visit has a caller initialize, make digests in two sessions, and finalize, which closes what it has left open.
func visit(t *testing.T, caller module.Module, label string, data []byte) bool {
	ok := true
	do := func(call ck.Call) {
		if err := caller.Do(t.Context(), call); err != nil {
			t.Errorf("%v: %v", call.Func(), err)
			ok = false
		}
	}
	do(&ck.InitializeCall{})
	slots := &ck.GetSlotListCall{TokenPresent: true, Slots: ck.Out[ck.SlotID]{Buf: make([]ck.SlotID, 8)}}
	do(slots)
	found := false
	for _, slot := range slots.Slots.Bytes() {
		info := &ck.GetTokenInfoCall{Slot: slot}
		if caller.Do(t.Context(), info) != nil || info.Info.LabelString() != label {
			continue
		}
		found = true
		var sessions [2]ck.SessionHandle
		for i := range sessions {
			open := &ck.OpenSessionCall{Slot: slot, Flags: ck.CKF_SERIAL_SESSION}
			do(open)
			sessions[i] = open.Session
			do(&ck.DigestInitCall{Session: open.Session, Mechanism: &ck.Mechanism{Type: ck.CKM_SHA256}})
		}
		want := sha256.Sum256(data)
		for _, session := range sessions {
			digest := &ck.DigestCall{Session: session, Data: data, Digest: ck.Out[byte]{Buf: make([]byte, 32)}}
			do(digest)
			if !bytes.Equal(digest.Digest.Bytes(), want[:]) {
				t.Errorf("the digest of %x is %x", data, digest.Digest.Bytes())
			}
		}
		do(&ck.CloseSessionCall{Session: sessions[0]})
	}
	if !found {
		t.Errorf("there is no token %q", label)
	}
	do(&ck.FinalizeCall{})
	return ok && found
}
