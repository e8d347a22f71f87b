package softtoken

import "github.com/p11mux/p11mux/ck"

// An origin is how an object comes to be; as a set it says in which templates an attribute may stand.
type origin uint8

const (
	created   origin = 1 << iota // C_CreateObject
	generated                    // C_GenerateKey, C_GenerateKeyPair
	unwrapped                    // C_UnwrapKey
	derived                      // C_DeriveKey

	never origin = 0
	made         = generated | unwrapped | derived
	all          = created | made
)

// A trait is what else there is to an attribute.
type trait uint8

const (
	settable trait = 1 << iota // C_SetAttributeValue may change it, and so may C_CopyObject
	copied                     // C_CopyObject may change it
	secret                     // not shown for keys that are sensitive or not extractable
	computed                   // has no default: it is required, or complete finds it
)

// A rule is what an attribute of one kind of object must obey (PKCS#11 3.2 §4).
type rule struct {
	typ    ck.AttributeType
	kind   kind
	at     origin // in these templates it may stand
	must   origin // in these it must
	traits trait
}

var storageRules = [...]rule{
	{ck.CKA_CLASS, ulong, all, created | unwrapped | derived, computed},
	{ck.CKA_TOKEN, boolean, all, never, copied},
	{ck.CKA_PRIVATE, boolean, all, never, copied},
	{ck.CKA_MODIFIABLE, boolean, all, never, copied},
	{ck.CKA_COPYABLE, boolean, all, never, settable},
	{ck.CKA_DESTROYABLE, boolean, all, never, copied},
	{ck.CKA_LABEL, octets, all, never, settable},
	{ck.CKA_UNIQUE_ID, octets, never, never, computed},
}

var dataRules = [...]rule{
	{ck.CKA_APPLICATION, octets, all, never, settable},
	{ck.CKA_OBJECT_ID, octets, all, never, settable},
	{ck.CKA_VALUE, octets, all, never, settable},
}

var certificateRules = [...]rule{
	{ck.CKA_CERTIFICATE_TYPE, ulong, created, created, computed},
	{ck.CKA_TRUSTED, boolean, created, never, settable},
	{ck.CKA_CERTIFICATE_CATEGORY, ulong, created, never, 0},
	{ck.CKA_CHECK_VALUE, octets, created, never, computed},
	{ck.CKA_START_DATE, date, created, never, 0},
	{ck.CKA_END_DATE, date, created, never, 0},
	{ck.CKA_PUBLIC_KEY_INFO, octets, created, never, 0},
	{ck.CKA_SUBJECT, octets, created, created, 0},
	{ck.CKA_ID, octets, created, never, settable},
	{ck.CKA_ISSUER, octets, created, never, settable},
	{ck.CKA_SERIAL_NUMBER, octets, created, never, settable},
	{ck.CKA_VALUE, octets, created, never, 0},
	{ck.CKA_URL, octets, created, never, 0},
	{ck.CKA_HASH_OF_SUBJECT_PUBLIC_KEY, octets, created, never, 0},
	{ck.CKA_HASH_OF_ISSUER_PUBLIC_KEY, octets, created, never, 0},
	{ck.CKA_JAVA_MIDP_SECURITY_DOMAIN, ulong, created, never, 0},
	{ck.CKA_NAME_HASH_ALGORITHM, ulong, created, never, 0},
}

var keyRules = [...]rule{
	{ck.CKA_KEY_TYPE, ulong, all, created | unwrapped | derived, computed},
	{ck.CKA_ID, octets, all, never, settable},
	{ck.CKA_START_DATE, date, all, never, settable},
	{ck.CKA_END_DATE, date, all, never, settable},
	{ck.CKA_DERIVE, boolean, all, never, settable},
	{ck.CKA_LOCAL, boolean, never, never, 0},
	{ck.CKA_KEY_GEN_MECHANISM, ulong, never, never, 0},
	{ck.CKA_ALLOWED_MECHANISMS, mechanismList, all, never, 0},
}

var publicRules = [...]rule{
	{ck.CKA_SUBJECT, octets, all, never, settable},
	{ck.CKA_ENCRYPT, boolean, all, never, settable},
	{ck.CKA_VERIFY, boolean, all, never, settable},
	{ck.CKA_VERIFY_RECOVER, boolean, all, never, settable},
	{ck.CKA_WRAP, boolean, all, never, settable},
	{ck.CKA_TRUSTED, boolean, all, never, settable},
	{ck.CKA_PUBLIC_KEY_INFO, octets, created, never, computed},
}

var privateRules = [...]rule{
	{ck.CKA_SUBJECT, octets, all, never, settable},
	{ck.CKA_SENSITIVE, boolean, all, never, settable},
	{ck.CKA_DECRYPT, boolean, all, never, settable},
	{ck.CKA_SIGN, boolean, all, never, settable},
	{ck.CKA_SIGN_RECOVER, boolean, all, never, settable},
	{ck.CKA_UNWRAP, boolean, all, never, settable},
	{ck.CKA_EXTRACTABLE, boolean, all, never, settable},
	{ck.CKA_ALWAYS_SENSITIVE, boolean, never, never, 0},
	{ck.CKA_NEVER_EXTRACTABLE, boolean, never, never, 0},
	{ck.CKA_WRAP_WITH_TRUSTED, boolean, all, never, settable},
	{ck.CKA_ALWAYS_AUTHENTICATE, boolean, all, never, 0},
	{ck.CKA_PUBLIC_KEY_INFO, octets, created | unwrapped, never, computed},
}

var secretRules = [...]rule{
	{ck.CKA_SENSITIVE, boolean, all, never, settable},
	{ck.CKA_ENCRYPT, boolean, all, never, settable},
	{ck.CKA_DECRYPT, boolean, all, never, settable},
	{ck.CKA_SIGN, boolean, all, never, settable},
	{ck.CKA_VERIFY, boolean, all, never, settable},
	{ck.CKA_WRAP, boolean, all, never, settable},
	{ck.CKA_UNWRAP, boolean, all, never, settable},
	{ck.CKA_EXTRACTABLE, boolean, all, never, settable},
	{ck.CKA_ALWAYS_SENSITIVE, boolean, never, never, 0},
	{ck.CKA_NEVER_EXTRACTABLE, boolean, never, never, 0},
	{ck.CKA_CHECK_VALUE, octets, all, never, computed},
	{ck.CKA_WRAP_WITH_TRUSTED, boolean, all, never, settable},
	{ck.CKA_TRUSTED, boolean, all, never, settable},
	{ck.CKA_VALUE, octets, created, created, secret | computed},
	// The standard wants the length in some templates only; a length that is right does no harm in the others.
	{ck.CKA_VALUE_LEN, ulong, all, generated, computed},
}

var rsaPublicRules = [...]rule{
	{ck.CKA_MODULUS, bigInt, created, created, computed},
	{ck.CKA_MODULUS_BITS, ulong, generated, generated, computed},
	{ck.CKA_PUBLIC_EXPONENT, bigInt, created | generated, created, computed},
}

// The standard leaves it to the token which components of a private key it wants; this one wants those from which the
// rest follows.
var rsaPrivateRules = [...]rule{
	{ck.CKA_MODULUS, bigInt, created, created, computed},
	{ck.CKA_PUBLIC_EXPONENT, bigInt, created, created, computed},
	{ck.CKA_PRIVATE_EXPONENT, bigInt, created, created, secret | computed},
	{ck.CKA_PRIME_1, bigInt, created, created, secret | computed},
	{ck.CKA_PRIME_2, bigInt, created, created, secret | computed},
	{ck.CKA_EXPONENT_1, bigInt, created, never, secret | computed},
	{ck.CKA_EXPONENT_2, bigInt, created, never, secret | computed},
	{ck.CKA_COEFFICIENT, bigInt, created, never, secret | computed},
}

var ecPublicRules = [...]rule{
	{ck.CKA_EC_PARAMS, octets, created | generated, created | generated, computed},
	{ck.CKA_EC_POINT, octets, created, created, computed},
}

var ecPrivateRules = [...]rule{
	{ck.CKA_EC_PARAMS, octets, created, created, computed},
	{ck.CKA_VALUE, octets, created, created, secret | computed},
}

var profileRules = [...]rule{
	{ck.CKA_PROFILE_ID, ulong, never, never, computed},
}

// A schema is the rules for one kind of object.
type schema [4][]rule

// schemaFor gives the rules for a class and, of keys, a type. It is false for what the token does not keep.
func schemaFor(class ck.ObjectClass, typ ck.KeyType) (schema, bool) {
	s := schema{storageRules[:]}
	switch class {
	case ck.CKO_DATA:
		s[1] = dataRules[:]
		return s, true
	case ck.CKO_CERTIFICATE:
		s[1] = certificateRules[:]
		return s, true
	case ck.CKO_PROFILE:
		s[1] = profileRules[:]
		return s, true
	}
	s[1] = keyRules[:]
	switch class {
	case ck.CKO_PUBLIC_KEY:
		s[2] = publicRules[:]
		switch typ {
		case ck.CKK_RSA:
			s[3] = rsaPublicRules[:]
		case ck.CKK_EC, ck.CKK_EC_EDWARDS:
			s[3] = ecPublicRules[:]
		}
	case ck.CKO_PRIVATE_KEY:
		s[2] = privateRules[:]
		switch typ {
		case ck.CKK_RSA:
			s[3] = rsaPrivateRules[:]
		case ck.CKK_EC, ck.CKK_EC_EDWARDS:
			s[3] = ecPrivateRules[:]
		}
	case ck.CKO_SECRET_KEY:
		s[2] = secretRules[:]
		return s, isSecretType(typ)
	}
	return s, s[3] != nil
}

// isSecretType tells whether the token keeps secret keys of a type.
func isSecretType(typ ck.KeyType) bool {
	switch typ {
	case ck.CKK_GENERIC_SECRET, ck.CKK_AES, ck.CKK_SHA_1_HMAC, ck.CKK_SHA224_HMAC, ck.CKK_SHA256_HMAC, ck.CKK_SHA384_HMAC,
		ck.CKK_SHA512_HMAC:
		return true
	}
	return false
}

// rule finds the rule for an attribute, nil for none.
func (s *schema) rule(typ ck.AttributeType) *rule {
	for _, rules := range s {
		for i := range rules {
			if rules[i].typ == typ {
				return &rules[i]
			}
		}
	}
	return nil
}

// defaultFor gives the value of an attribute that a template leaves out. Where the standard leaves the choice to the
// token, keys may do what their type is for, except wrapping and derivation, which let key material out.
func defaultFor(r *rule, class ck.ObjectClass, typ ck.KeyType, how origin) []byte {
	switch r.kind {
	case boolean:
		return fromBool(defaultFlag(r.typ, class, typ, how))
	case ulong:
		switch r.typ {
		case ck.CKA_KEY_GEN_MECHANISM:
			return fromULong(ck.CK_UNAVAILABLE_INFORMATION)
		case ck.CKA_NAME_HASH_ALGORITHM:
			return fromULong(uint64(ck.CKM_SHA_1))
		}
		return fromULong(0)
	}
	return []byte{}
}

// defaultFlag is defaultFor attributes that are true or false.
func defaultFlag(attr ck.AttributeType, class ck.ObjectClass, typ ck.KeyType, how origin) bool {
	switch attr {
	case ck.CKA_MODIFIABLE, ck.CKA_COPYABLE, ck.CKA_DESTROYABLE:
		return true
	case ck.CKA_PRIVATE:
		return class == ck.CKO_PRIVATE_KEY || class == ck.CKO_SECRET_KEY
	case ck.CKA_SENSITIVE:
		return class == ck.CKO_PRIVATE_KEY
	case ck.CKA_EXTRACTABLE:
		return how == unwrapped
	case ck.CKA_ENCRYPT, ck.CKA_DECRYPT:
		return typ == ck.CKK_RSA || typ == ck.CKK_AES
	case ck.CKA_SIGN, ck.CKA_VERIFY:
		return typ != ck.CKK_AES
	}
	return false
}
