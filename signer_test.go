package p11mux

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"encoding/asn1"
	"math/big"
	"testing"

	"github.com/p11mux/p11mux/ck"
)

// verify checks a signature by Go's own means.
func verify(public crypto.PublicKey, digest, signature []byte, opts crypto.SignerOpts) bool {
	switch public := public.(type) {
	case *rsa.PublicKey:
		if pss, ok := opts.(*rsa.PSSOptions); ok {
			return rsa.VerifyPSS(public, pss.Hash, digest, signature, pss) == nil
		}
		return rsa.VerifyPKCS1v15(public, opts.HashFunc(), digest, signature) == nil
	case *ecdsa.PublicKey:
		return ecdsa.VerifyASN1(public, digest, signature)
	case ed25519.PublicKey:
		return ed25519.VerifyWithOptions(public, digest, signature, &ed25519.Options{Hash: opts.HashFunc()}) == nil
	}
	return false
}

// hashed is a digest of some message.
func hashed(h crypto.Hash) []byte {
	if h == 0 {
		return []byte("the message itself")
	}
	w := h.New()
	w.Write([]byte("a message"))
	return w.Sum(nil)
}

// signs has a key sign in all ways that are asked for.
func signs(t *testing.T, key crypto.Signer, all ...crypto.SignerOpts) {
	t.Helper()
	for _, opts := range all {
		digest := hashed(opts.HashFunc())
		signature, err := key.Sign(rand.Reader, digest, opts)
		if err != nil {
			t.Errorf("%T %v: %v", key.Public(), opts, err)
			continue
		}
		if !verify(key.Public(), digest, signature, opts) {
			t.Errorf("%T %v: a wrong signature", key.Public(), opts)
		}
		digest[0]++
		if verify(key.Public(), digest, signature, opts) {
			t.Errorf("%T %v: a signature of anything", key.Public(), opts)
		}
	}
}

var (
	hashes = []crypto.SignerOpts{crypto.SHA256, crypto.SHA384, crypto.SHA512}
	pss    = []crypto.SignerOpts{
		&rsa.PSSOptions{Hash: crypto.SHA256, SaltLength: rsa.PSSSaltLengthEqualsHash},
		&rsa.PSSOptions{Hash: crypto.SHA512, SaltLength: rsa.PSSSaltLengthAuto},
		&rsa.PSSOptions{Hash: crypto.SHA384, SaltLength: 7},
	}
)

// optsFor are all ways that a kind of key can sign in.
func optsFor(kind string) []crypto.SignerOpts {
	switch kind {
	case "RSA":
		return append(append([]crypto.SignerOpts{crypto.SHA1, crypto.SHA224}, hashes...), pss...)
	case "Ed25519":
		return []crypto.SignerOpts{crypto.Hash(0)}
	}
	return hashes
}

func TestSigners(t *testing.T) {
	f := openToken(t)
	for _, p := range pairs {
		t.Run(p.name, func(t *testing.T) {
			f.generate(p.name, p.name)
			key, err := f.token.module().PrivateKey(f.ctx, "pkcs11:object="+p.name)
			if err != nil {
				t.Fatal(err)
			}
			signs(t, key, optsFor(p.name)...)
		})
	}
}

func TestSignerRefuses(t *testing.T) {
	f := openToken(t)
	_, r := f.generate("RSA", "r")
	_, e := f.generate("Ed25519", "e")
	for _, test := range []struct {
		name   string
		object *Object
		digest []byte
		opts   crypto.SignerOpts
		want   error
	}{
		{"a digest of another length", r, make([]byte, 20), crypto.SHA256, errDigest},
		{"an unknown hash", r, make([]byte, 16), crypto.MD5, ErrUnsupported},
		{"PSS with an unknown hash", r, make([]byte, 16), &rsa.PSSOptions{Hash: crypto.MD5}, ErrUnsupported},
		{"PSS with a negative salt", r, make([]byte, 32), &rsa.PSSOptions{Hash: crypto.SHA256, SaltLength: -2}, errDigest},
		{"PSS with a salt that is too long", r, make([]byte, 32), &rsa.PSSOptions{Hash: crypto.SHA256, SaltLength: 1 << 20}, ck.CKR_MECHANISM_PARAM_INVALID},
		{"too much to sign", r, make([]byte, 257), crypto.Hash(0), ck.CKR_DATA_LEN_RANGE},
		{"Ed25519 with a hash", e, make([]byte, 32), crypto.SHA256, errDigest},
	} {
		key, err := test.object.PrivateKey(f.ctx)
		f.must(err)
		_, err = key.Sign(rand.Reader, test.digest, test.opts)
		refused(t, test.name, err, test.want)
	}
	// Without a hash, RSA signs what it is given.
	key, err := r.Signer(f.ctx)
	f.must(err)
	signature, err := key.Sign(rand.Reader, []byte("as it is"), crypto.Hash(0))
	f.must(err)
	f.must(rsa.VerifyPKCS1v15(key.Public().(*rsa.PublicKey), 0, []byte("as it is"), signature))
	pub, _ := f.generate("P-256", "p")
	_, err = pub.Signer(f.ctx)
	refused(t, "a public key", err, ErrUnsupported)
}

// toASN1 agrees with what crypto/ecdsa reads, for numbers with and without leading zeros and high bits.
func TestToASN1(t *testing.T) {
	for _, size := range []int{28, 32, 48, 66} {
		for _, r := range []byte{0, 1, 0x7f, 0x80, 0xff} {
			raw := make([]byte, 2*size)
			raw[0], raw[size-1], raw[size], raw[2*size-1] = r, 1, 0xff-r, 2
			got, err := toASN1(raw)
			if err != nil {
				t.Fatal(err)
			}
			want, err := asn1.Marshal(struct{ R, S *big.Int }{new(big.Int).SetBytes(raw[:size]), new(big.Int).SetBytes(raw[size:])})
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("%x: %x, want %x", raw, got, want)
			}
		}
	}
	for _, bad := range []int{0, 63, 134} {
		if _, err := toASN1(make([]byte, bad)); err == nil {
			t.Errorf("%d octets: no error", bad)
		}
	}
}
