package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/p11mux/p11mux"
	"github.com/p11mux/p11mux/ck"
)

// openOurs opens a session of this module's, and with a login the key as a crypto.Signer, which uses the token's pool.
func openOurs(path string, login bool) (b *binding, err error) {
	ctx := context.Background()
	m, err := p11mux.LoadModule(path)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, m.Close())
		}
	}()
	slots, err := m.Slots(ctx)
	if err != nil {
		return nil, err
	}
	if len(slots) == 0 {
		return nil, fmt.Errorf("%s has no slot", path)
	}
	t, err := slots[0].Token(ctx)
	if err != nil {
		return nil, err
	}
	s, err := t.OpenSession(ctx, p11mux.ReadOnly)
	if err != nil {
		return nil, err
	}
	b = &binding{close: m.Close}
	b.info = func() error {
		_, err := s.Info(ctx)
		return err
	}
	template := []ck.Attribute{p11mux.Attr(ck.CKA_LABEL, searched)}
	b.find = func() error {
		n := 0
		for o, err := range s.Find(ctx, template...) {
			if err != nil {
				return err
			}
			if o.Class() == ck.CKO_SECRET_KEY {
				n++
			}
		}
		return checkFound(n)
	}
	var key *p11mux.Object
	mechanism := ck.Mechanism{Type: ck.CKM_RSA_PKCS}
	sign := func() ([]byte, error) { return s.Sign(ctx, mechanism, key, digestInfo) }
	if !login {
		key, err = s.Object(ctx, 1)
		b.sign = unchecked(sign)
		return b, err
	}
	if err := t.Login(ctx, p11mux.PINString(pin)); err != nil {
		return nil, err
	}
	for o, err := range s.Find(ctx, p11mux.Attr(ck.CKA_CLASS, ck.CKO_PRIVATE_KEY)) {
		if err != nil {
			return nil, err
		}
		key = o
	}
	private, err := m.PrivateKey(ctx, "pkcs11:token="+label+";object="+label)
	if err != nil {
		return nil, err
	}
	b.signer = private
	b.sign, err = checked(sign, private.Public())
	return b, err
}
