// Package moduletest tests whether a [module.Module] behaves as PKCS#11 3.2 wants. The same suite runs against every module
// and every layer.
package moduletest

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"testing"

	"github.com/p11mux/p11mux/ck"
	"github.com/p11mux/p11mux/module"
)

// A Fixture is a module to test, with what the suite must know of it. Nobody has initialized the module. It has a token
// whose user PIN is set, and that no other test uses meanwhile.
type Fixture struct {
	Module module.Module

	Label   string // of the token to use
	UserPIN []byte
	SOPIN   []byte

	// Again is what the second C_Initialize gives: CKR_CRYPTOKI_ALREADY_INITIALIZED, or CKR_OK from a layer that counts.
	Again ck.RV

	// Offers are mechanisms that the token must offer. Others are tested where it does.
	Offers []ck.MechanismType
}

// Run runs the suite. Each part opens a fixture of its own; open cleans up with t.Cleanup.
func Run(t *testing.T, open func(t *testing.T) Fixture) {
	for _, part := range []struct {
		name string
		test func(s *suite)
	}{
		{"every call before C_Initialize", (*suite).uninitialized},
		{"life", (*suite).life},
		{"slots", (*suite).slots},
		{"sessions", (*suite).sessions},
		{"login", (*suite).login},
		{"PIN", (*suite).pins},
		{"objects", (*suite).objects},
		{"attributes", (*suite).attributes},
		{"search", (*suite).search},
		{"random", (*suite).random},
		{"digest", (*suite).digest},
		{"RSA signature", (*suite).rsa},
		{"EC signature", (*suite).ec},
		{"encryption", (*suite).encryption},
		{"GCM", (*suite).gcm},
		{"OAEP", (*suite).oaep},
		{"wrapping", (*suite).wrapping},
		{"handles that are none", (*suite).handles},
	} {
		t.Run(part.name, func(t *testing.T) {
			part.test(&suite{T: t, Fixture: open(t)})
		})
	}
}

// A suite is one part of the test at work.
type suite struct {
	*testing.T
	Fixture
	slot ck.SlotID
}

// do makes a call.
func (s *suite) do(call ck.Call) error { return s.Module.Do(context.Background(), call) }

// must makes a call that must succeed.
func (s *suite) must(call ck.Call) {
	s.Helper()
	if err := s.do(call); err != nil {
		s.Fatalf("%v: %v", call.Func(), err)
	}
}

// refused makes a call that must give one of the return values.
func (s *suite) refused(call ck.Call, want ...ck.RV) {
	s.Helper()
	err := s.do(call)
	for _, rv := range want {
		if errors.Is(err, rv) && ck.RVOf(err) == rv {
			return
		}
	}
	s.Errorf("%v gives %v, want %v", call.Func(), err, want)
}

// start initializes the module, finds the token, and finalizes the module when the part is over.
func (s *suite) start() {
	s.Helper()
	s.must(&ck.InitializeCall{Args: &ck.InitializeArgs{Flags: ck.CKF_OS_LOCKING_OK}})
	s.Cleanup(func() {
		if err := s.do(&ck.FinalizeCall{}); err != nil {
			s.Errorf("C_Finalize: %v", err)
		}
	})
	for _, slot := range s.slotList() {
		info := &ck.GetTokenInfoCall{Slot: slot}
		if err := s.do(info); err == nil && info.Info.LabelString() == s.Label {
			s.slot = slot
			s.offers()
			return
		}
	}
	s.Fatalf("there is no token %q", s.Label)
}

// slotList lists the slots with a token, by the two-call convention.
func (s *suite) slotList() []ck.SlotID {
	s.Helper()
	list := &ck.GetSlotListCall{TokenPresent: true}
	s.must(list)
	if list.Slots.N == 0 {
		s.Fatal("there is no token")
	}
	list.Slots.Buf = make([]ck.SlotID, list.Slots.N)
	s.must(list)
	return list.Slots.Bytes()
}

// offers checks that the token offers what the fixture says.
func (s *suite) offers() {
	s.Helper()
	for _, m := range s.Offers {
		if !s.offered(m, 0) {
			s.Errorf("the token does not offer %v", m)
		}
	}
}

// offered tells whether the token offers a mechanism for all of the operations.
func (s *suite) offered(m ck.MechanismType, flags ck.Flags) bool {
	info := &ck.GetMechanismInfoCall{Slot: s.slot, Type: m}
	if s.do(info) != nil || info.Info.Flags&flags != flags {
		s.Logf("%v is not offered for %#x", m, uint64(flags))
		return false
	}
	return true
}

// session opens a read-write session.
func (s *suite) session() ck.SessionHandle {
	s.Helper()
	open := &ck.OpenSessionCall{Slot: s.slot, Flags: ck.CKF_SERIAL_SESSION | ck.CKF_RW_SESSION}
	s.must(open)
	return open.Session
}

// user opens a read-write session with the user logged in.
func (s *suite) user() ck.SessionHandle {
	s.Helper()
	s.start()
	session := s.session()
	s.must(&ck.LoginCall{Session: session, UserType: ck.CKU_USER, PIN: s.UserPIN})
	return session
}

// get reads one attribute by the two-call convention.
func (s *suite) get(session ck.SessionHandle, object ck.ObjectHandle, t ck.AttributeType) []byte {
	s.Helper()
	call := &ck.GetAttributeValueCall{Session: session, Object: object, Template: []ck.AttributeOut{{Type: t}}}
	s.must(call)
	a := &call.Template[0]
	a.Buf = make([]byte, a.N)
	s.must(call)
	return a.Bytes()
}

// fill gives the result of a two-call function: first the length, then what it is the length of. out is the buffer in call.
func (s *suite) fill(call ck.Call, out *ck.Out[byte]) []byte {
	s.Helper()
	out.Buf = nil
	s.must(call)
	if out.N == 0 {
		s.Fatalf("%v tells no length", call.Func())
	}
	if out.N > 1 {
		out.Buf = make([]byte, 1)
		s.refused(call, ck.CKR_BUFFER_TOO_SMALL)
		if out.N < 2 {
			s.Errorf("%v needs %d octets, but one is too few", call.Func(), out.N)
		}
	}
	out.Buf = make([]byte, out.N)
	s.must(call)
	return bytes.Clone(out.Bytes())
}

// ulong gives a CK_ULONG as the value of an attribute.
func ulong[T ~uint64](v T) []byte { return binary.NativeEndian.AppendUint64(nil, uint64(v)) }

// yes and no are CK_BBOOL values.
var (
	yes = []byte{ck.CK_TRUE}
	no  = []byte{ck.CK_FALSE}
)
