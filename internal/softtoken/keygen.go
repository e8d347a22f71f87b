package softtoken

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"math/big"

	"github.com/p11mux/p11mux/ck"
)

// generateKey is C_GenerateKey.
func (t *Token) generateKey(s *session, c *ck.GenerateKeyCall) error {
	mech, err := mechanismFor(c.Mechanism, ck.CKF_GENERATE)
	if err != nil {
		return err
	}
	if err := noParam(c.Mechanism); err != nil {
		return err
	}
	a, err := readTemplate(c.Template)
	if err != nil {
		return err
	}
	typ := mech.keyType
	if typ == ck.CKK_GENERIC_SECRET {
		// A template may ask for a key of one of the HMACs' own types.
		if v, ok := a.number(ck.CKA_KEY_TYPE); ok && isSecretType(ck.KeyType(v)) && ck.KeyType(v) != ck.CKK_AES {
			typ = ck.KeyType(v)
		}
	}
	if err := a.implyKey(ck.CKO_SECRET_KEY, typ); err != nil {
		return err
	}
	key, err := newObject(a, generated)
	if err != nil {
		return err
	}
	if err := t.permitted(s, key); err != nil {
		return err
	}
	n, _ := key.number(ck.CKA_VALUE_LEN)
	if n > maxGeneric {
		return ck.CKR_ATTRIBUTE_VALUE_INVALID
	}
	value := make([]byte, n)
	rand.Read(value)
	key.setKey(value)
	key.history(generated, c.Mechanism.Type, nil)
	if err := key.complete(); err != nil {
		return err
	}
	return t.add(s, []*object{key}, &c.Key)
}

// generateKeyPair is C_GenerateKeyPair.
func (t *Token) generateKeyPair(s *session, c *ck.GenerateKeyPairCall) error {
	mech, err := mechanismFor(c.Mechanism, ck.CKF_GENERATE_KEY_PAIR)
	if err != nil {
		return err
	}
	if err := noParam(c.Mechanism); err != nil {
		return err
	}
	public, err := halfOfPair(c.PublicTemplate, ck.CKO_PUBLIC_KEY, mech.keyType)
	if err != nil {
		return err
	}
	private, err := halfOfPair(c.PrivateTemplate, ck.CKO_PRIVATE_KEY, mech.keyType)
	if err != nil {
		return err
	}
	for _, o := range []*object{public, private} {
		if err := t.permitted(s, o); err != nil {
			return err
		}
	}
	if err := generatePair(public, private); err != nil {
		return err
	}
	for _, o := range []*object{public, private} {
		o.history(generated, c.Mechanism.Type, nil)
		if err := o.complete(); err != nil {
			return err
		}
	}
	return t.add(s, []*object{public, private}, &c.PublicKey, &c.PrivateKey)
}

// halfOfPair makes one of the two objects of a pair, without its components.
func halfOfPair(template []ck.Attribute, class ck.ObjectClass, typ ck.KeyType) (*object, error) {
	a, err := readTemplate(template)
	if err != nil {
		return nil, err
	}
	if err := a.implyKey(class, typ); err != nil {
		return nil, err
	}
	return newObject(a, generated)
}

// generatePair makes a pair of the public template's size or curve and stores its components.
func generatePair(public, private *object) error {
	switch public.keyType {
	case ck.CKK_RSA:
		bits, _ := public.number(ck.CKA_MODULUS_BITS)
		if bits < minRSA || bits > maxRSA {
			return ck.CKR_ATTRIBUTE_VALUE_INVALID
		}
		// Go has one public exponent, 65537.
		if e, given := public.attributes[ck.CKA_PUBLIC_EXPONENT]; given && new(big.Int).SetBytes(e).Cmp(big.NewInt(65537)) != 0 {
			return ck.CKR_ATTRIBUTE_VALUE_INVALID
		}
		key, err := rsa.GenerateKey(rand.Reader, int(bits))
		if err != nil {
			return failed(err)
		}
		public.setKey(&key.PublicKey)
		private.setKey(key)
	case ck.CKK_EC:
		curve, err := namedCurve(public.attributes[ck.CKA_EC_PARAMS])
		if err != nil {
			return err
		}
		key, err := ecdsa.GenerateKey(curve, rand.Reader)
		if err != nil {
			return failed(err)
		}
		public.setKey(&key.PublicKey)
		private.setKey(key)
	case ck.CKK_EC_EDWARDS:
		if err := checkEdwards(public.attributes[ck.CKA_EC_PARAMS]); err != nil {
			return err
		}
		pub, key, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			return failed(err)
		}
		private.attributes[ck.CKA_EC_PARAMS] = public.attributes[ck.CKA_EC_PARAMS]
		public.setKey(pub)
		private.setKey(key)
	}
	return nil
}
