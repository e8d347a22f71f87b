package p11mux

import (
	"encoding/binary"
	"math/big"
	"reflect"
	"time"

	"github.com/p11mux/p11mux/ck"
)

// An AttrValue is a Go value that an attribute of an object can be made of, see [Attr].
type AttrValue interface {
	bool | int | uint | uint64 | string | []byte | ck.ObjectClass | ck.KeyType | ck.CertificateType | ck.MechanismType |
		[]ck.MechanismType | []ck.Attribute | time.Time | *big.Int
}

// Attr makes an attribute for a template, Attr(ck.CKA_LABEL, "server key"). Numbers and constants become a CK_ULONG, a
// time the CK_DATE of its day, a big integer its octets in big-endian order, and a list of attributes a nested template.
// A time that is zero becomes the empty date. It is the caller who knows which kind of value an attribute has (PKCS#11
// 3.2 §4): a module refuses others.
func Attr[V AttrValue](typ ck.AttributeType, value V) ck.Attribute {
	a := ck.Attribute{Type: typ}
	switch v := any(value).(type) {
	case bool:
		a.Value = []byte{0}
		if v {
			a.Value[0] = 1
		}
	case string:
		a.Value = []byte(v)
	case []byte:
		a.Value = notNil(v)
	case []ck.MechanismType:
		a.Value = make([]byte, 0, len(v)*ulongSize)
		for _, m := range v {
			a.Value = append(a.Value, fromULong(uint64(m))...)
		}
	case []ck.Attribute:
		a.Nested = append([]ck.Attribute{}, v...)
	case time.Time:
		a.Value = []byte{}
		if !v.IsZero() {
			a.Value = v.AppendFormat(a.Value, "20060102")
		}
	case *big.Int:
		a.Value = []byte{}
		if v != nil {
			a.Value = notNil(v.Bytes())
		}
	default:
		n := reflect.ValueOf(v)
		if n.CanInt() {
			a.Value = fromULong(uint64(n.Int()))
		} else {
			a.Value = fromULong(n.Uint())
		}
	}
	return a
}

// ulongSize is the size of a CK_ULONG in octets: that of a pointer, on all systems that this package is for.
const ulongSize = 4 << (^uint(0) >> 63)

func fromULong(v uint64) []byte {
	b := make([]byte, ulongSize)
	if ulongSize == 4 {
		binary.NativeEndian.PutUint32(b, uint32(v))
	} else {
		binary.NativeEndian.PutUint64(b, v)
	}
	return b
}

func toULong(b []byte) (v uint64, ok bool) {
	switch {
	case len(b) != ulongSize:
		return 0, false
	case ulongSize == 4:
		return uint64(binary.NativeEndian.Uint32(b)), true
	}
	return binary.NativeEndian.Uint64(b), true
}

// Attributes are what an object has told about itself. What the object lacks, or does not tell, is not among them. They
// belong to who asked for them; not safe for concurrent changes.
type Attributes []ck.Attribute

// Get gives the octets of an attribute, and whether it is there.
func (a Attributes) Get(typ ck.AttributeType) (value []byte, ok bool) {
	for i := range a {
		if a[i].Type == typ {
			return a[i].Value, true
		}
	}
	return nil, false
}

// Bytes gives the octets of an attribute, nil if it is not there.
func (a Attributes) Bytes(typ ck.AttributeType) []byte {
	value, _ := a.Get(typ)
	return value
}

// Text gives an attribute that is text, empty if it is not there.
func (a Attributes) Text(typ ck.AttributeType) string { return string(a.Bytes(typ)) }

// Bool gives an attribute that is a CK_BBOOL: false if it is not there, or is none.
func (a Attributes) Bool(typ ck.AttributeType) bool {
	value := a.Bytes(typ)
	return len(value) == 1 && value[0] != 0
}

// Uint gives an attribute that is a CK_ULONG; false if it is not there, or is none.
func (a Attributes) Uint(typ ck.AttributeType) (uint64, bool) { return toULong(a.Bytes(typ)) }

// BigInt gives an attribute that is a big integer, nil if it is not there.
func (a Attributes) BigInt(typ ck.AttributeType) *big.Int {
	value, ok := a.Get(typ)
	if !ok {
		return nil
	}
	return new(big.Int).SetBytes(value)
}

// Date gives an attribute that is a CK_DATE, as midnight UTC: the zero time if it is not there, or is empty or no date.
func (a Attributes) Date(typ ck.AttributeType) time.Time {
	t, err := time.Parse("20060102", a.Text(typ))
	if err != nil {
		return time.Time{}
	}
	return t
}

// Mechanisms gives an attribute that is a list of mechanisms, CKA_ALLOWED_MECHANISMS; nil if it is not there, or is none.
func (a Attributes) Mechanisms(typ ck.AttributeType) []ck.MechanismType {
	value := a.Bytes(typ)
	if len(value)%ulongSize != 0 {
		return nil
	}
	var list []ck.MechanismType
	for len(value) > 0 {
		v, _ := toULong(value[:ulongSize])
		list = append(list, ck.MechanismType(v))
		value = value[ulongSize:]
	}
	return list
}

// Label gives CKA_LABEL.
func (a Attributes) Label() string { return a.Text(ck.CKA_LABEL) }

// ID gives CKA_ID, by which a private key, its public key and its certificate belong together.
func (a Attributes) ID() []byte { return a.Bytes(ck.CKA_ID) }

// Class gives CKA_CLASS; all ones, which is no class, if it is not there.
func (a Attributes) Class() ck.ObjectClass {
	return ck.ObjectClass(a.orUnavailable(ck.CKA_CLASS))
}

// KeyType gives CKA_KEY_TYPE; all ones, which is no type, if it is not there.
func (a Attributes) KeyType() ck.KeyType { return ck.KeyType(a.orUnavailable(ck.CKA_KEY_TYPE)) }

func (a Attributes) orUnavailable(typ ck.AttributeType) uint64 {
	if v, ok := a.Uint(typ); ok {
		return v
	}
	return ck.CK_UNAVAILABLE_INFORMATION
}
