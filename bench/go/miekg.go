package main

import (
	"bytes"
	"crypto/rsa"
	"errors"
	"fmt"
	"math/big"

	"github.com/miekg/pkcs11"
)

// openMiekg opens a session by miekg/pkcs11, which has no pool and no crypto.Signer.
func openMiekg(path string, login bool) (b *binding, err error) {
	m := pkcs11.New(path)
	if m == nil {
		return nil, fmt.Errorf("%s cannot be loaded", path)
	}
	if err := m.Initialize(); err != nil {
		m.Destroy()
		return nil, err
	}
	b = &binding{close: func() error {
		err := m.Finalize()
		m.Destroy()
		return err
	}}
	defer func() {
		if err != nil {
			err = errors.Join(err, b.close())
		}
	}()
	slots, err := m.GetSlotList(true)
	if err != nil {
		return nil, err
	}
	if len(slots) == 0 {
		return nil, fmt.Errorf("%s has no token", path)
	}
	s, err := m.OpenSession(slots[0], pkcs11.CKF_SERIAL_SESSION)
	if err != nil {
		return nil, err
	}
	b.info = func() error {
		_, err := m.GetSessionInfo(s)
		return err
	}
	template := []*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_LABEL, searched)}
	wanted := []*pkcs11.Attribute{
		pkcs11.NewAttribute(pkcs11.CKA_CLASS, nil), pkcs11.NewAttribute(pkcs11.CKA_KEY_TYPE, nil),
		pkcs11.NewAttribute(pkcs11.CKA_LABEL, nil), pkcs11.NewAttribute(pkcs11.CKA_ID, nil),
	}
	class := pkcs11.NewAttribute(pkcs11.CKA_CLASS, pkcs11.CKO_SECRET_KEY).Value
	b.find = func() error {
		handles, err := search(m, s, template)
		if err != nil {
			return err
		}
		n := 0
		for _, o := range handles {
			values, err := m.GetAttributeValue(s, o, wanted)
			if err != nil {
				return err
			}
			if bytes.Equal(values[0].Value, class) {
				n++
			}
		}
		return checkFound(n)
	}
	var key pkcs11.ObjectHandle = 1
	mechanism := []*pkcs11.Mechanism{pkcs11.NewMechanism(pkcs11.CKM_RSA_PKCS, nil)}
	sign := func() ([]byte, error) {
		if err := m.SignInit(s, mechanism, key); err != nil {
			return nil, err
		}
		return m.Sign(s, digestInfo)
	}
	if !login {
		b.sign = unchecked(sign)
		return b, nil
	}
	if err := m.Login(s, pkcs11.CKU_USER, pin); err != nil {
		return nil, err
	}
	public, err := one(m, s, pkcs11.CKO_PUBLIC_KEY)
	if err != nil {
		return nil, err
	}
	if key, err = one(m, s, pkcs11.CKO_PRIVATE_KEY); err != nil {
		return nil, err
	}
	numbers, err := m.GetAttributeValue(s, public, []*pkcs11.Attribute{
		pkcs11.NewAttribute(pkcs11.CKA_MODULUS, nil), pkcs11.NewAttribute(pkcs11.CKA_PUBLIC_EXPONENT, nil),
	})
	if err != nil {
		return nil, err
	}
	e := new(big.Int).SetBytes(numbers[1].Value)
	b.sign, err = checked(sign, &rsa.PublicKey{N: new(big.Int).SetBytes(numbers[0].Value), E: int(e.Int64())})
	return b, err
}

// search gives all objects that match. A module may give fewer at a time than it is asked for: the end is where it gives
// none (PKCS#11 3.2 §5.7).
func search(m *pkcs11.Ctx, s pkcs11.SessionHandle, template []*pkcs11.Attribute) (all []pkcs11.ObjectHandle, err error) {
	if err := m.FindObjectsInit(s, template); err != nil {
		return nil, err
	}
	for {
		some, _, err := m.FindObjects(s, 64)
		if err != nil {
			return nil, errors.Join(err, m.FindObjectsFinal(s))
		}
		if len(some) == 0 {
			return all, m.FindObjectsFinal(s)
		}
		all = append(all, some...)
	}
}

// one is the only object of a class.
func one(m *pkcs11.Ctx, s pkcs11.SessionHandle, class uint) (pkcs11.ObjectHandle, error) {
	handles, err := search(m, s, []*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_CLASS, class)})
	if err != nil {
		return 0, err
	}
	if len(handles) != 1 {
		return 0, fmt.Errorf("the token has %d objects of class %d, want 1", len(handles), class)
	}
	return handles[0], nil
}
