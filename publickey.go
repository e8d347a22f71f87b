package p11mux

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"iter"

	"github.com/p11mux/p11mux/ck"
)

// unsupported is the error for objects that package crypto has no type for.
func (o *Object) unsupported(what string) error {
	return fmt.Errorf("%w: %s: %s", ErrUnsupported, o.URI(), what)
}

// PublicKey gives the public key that belongs to the object as a *rsa.PublicKey, *ecdsa.PublicKey or ed25519.PublicKey:
// that of a public key or a certificate itself; for a private key what it tells of it, or that of the public key or the
// certificate with the same CKA_ID on the token. [ErrNotFound] if there is none of these, [ErrUnsupported] if package
// crypto has no such keys.
func (o *Object) PublicKey(ctx context.Context) (crypto.PublicKey, error) {
	switch o.class {
	case ck.CKO_CERTIFICATE:
		cert, err := o.Certificate(ctx)
		if err != nil {
			return nil, err
		}
		return cert.PublicKey, nil
	case ck.CKO_PUBLIC_KEY:
		return o.ownPublicKey(ctx)
	case ck.CKO_PRIVATE_KEY:
		return o.publicOfPrivate(ctx)
	}
	return nil, o.unsupported("has no public key")
}

// ownPublicKey makes the public key of the object's own attributes.
func (o *Object) ownPublicKey(ctx context.Context) (crypto.PublicKey, error) {
	attrs, err := o.Attributes(ctx, ck.CKA_MODULUS, ck.CKA_PUBLIC_EXPONENT, ck.CKA_EC_PARAMS, ck.CKA_EC_POINT, ck.CKA_PUBLIC_KEY_INFO)
	if err != nil {
		return nil, err
	}
	return o.publicKey(attrs)
}

// errNoPublic: the attributes are not enough for a public key.
var errNoPublic = errors.New("the object does not tell its public key")

// publicKey makes a public key of attributes.
func (o *Object) publicKey(attrs Attributes) (key crypto.PublicKey, err error) {
	switch o.keyType {
	case ck.CKK_RSA:
		key, err = rsaPublicKey(attrs)
	case ck.CKK_EC:
		key, err = ecPublicKey(attrs)
	case ck.CKK_EC_EDWARDS:
		key, err = edwardsPublicKey(attrs)
	default:
		return nil, o.unsupported("keys of the type " + o.keyType.String())
	}
	if err == nil {
		return key, nil
	}
	if info := attrs.Bytes(ck.CKA_PUBLIC_KEY_INFO); len(info) > 0 {
		if key, e := x509.ParsePKIXPublicKey(info); e == nil {
			return key, nil
		}
	}
	if errors.Is(err, errNoPublic) {
		return nil, err
	}
	return nil, o.unsupported(err.Error())
}

func rsaPublicKey(attrs Attributes) (crypto.PublicKey, error) {
	n, e := attrs.BigInt(ck.CKA_MODULUS), attrs.BigInt(ck.CKA_PUBLIC_EXPONENT)
	if n == nil || e == nil || n.Sign() == 0 || e.Sign() == 0 {
		return nil, errNoPublic
	}
	if e.BitLen() > 31 {
		return nil, errors.New("the public exponent is too large")
	}
	return &rsa.PublicKey{N: n, E: int(e.Int64())}, nil
}

// curves are those of package crypto, by their names in CKA_EC_PARAMS.
var curves = []struct {
	oid   asn1.ObjectIdentifier
	name  string
	curve elliptic.Curve
}{
	{asn1.ObjectIdentifier{1, 3, 132, 0, 33}, "secp224r1", elliptic.P224()},
	{asn1.ObjectIdentifier{1, 2, 840, 10045, 3, 1, 7}, "secp256r1", elliptic.P256()},
	{asn1.ObjectIdentifier{1, 3, 132, 0, 34}, "secp384r1", elliptic.P384()},
	{asn1.ObjectIdentifier{1, 3, 132, 0, 35}, "secp521r1", elliptic.P521()},
}

// curveOf gives the curve of CKA_EC_PARAMS: an object identifier or a name, in DER (PKCS#11 3.2 §6.3.3).
func curveOf(params []byte) elliptic.Curve {
	var oid asn1.ObjectIdentifier
	if rest, err := asn1.Unmarshal(params, &oid); err == nil && len(rest) == 0 {
		for _, c := range curves {
			if c.oid.Equal(oid) {
				return c.curve
			}
		}
		return nil
	}
	var name string
	if rest, err := asn1.UnmarshalWithParams(params, &name, "printable"); err == nil && len(rest) == 0 {
		for _, c := range curves {
			if c.name == name {
				return c.curve
			}
		}
	}
	return nil
}

// pointOf gives the octets of CKA_EC_POINT: an OCTET STRING in DER, or, from modules that never learned it, the point
// itself.
func pointOf(value []byte, plain int) []byte {
	var point []byte
	if rest, err := asn1.Unmarshal(value, &point); err == nil && len(rest) == 0 && len(value) != plain {
		return point
	}
	return value
}

var errNotOnCurve = errors.New("the public key is not on its curve")

func ecPublicKey(attrs Attributes) (crypto.PublicKey, error) {
	params, value := attrs.Bytes(ck.CKA_EC_PARAMS), attrs.Bytes(ck.CKA_EC_POINT)
	if len(params) == 0 || len(value) == 0 {
		return nil, errNoPublic
	}
	curve := curveOf(params)
	if curve == nil {
		return nil, errors.New("the curve is none of P-224, P-256, P-384 and P-521")
	}
	size := (curve.Params().BitSize + 7) / 8
	point := pointOf(value, 1+2*size)
	if len(point) == 1+size && (point[0] == 2 || point[0] == 3) {
		x, y := elliptic.UnmarshalCompressed(curve, point)
		if x == nil {
			return nil, errNotOnCurve
		}
		point = make([]byte, 1+2*size)
		point[0] = 4
		x.FillBytes(point[1 : 1+size])
		y.FillBytes(point[1+size:])
	}
	key, err := ecdsa.ParseUncompressedPublicKey(curve, point)
	if err != nil {
		return nil, errNotOnCurve
	}
	return key, nil
}

// The names of Ed25519 in CKA_EC_PARAMS, in DER (PKCS#11 3.2 §6.3.3).
var (
	edwardsOID  = []byte{0x06, 0x03, 0x2b, 0x65, 0x70}
	edwardsName = []byte("\x13\x0cedwards25519")
)

func edwardsPublicKey(attrs Attributes) (crypto.PublicKey, error) {
	params, value := attrs.Bytes(ck.CKA_EC_PARAMS), attrs.Bytes(ck.CKA_EC_POINT)
	if len(params) == 0 || len(value) == 0 {
		return nil, errNoPublic
	}
	point := pointOf(value, ed25519.PublicKeySize)
	if !bytes.Equal(params, edwardsOID) && !bytes.Equal(params, edwardsName) || len(point) != ed25519.PublicKeySize {
		return nil, errors.New("the curve is not Ed25519")
	}
	return ed25519.PublicKey(bytes.Clone(point)), nil
}

// publicOfPrivate finds the public key of a private one.
func (o *Object) publicOfPrivate(ctx context.Context) (crypto.PublicKey, error) {
	key, err := o.ownPublicKey(ctx)
	if !errors.Is(err, errNoPublic) {
		return key, err
	}
	for _, class := range []ck.ObjectClass{ck.CKO_PUBLIC_KEY, ck.CKO_CERTIFICATE} {
		for other, err := range o.companions(ctx, class) {
			if err != nil {
				return nil, err
			}
			if class == ck.CKO_PUBLIC_KEY && other.keyType != o.keyType {
				continue
			}
			if key, err := other.PublicKey(ctx); err == nil {
				return key, nil
			}
		}
	}
	return nil, fmt.Errorf("%w: no public key and no certificate with the CKA_ID or the label of %s", ErrNotFound, o.URI())
}

// companions goes through the objects of a class that belong to this one: those of its CKA_ID, or, where that is empty,
// those of its label.
func (o *Object) companions(ctx context.Context, class ck.ObjectClass) iter.Seq2[*Object, error] {
	template := []ck.Attribute{Attr(ck.CKA_CLASS, class)}
	switch {
	case len(o.id) > 0:
		template = append(template, Attr(ck.CKA_ID, o.id))
	case len(o.label) > 0:
		template = append(template, Attr(ck.CKA_LABEL, o.label))
	default:
		return func(func(*Object, error) bool) {}
	}
	return o.find(ctx, template)
}

// equal compares public keys of any kind.
func equal(a, b crypto.PublicKey) bool {
	k, ok := a.(interface{ Equal(crypto.PublicKey) bool })
	return ok && k.Equal(b)
}
