package softtoken

import (
	"bytes"
	"context"
	"encoding/hex"
	"testing"

	"github.com/p11mux/p11mux/ck"
)

// A client makes calls in one session and fails the test when one is refused.
type client struct {
	*testing.T
	token   *Token
	session ck.SessionHandle
}

const (
	readWrite = ck.CKF_SERIAL_SESSION | ck.CKF_RW_SESSION
	readOnly  = ck.CKF_SERIAL_SESSION
)

// open gives an initialized token with a session and nobody logged in.
func open(t *testing.T) *client {
	t.Helper()
	c := &client{T: t, token: New()}
	c.do(&ck.InitializeCall{})
	c.session = c.openSession(readWrite)
	return c
}

// openUser is open with the user logged in.
func openUser(t *testing.T) *client {
	t.Helper()
	c := open(t)
	c.login(ck.CKU_USER, UserPIN)
	return c
}

func (c *client) try(call ck.Call) error { return c.token.Do(context.Background(), call) }

func (c *client) do(call ck.Call) {
	c.Helper()
	if err := c.try(call); err != nil {
		c.Fatalf("%v: %v", call.Func(), err)
	}
}

func (c *client) refused(want ck.RV, call ck.Call) {
	c.Helper()
	if err := c.try(call); ck.RVOf(err) != want {
		c.Errorf("%v gave %v, want %v", call.Func(), ck.RVOf(err), want)
	}
}

func (c *client) openSession(flags ck.Flags) ck.SessionHandle {
	c.Helper()
	call := &ck.OpenSessionCall{Flags: flags}
	c.do(call)
	return call.Session
}

func (c *client) login(who ck.UserType, value string) {
	c.Helper()
	c.do(&ck.LoginCall{Session: c.session, UserType: who, PIN: []byte(value)})
}

func (c *client) create(template ...ck.Attribute) ck.ObjectHandle {
	c.Helper()
	call := &ck.CreateObjectCall{Session: c.session, Template: template}
	c.do(call)
	return call.Object
}

func (c *client) secretKey(typ ck.KeyType, value []byte, more ...ck.Attribute) ck.ObjectHandle {
	c.Helper()
	return c.create(append([]ck.Attribute{
		num(ck.CKA_CLASS, ck.CKO_SECRET_KEY), num(ck.CKA_KEY_TYPE, typ), octs(ck.CKA_VALUE, value),
	}, more...)...)
}

func (c *client) pair(m ck.MechanismType, public, private []ck.Attribute) (pub, priv ck.ObjectHandle) {
	c.Helper()
	call := &ck.GenerateKeyPairCall{Session: c.session, Mechanism: mech(m), PublicTemplate: public, PrivateTemplate: private}
	c.do(call)
	return call.PublicKey, call.PrivateKey
}

// get reads an attribute by the two-call convention.
func (c *client) get(o ck.ObjectHandle, typ ck.AttributeType) []byte {
	c.Helper()
	call := &ck.GetAttributeValueCall{Session: c.session, Object: o, Template: []ck.AttributeOut{{Type: typ}}}
	c.do(call)
	call.Template[0].Buf = make([]byte, call.Template[0].N)
	c.do(call)
	return call.Template[0].Bytes()
}

func (c *client) is(o ck.ObjectHandle, typ ck.AttributeType) bool {
	c.Helper()
	return bytes.Equal(c.get(o, typ), []byte{ck.CK_TRUE})
}

// found gives what a search finds, two at a time.
func (c *client) found(template ...ck.Attribute) (all []ck.ObjectHandle) {
	c.Helper()
	c.do(&ck.FindObjectsInitCall{Session: c.session, Template: template})
	for {
		call := &ck.FindObjectsCall{Session: c.session}
		call.Objects.Buf = make([]ck.ObjectHandle, 2)
		c.do(call)
		if call.Objects.N == 0 {
			break
		}
		all = append(all, call.Objects.Bytes()...)
	}
	c.do(&ck.FindObjectsFinalCall{Session: c.session})
	return all
}

func (c *client) sign(m *ck.Mechanism, key ck.ObjectHandle, data []byte) []byte {
	c.Helper()
	c.do(&ck.SignInitCall{Session: c.session, Mechanism: m, Key: key})
	call := &ck.SignCall{Session: c.session, Data: data}
	return c.twice(call, &call.Signature)
}

func (c *client) verify(m *ck.Mechanism, key ck.ObjectHandle, data, signature []byte) error {
	c.Helper()
	c.do(&ck.VerifyInitCall{Session: c.session, Mechanism: m, Key: key})
	return c.try(&ck.VerifyCall{Session: c.session, Data: data, Signature: signature})
}

func (c *client) encrypt(m *ck.Mechanism, key ck.ObjectHandle, data []byte) []byte {
	c.Helper()
	c.do(&ck.EncryptInitCall{Session: c.session, Mechanism: m, Key: key})
	call := &ck.EncryptCall{Session: c.session, Data: data}
	return c.twice(call, &call.EncryptedData)
}

func (c *client) decrypt(m *ck.Mechanism, key ck.ObjectHandle, data []byte) []byte {
	c.Helper()
	c.do(&ck.DecryptInitCall{Session: c.session, Mechanism: m, Key: key})
	call := &ck.DecryptCall{Session: c.session, EncryptedData: data}
	return c.twice(call, &call.Data)
}

// twice makes a call by the two-call convention, once with a buffer that is too small in between.
func (c *client) twice(call ck.Call, out *ck.Out[byte]) []byte {
	c.Helper()
	c.do(call)
	need := out.N
	out.Buf = make([]byte, 0)
	if err := c.try(call); err == nil && out.N == 0 {
		return nil // the result is empty
	} else if ck.RVOf(err) != ck.CKR_BUFFER_TOO_SMALL || out.N > need {
		c.Fatalf("%v with no room gave %v and length %d after %d", call.Func(), err, out.N, need)
	}
	out.Buf = make([]byte, need)
	c.do(call)
	return out.Bytes()
}

// parts runs data through an update call in parts of n octets.
func (c *client) parts(data []byte, n int, update func(part []byte) (ck.Call, *ck.Out[byte])) (result []byte) {
	c.Helper()
	for len(data) > 0 {
		k := min(n, len(data))
		call, out := update(data[:k])
		out.Buf = make([]byte, k+32)
		c.do(call)
		result = append(result, out.Bytes()...)
		data = data[k:]
	}
	return result
}

func (c *client) encryptParts(m *ck.Mechanism, key ck.ObjectHandle, data []byte, n int) []byte {
	c.Helper()
	c.do(&ck.EncryptInitCall{Session: c.session, Mechanism: m, Key: key})
	result := c.parts(data, n, func(part []byte) (ck.Call, *ck.Out[byte]) {
		u := &ck.EncryptUpdateCall{Session: c.session, Part: part}
		return u, &u.EncryptedPart
	})
	last := &ck.EncryptFinalCall{Session: c.session}
	return append(result, c.twice(last, &last.LastEncryptedPart)...)
}

func (c *client) decryptParts(m *ck.Mechanism, key ck.ObjectHandle, data []byte, n int) []byte {
	c.Helper()
	c.do(&ck.DecryptInitCall{Session: c.session, Mechanism: m, Key: key})
	result := c.parts(data, n, func(part []byte) (ck.Call, *ck.Out[byte]) {
		u := &ck.DecryptUpdateCall{Session: c.session, EncryptedPart: part}
		return u, &u.Part
	})
	last := &ck.DecryptFinalCall{Session: c.session}
	return append(result, c.twice(last, &last.LastPart)...)
}

func (c *client) equal(what string, got, want []byte) {
	c.Helper()
	if !bytes.Equal(got, want) {
		c.Errorf("%s: got %x, want %x", what, got, want)
	}
}

func mech(typ ck.MechanismType) *ck.Mechanism { return &ck.Mechanism{Type: typ} }

func mechWith(typ ck.MechanismType, p ck.MechanismParam) *ck.Mechanism {
	return &ck.Mechanism{Type: typ, Param: p}
}

func num[N ~uint64 | ~int](typ ck.AttributeType, v N) ck.Attribute {
	return ck.Attribute{Type: typ, Value: fromULong(uint64(v))}
}

func flag(typ ck.AttributeType, v bool) ck.Attribute {
	return ck.Attribute{Type: typ, Value: fromBool(v)}
}

func octs[S ~string | ~[]byte](typ ck.AttributeType, v S) ck.Attribute {
	return ck.Attribute{Type: typ, Value: []byte(v)}
}

func unhex(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return b
}

var (
	public256 = []ck.Attribute{octs(ck.CKA_EC_PARAMS, paramsP256)}
	readable  = []ck.Attribute{flag(ck.CKA_SENSITIVE, false), flag(ck.CKA_EXTRACTABLE, true)}
)
