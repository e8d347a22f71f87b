package softtoken

import (
	"encoding/binary"
	"math/bits"

	"github.com/p11mux/p11mux/ck"
)

// A kind is how the value of an attribute looks.
type kind uint8

const (
	octets        kind = iota // any octets, also text
	boolean                   // CK_BBOOL
	ulong                     // CK_ULONG
	date                      // CK_DATE, or empty
	bigInt                    // big-endian, kept without leading zeros
	mechanismList             // array of CK_MECHANISM_TYPE
)

// ulongLen is the size of a CK_ULONG in octets.
const ulongLen = bits.UintSize / 8

// fromULong gives a CK_ULONG as the value of an attribute.
func fromULong(v uint64) []byte {
	b := make([]byte, ulongLen)
	if ulongLen == 4 {
		binary.NativeEndian.PutUint32(b, uint32(v))
	} else {
		binary.NativeEndian.PutUint64(b, v)
	}
	return b
}

// toULong reads a CK_ULONG. With 32 bits, CK_UNAVAILABLE_INFORMATION stays what it is.
func toULong(b []byte) (v uint64, ok bool) {
	switch {
	case len(b) != ulongLen:
		return 0, false
	case ulongLen == 8:
		return binary.NativeEndian.Uint64(b), true
	}
	n := binary.NativeEndian.Uint32(b)
	if n == ^uint32(0) {
		return ck.CK_UNAVAILABLE_INFORMATION, true
	}
	return uint64(n), true
}

// fromBool gives a CK_BBOOL as the value of an attribute.
func fromBool(v bool) []byte {
	if v {
		return []byte{ck.CK_TRUE}
	}
	return []byte{ck.CK_FALSE}
}

// valid tells whether a value is one of its kind.
func (k kind) valid(value []byte) bool {
	switch k {
	case boolean:
		return len(value) == 1 && value[0] <= 1
	case ulong:
		return len(value) == ulongLen
	case mechanismList:
		return len(value)%ulongLen == 0
	case date:
		return validDate(value)
	}
	return true
}

// validDate tells whether a value is a CK_DATE, YYYYMMDD in digits, or empty.
func validDate(value []byte) bool {
	if len(value) == 0 {
		return true
	}
	if len(value) != 8 {
		return false
	}
	for _, c := range value {
		if c < '0' || c > '9' {
			return false
		}
	}
	month, day := string(value[4:6]), string(value[6:8])
	return "01" <= month && month <= "12" && "01" <= day && day <= "31"
}

// trimZeros takes the leading zeros off a big integer.
func trimZeros(b []byte) []byte {
	for len(b) > 0 && b[0] == 0 {
		b = b[1:]
	}
	return b
}

// attributes are the attributes of an object. Values are not changed in place.
type attributes map[ck.AttributeType][]byte

// readTemplate copies a template. An attribute that comes twice makes it inconsistent (PKCS#11 3.2 §4.1.1).
func readTemplate(template []ck.Attribute) (attributes, error) {
	a := make(attributes, len(template)+16)
	for i := range template {
		in := &template[i]
		if in.Nested != nil {
			return nil, ck.CKR_ATTRIBUTE_TYPE_INVALID // no object of ours has a template as attribute
		}
		if _, twice := a[in.Type]; twice {
			return nil, ck.CKR_TEMPLATE_INCONSISTENT
		}
		a[in.Type] = append([]byte{}, in.Value...)
	}
	return a, nil
}

// imply sets what the call itself says about an attribute; a template that says something else is inconsistent.
func (a attributes) imply(typ ck.AttributeType, value []byte) error {
	if v, given := a[typ]; given && string(v) != string(value) {
		return ck.CKR_TEMPLATE_INCONSISTENT
	}
	a[typ] = value
	return nil
}

// implyKey says which class and type of key a call makes.
func (a attributes) implyKey(class ck.ObjectClass, typ ck.KeyType) error {
	if err := a.imply(ck.CKA_CLASS, fromULong(uint64(class))); err != nil {
		return err
	}
	return a.imply(ck.CKA_KEY_TYPE, fromULong(uint64(typ)))
}

// flag reads a CK_BBOOL; what is missing is false.
func (a attributes) flag(typ ck.AttributeType) bool {
	v := a[typ]
	return len(v) == 1 && v[0] != ck.CK_FALSE
}

// number reads a CK_ULONG.
func (a attributes) number(typ ck.AttributeType) (uint64, bool) {
	return toULong(a[typ])
}

// fill sets an attribute that follows from others. One that was given must be the same.
func (a attributes) fill(typ ck.AttributeType, value []byte) error {
	if v, given := a[typ]; given && len(v) > 0 && string(v) != string(value) {
		return ck.CKR_ATTRIBUTE_VALUE_INVALID
	}
	a[typ] = value
	return nil
}
