package cli

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"reflect"
	"slices"
	"testing"

	"github.com/p11mux/p11mux"
	"github.com/p11mux/p11mux/ck"
)

// keysInDER are public keys of all kinds that can be imported.
func keysInDER(t testing.TB) [][]byte {
	t.Helper()
	var all [][]byte
	add := func(key any, err error) {
		if err != nil {
			t.Fatal(err)
		}
		der, err := x509.MarshalPKIXPublicKey(key)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, der)
	}
	r, err := rsa.GenerateKey(rand.Reader, 1024)
	add(&r.PublicKey, err)
	for _, c := range []elliptic.Curve{elliptic.P256(), elliptic.P384(), elliptic.P521()} {
		e, err := ecdsa.GenerateKey(c, rand.Reader)
		add(&e.PublicKey, err)
	}
	ed, _, err := ed25519.GenerateKey(rand.Reader)
	add(ed, err)
	return all
}

// without takes an attribute away.
func withoutAttribute(all []ck.Attribute, typ ck.AttributeType) []ck.Attribute {
	return slices.DeleteFunc(slices.Clone(all), func(a ck.Attribute) bool { return a.Type == typ })
}

// A key that a token has by its attributes alone is exported as it was imported, also from tokens that write them in other ways.
func TestPublicKeyDER(t *testing.T) {
	for _, der := range keysInDER(t) {
		object, err := publicKeyObject(der)
		if err != nil {
			t.Fatal(err)
		}
		bare := withoutAttribute(object, ck.CKA_PUBLIC_KEY_INFO)
		got, err := publicKeyDER(bare)
		if err != nil || !bytes.Equal(got, der) {
			t.Errorf("%x: %x, %v", der, got, err)
		}
		for _, typ := range []ck.AttributeType{ck.CKA_MODULUS, ck.CKA_PUBLIC_EXPONENT, ck.CKA_EC_PARAMS, ck.CKA_EC_POINT} {
			less := withoutAttribute(bare, typ)
			if len(less) == len(bare) {
				continue
			}
			if got, err := publicKeyDER(less); err == nil {
				t.Errorf("without %v: %x", typ, got)
			}
		}
	}

	point := bytes.Repeat([]byte{7}, 32)
	name, err := asn1.MarshalWithParams("edwards25519", "printable")
	if err != nil {
		t.Fatal(err)
	}
	ed := p11mux.Attributes{p11mux.Attr(ck.CKA_KEY_TYPE, ck.CKK_EC_EDWARDS), p11mux.Attr(ck.CKA_EC_PARAMS, name), p11mux.Attr(ck.CKA_EC_POINT, point)}
	der, err := publicKeyDER(ed)
	if err != nil {
		t.Fatal(err)
	}
	if key, err := x509.ParsePKIXPublicKey(der); err != nil || !ed25519.PublicKey(point).Equal(key) {
		t.Errorf("a bare point, and a curve by its name: %v, %v", key, err)
	}
	for _, bad := range []p11mux.Attributes{
		nil,
		{p11mux.Attr(ck.CKA_KEY_TYPE, ck.CKK_DSA)},
		{p11mux.Attr(ck.CKA_KEY_TYPE, ck.CKK_EC_EDWARDS), p11mux.Attr(ck.CKA_EC_POINT, point)},
		{p11mux.Attr(ck.CKA_KEY_TYPE, ck.CKK_EC_EDWARDS), p11mux.Attr(ck.CKA_EC_PARAMS, []byte{4, 1, 0}), p11mux.Attr(ck.CKA_EC_POINT, point)},
	} {
		if got, err := publicKeyDER(bad); err == nil {
			t.Errorf("%v: %x", bad, got)
		}
	}
}

// Whatever a file has, it is imported as what it says or refused.
func FuzzPublicKey(f *testing.F) {
	for _, der := range keysInDER(f) {
		f.Add(der)
	}
	f.Add([]byte{0x30, 0x00})
	f.Fuzz(func(t *testing.T, der []byte) {
		object, err := publicKeyObject(der)
		if err != nil {
			return
		}
		bare := withoutAttribute(object, ck.CKA_PUBLIC_KEY_INFO)
		again, err := publicKeyDER(bare)
		if err != nil {
			return // a key of no modulus or no point
		}
		second, err := publicKeyObject(again)
		if err != nil {
			t.Fatalf("%x is exported as %x, which is refused: %v", der, again, err)
		}
		if second = withoutAttribute(second, ck.CKA_PUBLIC_KEY_INFO); !reflect.DeepEqual(bare, second) {
			t.Errorf("%x is exported as %x, which is another key", der, again)
		}
	})
}
