package softtoken

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/asn1"
	"math/big"

	"github.com/p11mux/p11mux/ck"
)

// The encodings of keys are written out here because crypto/x509 would bring Go's network code into the process.

// AlgorithmIdentifier, RFC 5280 §4.1.1.2.
type algorithmIdentifier struct {
	Algorithm  asn1.ObjectIdentifier
	Parameters asn1.RawValue `asn1:"optional"`
}

// SubjectPublicKeyInfo, RFC 5280 §4.1.2.7.
type subjectPublicKeyInfo struct {
	Algorithm algorithmIdentifier
	PublicKey asn1.BitString
}

// PrivateKeyInfo, RFC 5958 §2. Attributes and public key may follow and are not read.
type privateKeyInfo struct {
	Version    int
	Algorithm  algorithmIdentifier
	PrivateKey []byte
}

// RSAPublicKey, RFC 8017 A.1.1.
type rsaPublicKey struct {
	N *big.Int
	E int
}

// RSAPrivateKey, RFC 8017 A.1.2.
type rsaPrivateKey struct {
	Version                   int
	N                         *big.Int
	E                         int
	D, P, Q, DP, DQ, QInverse *big.Int
}

// ECPrivateKey, RFC 5915 §3.
type ecPrivateKey struct {
	Version    int
	PrivateKey []byte
	Parameters asn1.ObjectIdentifier `asn1:"optional,explicit,tag:0"`
	PublicKey  asn1.BitString        `asn1:"optional,explicit,tag:1"`
}

var (
	oidRSA     = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 1}
	oidEC      = asn1.ObjectIdentifier{1, 2, 840, 10045, 2, 1}
	oidEd25519 = asn1.ObjectIdentifier{1, 3, 101, 112}
)

// algorithmOf gives the AlgorithmIdentifier of a key.
func algorithmOf(key any) algorithmIdentifier {
	switch k := key.(type) {
	case *rsa.PublicKey, *rsa.PrivateKey:
		return algorithmIdentifier{oidRSA, asn1.NullRawValue}
	case *ecdsa.PublicKey:
		return algorithmIdentifier{oidEC, asn1.RawValue{FullBytes: paramsOf(k.Curve)}}
	case *ecdsa.PrivateKey:
		return algorithmIdentifier{oidEC, asn1.RawValue{FullBytes: paramsOf(k.Curve)}}
	}
	return algorithmIdentifier{Algorithm: oidEd25519}
}

// publicKeyInfo gives a public key as DER of SubjectPublicKeyInfo.
func publicKeyInfo(key any) []byte {
	var value []byte
	switch k := key.(type) {
	case *rsa.PublicKey:
		value = mustMarshal(rsaPublicKey{k.N, k.E})
	case *ecdsa.PublicKey:
		value = mustBytes(k.Bytes())
	case ed25519.PublicKey:
		value = k
	}
	return mustMarshal(subjectPublicKeyInfo{algorithmOf(key), asn1.BitString{Bytes: value, BitLength: 8 * len(value)}})
}

// marshalPrivateKey gives a private key as DER of PrivateKeyInfo, which is how C_WrapKey wraps it (PKCS#11 3.2 §6.7).
func marshalPrivateKey(key any) []byte {
	var value []byte
	switch k := key.(type) {
	case *rsa.PrivateKey:
		crt := &k.Precomputed
		value = mustMarshal(rsaPrivateKey{0, k.N, k.E, k.D, k.Primes[0], k.Primes[1], crt.Dp, crt.Dq, crt.Qinv})
	case *ecdsa.PrivateKey:
		point := mustBytes(k.PublicKey.Bytes())
		value = mustMarshal(ecPrivateKey{
			Version:    1,
			PrivateKey: mustBytes(k.Bytes()),
			PublicKey:  asn1.BitString{Bytes: point, BitLength: 8 * len(point)},
		})
	case ed25519.PrivateKey:
		value = mustMarshal(k.Seed())
	}
	der := mustMarshal(privateKeyInfo{0, algorithmOf(key), value})
	clear(value)
	return der
}

// unmarshalPrivateKey reads a PrivateKeyInfo into the components of a key of the given type. The components are checked
// later, by complete.
func unmarshalPrivateKey(der []byte, typ ck.KeyType) (attributes, error) {
	var info privateKeyInfo
	if rest, err := asn1.Unmarshal(der, &info); err != nil || len(rest) > 0 {
		return nil, ck.CKR_WRAPPED_KEY_INVALID
	}
	algorithm := info.Algorithm.Algorithm
	switch {
	case typ == ck.CKK_RSA && algorithm.Equal(oidRSA):
		var k rsaPrivateKey
		if rest, err := asn1.Unmarshal(info.PrivateKey, &k); err != nil || len(rest) > 0 || k.E <= 0 {
			return nil, ck.CKR_WRAPPED_KEY_INVALID
		}
		return attributes{
			ck.CKA_MODULUS:          k.N.Bytes(),
			ck.CKA_PUBLIC_EXPONENT:  big.NewInt(int64(k.E)).Bytes(),
			ck.CKA_PRIVATE_EXPONENT: k.D.Bytes(),
			ck.CKA_PRIME_1:          k.P.Bytes(),
			ck.CKA_PRIME_2:          k.Q.Bytes(),
		}, nil
	case typ == ck.CKK_EC && algorithm.Equal(oidEC):
		var k ecPrivateKey
		if rest, err := asn1.Unmarshal(info.PrivateKey, &k); err != nil || len(rest) > 0 {
			return nil, ck.CKR_WRAPPED_KEY_INVALID
		}
		params := bytes.Clone(info.Algorithm.Parameters.FullBytes) // the caller wipes der
		return attributes{ck.CKA_EC_PARAMS: params, ck.CKA_VALUE: k.PrivateKey}, nil
	case typ == ck.CKK_EC_EDWARDS && algorithm.Equal(oidEd25519):
		var seed []byte
		if rest, err := asn1.Unmarshal(info.PrivateKey, &seed); err != nil || len(rest) > 0 {
			return nil, ck.CKR_WRAPPED_KEY_INVALID
		}
		return attributes{ck.CKA_EC_PARAMS: []byte(paramsEd25519), ck.CKA_VALUE: seed}, nil
	}
	return nil, ck.CKR_WRAPPED_KEY_INVALID
}
