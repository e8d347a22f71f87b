package calllog

import (
	"strconv"

	"github.com/p11mux/p11mux/ck"
)

// A valueName is the name of one value.
type valueName struct {
	value uint64
	name  string
}

// nameIn finds a value in an ascending table; "" for none.
func nameIn(table []valueName, v uint64) string {
	lo, hi := 0, len(table)
	for lo < hi {
		m := int(uint(lo+hi) >> 1)
		if table[m].value < v {
			lo = m + 1
		} else {
			hi = m
		}
	}
	if lo < len(table) && table[lo].value == v {
		return table[lo].name
	}
	return ""
}

// appendHex appends a number in upper case with at least 8 digits.
func appendHex(b []byte, v uint64) []byte {
	const digits = "0123456789ABCDEF"
	n := 8
	for n < 16 && v>>(4*n) != 0 {
		n++
	}
	for n--; n >= 0; n-- {
		b = append(b, digits[v>>(4*n)&15])
	}
	return b
}

// A named value appends its name.
type named interface {
	~uint64
	AppendName(b []byte) ([]byte, bool)
}

// appendName appends what a log calls a value: the name in more, that in package ck, or the prefix and a hexadecimal number.
func appendName[T named](b []byte, v T, more []valueName, prefix string) []byte {
	if name := nameIn(more, uint64(v)); name != "" {
		return append(b, name...)
	}
	if b, ok := v.AppendName(b); ok {
		return b
	}
	return appendHex(append(append(b, prefix...), "0x"...), uint64(v))
}

func appendRV(b []byte, v ck.RV) []byte { return appendName(b, v, logRVNames[:], "CKR_") }

// Name gives what a log calls a return value: "CKR_OK", "CKR_0x80001234".
func Name(rv ck.RV) string { return string(appendRV(nil, rv)) }

func appendMechanism(b []byte, v uint64) []byte {
	return appendName(b, ck.MechanismType(v), logMechanismTypeNames[:], "CKM_")
}

func appendUser(b []byte, v uint64) []byte { return appendName(b, ck.UserType(v), nil, "CKU_") }

func appendState(b []byte, v uint64) []byte { return appendName(b, ck.State(v), nil, "CKS_") }

func appendAttribute(b []byte, t uint64) []byte {
	if a := attributeOf(t); a != nil {
		return append(b, a.name...)
	}
	return appendHex(append(b, "CKA_0x"...), t)
}

// categories are the values of CKA_CERTIFICATE_CATEGORY.
var categories = [...]string{"unspecified", "token-user", "authority", "other-entry"}

// appendValueName appends the name of an attribute's value, and tells whether it has one. Numbers without a name get none.
func appendValueName(b []byte, k valueKind, v uint64) ([]byte, bool) {
	var name string
	switch k {
	case valueClass:
		if name = nameIn(logObjectClassNames[:], v); name == "" {
			return ck.ObjectClass(v).AppendName(b)
		}
	case valueKeytype:
		if name = nameIn(logKeyTypeNames[:], v); name == "" {
			return ck.KeyType(v).AppendName(b)
		}
	case valueCerttype:
		return ck.CertificateType(v).AppendName(b)
	case valueTrust:
		name = nameIn(logTrustNames[:], v)
	case valueAssertion:
		name = nameIn(logAssertionNames[:], v)
	case valueMechanism:
		return appendMechanism(b, v), true
	}
	return append(b, name...), name != ""
}

func appendNumber(b []byte, v uint64) []byte { return strconv.AppendUint(b, v, 10) }

// appendPointer appends an address.
func appendPointer(b []byte, addr uintptr) []byte {
	if addr == 0 {
		return append(b, "NULL"...)
	}
	return appendHex(append(b, "0x"...), uint64(addr))
}
