package p11mux

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"errors"
	"fmt"

	"github.com/p11mux/p11mux/ck"
)

// signECDSA signs a digest by ECDSA. Of a digest that is longer than the curve's order, the beginning counts (FIPS 186-5
// §6.4.1); modules want it cut.
func (k *PrivateKey) signECDSA(public *ecdsa.PublicKey, digest []byte) ([]byte, error) {
	size := (public.Params().N.BitLen() + 7) / 8
	raw, err := k.sign(ck.Mechanism{Type: ck.CKM_ECDSA}, digest[:min(len(digest), size)])
	if err != nil {
		return nil, err
	}
	signature, err := toASN1(raw)
	if err != nil {
		m := k.object.token.module()
		return nil, m.refused(ck.FuncSign, ck.CKR_GENERAL_ERROR, err)
	}
	return signature, nil
}

// toASN1 makes the two numbers that PKCS#11 puts one after the other (PKCS#11 3.2 §6.3.1) the SEQUENCE that others have.
func toASN1(raw []byte) ([]byte, error) {
	const maxRaw = 2 * 66 // of P-521
	if len(raw) == 0 || len(raw)%2 != 0 || len(raw) > maxRaw {
		return nil, fmt.Errorf("an ECDSA signature of %d octets", len(raw))
	}
	r, s := positive(raw[:len(raw)/2]), positive(raw[len(raw)/2:])
	n := integerLen(r) + integerLen(s)
	out := make([]byte, 0, 3+n)
	out = append(out, 0x30)
	if n >= 0x80 {
		out = append(out, 0x81)
	}
	out = append(out, byte(n))
	return appendInteger(appendInteger(out, r), s), nil
}

// positive is a number without zeros before it.
func positive(b []byte) []byte {
	for len(b) > 1 && b[0] == 0 {
		b = b[1:]
	}
	return b
}

// integerLen is the length of a number as an INTEGER.
func integerLen(b []byte) int { return 2 + len(b) + int(b[0]>>7) }

// appendInteger adds a number as an INTEGER.
func appendInteger(out, b []byte) []byte {
	out = append(out, 0x02, byte(len(b))+b[0]>>7)
	if b[0]>>7 != 0 {
		out = append(out, 0) // or it would be negative
	}
	return append(out, b...)
}

// signEd25519 signs a message, or, as Ed25519ph, a digest of SHA-512 (RFC 8032).
func (k *PrivateKey) signEd25519(message []byte, opts crypto.SignerOpts) ([]byte, error) {
	context := ""
	if o, ok := opts.(*ed25519.Options); ok {
		context = o.Context
	}
	h := opts.HashFunc()
	switch {
	case h != 0 && h != crypto.SHA512:
		return nil, fmt.Errorf("%w: Ed25519 signs messages, or digests of SHA-512", errDigest)
	case len(context) > 255:
		return nil, errors.New("the context of an Ed25519 signature has no more than 255 octets")
	}
	mechanism := ck.Mechanism{Type: ck.CKM_EDDSA}
	if h == crypto.SHA512 || context != "" {
		mechanism.Param = &ck.EDDSAParams{Prehash: h == crypto.SHA512, ContextData: []byte(context)}
	}
	return k.sign(mechanism, message)
}
