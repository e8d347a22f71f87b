package softtoken

import (
	"bytes"
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"encoding/binary"

	"github.com/p11mux/p11mux/ck"
)

// deriveKey is C_DeriveKey, with CKM_ECDH1_DERIVE.
func (t *Token) deriveKey(s *session, c *ck.DeriveKeyCall) error {
	_, base, err := t.keyFor(c.Mechanism, c.BaseKey, toDerive)
	if err != nil {
		return err
	}
	p, err := structParam[ck.ECDH1DeriveParams](c.Mechanism)
	if err != nil {
		return err
	}
	hash, ok := hashOfKDF(p.KDF)
	if !ok || hash == 0 && len(p.SharedData) > 0 {
		return ck.CKR_MECHANISM_PARAM_INVALID
	}
	a, err := readTemplate(c.Template)
	if err != nil {
		return err
	}
	key, err := newObject(a, derived)
	switch {
	case err != nil:
		return err
	case key.class != ck.CKO_SECRET_KEY:
		return ck.CKR_TEMPLATE_INCONSISTENT
	}
	if err := t.permitted(s, key); err != nil {
		return err
	}
	shared, err := agree(base.key.(*ecdsa.PrivateKey), p.PublicData)
	if err != nil {
		return err
	}
	defer clear(shared)
	value, err := shape(shared, hash, p.SharedData, key)
	if err != nil {
		return err
	}
	key.setKey(value)
	key.history(derived, 0, base)
	if err := key.complete(); err != nil {
		return err
	}
	return t.add(s, []*object{key}, &c.Key)
}

// agree computes the shared secret with a public point, which may be in a DER OCTET STRING.
func agree(private *ecdsa.PrivateKey, point []byte) ([]byte, error) {
	k, err := private.ECDH()
	if err != nil {
		return nil, failed(err)
	}
	public, err := k.Curve().NewPublicKey(point)
	if err != nil {
		inner, ok := unwrapPoint(point)
		if !ok {
			return nil, ck.CKR_MECHANISM_PARAM_INVALID
		}
		if public, err = k.Curve().NewPublicKey(inner); err != nil {
			return nil, ck.CKR_MECHANISM_PARAM_INVALID
		}
	}
	return ecdhSecret(k, public)
}

func ecdhSecret(k *ecdh.PrivateKey, public *ecdh.PublicKey) ([]byte, error) {
	shared, err := k.ECDH(public)
	return shared, failed(err)
}

// shape makes the value of a key of a shared secret. Without a derivation function it is the end of the secret (PKCS#11 3.2
// §6.3.17). A generic secret without a length gets all of the secret, or one hash.
func shape(shared []byte, hash crypto.Hash, info []byte, key *object) ([]byte, error) {
	n, given := key.number(ck.CKA_VALUE_LEN)
	switch {
	case given && (n == 0 || n > maxGeneric):
		return nil, ck.CKR_ATTRIBUTE_VALUE_INVALID
	case !given && key.keyType == ck.CKK_AES:
		return nil, ck.CKR_TEMPLATE_INCOMPLETE
	case !given && hash == 0:
		n = uint64(len(shared))
	case !given:
		n = uint64(hash.Size())
	}
	if hash != 0 {
		return stretch(hash, shared, info, int(n)), nil
	}
	if n > uint64(len(shared)) {
		return nil, ck.CKR_ATTRIBUTE_VALUE_INVALID
	}
	return bytes.Clone(shared[uint64(len(shared))-n:]), nil
}

// stretch is the key derivation function of ANSI X9.63: hashes of the secret, a counter from 1 on, and shared data.
func stretch(hash crypto.Hash, shared, info []byte, n int) []byte {
	var out []byte
	for counter := uint32(1); len(out) < n; counter++ {
		h := hash.New()
		h.Write(shared)
		h.Write(binary.BigEndian.AppendUint32(nil, counter))
		h.Write(info)
		out = h.Sum(out)
	}
	return out[:n]
}

// hashOfKDF gives the hash of a key derivation function, 0 for CKD_NULL.
func hashOfKDF(kdf uint64) (crypto.Hash, bool) {
	switch kdf {
	case ck.CKD_NULL:
		return 0, true
	case ck.CKD_SHA1_KDF:
		return crypto.SHA1, true
	case ck.CKD_SHA224_KDF:
		return crypto.SHA224, true
	case ck.CKD_SHA256_KDF:
		return crypto.SHA256, true
	case ck.CKD_SHA384_KDF:
		return crypto.SHA384, true
	case ck.CKD_SHA512_KDF:
		return crypto.SHA512, true
	}
	return 0, false
}
