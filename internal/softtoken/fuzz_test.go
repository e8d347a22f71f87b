package softtoken

import (
	"context"
	"encoding/binary"
	"testing"

	"github.com/p11mux/p11mux/ck"
)

// fuzzTypes are attributes that a fuzzed template picks from by index; others it can give by number.
var fuzzTypes = [...]ck.AttributeType{
	ck.CKA_CLASS, ck.CKA_KEY_TYPE, ck.CKA_CERTIFICATE_TYPE, ck.CKA_TOKEN, ck.CKA_PRIVATE, ck.CKA_SENSITIVE, ck.CKA_EXTRACTABLE,
	ck.CKA_VALUE, ck.CKA_VALUE_LEN, ck.CKA_CHECK_VALUE, ck.CKA_MODULUS, ck.CKA_MODULUS_BITS, ck.CKA_PUBLIC_EXPONENT,
	ck.CKA_PRIVATE_EXPONENT, ck.CKA_PRIME_1, ck.CKA_PRIME_2, ck.CKA_EXPONENT_1, ck.CKA_COEFFICIENT, ck.CKA_EC_PARAMS,
	ck.CKA_EC_POINT, ck.CKA_START_DATE, ck.CKA_ALLOWED_MECHANISMS, ck.CKA_LABEL, ck.CKA_MODIFIABLE, ck.CKA_COPYABLE,
	ck.CKA_WRAP, ck.CKA_DERIVE, ck.CKA_SUBJECT, ck.CKA_URL, ck.CKA_PUBLIC_KEY_INFO, ck.CKA_TRUSTED, ck.CKA_LOCAL,
}

// readFuzzTemplate makes a template of fuzzed octets: a type, a length, and the value; a length of 0xff stands for a
// CK_ULONG of one octet.
func readFuzzTemplate(in []byte) (template []ck.Attribute) {
	for len(in) >= 2 && len(template) < 20 {
		typ, n := in[0], int(in[1])
		in = in[2:]
		a := ck.Attribute{Type: ck.AttributeType(typ)}
		if int(typ) < len(fuzzTypes) {
			a.Type = fuzzTypes[typ]
		}
		switch {
		case n == 0xff && len(in) > 0:
			a.Value = fromULong(uint64(in[0]))
			in = in[1:]
		default:
			n = min(n, len(in))
			a.Value = in[:n]
			in = in[n:]
		}
		template = append(template, a)
	}
	return template
}

// FuzzTemplate gives templates to every call that takes one. Nothing may panic, an object that was made has all that its
// kind must have, and a search for what it shows finds it.
func FuzzTemplate(f *testing.F) {
	class := func(class ck.ObjectClass, typ ck.KeyType) []byte {
		return []byte{0, 0xff, byte(class), 1, 0xff, byte(typ)}
	}
	join := func(parts ...[]byte) (all []byte) {
		for _, p := range parts {
			all = append(all, p...)
		}
		return all
	}
	entry := func(index byte, value []byte) []byte { return join([]byte{index, byte(len(value))}, value) }
	f.Add([]byte{}, uint64(ck.CKM_AES_KEY_GEN))
	f.Add([]byte{0, 0xff, 0, 22, 1, 'x'}, uint64(ck.CKM_SHA256))
	f.Add(join(class(ck.CKO_SECRET_KEY, ck.CKK_AES), entry(7, make([]byte, 16))), uint64(ck.CKM_AES_ECB))
	f.Add(join(class(ck.CKO_PRIVATE_KEY, ck.CKK_EC), entry(18, []byte(paramsP256)), entry(7, []byte{1})), uint64(ck.CKM_ECDSA))
	f.Add(join(class(ck.CKO_PUBLIC_KEY, ck.CKK_RSA), entry(10, join([]byte{0x80}, make([]byte, 126), []byte{1})), entry(12, []byte{3})), uint64(ck.CKM_RSA_PKCS))
	f.Add(join(class(ck.CKO_PRIVATE_KEY, ck.CKK_RSA), entry(10, []byte{15}), entry(12, []byte{3}), entry(13, []byte{3}), entry(14, []byte{3}), entry(15, []byte{5})), uint64(0))
	f.Add(join([]byte{0, 0xff, byte(ck.CKO_CERTIFICATE), 2, 0xff, 0}, entry(27, nil), entry(7, []byte("der"))), uint64(0))
	f.Fuzz(func(t *testing.T, in []byte, mechanism uint64) {
		token := New()
		do := func(call ck.Call) ck.RV { return ck.RVOf(token.Do(context.Background(), call)) }
		open := &ck.OpenSessionCall{Flags: readWrite}
		do(&ck.InitializeCall{})
		do(open)
		s := open.Session
		do(&ck.LoginCall{Session: s, UserType: ck.CKU_USER, PIN: []byte(UserPIN)})
		template := readFuzzTemplate(in)
		m := &ck.Mechanism{Type: ck.MechanismType(mechanism)}
		if len(in) > 16 {
			m.Param = ck.RawParam(in[:binary.LittleEndian.Uint16(in)%17])
		}
		do(&ck.FindObjectsInitCall{Session: s, Template: template})
		do(&ck.FindObjectsFinalCall{Session: s})
		if m.Type != ck.CKM_RSA_PKCS_KEY_PAIR_GEN {
			do(&ck.GenerateKeyCall{Session: s, Mechanism: m, Template: template})
			do(&ck.GenerateKeyPairCall{Session: s, Mechanism: m, PublicTemplate: template})
		}
		create := &ck.CreateObjectCall{Session: s, Template: template}
		if do(create) != ck.CKR_OK {
			return
		}
		o := token.objects[create.Object]
		if o.isKey() && o.key == nil {
			t.Fatalf("a key of type %v has no key", o.keyType)
		}
		var shown []ck.Attribute
		for _, rules := range o.schema {
			for _, r := range rules {
				value, there := o.attributes[r.typ]
				if !there || !r.kind.valid(value) {
					t.Fatalf("%v of an object of class %v is missing or %x", r.typ, o.class, value)
				}
				get := &ck.GetAttributeValueCall{Session: s, Object: create.Object, Template: []ck.AttributeOut{
					{Type: r.typ, Out: ck.Out[byte]{Buf: make([]byte, len(value))}}}}
				switch rv := do(get); {
				case rv == ck.CKR_OK && !o.hidden(r.typ):
					shown = append(shown, octs(r.typ, value))
				case rv != ck.CKR_ATTRIBUTE_SENSITIVE || !o.hidden(r.typ):
					t.Fatalf("%v: %v", r.typ, rv)
				}
			}
		}
		find := &ck.FindObjectsCall{Session: s, Objects: ck.Out[ck.ObjectHandle]{Buf: make([]ck.ObjectHandle, 2)}}
		do(&ck.FindObjectsInitCall{Session: s, Template: shown})
		if do(find) != ck.CKR_OK || find.Objects.N != 1 || find.Objects.Buf[0] != create.Object {
			t.Fatalf("a search for all that the object shows finds %v", find.Objects.Bytes())
		}
		do(&ck.CopyObjectCall{Session: s, Object: create.Object, Template: template})
		do(&ck.SetAttributeValueCall{Session: s, Object: create.Object, Template: template})
		do(&ck.UnwrapKeyCall{Session: s, Mechanism: m, UnwrappingKey: create.Object, WrappedKey: in, Template: template})
		do(&ck.WrapKeyCall{Session: s, Mechanism: m, WrappingKey: create.Object, Key: create.Object})
		out := ck.Out[byte]{Buf: make([]byte, 600)}
		do(&ck.EncryptInitCall{Session: s, Mechanism: m, Key: create.Object})
		do(&ck.EncryptCall{Session: s, Data: in, EncryptedData: out})
		do(&ck.DecryptInitCall{Session: s, Mechanism: m, Key: create.Object})
		do(&ck.DecryptUpdateCall{Session: s, EncryptedPart: in, Part: out})
		do(&ck.DecryptFinalCall{Session: s, LastPart: out})
		do(&ck.SignInitCall{Session: s, Mechanism: m, Key: create.Object})
		do(&ck.SignCall{Session: s, Data: in, Signature: out})
		do(&ck.VerifyInitCall{Session: s, Mechanism: m, Key: create.Object})
		do(&ck.VerifyCall{Session: s, Data: in, Signature: out.Buf[:min(len(in), 128)]})
	})
}
