package p11mux

import (
	"context"

	"github.com/p11mux/p11mux/ck"
)

// GenerateKey makes a secret key, or domain parameters (C_GenerateKey, PKCS#11 3.2 §5.18). It ends with the session unless
// the template has CKA_TOKEN, as do all keys that this package's methods make.
func (s *Session) GenerateKey(ctx context.Context, mechanism ck.Mechanism, template ...ck.Attribute) (*Object, error) {
	call := &ck.GenerateKeyCall{Mechanism: &mechanism, Template: template}
	return s.make(ctx, call, &call.Key)
}

// GenerateKeyPair makes a public and a private key (C_GenerateKeyPair, PKCS#11 3.2 §5.18). Give both the same CKA_ID: it
// is by that that they find each other.
func (s *Session) GenerateKeyPair(ctx context.Context, mechanism ck.Mechanism, public, private []ck.Attribute) (pub, priv *Object, err error) {
	if err := s.begin(ctx, ck.FuncGenerateKeyPair); err != nil {
		return nil, nil, err
	}
	defer s.mu.Unlock()
	call := &ck.GenerateKeyPairCall{Session: s.handle, Mechanism: &mechanism, PublicTemplate: public, PrivateTemplate: private}
	if err := s.do(ctx, call); err != nil {
		return nil, nil, err
	}
	return s.made(ctx, call.PublicKey), s.made(ctx, call.PrivateKey), nil
}

// WrapKey encrypts a key with another one (C_WrapKey, PKCS#11 3.2 §5.18).
func (s *Session) WrapKey(ctx context.Context, mechanism ck.Mechanism, wrapping, key *Object) ([]byte, error) {
	with, err := s.use(wrapping, ck.FuncWrapKey)
	if err != nil {
		return nil, err
	}
	handle, err := s.use(key, ck.FuncWrapKey)
	if err != nil {
		return nil, err
	}
	if err := s.begin(ctx, ck.FuncWrapKey); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	call := &ck.WrapKeyCall{Session: s.handle, Mechanism: &mechanism, WrappingKey: with, Key: handle}
	return s.output(ctx, call, &call.WrappedKey, 4*guess) // RSA keys are long
}

// UnwrapKey decrypts a wrapped key and makes an object of it (C_UnwrapKey, PKCS#11 3.2 §5.18).
func (s *Session) UnwrapKey(ctx context.Context, mechanism ck.Mechanism, unwrapping *Object, wrapped []byte, template ...ck.Attribute) (*Object, error) {
	with, err := s.use(unwrapping, ck.FuncUnwrapKey)
	if err != nil {
		return nil, err
	}
	call := &ck.UnwrapKeyCall{Mechanism: &mechanism, UnwrappingKey: with, WrappedKey: notNil(wrapped), Template: template}
	return s.make(ctx, call, &call.Key)
}

// DeriveKey derives a key from another one (C_DeriveKey, PKCS#11 3.2 §5.18).
func (s *Session) DeriveKey(ctx context.Context, mechanism ck.Mechanism, base *Object, template ...ck.Attribute) (*Object, error) {
	from, err := s.use(base, ck.FuncDeriveKey)
	if err != nil {
		return nil, err
	}
	call := &ck.DeriveKeyCall{Mechanism: &mechanism, BaseKey: from, Template: template}
	return s.make(ctx, call, &call.Key)
}
