//go:build cgo

package p11mux_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"log"

	"github.com/p11mux/p11mux"
	"github.com/p11mux/p11mux/ck"
)

// A signature with a key that a PKCS#11 URI names. The PIN is in the URI; it could also be in a file that the URI names,
// "?pin-source=file:/run/secrets/pin", or come from [p11mux.WithPIN].
func ExampleModules_PrivateKey() {
	ctx := context.Background()
	modules, err := p11mux.Load()
	if err != nil {
		log.Fatal(err)
	}
	defer modules.Close()
	makeKey(ctx, modules, "release key") // the token of this example has none

	key, err := modules.PrivateKey(ctx, "pkcs11:token=p11mux%20demo;object=release%20key?pin-value=1234")
	if err != nil {
		log.Fatal(err)
	}
	digest := sha256.Sum256([]byte("version 1.0"))
	signature, err := key.Sign(rand.Reader, digest[:], crypto.SHA256) // as any crypto.Signer
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(ecdsa.VerifyASN1(key.Public().(*ecdsa.PublicKey), digest[:], signature))
	// Output: true
}

// makeKey makes a key on the P-256 curve, in place of what there was under its name.
func makeKey(ctx context.Context, modules *p11mux.Modules, label string) {
	token, err := modules.Token(ctx, "pkcs11:token=p11mux%20demo")
	if err != nil {
		log.Fatal(err)
	}
	if err := token.Login(ctx, p11mux.PINString("1234")); err != nil {
		log.Fatal(err)
	}
	session, err := token.OpenSession(ctx, p11mux.ReadWrite)
	if err != nil {
		log.Fatal(err)
	}
	defer session.Close()
	for old, err := range session.Find(ctx, p11mux.Attr(ck.CKA_ID, label)) { // of a former run
		if err != nil {
			log.Fatal(err)
		}
		if err := old.Destroy(ctx); err != nil {
			log.Fatal(err)
		}
	}
	p256 := []byte{0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07}
	common := []ck.Attribute{p11mux.Attr(ck.CKA_TOKEN, true), p11mux.Attr(ck.CKA_LABEL, label), p11mux.Attr(ck.CKA_ID, label)}
	_, _, err = session.GenerateKeyPair(ctx, ck.Mechanism{Type: ck.CKM_EC_KEY_PAIR_GEN},
		append([]ck.Attribute{p11mux.Attr(ck.CKA_EC_PARAMS, p256)}, common...),
		append([]ck.Attribute{p11mux.Attr(ck.CKA_SIGN, true), p11mux.Attr(ck.CKA_PRIVATE, true)}, common...))
	if err != nil {
		log.Fatal(err)
	}
}
