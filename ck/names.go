package ck

import "strconv"

// A nameTable names the values of a type: the names one after the other in text, off[i] to off[i+1] for value[i], which
// are in ascending order. It is plain data that needs no work at start-up.
type nameTable struct {
	prefix string
	text   string
	off    []uint16
	value  []uint32
}

// index finds a value, -1 for none.
func (t *nameTable) index(v uint64) int {
	lo, hi := 0, len(t.value)
	for lo < hi {
		m := int(uint(lo+hi) >> 1)
		if uint64(t.value[m]) < v {
			lo = m + 1
		} else {
			hi = m
		}
	}
	if lo < len(t.value) && uint64(t.value[lo]) == v {
		return lo
	}
	return -1
}

// name gives the name of a value, or the prefix and the value in hexadecimal.
func (t *nameTable) name(v uint64) string {
	if i := t.index(v); i >= 0 {
		return t.prefix + t.text[t.off[i]:t.off[i+1]]
	}
	return t.prefix + "0x" + strconv.FormatUint(v, 16)
}

// String gives the constant's name, "CKM_RSA_PKCS", or "CKM_0x80001234" for a value without a name.
func (v MechanismType) String() string { return mechanismTypeNames.name(uint64(v)) }

// String gives the constant's name, "CKA_LABEL", or "CKA_0x80001234" for a value without a name.
func (v AttributeType) String() string { return attributeTypeNames.name(uint64(v)) }

// String gives the constant's name, "CKO_DATA", or "CKO_0x80001234" for a value without a name.
func (v ObjectClass) String() string { return objectClassNames.name(uint64(v)) }

// String gives the constant's name, "CKK_RSA", or "CKK_0x80001234" for a value without a name.
func (v KeyType) String() string { return keyTypeNames.name(uint64(v)) }

// String gives the constant's name, "CKC_X_509", or "CKC_0x80001234" for a value without a name.
func (v CertificateType) String() string { return certificateTypeNames.name(uint64(v)) }

// String gives the constant's name, "CKU_USER", or "CKU_0x80001234" for a value without a name.
func (v UserType) String() string { return userTypeNames.name(uint64(v)) }

// String gives the constant's name, "CKS_RW_PUBLIC_SESSION", or "CKS_0x80001234" for a value without a name.
func (v State) String() string { return stateNames.name(uint64(v)) }

// String gives "3.2".
func (v Version) String() string {
	return strconv.Itoa(int(v.Major)) + "." + strconv.Itoa(int(v.Minor))
}

// String gives "C_Sign", or "C_0x80" for what is no function.
func (f Func) String() string {
	if f < 0 || f >= NumFuncs {
		return "C_0x" + strconv.FormatUint(uint64(f), 16)
	}
	return "C_" + funcText[funcOff[f]:funcOff[f+1]]
}

// Since gives the version of PKCS#11 whose function list first had the function. What is no function gives 255.255.
func (f Func) Since() Version {
	switch {
	case f < 0 || f >= NumFuncs:
		return Version{255, 255}
	case f < numFuncs240:
		return Version{2, 40}
	case f < numFuncs30:
		return Version{3, 0}
	}
	return Version{3, 2}
}

// FuncByName finds a function by its name, "C_Sign".
func FuncByName(name string) (Func, bool) {
	for f := range NumFuncs {
		if f.String() == name {
			return f, true
		}
	}
	return 0, false
}

// IsTemplate tells whether the value of the attribute is an array of CK_ATTRIBUTE. CKA_ALLOWED_MECHANISMS has
// CKF_ARRAY_ATTRIBUTE too, but is an array of mechanisms.
func (v AttributeType) IsTemplate() bool {
	switch v &^ CKF_ARRAY_ATTRIBUTE {
	case CKA_WRAP_TEMPLATE &^ CKF_ARRAY_ATTRIBUTE, CKA_UNWRAP_TEMPLATE &^ CKF_ARRAY_ATTRIBUTE, CKA_DERIVE_TEMPLATE &^ CKF_ARRAY_ATTRIBUTE:
		return v&CKF_ARRAY_ATTRIBUTE != 0
	case CKA_ENCAPSULATE_TEMPLATE, CKA_DECAPSULATE_TEMPLATE:
		return true
	}
	return false
}

// append appends the name of a value to b, and tells whether it has one.
func (t *nameTable) append(b []byte, v uint64) ([]byte, bool) {
	i := t.index(v)
	if i < 0 {
		return b, false
	}
	return append(append(b, t.prefix...), t.text[t.off[i]:t.off[i+1]]...), true
}

// AppendName appends the constant's name to b, and tells whether the value has one: nothing is appended otherwise.
func (v RV) AppendName(b []byte) ([]byte, bool) { return rvNames.append(b, uint64(v)) }

// AppendName appends the constant's name to b, and tells whether the value has one.
func (v MechanismType) AppendName(b []byte) ([]byte, bool) {
	return mechanismTypeNames.append(b, uint64(v))
}

// AppendName appends the constant's name to b, and tells whether the value has one.
func (v ObjectClass) AppendName(b []byte) ([]byte, bool) {
	return objectClassNames.append(b, uint64(v))
}

// AppendName appends the constant's name to b, and tells whether the value has one.
func (v KeyType) AppendName(b []byte) ([]byte, bool) { return keyTypeNames.append(b, uint64(v)) }

// AppendName appends the constant's name to b, and tells whether the value has one.
func (v CertificateType) AppendName(b []byte) ([]byte, bool) {
	return certificateTypeNames.append(b, uint64(v))
}

// AppendName appends the constant's name to b, and tells whether the value has one.
func (v UserType) AppendName(b []byte) ([]byte, bool) { return userTypeNames.append(b, uint64(v)) }

// AppendName appends the constant's name to b, and tells whether the value has one.
func (v State) AppendName(b []byte) ([]byte, bool) { return stateNames.append(b, uint64(v)) }

// AppendName appends the function's name to b, "C_Sign"; nothing for what is no function.
func (f Func) AppendName(b []byte) ([]byte, bool) {
	if f < 0 || f >= NumFuncs {
		return b, false
	}
	return append(append(b, "C_"...), funcText[funcOff[f]:funcOff[f+1]]...), true
}
