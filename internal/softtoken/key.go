package softtoken

import (
	"crypto/aes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha1"
	"math/big"

	"github.com/p11mux/p11mux/ck"
)

// Sizes of keys: RSA in bits, of generic secrets in octets.
const (
	minRSA     = 1024
	maxRSA     = 4096
	maxGeneric = 4096
)

// completeSecret checks the value of a secret key.
func (o *object) completeSecret() error {
	value := o.attributes[ck.CKA_VALUE]
	check := sha1.Sum(value)
	switch {
	case o.keyType == ck.CKK_AES:
		block, err := aes.NewCipher(value)
		if err != nil {
			return ck.CKR_ATTRIBUTE_VALUE_INVALID
		}
		var zero [aes.BlockSize]byte
		block.Encrypt(check[:aes.BlockSize], zero[:])
	case len(value) == 0 || len(value) > maxGeneric:
		return ck.CKR_ATTRIBUTE_VALUE_INVALID
	}
	o.key = value
	if err := o.fill(ck.CKA_VALUE_LEN, fromULong(uint64(len(value)))); err != nil {
		return err
	}
	return o.checkValue(check[:])
}

// completePublic makes the Go key of a public key from its components.
func (o *object) completePublic() error {
	switch o.keyType {
	case ck.CKK_RSA:
		key, err := o.rsaPublic()
		if err != nil {
			return err
		}
		o.key = key
		if err := o.fill(ck.CKA_MODULUS_BITS, fromULong(uint64(key.N.BitLen()))); err != nil {
			return err
		}
	case ck.CKK_EC:
		curve, err := namedCurve(o.attributes[ck.CKA_EC_PARAMS])
		if err != nil {
			return err
		}
		point, ok := unwrapPoint(o.attributes[ck.CKA_EC_POINT])
		if !ok {
			return ck.CKR_ATTRIBUTE_VALUE_INVALID
		}
		key, err := ecdsa.ParseUncompressedPublicKey(curve, point)
		if err != nil {
			return ck.CKR_ATTRIBUTE_VALUE_INVALID
		}
		o.key = key
	case ck.CKK_EC_EDWARDS:
		if err := checkEdwards(o.attributes[ck.CKA_EC_PARAMS]); err != nil {
			return err
		}
		point, ok := unwrapPoint(o.attributes[ck.CKA_EC_POINT])
		if !ok || len(point) != ed25519.PublicKeySize {
			return ck.CKR_ATTRIBUTE_VALUE_INVALID
		}
		o.key = ed25519.PublicKey(point)
	}
	return o.fill(ck.CKA_PUBLIC_KEY_INFO, publicKeyInfo(o.key))
}

// completePrivate makes the Go key of a private key from its components.
func (o *object) completePrivate() error {
	var public any
	switch o.keyType {
	case ck.CKK_RSA:
		key, err := o.rsaPrivate()
		if err != nil {
			return err
		}
		o.key, public = key, &key.PublicKey
	case ck.CKK_EC:
		curve, err := namedCurve(o.attributes[ck.CKA_EC_PARAMS])
		if err != nil {
			return err
		}
		// The value is a big integer: leading zeros may be missing or too many.
		value := trimZeros(o.attributes[ck.CKA_VALUE])
		size := (curve.Params().N.BitLen() + 7) / 8
		if len(value) > size {
			return ck.CKR_ATTRIBUTE_VALUE_INVALID
		}
		scalar := make([]byte, size)
		copy(scalar[size-len(value):], value)
		key, err := ecdsa.ParseRawPrivateKey(curve, scalar)
		if err != nil {
			return ck.CKR_ATTRIBUTE_VALUE_INVALID
		}
		o.attributes[ck.CKA_VALUE] = scalar
		o.key, public = key, &key.PublicKey
	case ck.CKK_EC_EDWARDS:
		if err := checkEdwards(o.attributes[ck.CKA_EC_PARAMS]); err != nil {
			return err
		}
		seed := o.attributes[ck.CKA_VALUE]
		if len(seed) != ed25519.SeedSize {
			return ck.CKR_ATTRIBUTE_VALUE_INVALID
		}
		key := ed25519.NewKeyFromSeed(seed)
		o.key, public = key, key.Public()
	}
	return o.fill(ck.CKA_PUBLIC_KEY_INFO, publicKeyInfo(public))
}

// rsaPublic reads modulus and public exponent.
func (o *object) rsaPublic() (*rsa.PublicKey, error) {
	n := new(big.Int).SetBytes(o.attributes[ck.CKA_MODULUS])
	e := new(big.Int).SetBytes(o.attributes[ck.CKA_PUBLIC_EXPONENT])
	switch bits := n.BitLen(); {
	case bits < minRSA || bits > maxRSA || n.Bit(0) == 0:
		return nil, ck.CKR_ATTRIBUTE_VALUE_INVALID
	case e.BitLen() > 31 || e.Bit(0) == 0 || e.Int64() < 3:
		return nil, ck.CKR_ATTRIBUTE_VALUE_INVALID
	}
	return &rsa.PublicKey{N: n, E: int(e.Int64())}, nil
}

// rsaPrivate reads the components of a private key and checks that they belong together.
func (o *object) rsaPrivate() (*rsa.PrivateKey, error) {
	public, err := o.rsaPublic()
	if err != nil {
		return nil, err
	}
	p := new(big.Int).SetBytes(o.attributes[ck.CKA_PRIME_1])
	q := new(big.Int).SetBytes(o.attributes[ck.CKA_PRIME_2])
	if new(big.Int).Mul(p, q).Cmp(public.N) != 0 {
		return nil, ck.CKR_ATTRIBUTE_VALUE_INVALID
	}
	key := &rsa.PrivateKey{
		PublicKey: *public,
		D:         new(big.Int).SetBytes(o.attributes[ck.CKA_PRIVATE_EXPONENT]),
		Primes:    []*big.Int{p, q},
	}
	key.Precompute()
	if key.Validate() != nil {
		return nil, ck.CKR_ATTRIBUTE_VALUE_INVALID
	}
	for typ, v := range map[ck.AttributeType]*big.Int{
		ck.CKA_EXPONENT_1:  key.Precomputed.Dp,
		ck.CKA_EXPONENT_2:  key.Precomputed.Dq,
		ck.CKA_COEFFICIENT: key.Precomputed.Qinv,
	} {
		if err := o.fill(typ, v.Bytes()); err != nil {
			return nil, err
		}
	}
	return key, nil
}

// setKey stores the components of a key that was not made of a template. What follows from them is left to complete.
func (a attributes) setKey(key any) {
	switch k := key.(type) {
	case []byte:
		a[ck.CKA_VALUE] = k
	case *rsa.PublicKey:
		a[ck.CKA_MODULUS] = k.N.Bytes()
		a[ck.CKA_PUBLIC_EXPONENT] = big.NewInt(int64(k.E)).Bytes()
	case *rsa.PrivateKey:
		a.setKey(&k.PublicKey)
		a[ck.CKA_PRIVATE_EXPONENT] = k.D.Bytes()
		a[ck.CKA_PRIME_1] = k.Primes[0].Bytes()
		a[ck.CKA_PRIME_2] = k.Primes[1].Bytes()
	case *ecdsa.PublicKey:
		a[ck.CKA_EC_PARAMS] = paramsOf(k.Curve)
		a[ck.CKA_EC_POINT] = wrapPoint(mustBytes(k.Bytes()))
	case *ecdsa.PrivateKey:
		a[ck.CKA_EC_PARAMS] = paramsOf(k.Curve)
		a[ck.CKA_VALUE] = mustBytes(k.Bytes())
	case ed25519.PublicKey:
		a.setEdwards()
		a[ck.CKA_EC_POINT] = wrapPoint(k)
	case ed25519.PrivateKey:
		a.setEdwards()
		a[ck.CKA_VALUE] = k.Seed()
	}
}

// setEdwards names the curve, unless a template did in the other spelling.
func (a attributes) setEdwards() {
	if _, given := a[ck.CKA_EC_PARAMS]; !given {
		a[ck.CKA_EC_PARAMS] = []byte(paramsEd25519)
	}
}

// mustBytes is for keys that were generated or checked here, which always have an encoding.
func mustBytes(b []byte, err error) []byte {
	if err != nil {
		panic("softtoken: " + err.Error())
	}
	return b
}

// size gives the size of a key: of RSA and elliptic curves in bits, of others in octets.
func (o *object) size() int {
	switch k := o.key.(type) {
	case *rsa.PublicKey:
		return k.N.BitLen()
	case *rsa.PrivateKey:
		return k.N.BitLen()
	case *ecdsa.PublicKey:
		return k.Curve.Params().BitSize
	case *ecdsa.PrivateKey:
		return k.Curve.Params().BitSize
	case []byte:
		return len(k)
	}
	return 8 * ed25519.PublicKeySize
}
