//go:build cgo && !race

package p11mux

import (
	"crypto"
	"iter"
	"testing"

	"github.com/p11mux/p11mux/ck"
)

// Calls allocate what they give, and little more. The race detector allocates too, so there are no counts under it.
func TestAllocations(t *testing.T) {
	f := openHSM(t)
	_, priv := f.generate("P-256", "key 0")
	_, privRSA := f.generate("RSA", "key 1")
	for _, label := range []string{"key 2", "key 3", "key 4"} {
		f.generate("P-256", label)
	}
	key, err := f.token.module().PrivateKey(f.ctx, priv.URI())
	f.must(err)
	keyRSA, err := f.token.module().PrivateKey(f.ctx, privRSA.URI())
	f.must(err)
	find := func(found iter.Seq2[*Object, error]) func() {
		return func() {
			n := 0
			for o, err := range found {
				f.must(err)
				if o.Class() == noClass || len(o.label) == 0 || len(o.id) == 0 {
					t.Errorf("no attributes: %v", o.URI())
				}
				n++
			}
			if n != 10 {
				t.Errorf("%d objects", n)
			}
		}
	}
	digest, signature := hashed(crypto.SHA256), []byte(nil)
	for _, test := range []struct {
		name string
		most float64
		run  func()
	}{
		{"GetSessionInfo", 0, func() { must(f.Info(f.ctx)) }},
		{"Sign", 1, func() { signature = must(f.Sign(f.ctx, ck.Mechanism{Type: ck.CKM_ECDSA}, priv, digest)) }},
		{"a Signer", 2, func() { signature = must(key.Sign(nil, digest, crypto.SHA256)) }},
		{"a Signer of an RSA key", 2, func() { signature = must(keyRSA.Sign(nil, digest, crypto.SHA256)) }},
		{"Find of 10 objects with attributes", 3, find(f.Find(f.ctx))},
		{"Find by the token's pool", 3, find(f.token.Find(f.ctx))},
	} {
		if got := testing.AllocsPerRun(100, test.run); got > test.most {
			t.Errorf("%s: %v allocations, %v are allowed", test.name, got, test.most)
		}
	}
	if len(signature) == 0 {
		t.Error("no signature")
	}
}

func BenchmarkSign(b *testing.B) {
	f := openHSM(b)
	_, priv := f.generate("P-256", "k")
	digest := hashed(crypto.SHA256)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := f.Sign(f.ctx, ck.Mechanism{Type: ck.CKM_ECDSA}, priv, digest); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSessionInfo(b *testing.B) {
	f := openHSM(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := f.Info(f.ctx); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkFind(b *testing.B) {
	f := openHSM(b)
	for _, label := range []string{"key 0", "key 1", "key 2", "key 3", "key 4"} {
		f.generate("P-256", label)
	}
	b.ReportAllocs()
	for b.Loop() {
		n := 0
		for _, err := range f.Find(f.ctx) {
			if err != nil {
				b.Fatal(err)
			}
			n++
		}
		if n != 10 {
			b.Fatalf("%d objects", n)
		}
	}
}
