package test

import (
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"path/filepath"
	"testing"

	stdcrypto "crypto"
)

// newOpenSSL is a consumer whose openssl loads the proxy into its PKCS#11 engine.
func newOpenSSL(t *testing.T) consumer {
	t.Helper()
	c := newConsumer(t)
	c.env["PKCS11_MODULE_PATH"] = proxy(t)
	return c
}

// keyURI names a private key for openssl, and the file that has the PIN.
func (c consumer) keyURI(label string) string {
	return "pkcs11:token=token;object=" + label + ";type=private?pin-source=file:" + c.pinFile
}

// TestOpenSSLSign signs a file with openssl and its engine, and checks the signatures with Go's own cryptography.
func TestOpenSSLSign(t *testing.T) {
	c := newOpenSSL(t)
	const data = "a document\n"
	writeFile(t, filepath.Join(c.dir, "data"), data)
	digest := sha256.Sum256([]byte(data))
	for _, label := range []string{"rsa", "ec"} {
		c.run(t, "openssl", "dgst", "-sha256", "-engine", "pkcs11", "-keyform", "engine", "-sign", c.keyURI(label), "-out", label+".sig", "data")
		sig := c.read(t, label+".sig")
		switch key := publicKey(t, label).(type) {
		case *rsa.PublicKey:
			if err := rsa.VerifyPKCS1v15(key, stdcrypto.SHA256, digest[:], sig); err != nil {
				t.Errorf("%s: %v", label, err)
			}
		case *ecdsa.PublicKey:
			if !ecdsa.VerifyASN1(key, digest[:], sig) {
				t.Errorf("%s: wrong signature", label)
			}
		default:
			t.Errorf("%s: unexpected key type %T", label, key)
		}
	}
}

// TestOpenSSLCertificate has openssl sign a certificate of each key with that key.
func TestOpenSSLCertificate(t *testing.T) {
	c := newOpenSSL(t)
	for _, label := range []string{"rsa", "ec"} {
		c.run(t, "openssl", "req", "-x509", "-new", "-engine", "pkcs11", "-keyform", "engine", "-key", c.keyURI(label),
			"-subj", "/CN="+label, "-days", "10", "-outform", "der", "-out", label+".crt")
		cert, err := x509.ParseCertificate(c.read(t, label+".crt"))
		if err != nil {
			t.Fatal(err)
		}
		isKey(t, cert.PublicKey, label)
		if err := cert.CheckSignature(cert.SignatureAlgorithm, cert.RawTBSCertificate, cert.Signature); err != nil {
			t.Errorf("%s: %v", label, err)
		}
	}
}
