//go:build cgo

package p11mux_test

import (
	"context"
	"fmt"
	"log"

	"github.com/p11mux/p11mux"
	"github.com/p11mux/p11mux/ck"
)

// The tokens of all modules that are configured on this machine.
func ExampleLoad() {
	ctx := context.Background()
	modules, err := p11mux.Load()
	if err != nil {
		log.Fatal(err)
	}
	defer modules.Close()

	for token, err := range modules.Tokens(ctx) {
		if err != nil {
			log.Print(err) // of one module or slot: there may be others
			continue
		}
		fmt.Printf("%q in slot %d of module %s\n", token.Label(), token.Slot().ID(), token.Slot().Module().Name())
		fmt.Println(token.URI())
	}
	// Output:
	// "p11mux demo" in slot 0 of module softtoken
	// pkcs11:model=softtoken;manufacturer=p11mux;serial=0001;token=p11mux%20demo
}

// A session of one's own is for what changes the token.
func ExampleSession_GenerateKeyPair() {
	ctx := context.Background()
	module, err := p11mux.LoadModule("p11mux-softtoken.so")
	if err != nil {
		log.Fatal(err)
	}
	defer module.Close()
	token, err := module.Token(ctx, "pkcs11:token=p11mux%20demo")
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

	id := []byte{1}
	public, private, err := session.GenerateKeyPair(ctx, ck.Mechanism{Type: ck.CKM_RSA_PKCS_KEY_PAIR_GEN},
		[]ck.Attribute{
			p11mux.Attr(ck.CKA_ID, id), p11mux.Attr(ck.CKA_MODULUS_BITS, 2048), p11mux.Attr(ck.CKA_PUBLIC_EXPONENT, []byte{1, 0, 1}),
		},
		[]ck.Attribute{p11mux.Attr(ck.CKA_ID, id), p11mux.Attr(ck.CKA_SIGN, true), p11mux.Attr(ck.CKA_SENSITIVE, true)})
	if err != nil {
		log.Fatal(err)
	}
	attrs, err := public.Attributes(ctx, ck.CKA_MODULUS)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(attrs.BigInt(ck.CKA_MODULUS).BitLen(), "bits")
	attrs, err = private.Attributes(ctx, ck.CKA_MODULUS, ck.CKA_PRIVATE_EXPONENT)
	if err != nil {
		log.Fatal(err)
	}
	_, told := attrs.Get(ck.CKA_PRIVATE_EXPONENT) // stays where it is
	fmt.Println("the token tells the private key:", told)
	// Output:
	// 2048 bits
	// the token tells the private key: false
}

// Errors are the return values of PKCS#11, with the module and the function that they came from.
func ExampleToken_Login() {
	ctx := context.Background()
	module, err := p11mux.LoadModule("p11mux-softtoken.so")
	if err != nil {
		log.Fatal(err)
	}
	defer module.Close()
	token, err := module.Token(ctx, "pkcs11:model=softtoken")
	if err != nil {
		log.Fatal(err)
	}
	err = token.Login(ctx, func(ctx context.Context, t *p11mux.Token) ([]byte, error) {
		return []byte("0000"), nil // where a program would ask for the PIN of t.Label()
	})
	fmt.Println(err)
	fmt.Println(ck.RVOf(err) == ck.CKR_PIN_INCORRECT)
	// Output:
	// p11mux-softtoken: C_Login: CKR_PIN_INCORRECT
	// true
}
