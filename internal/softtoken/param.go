package softtoken

import (
	"crypto"
	_ "crypto/sha1" // the hashes that mechanisms name
	_ "crypto/sha256"
	_ "crypto/sha512"

	"github.com/p11mux/p11mux/ck"
)

// noParam checks that a mechanism has no parameter.
func noParam(m *ck.Mechanism) error {
	if m.Param == nil {
		return nil
	}
	if raw, ok := m.Param.(ck.RawParam); ok && len(raw) == 0 {
		return nil
	}
	return ck.CKR_MECHANISM_PARAM_INVALID
}

// rawParam copies a parameter that is n octets.
func rawParam(m *ck.Mechanism, n int) ([]byte, error) {
	raw, ok := m.Param.(ck.RawParam)
	if !ok || len(raw) != n {
		return nil, ck.CKR_MECHANISM_PARAM_INVALID
	}
	return append([]byte{}, raw...), nil
}

// structParam reads a parameter that is a structure. What it points to is not copied.
func structParam[T any, P interface {
	*T
	ck.MechanismParam
}](m *ck.Mechanism) (*T, error) {
	p, ok := m.Param.(P)
	if !ok || p == nil {
		return nil, ck.CKR_MECHANISM_PARAM_INVALID
	}
	return p, nil
}

// hashNamed gives the hash that a parameter names by its digest mechanism, false for one that the token does not have.
func hashNamed(typ ck.MechanismType) (crypto.Hash, bool) {
	m := findMechanism(typ)
	if m == nil || m.flags&ck.CKF_DIGEST == 0 {
		return 0, false
	}
	return m.hash, true
}

// hashOfMGF gives the hash of a mask generation function.
func hashOfMGF(mgf uint64) (crypto.Hash, bool) {
	switch mgf {
	case ck.CKG_MGF1_SHA1:
		return crypto.SHA1, true
	case ck.CKG_MGF1_SHA224:
		return crypto.SHA224, true
	case ck.CKG_MGF1_SHA256:
		return crypto.SHA256, true
	case ck.CKG_MGF1_SHA384:
		return crypto.SHA384, true
	case ck.CKG_MGF1_SHA512:
		return crypto.SHA512, true
	}
	return 0, false
}
