package softtoken

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"math/big"

	"github.com/p11mux/p11mux/ck"
)

// newSignOp makes the operation of a mechanism that signs. The key is of the right kind for it.
func newSignOp(mech *mechanism, m *ck.Mechanism, key *object) (*signOp, error) {
	switch m.Type {
	case ck.CKM_RSA_PKCS, ck.CKM_SHA1_RSA_PKCS, ck.CKM_SHA224_RSA_PKCS, ck.CKM_SHA256_RSA_PKCS, ck.CKM_SHA384_RSA_PKCS,
		ck.CKM_SHA512_RSA_PKCS:
		if err := noParam(m); err != nil {
			return nil, err
		}
		return newRSASign(mech, key)
	case ck.CKM_RSA_PKCS_PSS, ck.CKM_SHA1_RSA_PKCS_PSS, ck.CKM_SHA224_RSA_PKCS_PSS, ck.CKM_SHA256_RSA_PKCS_PSS,
		ck.CKM_SHA384_RSA_PKCS_PSS, ck.CKM_SHA512_RSA_PKCS_PSS:
		return newPSS(mech, m, key)
	case ck.CKM_EDDSA:
		return newEdDSA(m, key)
	case ck.CKM_SHA_1_HMAC, ck.CKM_SHA224_HMAC, ck.CKM_SHA256_HMAC, ck.CKM_SHA384_HMAC, ck.CKM_SHA512_HMAC:
		if err := noParam(m); err != nil {
			return nil, err
		}
		return newHMAC(mech, key, mech.hash.Size())
	case ck.CKM_SHA_1_HMAC_GENERAL, ck.CKM_SHA224_HMAC_GENERAL, ck.CKM_SHA256_HMAC_GENERAL, ck.CKM_SHA384_HMAC_GENERAL,
		ck.CKM_SHA512_HMAC_GENERAL:
		raw, err := rawParam(m, ulongLen)
		if err != nil {
			return nil, err
		}
		length, _ := toULong(raw)
		if length == 0 || length > uint64(mech.hash.Size()) {
			return nil, ck.CKR_MECHANISM_PARAM_INVALID
		}
		return newHMAC(mech, key, int(length))
	}
	if err := noParam(m); err != nil {
		return nil, err
	}
	return newECDSA(mech, key)
}

// inputFor gives what takes the data of a mechanism: its hash, or memory where the data comes hashed already, which is then
// one part.
func inputFor(hash crypto.Hash) (in accumulator, single bool) {
	if hash == 0 {
		return new(memory), true
	}
	return hash.New(), false
}

// newRSASign is RSASSA-PKCS1-v1_5. Without a hash, the data is the DigestInfo (PKCS#11 3.2 §6.1.6).
func newRSASign(mech *mechanism, key *object) (*signOp, error) {
	op := &signOp{length: (key.size() + 7) / 8}
	op.input, op.single = inputFor(mech.hash)
	switch k := key.key.(type) {
	case *rsa.PrivateKey:
		op.sign = func(sum []byte) ([]byte, error) {
			if len(sum) > op.length-11 {
				return nil, ck.CKR_DATA_LEN_RANGE
			}
			signature, err := rsa.SignPKCS1v15(nil, k, mech.hash, sum)
			return signature, failed(err)
		}
	case *rsa.PublicKey:
		op.verify = func(sum, signature []byte) error {
			if len(sum) > op.length-11 {
				return ck.CKR_DATA_LEN_RANGE
			}
			return invalid(rsa.VerifyPKCS1v15(k, mech.hash, sum, signature) != nil)
		}
	}
	return op, nil
}

// newPSS is RSASSA-PSS. Go's has one hash for data and mask, and a salt that is not empty, so nothing else is taken.
func newPSS(mech *mechanism, m *ck.Mechanism, key *object) (*signOp, error) {
	p, err := structParam[ck.RSAPKCSPSSParams](m)
	if err != nil {
		return nil, err
	}
	hash, ok := hashNamed(p.HashAlg)
	mask, known := hashOfMGF(p.MGF)
	length := (key.size() + 7) / 8
	switch {
	case !ok, !known, hash != mask, mech.hash != 0 && mech.hash != hash:
		return nil, ck.CKR_MECHANISM_PARAM_INVALID
	case p.SaltLen == 0 || p.SaltLen > uint64(length):
		return nil, ck.CKR_MECHANISM_PARAM_INVALID
	case (key.size()+6)/8 < hash.Size()+int(p.SaltLen)+2: // RFC 8017 §9.1.1
		return nil, ck.CKR_KEY_SIZE_RANGE
	}
	op := &signOp{length: length}
	op.input, op.single = inputFor(mech.hash)
	options := &rsa.PSSOptions{SaltLength: int(p.SaltLen), Hash: hash}
	switch k := key.key.(type) {
	case *rsa.PrivateKey:
		op.sign = func(sum []byte) ([]byte, error) {
			if len(sum) != hash.Size() {
				return nil, ck.CKR_DATA_LEN_RANGE
			}
			signature, err := rsa.SignPSS(rand.Reader, k, hash, sum, options)
			return signature, failed(err)
		}
	case *rsa.PublicKey:
		op.verify = func(sum, signature []byte) error {
			if len(sum) != hash.Size() {
				return ck.CKR_DATA_LEN_RANGE
			}
			return invalid(rsa.VerifyPSS(k, hash, sum, signature, options) != nil)
		}
	}
	return op, nil
}

// newECDSA is ECDSA. A signature is r and s, each as long as the order of the curve (PKCS#11 3.2 §6.3.1).
func newECDSA(mech *mechanism, key *object) (*signOp, error) {
	half := (key.size() + 7) / 8
	op := &signOp{length: 2 * half}
	op.input, op.single = inputFor(mech.hash)
	switch k := key.key.(type) {
	case *ecdsa.PrivateKey:
		op.sign = func(sum []byte) ([]byte, error) {
			if len(sum) == 0 {
				return nil, ck.CKR_DATA_LEN_RANGE
			}
			r, s, err := ecdsa.Sign(rand.Reader, k, sum)
			if err != nil {
				return nil, failed(err)
			}
			signature := make([]byte, op.length)
			r.FillBytes(signature[:half])
			s.FillBytes(signature[half:])
			return signature, nil
		}
	case *ecdsa.PublicKey:
		op.verify = func(sum, signature []byte) error {
			if len(sum) == 0 {
				return ck.CKR_DATA_LEN_RANGE
			}
			r := new(big.Int).SetBytes(signature[:half])
			s := new(big.Int).SetBytes(signature[half:])
			return invalid(!ecdsa.Verify(k, sum, r, s))
		}
	}
	return op, nil
}

// newEdDSA is Ed25519, and with a parameter Ed25519ctx or Ed25519ph (PKCS#11 3.2 §6.3.15).
func newEdDSA(m *ck.Mechanism, key *object) (*signOp, error) {
	op := &signOp{length: ed25519.SignatureSize, single: true, input: new(memory)}
	options := new(ed25519.Options)
	if noParam(m) != nil {
		p, err := structParam[ck.EDDSAParams](m)
		if err != nil {
			return nil, err
		}
		if len(p.ContextData) > 255 {
			return nil, ck.CKR_MECHANISM_PARAM_INVALID
		}
		options.Context = string(p.ContextData)
		if p.Prehash {
			options.Hash = crypto.SHA512
			op.input = crypto.SHA512.New()
		}
	}
	switch k := key.key.(type) {
	case ed25519.PrivateKey:
		op.sign = func(sum []byte) ([]byte, error) {
			signature, err := k.Sign(nil, sum, options)
			return signature, failed(err)
		}
	case ed25519.PublicKey:
		op.verify = func(sum, signature []byte) error {
			return invalid(ed25519.VerifyWithOptions(k, sum, signature, options) != nil)
		}
	}
	return op, nil
}

// newHMAC is HMAC, cut to a length.
func newHMAC(mech *mechanism, key *object, length int) (*signOp, error) {
	return &signOp{
		length: length,
		input:  hmac.New(mech.hash.New, key.key.([]byte)),
		sign:   func(sum []byte) ([]byte, error) { return sum[:length], nil },
		verify: func(sum, signature []byte) error { return invalid(!hmac.Equal(sum[:length], signature)) },
	}, nil
}

// invalid gives the answer of a verification.
func invalid(bad bool) error {
	if bad {
		return ck.CKR_SIGNATURE_INVALID
	}
	return nil
}

// failed gives the answer for an error of a crypto package after all arguments have been checked. What it says is kept
// from the caller: it could tell of the key.
func failed(err error) error {
	if err != nil {
		return ck.CKR_FUNCTION_FAILED
	}
	return nil
}
