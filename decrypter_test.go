//lint:file-ignore SA1019 PKCS#1 v1.5 is deprecated, and keys that do it are there all the same

package p11mux

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"testing"

	"github.com/p11mux/p11mux/ck"
)

// decrypts has a key decrypt in all ways that there are.
func decrypts(t *testing.T, key crypto.Decrypter) {
	t.Helper()
	oaep := []*rsa.OAEPOptions{{Hash: crypto.SHA1}}
	decryptsWith(t, key, append(oaep, &rsa.OAEPOptions{Hash: crypto.SHA256, Label: []byte("label")},
		&rsa.OAEPOptions{Hash: crypto.SHA256, MGFHash: crypto.SHA1}))
}

func decryptsWith(t *testing.T, key crypto.Decrypter, oaep []*rsa.OAEPOptions) {
	t.Helper()
	public, secret := key.Public().(*rsa.PublicKey), []byte("a secret of some length")
	check := func(what string, ciphertext []byte, opts crypto.DecrypterOpts) {
		t.Helper()
		got, err := key.Decrypt(rand.Reader, ciphertext, opts)
		if err != nil || !bytes.Equal(got, secret) {
			t.Errorf("%s: %q, %v", what, got, err)
		}
	}
	ciphertext, err := rsa.EncryptPKCS1v15(rand.Reader, public, secret)
	if err != nil {
		t.Fatal(err)
	}
	check("no options", ciphertext, nil)
	check("PKCS#1 v1.5", ciphertext, new(rsa.PKCS1v15DecryptOptions))
	check("a session key", ciphertext, &rsa.PKCS1v15DecryptOptions{SessionKeyLen: len(secret)})
	for _, opts := range oaep {
		ciphertext, err := rsa.EncryptOAEPWithOptions(rand.Reader, public, secret, opts)
		if err != nil {
			t.Fatal(err)
		}
		check("OAEP with "+opts.Hash.String(), ciphertext, opts)
	}

	// What is bad gives a random key and no error, if that is asked for, and an error otherwise.
	for name, bad := range map[string][]byte{"padding": make([]byte, public.Size()), "length": ciphertext} {
		n := len(secret)
		if name == "length" {
			n++
		} else {
			bad[public.Size()-1] = 1 // 1 to the power of d is 1
			if got, err := key.Decrypt(rand.Reader, bad, nil); err == nil {
				t.Errorf("bad padding gives %q", got)
			}
		}
		first, err := key.Decrypt(rand.Reader, bad, &rsa.PKCS1v15DecryptOptions{SessionKeyLen: n})
		if err != nil || len(first) != n {
			t.Errorf("bad %s: %x, %v", name, first, err)
			continue
		}
		second, err := key.Decrypt(nil, bad, &rsa.PKCS1v15DecryptOptions{SessionKeyLen: n})
		if err != nil || len(second) != n || bytes.Equal(first, second) || bytes.HasPrefix(first, secret) {
			t.Errorf("bad %s: %x and %x, %v", name, first, second, err)
		}
	}
}

func TestDecrypter(t *testing.T) {
	f := openToken(t)
	_, priv := f.generate("RSA", "r")
	key, err := priv.Decrypter(f.ctx)
	f.must(err)
	decrypts(t, key)
	_, err = key.Decrypt(nil, []byte{1}, "options")
	refused(t, "options of any type", err, ErrUnsupported)
	_, err = key.Decrypt(nil, []byte{1}, &rsa.PKCS1v15DecryptOptions{SessionKeyLen: 4711})
	refused(t, "a session key that is too long", err, ErrUnsupported)
	_, err = key.Decrypt(nil, []byte{1}, &rsa.OAEPOptions{Hash: crypto.MD4})
	refused(t, "a hash of nobody's", err, ErrUnsupported)
	_, priv = f.generate("P-256", "e")
	_, err = priv.Decrypter(f.ctx)
	refused(t, "an EC key", err, ErrUnsupported)
	ec, err := priv.PrivateKey(f.ctx)
	f.must(err)
	_, err = ec.Decrypter()
	refused(t, "an EC key", err, ErrUnsupported)
}

// A token that is gone is no bad padding.
func TestSessionKeyErrors(t *testing.T) {
	f := openToken(t)
	_, priv := f.generate("RSA", "r")
	key, err := priv.Decrypter(f.ctx)
	f.must(err)
	f.must(priv.Destroy(f.ctx))
	_, err = key.Decrypt(nil, make([]byte, 256), &rsa.PKCS1v15DecryptOptions{SessionKeyLen: 48})
	refused(t, "a key that is gone", err, ck.CKR_KEY_HANDLE_INVALID)
}
