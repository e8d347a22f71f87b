package softtoken

import (
	"crypto/aes"

	"github.com/p11mux/p11mux/ck"
)

// wrapKey is C_WrapKey. Secret keys are wrapped as their value, private keys as PrivateKeyInfo, and the latter not with
// RSA, which has no room for them.
func (t *Token) wrapKey(s *session, c *ck.WrapKeyCall) error {
	mech, with, err := t.keyFor(c.Mechanism, c.WrappingKey, toWrap)
	if err != nil {
		return wrappingError(err)
	}
	key, err := t.object(c.Key)
	switch {
	case err != nil || !key.isKey():
		return ck.CKR_KEY_HANDLE_INVALID
	case key.class == ck.CKO_PUBLIC_KEY, key.class == ck.CKO_PRIVATE_KEY && mech.keyType == ck.CKK_RSA:
		return ck.CKR_KEY_NOT_WRAPPABLE
	case !key.flag(ck.CKA_EXTRACTABLE):
		return ck.CKR_KEY_UNEXTRACTABLE
	case key.flag(ck.CKA_WRAP_WITH_TRUSTED) && !with.flag(ck.CKA_TRUSTED):
		return ck.CKR_KEY_NOT_WRAPPABLE
	}
	value, secret := key.key.([]byte)
	if !secret {
		value = marshalPrivateKey(key.key)
		defer clear(value)
	}
	var wrapped []byte
	if isKeyWrap(c.Mechanism.Type) {
		w, err := newAESKeyWrap(c.Mechanism, with)
		if err != nil {
			return err
		}
		wrapped, err = w.wrap(value)
		if err != nil {
			return err
		}
	} else {
		tr, err := newTransform(c.Mechanism, with, false)
		if err != nil {
			return wrappingError(err)
		}
		if wrapped, err = tr.whole(value); err != nil {
			return ck.CKR_KEY_SIZE_RANGE
		}
	}
	return deliver(&c.WrappedKey, wrapped)
}

// unwrapKey is C_UnwrapKey.
func (t *Token) unwrapKey(s *session, c *ck.UnwrapKeyCall) error {
	mech, with, err := t.keyFor(c.Mechanism, c.UnwrappingKey, toUnwrap)
	if err != nil {
		return unwrappingError(err)
	}
	a, err := readTemplate(c.Template)
	if err != nil {
		return err
	}
	key, err := newObject(a, unwrapped)
	switch {
	case err != nil:
		return err
	case key.class != ck.CKO_SECRET_KEY && key.class != ck.CKO_PRIVATE_KEY:
		return ck.CKR_TEMPLATE_INCONSISTENT
	case key.class == ck.CKO_PRIVATE_KEY && mech.keyType == ck.CKK_RSA:
		return ck.CKR_TEMPLATE_INCONSISTENT
	}
	if err := t.permitted(s, key); err != nil {
		return err
	}
	value, err := unwrapValue(c.Mechanism, with, c.WrappedKey)
	if err != nil {
		return err
	}
	if key.class == ck.CKO_SECRET_KEY {
		key.setKey(value)
	} else {
		components, err := unmarshalPrivateKey(value, key.keyType)
		clear(value)
		if err != nil {
			return err
		}
		for typ, v := range components {
			key.attributes[typ] = v
		}
	}
	key.history(unwrapped, 0, nil)
	if err := key.complete(); err != nil {
		if _, lengthGiven := a[ck.CKA_VALUE_LEN]; lengthGiven {
			return ck.CKR_TEMPLATE_INCONSISTENT
		}
		return ck.CKR_WRAPPED_KEY_INVALID
	}
	return t.add(s, []*object{key}, &c.Key)
}

// unwrapValue decrypts a wrapped key.
func unwrapValue(m *ck.Mechanism, with *object, wrapped []byte) ([]byte, error) {
	if isKeyWrap(m.Type) {
		w, err := newAESKeyWrap(m, with)
		if err != nil {
			return nil, err
		}
		return w.unwrap(wrapped)
	}
	tr, err := newTransform(m, with, true)
	if err != nil {
		return nil, unwrappingError(err)
	}
	value, err := tr.whole(wrapped)
	switch err {
	case nil:
		return value, nil
	case ck.CKR_ENCRYPTED_DATA_LEN_RANGE:
		return nil, ck.CKR_WRAPPED_KEY_LEN_RANGE
	}
	return nil, ck.CKR_WRAPPED_KEY_INVALID
}

// isKeyWrap tells whether a mechanism is AES key wrap.
func isKeyWrap(typ ck.MechanismType) bool {
	switch typ {
	case ck.CKM_AES_KEY_WRAP, ck.CKM_AES_KEY_WRAP_PAD, ck.CKM_AES_KEY_WRAP_KWP:
		return true
	}
	return false
}

func newAESKeyWrap(m *ck.Mechanism, with *object) (*keyWrap, error) {
	b, err := aes.NewCipher(with.key.([]byte))
	if err != nil {
		return nil, failed(err)
	}
	return newKeyWrap(m, b)
}

// wrappingError says of the wrapping key what keyFor says of any key.
func wrappingError(err error) error {
	switch err {
	case ck.CKR_KEY_HANDLE_INVALID:
		return ck.CKR_WRAPPING_KEY_HANDLE_INVALID
	case ck.CKR_KEY_TYPE_INCONSISTENT:
		return ck.CKR_WRAPPING_KEY_TYPE_INCONSISTENT
	case ck.CKR_KEY_SIZE_RANGE:
		return ck.CKR_WRAPPING_KEY_SIZE_RANGE
	}
	return err
}

// unwrappingError is wrappingError for C_UnwrapKey.
func unwrappingError(err error) error {
	switch err {
	case ck.CKR_KEY_HANDLE_INVALID:
		return ck.CKR_UNWRAPPING_KEY_HANDLE_INVALID
	case ck.CKR_KEY_TYPE_INCONSISTENT:
		return ck.CKR_UNWRAPPING_KEY_TYPE_INCONSISTENT
	case ck.CKR_KEY_SIZE_RANGE:
		return ck.CKR_UNWRAPPING_KEY_SIZE_RANGE
	}
	return err
}
