package cli

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"

	"github.com/p11mux/p11mux"
	"github.com/p11mux/p11mux/ck"
)

// certificateObject is the template for a certificate in DER.
func certificateObject(der []byte) ([]ck.Attribute, error) {
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("failed to parse certificate: %w", err)
	}
	serial, err := asn1.Marshal(cert.SerialNumber)
	if err != nil {
		return nil, fmt.Errorf("failed to parse certificate: %w", err)
	}
	return []ck.Attribute{
		p11mux.Attr(ck.CKA_CLASS, ck.CKO_CERTIFICATE),
		p11mux.Attr(ck.CKA_TOKEN, true),
		p11mux.Attr(ck.CKA_PRIVATE, false),
		p11mux.Attr(ck.CKA_CERTIFICATE_TYPE, ck.CKC_X_509),
		p11mux.Attr(ck.CKA_VALUE, der),
		p11mux.Attr(ck.CKA_SUBJECT, cert.RawSubject),
		// NSS looks certificates up by these two.
		p11mux.Attr(ck.CKA_ISSUER, cert.RawIssuer),
		p11mux.Attr(ck.CKA_SERIAL_NUMBER, serial),
	}, nil
}

// A publicKeyInfo is X.509's SubjectPublicKeyInfo (RFC 5280 §4.1).
type publicKeyInfo struct {
	Algorithm pkix.AlgorithmIdentifier
	Key       asn1.BitString
}

// The algorithms of public keys (RFC 3279, 5480, 8410).
var (
	oidRSA     = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 1}
	oidEC      = asn1.ObjectIdentifier{1, 2, 840, 10045, 2, 1}
	oidEd25519 = asn1.ObjectIdentifier{1, 3, 101, 112}
	oidEd448   = asn1.ObjectIdentifier{1, 3, 101, 113}
)

// rsaKey is PKCS#1's RSAPublicKey (RFC 8017 A.1.1), with the octets of its numbers.
type rsaKey struct{ Modulus, Exponent asn1.RawValue }

// publicKeyObject is the template for a public key in DER.
func publicKeyObject(der []byte) ([]ck.Attribute, error) {
	var info publicKeyInfo
	if rest, err := asn1.Unmarshal(der, &info); err != nil || len(rest) > 0 {
		return nil, errors.New("failed to parse public key")
	}
	object := []ck.Attribute{
		p11mux.Attr(ck.CKA_CLASS, ck.CKO_PUBLIC_KEY),
		p11mux.Attr(ck.CKA_TOKEN, true),
		p11mux.Attr(ck.CKA_PRIVATE, false),
		p11mux.Attr(ck.CKA_VERIFY, true),
		p11mux.Attr(ck.CKA_PUBLIC_KEY_INFO, der),
	}
	algorithm := info.Algorithm.Algorithm
	if algorithm.Equal(oidRSA) {
		var key rsaKey
		if rest, err := asn1.Unmarshal(info.Key.Bytes, &key); err != nil || len(rest) > 0 ||
			key.Modulus.Tag != asn1.TagInteger || key.Exponent.Tag != asn1.TagInteger {
			return nil, errors.New("failed to parse public key")
		}
		return append(object,
			p11mux.Attr(ck.CKA_KEY_TYPE, ck.CKK_RSA),
			p11mux.Attr(ck.CKA_ENCRYPT, true),
			p11mux.Attr(ck.CKA_MODULUS, unsigned(key.Modulus.Bytes)),
			p11mux.Attr(ck.CKA_PUBLIC_EXPONENT, unsigned(key.Exponent.Bytes))), nil
	}
	typ, params := ck.CKK_EC, info.Algorithm.Parameters.FullBytes
	switch {
	case algorithm.Equal(oidEC):
		if len(params) == 0 {
			return nil, errors.New("failed to parse public key")
		}
	case algorithm.Equal(oidEd25519), algorithm.Equal(oidEd448):
		typ = ck.CKK_EC_EDWARDS
		var err error
		if params, err = asn1.Marshal(algorithm); err != nil {
			return nil, err
		}
	default:
		return nil, fmt.Errorf("unrecognized algorithm OID: %s", algorithm)
	}
	point, err := asn1.Marshal(info.Key.Bytes)
	if err != nil {
		return nil, err
	}
	return append(object,
		p11mux.Attr(ck.CKA_KEY_TYPE, typ),
		p11mux.Attr(ck.CKA_EC_PARAMS, params),
		p11mux.Attr(ck.CKA_EC_POINT, point)), nil
}

// unsigned is a big integer of PKCS#11, which has no sign, from one of ASN.1.
func unsigned(b []byte) []byte {
	for len(b) > 1 && b[0] == 0 {
		b = b[1:]
	}
	return b
}

// publicKeyDER is the SubjectPublicKeyInfo of a public key on a token: what it says itself, or what its attributes make.
func publicKeyDER(a p11mux.Attributes) ([]byte, error) {
	if der, ok := a.Get(ck.CKA_PUBLIC_KEY_INFO); ok && len(der) > 0 {
		return der, nil
	}
	var info publicKeyInfo
	var err error
	switch typ := a.KeyType(); typ {
	case ck.CKK_RSA:
		modulus, exponent := a.BigInt(ck.CKA_MODULUS), a.BigInt(ck.CKA_PUBLIC_EXPONENT)
		if modulus == nil || exponent == nil {
			return nil, errors.New("failed to retrieve attributes")
		}
		info.Algorithm = pkix.AlgorithmIdentifier{Algorithm: oidRSA, Parameters: asn1.NullRawValue}
		info.Key.Bytes, err = asn1.Marshal([]any{modulus, exponent})
	case ck.CKK_EC, ck.CKK_EC_EDWARDS:
		if info.Key.Bytes, err = pointOf(a); err == nil {
			info.Algorithm, err = curveAlgorithm(typ, a.Bytes(ck.CKA_EC_PARAMS))
		}
	default:
		return nil, fmt.Errorf("unsupported key type: %d", uint64(typ))
	}
	if err != nil {
		return nil, err
	}
	info.Key.BitLength = 8 * len(info.Key.Bytes)
	return asn1.Marshal(info)
}

// pointOf gives the octets of the point, which are a DER OCTET STRING by the standard and bare with some tokens.
func pointOf(a p11mux.Attributes) ([]byte, error) {
	value := a.Bytes(ck.CKA_EC_POINT)
	if len(value) == 0 {
		return nil, errors.New("failed to retrieve attributes")
	}
	var point []byte
	if rest, err := asn1.Unmarshal(value, &point); err == nil && len(rest) == 0 {
		return point, nil
	}
	return value, nil
}

// curveAlgorithm is how X.509 names the algorithm of a key on a curve: for Edwards' curves by that of the curve alone, which tokens
// tell as an object identifier or as a name.
func curveAlgorithm(typ ck.KeyType, params []byte) (pkix.AlgorithmIdentifier, error) {
	if typ == ck.CKK_EC {
		if len(params) == 0 {
			return pkix.AlgorithmIdentifier{}, errors.New("failed to retrieve attributes")
		}
		return pkix.AlgorithmIdentifier{Algorithm: oidEC, Parameters: asn1.RawValue{FullBytes: params}}, nil
	}
	var oid asn1.ObjectIdentifier
	if rest, err := asn1.Unmarshal(params, &oid); err == nil && len(rest) == 0 {
		return pkix.AlgorithmIdentifier{Algorithm: oid}, nil
	}
	var name string
	if rest, err := asn1.Unmarshal(params, &name); err == nil && len(rest) == 0 {
		switch name {
		case "edwards25519":
			return pkix.AlgorithmIdentifier{Algorithm: oidEd25519}, nil
		case "edwards448":
			return pkix.AlgorithmIdentifier{Algorithm: oidEd448}, nil
		}
	}
	return pkix.AlgorithmIdentifier{}, errors.New("the key is on a curve without a name")
}
