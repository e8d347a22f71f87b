//go:build cgo

package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
)

// where is the token, and what is known of its keys.
type where struct {
	module, pinFile, proxy string
	keys                   map[string]crypto.PublicKey
}

// surroundings are what the environment says.
func surroundings() (where, error) {
	w := where{
		module: os.Getenv("TOKEN_MODULE"), pinFile: os.Getenv("TOKEN_PIN_FILE"), proxy: os.Getenv("TOKEN_PROXY"),
		keys: make(map[string]crypto.PublicKey),
	}
	for _, label := range labels {
		der, err := os.ReadFile(filepath.Join(os.Getenv("TOKEN_KEYS"), label+".der"))
		if err != nil {
			return where{}, err
		}
		if w.keys[label], err = x509.ParsePKIXPublicKey(der); err != nil {
			return where{}, err
		}
	}
	return w, nil
}

// key is the URI of a private key.
func (w where) key(label string) string {
	return "pkcs11:token=token;type=private;object=" + label + "?pin-source=" + w.pinFile
}

// verify checks a signature of data over SHA-256, as crypto/tls has it.
func (w where) verify(label string, signature []byte) error {
	digest := sha256.Sum256(data[:])
	switch key := w.keys[label].(type) {
	case *rsa.PublicKey:
		return rsa.VerifyPKCS1v15(key, crypto.SHA256, digest[:], signature)
	case *ecdsa.PublicKey:
		if ecdsa.VerifyASN1(key, digest[:], signature) {
			return nil
		}
	}
	return fmt.Errorf("%s: wrong signature", label)
}

// verifyRaw checks a signature as a module gives it, which is of data itself with the key on a curve.
func (w where) verifyRaw(label string, signature []byte) error {
	key, ok := w.keys[label].(*ecdsa.PublicKey)
	if !ok {
		return w.verify(label, signature)
	}
	half := len(signature) / 2
	if !ecdsa.Verify(key, data[:], new(big.Int).SetBytes(signature[:half]), new(big.Int).SetBytes(signature[half:])) {
		return errors.New(label + ": wrong signature")
	}
	return nil
}
