package p11mux

import (
	"context"
	"errors"
	"testing"

	"github.com/p11mux/p11mux/calllog"
	"github.com/p11mux/p11mux/ck"
	"github.com/p11mux/p11mux/internal/softtoken"
	"github.com/p11mux/p11mux/managed"
	"github.com/p11mux/p11mux/module"
)

// load gives a view of a module in this process.
func load(t testing.TB, mod module.Module, opts ...Option) *Module {
	t.Helper()
	return loadShared(t, managed.New(mod, managed.Options{}), opts...)
}

// loadShared gives one more view of a module.
func loadShared(t testing.TB, shared *managed.Module, opts ...Option) *Module {
	t.Helper()
	o := newOptions(opts)
	m, err := newModule("soft", o.logged(shared.NewCaller(nil), new(calllog.View), "soft", nil), o, func() {})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	return m
}

// a fixture is a token with somebody logged in, and a session of his own that can write.
type fixture struct {
	testing.TB
	ctx   context.Context
	token *Token
	*Session
}

// openToken gives a new token in memory.
func openToken(t testing.TB, opts ...Option) *fixture {
	t.Helper()
	return use(t, load(t, softtoken.New(), opts...), softtoken.UserPIN)
}

// use logs in to the first token of a module.
func use(t testing.TB, m *Module, pin string) *fixture {
	t.Helper()
	f := &fixture{TB: t, ctx: context.Background(), token: firstToken(t, m)}
	f.must(f.token.Login(f.ctx, PINString(pin)))
	s, err := f.token.OpenSession(f.ctx, ReadWrite)
	f.must(err)
	t.Cleanup(func() { f.must(s.Close()) })
	f.Session = s
	return f
}

// firstToken gives the first token of a module.
func firstToken(t testing.TB, m *Module) *Token {
	t.Helper()
	for token, err := range m.Tokens(context.Background()) {
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	t.Fatal("there is no token")
	return nil
}

func (f *fixture) must(err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}

// refused checks that an error is what was wanted.
func refused(t testing.TB, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: %v, want %v", what, err, want)
	}
}

// a pair is how a pair of keys is made.
type pair struct {
	name      string
	mechanism ck.MechanismType
	public    []ck.Attribute
}

var pairs = []pair{
	{"RSA", ck.CKM_RSA_PKCS_KEY_PAIR_GEN, []ck.Attribute{Attr(ck.CKA_MODULUS_BITS, 2048), Attr(ck.CKA_PUBLIC_EXPONENT, []byte{1, 0, 1})}},
	{"P-256", ck.CKM_EC_KEY_PAIR_GEN, []ck.Attribute{Attr(ck.CKA_EC_PARAMS, []byte{6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7})}},
	{"P-384", ck.CKM_EC_KEY_PAIR_GEN, []ck.Attribute{Attr(ck.CKA_EC_PARAMS, []byte{6, 5, 0x2b, 0x81, 4, 0, 0x22})}},
	{"P-521", ck.CKM_EC_KEY_PAIR_GEN, []ck.Attribute{Attr(ck.CKA_EC_PARAMS, []byte{6, 5, 0x2b, 0x81, 4, 0, 0x23})}},
	{"Ed25519", ck.CKM_EC_EDWARDS_KEY_PAIR_GEN, []ck.Attribute{Attr(ck.CKA_EC_PARAMS, edwardsName)}},
}

// generate makes a pair of keys of the token, with a label and the CKA_ID of the same octets.
func (f *fixture) generate(kind, label string, private ...ck.Attribute) (pub, priv *Object) {
	f.Helper()
	for _, p := range pairs {
		if p.name != kind {
			continue
		}
		common := []ck.Attribute{Attr(ck.CKA_TOKEN, true), Attr(ck.CKA_LABEL, label), Attr(ck.CKA_ID, []byte(label))}
		public := append(append([]ck.Attribute{}, common...), p.public...)
		private := append(append([]ck.Attribute{Attr(ck.CKA_SIGN, true), Attr(ck.CKA_PRIVATE, true), Attr(ck.CKA_SENSITIVE, true)}, common...), private...)
		if kind == "RSA" {
			private = append(private, Attr(ck.CKA_DECRYPT, true))
			public = append(public, Attr(ck.CKA_ENCRYPT, true))
		}
		pub, priv, err := f.GenerateKeyPair(f.ctx, ck.Mechanism{Type: p.mechanism}, public, private)
		f.must(err)
		return pub, priv
	}
	f.Fatalf("no such keys: %s", kind)
	return nil, nil
}

// must gives a value that there is no error about.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
