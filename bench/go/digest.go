package main

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"fmt"
)

// digest is what is signed.
var digest = sha256.Sum256([]byte("what is signed"))

// digestInfo is the digest as PKCS#1 v1.5 signs it, which CKM_RSA_PKCS leaves to its user (RFC 8017 §9.2).
var digestInfo = append([]byte{0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20},
	digest[:]...)

const (
	signatureLen = 256 // of RSA with 2048 bits
	found        = 10  // objects
	searched     = "find"
	label        = "bench" // of the token and of its key
)

// checkLen says what is wrong with a signature at first sight. More would be measured too.
func checkLen(signature []byte) error {
	if len(signature) != signatureLen {
		return fmt.Errorf("a signature of %d octets, want %d", len(signature), signatureLen)
	}
	return nil
}

// checkFound says what is wrong with what was found.
func checkFound(objects int) error {
	if objects != found {
		return fmt.Errorf("found %d objects, want %d", objects, found)
	}
	return nil
}

// checked is a way to sign digestInfo, once it has been seen to work with the key.
func checked(sign func() ([]byte, error), key crypto.PublicKey) (func() error, error) {
	signature, err := sign()
	if err != nil {
		return nil, err
	}
	public, ok := key.(*rsa.PublicKey)
	if !ok {
		return nil, errors.New("the token's key is no RSA key")
	}
	if err := rsa.VerifyPKCS1v15(public, crypto.SHA256, digest[:], signature); err != nil {
		return nil, fmt.Errorf("the signature is wrong: %w", err)
	}
	return unchecked(sign), nil
}

// unchecked is a way to sign, for a module whose signatures are none.
func unchecked(sign func() ([]byte, error)) func() error {
	return func() error {
		signature, err := sign()
		if err != nil {
			return err
		}
		return checkLen(signature)
	}
}

// signing is a turn with a crypto.Signer.
func signing(signer crypto.Signer) (func() error, error) {
	return checked(func() ([]byte, error) { return signer.Sign(nil, digest[:], crypto.SHA256) }, signer.Public())
}
