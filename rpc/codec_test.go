package rpc

import (
	"bytes"
	"errors"
	"reflect"
	"testing"

	"github.com/p11mux/p11mux/ck"
	"github.com/p11mux/p11mux/internal/cabi"
)

// send writes a request and reads it as a server does that knows the version.
func send(t testing.TB, call ck.Call, v Version) (request, error) {
	t.Helper()
	x := coder{dialect: dialectFor(v)}
	if err := x.encodeRequest(&request{call: call}); err != nil {
		return request{}, err
	}
	d := dialectFor(v)
	r, err := decodeRequest(x.b, &d)
	if err != nil {
		t.Fatalf("%v at version %d: what was written cannot be read: %v\n%x", call.Func(), v, err, x.b)
	}
	if d != dialectFor(v) {
		t.Errorf("%v at version %d is taken for %+v", call.Func(), v, d)
	}
	return r, nil
}

// word is a CK_ULONG in memory.
func word(v uint64) []byte {
	b := make([]byte, 8)
	cabi.PutUlong(b, v)
	return b
}

// Every call with a message arrives as it was, and every other one is refused here.
func TestEveryCall(t *testing.T) {
	for f := range ck.NumFuncs {
		for v := range MaxVersion + 1 {
			call := ck.NewCall(f)
			if init, ok := call.(*ck.InitTokenCall); ok {
				init.Label = []byte("a label                         ")
			}
			if v == 0 {
				setMechanism(call)
				if random, ok := call.(*ck.GenerateRandomCall); ok {
					random.RandomData = []byte{}
				}
			}
			r, err := send(t, call, v)
			switch carried := messageFor(f, v) != 0; {
			case !carried && ck.RVOf(err) != ck.CKR_FUNCTION_NOT_SUPPORTED:
				t.Errorf("%v at version %d: %v", f, v, err)
			case carried && err != nil:
				t.Errorf("%v at version %d: %v", f, v, err)
			case carried && !same(call, r.call):
				t.Errorf("%v at version %d arrives as %+v, was %+v", f, v, r.call, call)
			case carried && messages[r.id].since > v:
				t.Errorf("%v at version %d is sent as %d, which is for version %d", f, v, r.id, messages[r.id].since)
			}
		}
	}
}

// setMechanism gives a call a mechanism where it takes one: old servers cannot be sent none.
func setMechanism(call ck.Call) {
	if f := reflect.ValueOf(call).Elem().FieldByName("Mechanism"); f.IsValid() {
		f.Set(reflect.ValueOf(&ck.Mechanism{Type: ck.CKM_SHA256}))
	}
}

// same tells whether two calls are, but for buffers that are empty and not there.
func same(a, b ck.Call) bool {
	x, y := coder{dialect: dialectFor(2)}, coder{dialect: dialectFor(2)}
	return a.Func() == b.Func() && x.encodeRequest(&request{call: a}) == nil && y.encodeRequest(&request{call: b}) == nil && bytes.Equal(x.b, y.b)
}

// mechanisms are parameters and how they fare, at each version.
func TestMechanisms(t *testing.T) {
	const vendor = ck.CKM_VENDOR_DEFINED + 0x4711
	pss := &ck.RSAPKCSPSSParams{HashAlg: ck.CKM_SHA256, MGF: ck.CKG_MGF1_SHA256, SaltLen: 32}
	invalid, param := ck.CKR_MECHANISM_INVALID, ck.CKR_MECHANISM_PARAM_INVALID
	for _, c := range []struct {
		name string
		m    ck.Mechanism
		want [3]ck.RV // by version
	}{
		{"none", ck.Mechanism{Type: ck.CKM_SHA256}, [3]ck.RV{}},
		{"none, with a parameter", ck.Mechanism{Type: ck.CKM_SHA256, Param: ck.RawParam{1}}, [3]ck.RV{param, param, param}},
		{"EdDSA", ck.Mechanism{Type: ck.CKM_EDDSA}, [3]ck.RV{}},
		{"EdDSA with a context", ck.Mechanism{Type: ck.CKM_EDDSA, Param: &ck.EDDSAParams{Prehash: true}}, [3]ck.RV{param, param, param}},
		{"EdDSA with a context in memory", ck.Mechanism{Type: ck.CKM_EDDSA, Param: make(ck.RawParam, 24)}, [3]ck.RV{param, param, param}},
		{"ML-DSA", ck.Mechanism{Type: ck.CKM_ML_DSA}, [3]ck.RV{}},
		{"ML-KEM", ck.Mechanism{Type: ck.CKM_ML_KEM}, [3]ck.RV{}},
		{"ML-DSA with a context", ck.Mechanism{Type: ck.CKM_ML_DSA, Param: &ck.SignAdditionalContext{}}, [3]ck.RV{param, param, param}},
		{"of a vendor", ck.Mechanism{Type: vendor}, [3]ck.RV{}},
		{"of a vendor, flat", ck.Mechanism{Type: vendor, Param: ck.RawParam("0123456789")}, [3]ck.RV{}},
		{"of a vendor, with a structure", ck.Mechanism{Type: vendor, Param: &ck.GCMParams{}}, [3]ck.RV{param, param, param}},
		{"beyond 32 bits", ck.Mechanism{Type: 1 << 32}, [3]ck.RV{invalid, invalid, invalid}},
		{"all ones", ck.Mechanism{Type: 0xffffffff}, [3]ck.RV{invalid, invalid, invalid}},
		{"PSS", ck.Mechanism{Type: ck.CKM_RSA_PKCS_PSS, Param: pss}, [3]ck.RV{}},
		{"SHA-256 PSS", ck.Mechanism{Type: ck.CKM_SHA256_RSA_PKCS_PSS, Param: pss}, [3]ck.RV{}},
		{"SHA3-256 PSS", ck.Mechanism{Type: ck.CKM_SHA3_256_RSA_PKCS_PSS, Param: pss}, [3]ck.RV{}},
		{"PSS in memory", ck.Mechanism{Type: ck.CKM_SHA256_RSA_PKCS_PSS, Param: make(ck.RawParam, 24)}, [3]ck.RV{}},
		{"PSS in too little memory", ck.Mechanism{Type: ck.CKM_RSA_PKCS_PSS, Param: make(ck.RawParam, 23)}, [3]ck.RV{param, param, param}},
		{"PSS without", ck.Mechanism{Type: ck.CKM_RSA_PKCS_PSS}, [3]ck.RV{param, param, ck.CKR_OK}},
		{"nil PSS", ck.Mechanism{Type: ck.CKM_RSA_PKCS_PSS, Param: (*ck.RSAPKCSPSSParams)(nil)}, [3]ck.RV{param, param, param}},
		{"another structure", ck.Mechanism{Type: ck.CKM_RSA_PKCS_PSS, Param: &ck.GCMParams{}}, [3]ck.RV{param, param, param}},
		{"OAEP", ck.Mechanism{Type: ck.CKM_RSA_PKCS_OAEP, Param: &ck.RSAPKCSOAEPParams{HashAlg: ck.CKM_SHA_1, SourceData: []byte("label")}}, [3]ck.RV{}},
		{"ECDH", ck.Mechanism{Type: ck.CKM_ECDH1_DERIVE, Param: &ck.ECDH1DeriveParams{KDF: 1, PublicData: []byte("point")}}, [3]ck.RV{param}},
		{"GCM", ck.Mechanism{Type: ck.CKM_AES_GCM, Param: &ck.GCMParams{IV: []byte("0123456789ab"), IVBits: 96, TagBits: 128}}, [3]ck.RV{param}},
		{"CTR", ck.Mechanism{Type: ck.CKM_AES_CTR, Param: &ck.AESCTRParams{CounterBits: 32, CB: [16]byte{1}}}, [3]ck.RV{}},
		{"CBC", ck.Mechanism{Type: ck.CKM_AES_CBC, Param: make(ck.RawParam, 16)}, [3]ck.RV{}},
		{"CBC with a short IV", ck.Mechanism{Type: ck.CKM_AES_CBC, Param: make(ck.RawParam, 15)}, [3]ck.RV{ck.CKR_OK, param, param}},
		{"DES CBC", ck.Mechanism{Type: ck.CKM_DES3_CBC, Param: make(ck.RawParam, 8)}, [3]ck.RV{}},
		{"MAC length", ck.Mechanism{Type: ck.CKM_SHA256_HMAC_GENERAL, Param: ck.RawParam(word(20))}, [3]ck.RV{}},
		{"HKDF", ck.Mechanism{Type: ck.CKM_HKDF_DERIVE, Param: &ck.HKDFParams{}}, [3]ck.RV{param, param, param}},
		{"PBKDF2 in memory", ck.Mechanism{Type: ck.CKM_PKCS5_PBKD2, Param: make(ck.RawParam, 72)}, [3]ck.RV{param, param, param}},
		{"Kyber", ck.Mechanism{Type: ck.CKM_IBM_KYBER, Param: &ck.IBMKyberParams{Mode: 1, Prepend: true, SharedData: []byte("x")}}, [3]ck.RV{param, param, ck.CKR_OK}},
	} {
		for v, want := range c.want {
			r, err := send(t, &ck.SignInitCall{Session: 1, Mechanism: &c.m, Key: 2}, Version(v))
			if ck.RVOf(err) != want {
				t.Errorf("%s at version %d: %v, want %v", c.name, v, err, want)
			} else if err == nil && r.call.(*ck.SignInitCall).Key != 2 {
				t.Errorf("%s at version %d: what follows is %+v", c.name, v, r.call)
			}
			if got, ok := r.call.(*ck.SignInitCall); ok && c.m.Param != nil {
				want := c.m.Param
				if s, ok := cabi.Structured(c.m.Type, rawOf(want)); ok && rawOf(want) != nil {
					want = s
				}
				if !reflect.DeepEqual(got.Mechanism.Param, want) {
					t.Errorf("%s at version %d arrives as %+v", c.name, v, got.Mechanism.Param)
				}
			}
		}
	}
	// Without a mechanism an operation is ended, which version 0 does not know.
	for v, want := range [3]ck.RV{ck.CKR_ARGUMENTS_BAD} {
		r, err := send(t, &ck.SignInitCall{Key: 2}, Version(v))
		if ck.RVOf(err) != want || err == nil && r.call.(*ck.SignInitCall).Mechanism != nil {
			t.Errorf("no mechanism at version %d: %v %+v", v, err, r.call)
		}
	}
}

func rawOf(p ck.MechanismParam) ck.RawParam {
	raw, _ := p.(ck.RawParam)
	return raw
}

// Addresses of this process do not leave it.
func TestAddresses(t *testing.T) {
	const vendor, address = ck.CKM_VENDOR_DEFINED + 0x4711, 0x7f1234567890
	isAddress := func(v uint64) bool { return v == address }
	for _, c := range []struct {
		call ck.Call
		want ck.RV
	}{
		{&ck.SignInitCall{Mechanism: &ck.Mechanism{Type: vendor, Param: append(ck.RawParam(word(1)), word(address)...)}}, ck.CKR_MECHANISM_PARAM_INVALID},
		{&ck.SignInitCall{Mechanism: &ck.Mechanism{Type: vendor, Param: append(ck.RawParam(word(1)), word(2)...)}}, ck.CKR_OK},
		{&ck.SignMessageCall{Parameter: ck.RawParam(word(address))}, ck.CKR_MECHANISM_PARAM_INVALID},
		{&ck.SignMessageCall{Parameter: ck.RawParam(word(2))}, ck.CKR_OK},
		{&ck.SignMessageCall{Parameter: &ck.GCMMessageParams{}}, ck.CKR_MECHANISM_PARAM_INVALID},
		{&ck.MessageEncryptInitCall{Mechanism: &ck.Mechanism{Type: ck.CKM_AES_GCM}}, ck.CKR_MECHANISM_INVALID},
		{&ck.MessageDecryptInitCall{Mechanism: &ck.Mechanism{Type: ck.CKM_CHACHA20_POLY1305}}, ck.CKR_MECHANISM_INVALID},
		{&ck.MessageDecryptInitCall{}, ck.CKR_OK},
	} {
		x := coder{dialect: dialectFor(2), address: isAddress}
		if err := x.encodeRequest(&request{call: c.call}); ck.RVOf(err) != c.want {
			t.Errorf("%v: %v, want %v", c.call.Func(), err, c.want)
		}
	}
}

// nest gives a template in a template, and so on.
func nest(depth int) []ck.Attribute {
	t := []ck.Attribute{{Type: ck.CKA_LABEL, Value: []byte("innermost")}}
	for range depth {
		t = []ck.Attribute{{Type: ck.CKA_WRAP_TEMPLATE, Nested: t}}
	}
	return t
}

// Attributes arrive as they are, and those that cannot are refused before they are sent.
func TestAttributes(t *testing.T) {
	date := []byte("20260101")
	for _, c := range []struct {
		name string
		a    []ck.Attribute
		want ck.RV
	}{
		{"none", nil, ck.CKR_OK},
		{"of each class", []ck.Attribute{
			{Type: ck.CKA_CLASS, Value: word(3)}, {Type: ck.CKA_TOKEN, Value: []byte{1}}, {Type: ck.CKA_LABEL, Value: []byte("x")},
			{Type: ck.CKA_ALLOWED_MECHANISMS, Value: append(word(1), word(2)...)}, {Type: ck.CKA_START_DATE, Value: date}, {Type: ck.CKA_ID, Value: []byte{}},
			{Type: ck.CKA_END_DATE}, {Type: 0x80001234, Value: []byte("vendor")},
		}, ck.CKR_OK},
		{"deep", nest(maxDepth), ck.CKR_OK},
		{"too deep", nest(maxDepth + 1), ck.CKR_ATTRIBUTE_VALUE_INVALID},
		{"a short integer", []ck.Attribute{{Type: ck.CKA_CLASS, Value: []byte{1, 0, 0, 0}}}, ck.CKR_ATTRIBUTE_VALUE_INVALID},
		{"a long truth", []ck.Attribute{{Type: ck.CKA_TOKEN, Value: []byte{1, 0}}}, ck.CKR_ATTRIBUTE_VALUE_INVALID},
		{"half a date", []ck.Attribute{{Type: ck.CKA_START_DATE, Value: date[:4]}}, ck.CKR_ATTRIBUTE_VALUE_INVALID},
		{"half a mechanism", []ck.Attribute{{Type: ck.CKA_ALLOWED_MECHANISMS, Value: date[:4]}}, ck.CKR_ATTRIBUTE_VALUE_INVALID},
		{"a template as memory", []ck.Attribute{{Type: ck.CKA_WRAP_TEMPLATE, Value: date}}, ck.CKR_ATTRIBUTE_VALUE_INVALID},
		{"a newer template", []ck.Attribute{{Type: ck.CKA_ENCAPSULATE_TEMPLATE, Nested: nest(0)}}, ck.CKR_ATTRIBUTE_TYPE_INVALID},
		{"beyond 32 bits", []ck.Attribute{{Type: 1 << 32}}, ck.CKR_ATTRIBUTE_TYPE_INVALID},
	} {
		call := &ck.FindObjectsInitCall{Session: 1, Template: c.a}
		r, err := send(t, call, 2)
		if ck.RVOf(err) != c.want {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		} else if err == nil && !same(call, r.call) {
			t.Errorf("%s arrives as %+v", c.name, r.call)
		}
	}
}

// What is longer than a message is refused before it is sent.
func TestLongCall(t *testing.T) {
	for _, call := range []ck.Call{
		&ck.DigestCall{Data: make([]byte, MaxMessage)},
		&ck.GenerateRandomCall{RandomData: make([]byte, MaxMessage)},
	} {
		x := coder{dialect: dialectFor(2)}
		if err := x.encodeRequest(&request{call: call}); ck.RVOf(err) != ck.CKR_HOST_MEMORY {
			t.Errorf("%v: %v", call.Func(), err)
		}
	}
}

// Clients of all releases are understood, whatever version they begin with.
func TestOtherEncodings(t *testing.T) {
	key := func(r request) ck.ObjectHandle { return r.call.(*ck.SignInitCall).Key }
	for _, as := range []Version{0, 1, 2} {
		for _, other := range []bool{false, true} {
			x := coder{dialect: dialectFor(as)}
			x.old = other
			for range 2 {
				x.b = nil
				if err := x.encodeRequest(&request{call: &ck.SignInitCall{Mechanism: &ck.Mechanism{Type: ck.CKM_SHA256_RSA_PKCS}, Key: 7}}); err != nil {
					t.Fatal(err)
				}
				d := dialectFor(as)
				if r, err := decodeRequest(x.b, &d); err != nil || key(r) != 7 || d.old != other {
					t.Errorf("version %d, old %v: %v, key %d, taken for %+v", as, other, err, key(r), d)
				}
			}
		}
	}
	// Clients of 0.25.0 to 0.25.2 send no mechanism as a zero.
	for _, c := range []struct {
		m    []byte
		none bool
	}{{[]byte{0, 0, 0, 0}, true}, {[]byte{0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff}, false}} {
		b := append([]byte{0, 0, 0, 42, 0, 0, 0, 3, 'u', 'M', 'u', 0, 0, 0, 0, 0, 0, 0, 1}, c.m...)
		d := dialectFor(1)
		r, err := decodeRequest(append(b, 0, 0, 0, 0, 0, 0, 0, 7), &d)
		if err != nil || key(r) != 7 || (r.call.(*ck.SignInitCall).Mechanism == nil) != c.none {
			t.Errorf("%x: %v, %+v", c.m, err, r.call)
		}
	}
	// Lists of attributes that are wanted can have lists behind each template, behind those with room, or behind none.
	wanted := []byte{0, 0, 0, 24, 0, 0, 0, 4, 'u', 'u', 'f', 'A', 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 2,
		0x40, 0, 2, 0x11, 0, 0, 0, 0}
	label := []byte{0, 0, 0, 3, 0, 0, 0, 9}
	for _, v := range []Version{0, 1, 2} {
		for _, behind := range [][]byte{{}, {0, 0, 0, 0}} {
			d := dialectFor(v)
			r, err := decodeRequest(bytes.Join([][]byte{wanted, behind, label}, nil), &d)
			if err != nil {
				t.Errorf("version %d, %x: %v", v, behind, err)
			} else if a := r.call.(*ck.GetAttributeValueCall).Template; len(a) != 2 || a[1].Type != ck.CKA_LABEL || len(a[1].Buf) != 9 {
				t.Errorf("version %d, %x: %+v", v, behind, a)
			}
		}
	}
}

// What is nonsense in a request is refused, and ends the connection where nothing can be made of it.
func TestNonsense(t *testing.T) {
	long := func(n byte) []byte { return []byte{n, 0xff, 0xff, 0xfe} }
	head := func(id byte, sig string) []byte { return append([]byte{0, 0, 0, id, 0, 0, 0, byte(len(sig))}, sig...) }
	session := []byte{0, 0, 0, 0, 0, 0, 0, 1}
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	var deep []byte
	for range 100000 {
		deep = append(deep, 0, 0, 0, 1, 0x40, 0, 2, 0x11, 1, 0, 0, 0, 24)
	}
	var deepWanted []byte
	for range 100000 {
		deepWanted = append(deepWanted, 0, 0, 0, 1, 0x40, 0, 2, 0x11, 0, 0, 0, 24)
	}
	for _, c := range []struct {
		name  string
		b     []byte
		fatal bool
		rv    ck.RV
	}{
		{"nothing", nil, true, 0},
		{"three octets", []byte{0, 0, 0}, true, 0},
		{"an id alone", []byte{0, 0, 0, 3}, true, 0},
		{"an error", head(0, "u"), true, 0},
		{"id 90", head(90, ""), true, 0},
		{"a huge id", []byte{0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0}, true, 0},
		{"another signature", join(head(19, "y"), session), true, 0},
		{"no signature", join([]byte{0, 0, 0, 3, 0xff, 0xff, 0xff, 0xff}), true, 0},
		{"a long signature", join([]byte{0, 0, 0, 3}, long(0x7f)), true, 0},
		{"a session that ends", join(head(19, "u"), session[:5]), true, 0},
		{"a long blob", join(head(63, "uay"), session, []byte{1}, long(0x7f)), true, 0},
		{"a longer blob", join(head(63, "uay"), session, []byte{1}, long(0xff)), true, 0},
		{"NULL with a length", join(head(63, "uay"), session, []byte{0, 0, 0, 0, 7}), false, ck.CKR_ARGUMENTS_BAD},
		{"many attributes", join(head(26, "uaA"), session, long(0xff)), true, 0},
		{"many wanted", join(head(24, "uufA"), session, session, long(0xff)), true, 0},
		{"deep templates", join(head(26, "uaA"), session, deep), false, ck.CKR_DEVICE_ERROR},
		{"deep wishes", join(head(24, "uufA"), session, session, deepWanted), false, ck.CKR_DEVICE_ERROR},
		{"an attribute without a value", join(head(26, "uaA"), session, []byte{0, 0, 0, 1, 0, 0, 0, 3, 0}), false, ck.CKR_ARGUMENTS_BAD},
		{"a value shorter than its length", join(head(26, "uaA"), session, []byte{0, 0, 0, 1, 0, 0, 0, 3, 1, 0, 0, 0, 9, 0, 0, 0, 1, 'x'}), false, ck.CKR_DEVICE_ERROR},
		{"a length without a value", join(head(26, "uaA"), session, []byte{0, 0, 0, 1, 0, 0, 0, 3, 1, 0, 0, 0, 9, 0xff, 0xff, 0xff, 0xff}), false, ck.CKR_DEVICE_ERROR},
		{"a newer template", join(head(26, "uaA"), session, []byte{0, 0, 0, 1, 0, 0, 6, 0x2a, 1, 0, 0, 0, 1, 0, 0, 0, 1, 'x'}), false, ck.CKR_ATTRIBUTE_TYPE_INVALID},
		{"room for two gigabytes", join(head(64, "ufy"), session, []byte{0x7f, 0xff, 0xff, 0xff}), false, ck.CKR_DEVICE_MEMORY},
		{"room for more", join(head(43, "uayfy"), session, []byte{1, 0, 0, 0, 0}, long(0xff)), false, ck.CKR_DEVICE_MEMORY},
		{"a list of more", join(head(27, "ufu"), session, long(0xff)), false, ck.CKR_DEVICE_MEMORY},
		{"an IV of 15", join(head(29, "uMu"), session, []byte{0, 0, 0x10, 0x82, 1, 0, 0, 0, 15}, make([]byte, 15), session), false, ck.CKR_MECHANISM_PARAM_INVALID},
		{"a structure with addresses", join(head(29, "uMu"), session, []byte{0, 0, 0x40, 0x2a, 1, 0, 0, 0, 8}, make([]byte, 8), session), false, ck.CKR_MECHANISM_PARAM_INVALID},
		{"another word", join(head(1, "ayyay"), []byte{1, 0, 0, 0, 1, 'x', 0, 1, 0, 0, 0, 1, 0}), false, ck.CKR_GENERAL_ERROR},
		{"text without an end", join(head(1, "ayyay"), []byte{1, 0, 0, 0, 41}, []byte(handshake), []byte{1, 1, 0, 0, 0, 1, 'x'}), false, ck.CKR_ARGUMENTS_BAD},
		{"no text", join(head(1, "ayyay"), []byte{1, 0, 0, 0, 41}, []byte(handshake), []byte{1, 1, 0xff, 0xff, 0xff, 0xff}), false, ck.CKR_ARGUMENTS_BAD},
	} {
		d := dialectFor(2)
		_, err := decodeRequest(c.b, &d)
		if err == nil || isFatal(err) != c.fatal || !c.fatal && ck.RVOf(err) != c.rv {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// Labels of all lengths are 32 octets to the module.
func TestLabels(t *testing.T) {
	for _, n := range []int{0, 5, 32, 33, 10000} {
		b := []byte{0, 0, 0, 9, 0, 0, 0, 4, 'u', 'a', 'y', 'z', 0, 0, 0, 0, 0, 0, 0, 1, 1, 0xff, 0xff, 0xff, 0xff, 0, 0, byte(n >> 8), byte(n)}
		b = append(b, bytes.Repeat([]byte("x"), n)...)
		d := dialectFor(0)
		r, err := decodeRequest(b, &d)
		want := append(bytes.Repeat([]byte("x"), min(n, 32)), bytes.Repeat([]byte(" "), 32-min(n, 32))...)
		if err != nil || !bytes.Equal(r.call.(*ck.InitTokenCall).Label, want) {
			t.Errorf("%d octets: %v %+v", n, err, r.call)
		}
	}
	if _, err := send(t, &ck.InitTokenCall{Label: make([]byte, 33)}, 2); !errors.Is(err, ck.CKR_ARGUMENTS_BAD) {
		t.Errorf("a long label: %v", err)
	}
}
