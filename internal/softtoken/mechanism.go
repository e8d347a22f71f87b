package softtoken

import (
	"crypto"

	"github.com/p11mux/p11mux/ck"
)

// A mechanism is what the token can do under one CKM_.
type mechanism struct {
	typ      ck.MechanismType
	keyType  ck.KeyType  // of the key that it works with or makes
	hash     crypto.Hash // that it uses, 0 for none
	min, max uint64      // as in CK_MECHANISM_INFO
	flags    ck.Flags
}

// noKey stands in place of a type of key for mechanisms without one.
const noKey = ck.CKK_VENDOR_DEFINED

const (
	signs    = ck.CKF_SIGN | ck.CKF_VERIFY
	encrypts = ck.CKF_ENCRYPT | ck.CKF_DECRYPT
	wraps    = ck.CKF_WRAP | ck.CKF_UNWRAP
	onCurve  = ck.CKF_EC_F_P | ck.CKF_EC_OID | ck.CKF_EC_UNCOMPRESS
)

// mechanisms are those of the token, in the order in which C_GetMechanismList gives them.
var mechanisms = [...]mechanism{
	{ck.CKM_RSA_PKCS_KEY_PAIR_GEN, ck.CKK_RSA, 0, minRSA, maxRSA, ck.CKF_GENERATE_KEY_PAIR},
	{ck.CKM_RSA_PKCS, ck.CKK_RSA, 0, minRSA, maxRSA, signs | encrypts | wraps},
	{ck.CKM_RSA_PKCS_OAEP, ck.CKK_RSA, 0, minRSA, maxRSA, encrypts | wraps},
	{ck.CKM_SHA1_RSA_PKCS, ck.CKK_RSA, crypto.SHA1, minRSA, maxRSA, signs},
	{ck.CKM_SHA224_RSA_PKCS, ck.CKK_RSA, crypto.SHA224, minRSA, maxRSA, signs},
	{ck.CKM_SHA256_RSA_PKCS, ck.CKK_RSA, crypto.SHA256, minRSA, maxRSA, signs},
	{ck.CKM_SHA384_RSA_PKCS, ck.CKK_RSA, crypto.SHA384, minRSA, maxRSA, signs},
	{ck.CKM_SHA512_RSA_PKCS, ck.CKK_RSA, crypto.SHA512, minRSA, maxRSA, signs},
	{ck.CKM_RSA_PKCS_PSS, ck.CKK_RSA, 0, minRSA, maxRSA, signs},
	{ck.CKM_SHA1_RSA_PKCS_PSS, ck.CKK_RSA, crypto.SHA1, minRSA, maxRSA, signs},
	{ck.CKM_SHA224_RSA_PKCS_PSS, ck.CKK_RSA, crypto.SHA224, minRSA, maxRSA, signs},
	{ck.CKM_SHA256_RSA_PKCS_PSS, ck.CKK_RSA, crypto.SHA256, minRSA, maxRSA, signs},
	{ck.CKM_SHA384_RSA_PKCS_PSS, ck.CKK_RSA, crypto.SHA384, minRSA, maxRSA, signs},
	{ck.CKM_SHA512_RSA_PKCS_PSS, ck.CKK_RSA, crypto.SHA512, minRSA, maxRSA, signs},

	{ck.CKM_EC_KEY_PAIR_GEN, ck.CKK_EC, 0, 256, 521, ck.CKF_GENERATE_KEY_PAIR | onCurve},
	{ck.CKM_ECDSA, ck.CKK_EC, 0, 256, 521, signs | onCurve},
	{ck.CKM_ECDSA_SHA1, ck.CKK_EC, crypto.SHA1, 256, 521, signs | onCurve},
	{ck.CKM_ECDSA_SHA224, ck.CKK_EC, crypto.SHA224, 256, 521, signs | onCurve},
	{ck.CKM_ECDSA_SHA256, ck.CKK_EC, crypto.SHA256, 256, 521, signs | onCurve},
	{ck.CKM_ECDSA_SHA384, ck.CKK_EC, crypto.SHA384, 256, 521, signs | onCurve},
	{ck.CKM_ECDSA_SHA512, ck.CKK_EC, crypto.SHA512, 256, 521, signs | onCurve},
	{ck.CKM_ECDH1_DERIVE, ck.CKK_EC, 0, 256, 521, ck.CKF_DERIVE | onCurve},
	{ck.CKM_EC_EDWARDS_KEY_PAIR_GEN, ck.CKK_EC_EDWARDS, 0, 256, 256, ck.CKF_GENERATE_KEY_PAIR | onCurve | ck.CKF_EC_CURVENAME},
	{ck.CKM_EDDSA, ck.CKK_EC_EDWARDS, 0, 256, 256, signs | onCurve | ck.CKF_EC_CURVENAME},

	{ck.CKM_AES_KEY_GEN, ck.CKK_AES, 0, 16, 32, ck.CKF_GENERATE},
	{ck.CKM_AES_ECB, ck.CKK_AES, 0, 16, 32, encrypts},
	{ck.CKM_AES_CBC, ck.CKK_AES, 0, 16, 32, encrypts},
	{ck.CKM_AES_CBC_PAD, ck.CKK_AES, 0, 16, 32, encrypts | wraps},
	{ck.CKM_AES_CTR, ck.CKK_AES, 0, 16, 32, encrypts},
	{ck.CKM_AES_GCM, ck.CKK_AES, 0, 16, 32, encrypts},
	{ck.CKM_AES_KEY_WRAP, ck.CKK_AES, 0, 16, 32, wraps},
	{ck.CKM_AES_KEY_WRAP_PAD, ck.CKK_AES, 0, 16, 32, wraps},
	{ck.CKM_AES_KEY_WRAP_KWP, ck.CKK_AES, 0, 16, 32, wraps},

	{ck.CKM_GENERIC_SECRET_KEY_GEN, ck.CKK_GENERIC_SECRET, 0, 8, 8 * maxGeneric, ck.CKF_GENERATE},
	{ck.CKM_SHA_1_HMAC, ck.CKK_SHA_1_HMAC, crypto.SHA1, 1, maxGeneric, signs},
	{ck.CKM_SHA_1_HMAC_GENERAL, ck.CKK_SHA_1_HMAC, crypto.SHA1, 1, maxGeneric, signs},
	{ck.CKM_SHA224_HMAC, ck.CKK_SHA224_HMAC, crypto.SHA224, 1, maxGeneric, signs},
	{ck.CKM_SHA224_HMAC_GENERAL, ck.CKK_SHA224_HMAC, crypto.SHA224, 1, maxGeneric, signs},
	{ck.CKM_SHA256_HMAC, ck.CKK_SHA256_HMAC, crypto.SHA256, 1, maxGeneric, signs},
	{ck.CKM_SHA256_HMAC_GENERAL, ck.CKK_SHA256_HMAC, crypto.SHA256, 1, maxGeneric, signs},
	{ck.CKM_SHA384_HMAC, ck.CKK_SHA384_HMAC, crypto.SHA384, 1, maxGeneric, signs},
	{ck.CKM_SHA384_HMAC_GENERAL, ck.CKK_SHA384_HMAC, crypto.SHA384, 1, maxGeneric, signs},
	{ck.CKM_SHA512_HMAC, ck.CKK_SHA512_HMAC, crypto.SHA512, 1, maxGeneric, signs},
	{ck.CKM_SHA512_HMAC_GENERAL, ck.CKK_SHA512_HMAC, crypto.SHA512, 1, maxGeneric, signs},

	{ck.CKM_SHA_1, noKey, crypto.SHA1, 0, 0, ck.CKF_DIGEST},
	{ck.CKM_SHA224, noKey, crypto.SHA224, 0, 0, ck.CKF_DIGEST},
	{ck.CKM_SHA256, noKey, crypto.SHA256, 0, 0, ck.CKF_DIGEST},
	{ck.CKM_SHA384, noKey, crypto.SHA384, 0, 0, ck.CKF_DIGEST},
	{ck.CKM_SHA512, noKey, crypto.SHA512, 0, 0, ck.CKF_DIGEST},
}

// findMechanism finds a mechanism, nil for none.
func findMechanism(typ ck.MechanismType) *mechanism {
	for i := range mechanisms {
		if mechanisms[i].typ == typ {
			return &mechanisms[i]
		}
	}
	return nil
}

// mechanismFor finds the mechanism of a call and checks that it can do what the call is for.
func mechanismFor(m *ck.Mechanism, flag ck.Flags) (*mechanism, error) {
	if m == nil {
		return nil, ck.CKR_ARGUMENTS_BAD
	}
	found := findMechanism(m.Type)
	if found == nil || found.flags&flag == 0 {
		return nil, ck.CKR_MECHANISM_INVALID
	}
	return found, nil
}

// A use is what a key is needed for.
type use struct {
	flag      ck.Flags         // that the mechanism needs
	attribute ck.AttributeType // that the key needs
	public    bool             // of a pair, it is the public key that does it
}

var (
	toEncrypt = use{ck.CKF_ENCRYPT, ck.CKA_ENCRYPT, true}
	toDecrypt = use{ck.CKF_DECRYPT, ck.CKA_DECRYPT, false}
	toSign    = use{ck.CKF_SIGN, ck.CKA_SIGN, false}
	toVerify  = use{ck.CKF_VERIFY, ck.CKA_VERIFY, true}
	toWrap    = use{ck.CKF_WRAP, ck.CKA_WRAP, true}
	toUnwrap  = use{ck.CKF_UNWRAP, ck.CKA_UNWRAP, false}
	toDerive  = use{ck.CKF_DERIVE, ck.CKA_DERIVE, false}
)

// keyFor finds the mechanism and the key of a call and checks that they go together.
func (t *Token) keyFor(m *ck.Mechanism, h ck.ObjectHandle, u use) (*mechanism, *object, error) {
	mech, err := mechanismFor(m, u.flag)
	if err != nil {
		return nil, nil, err
	}
	key, err := t.object(h)
	switch {
	case err != nil || !key.isKey():
		return nil, nil, ck.CKR_KEY_HANDLE_INVALID
	case !mech.takes(key, u):
		return nil, nil, ck.CKR_KEY_TYPE_INCONSISTENT
	case !key.flag(u.attribute):
		return nil, nil, ck.CKR_KEY_FUNCTION_NOT_PERMITTED
	case !key.allows(m.Type):
		return nil, nil, ck.CKR_MECHANISM_INVALID
	}
	return mech, key, nil
}

// takes tells whether a key is of the class and type that a mechanism works with.
func (m *mechanism) takes(key *object, u use) bool {
	class := ck.CKO_SECRET_KEY
	switch m.keyType {
	case ck.CKK_RSA, ck.CKK_EC, ck.CKK_EC_EDWARDS:
		class = ck.CKO_PRIVATE_KEY
		if u.public {
			class = ck.CKO_PUBLIC_KEY
		}
	}
	if key.class != class {
		return false
	}
	// The HMACs take generic secrets beside keys of their own type.
	return key.keyType == m.keyType || key.keyType == ck.CKK_GENERIC_SECRET && m.hash != 0
}

// allows tells whether CKA_ALLOWED_MECHANISMS of a key has a mechanism, or no restriction.
func (o *object) allows(typ ck.MechanismType) bool {
	list := o.attributes[ck.CKA_ALLOWED_MECHANISMS]
	if len(list) == 0 {
		return true
	}
	for ; len(list) >= ulongLen; list = list[ulongLen:] {
		if v, _ := toULong(list[:ulongLen]); ck.MechanismType(v) == typ {
			return true
		}
	}
	return false
}
