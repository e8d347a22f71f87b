package p11mux

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"testing"
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
