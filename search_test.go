package p11mux

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/asn1"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/p11mux/p11mux/ck"
	"github.com/p11mux/p11mux/internal/softtoken"
	"github.com/p11mux/p11mux/module"
	"github.com/p11mux/p11mux/uri"
)

func TestSearch(t *testing.T) {
	ctx := context.Background()
	a := use(t, load(t, softtoken.New()), softtoken.UserPIN)
	b := use(t, load(t, module.Func(relabeled(softtoken.New(), "other"))), softtoken.UserPIN)
	a.token.module().path = "/lib/a.so"
	b.token.module().name = "b"
	ms := &Modules{all: []*Module{a.token.module(), b.token.module()}}
	a.generate("P-256", "key")
	b.generate("P-256", "key")
	b.generate("RSA", "only here")
	b.generate("Ed25519", "key")

	for text, want := range map[string]error{
		"pkcs11:token=other":                         nil,
		"pkcs11:module-name=b":                       nil, // not of the path, so unknown
		"pkcs11:?module-name=b":                      nil,
		"pkcs11:?module-path=/lib/a.so":              nil,
		"pkcs11:token=other;manufacturer=p11mux":     nil,
		"pkcs11:token=other?module-path=/lib/a.so":   ErrNotFound,
		"pkcs11:slot-id=7":                           ErrNotFound,
		"pkcs11:slot-manufacturer=nobody":            ErrNotFound,
		"pkcs11:slot-manufacturer=p11mux":            ErrAmbiguous,
		"pkcs11:library-manufacturer=nobody":         ErrNotFound,
		"pkcs11:library-manufacturer=p11mux":         ErrAmbiguous,
		"pkcs11:serial=9999":                         ErrNotFound,
		"pkcs11:":                                    ErrAmbiguous,
		"http://example.org":                         uri.ErrBadScheme,
		"pkcs11:token=%zz":                           uri.ErrBadEncoding,
		"pkcs11:token=other?pin-source=|echo%201234": errAny,
	} {
		token, err := ms.Token(ctx, text)
		switch want {
		case nil:
			if text == "pkcs11:module-name=b" {
				refused(t, text, err, ErrNotFound)
			} else if err != nil || token == nil {
				t.Errorf("%s: %v", text, err)
			}
		case errAny:
			if err == nil {
				t.Errorf("%s: no error", text)
			}
		default:
			refused(t, text, err, want)
		}
	}
	for text, want := range map[string]error{
		"pkcs11:object=only%20here":                 nil,
		"pkcs11:object=only%20here;type=cert":       nil,
		"pkcs11:id=only%20here":                     nil,
		"pkcs11:object=key;token=p11mux%20demo":     nil,
		"pkcs11:object=key":                         ErrAmbiguous,
		"pkcs11:object=key;token=other":             ErrAmbiguous,
		"pkcs11:object=nothing":                     ErrNotFound,
		"pkcs11:object=key;id=other":                ErrNotFound,
		"pkcs11:object=only%20here;slot-id=99":      ErrNotFound,
		"pkcs11:object=only%20here;nonsense=unseen": ErrNotFound,
	} {
		key, err := ms.PrivateKey(ctx, text)
		if want == nil && err == nil {
			continue
		}
		refused(t, text, err, want)
		if key != nil {
			t.Errorf("%s: a key", text)
		}
	}

	count := func(text string) (n int) {
		for o, err := range ms.Find(ctx, text) {
			if err != nil {
				t.Errorf("%s: %v", text, err)
				continue
			}
			// What is found is found again by its own name.
			again := 0
			for p, err := range ms.Find(ctx, o.URI()) {
				if err != nil || p.Class() != o.Class() || p.Label() != o.Label() {
					t.Errorf("%s: %v, %v", o.URI(), p, err)
				}
				again++
			}
			if again == 0 {
				t.Errorf("%s is not found", o.URI())
			}
			n++
		}
		return n
	}
	for text, want := range map[string]int{
		"pkcs11:": 8, "pkcs11:type=private": 4, "pkcs11:object=key": 6, "pkcs11:token=other;type=public": 3, "pkcs11:type=cert": 0,
	} {
		if got := count(text); got != want {
			t.Errorf("%s: %d objects, want %d", text, got, want)
		}
	}
	if _, _, err := next(ms.Find(ctx, "no uri")); err == nil {
		t.Error("no uri: no error")
	}
	var tokens []string
	for token, err := range ms.Tokens(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		tokens = append(tokens, token.URI())
		same, err := ms.Token(ctx, token.URI())
		if err != nil || same != token {
			t.Errorf("%s: %v", token.URI(), err)
		}
	}
	if len(tokens) != 2 || ms.Len() != 2 || len(slices.Collect(ms.All())) != 2 || ms.Module("b") == nil || ms.Module("c") != nil {
		t.Errorf("%v, %d modules", tokens, ms.Len())
	}
	for range 2 {
		if err := ms.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

type anyError struct{}

func (anyError) Error() string { return "any error" }

var errAny = anyError{}

// A URI may name several tokens, and is no error if it names none.
func TestFindTokens(t *testing.T) {
	ctx := context.Background()
	a := use(t, load(t, softtoken.New()), softtoken.UserPIN)
	b := use(t, load(t, module.Func(relabeled(softtoken.New(), "other"))), softtoken.UserPIN)
	ms := &Modules{all: []*Module{a.token.module(), b.token.module()}}
	for text, want := range map[string][]*Token{
		"pkcs11:":                          {a.token, b.token},
		"pkcs11:token=other;object=any":    {b.token},
		"pkcs11:token=nowhere":             nil,
		"pkcs11:manufacturer=p11mux":       {a.token, b.token},
		"pkcs11:slot-manufacturer=nobody":  nil,
		"pkcs11:library-manufacturer=none": nil,
	} {
		var got []*Token
		for token, err := range ms.FindTokens(ctx, text) {
			if err != nil {
				t.Errorf("%s: %v", text, err)
				continue
			}
			got = append(got, token)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %d tokens, want %d", text, len(got), len(want))
		}
		for token, err := range ms.FindTokens(ctx, text) { // and it may be left early
			if err != nil || token != want[0] {
				t.Errorf("%s: %v", text, err)
			}
			break
		}
	}
	for token, err := range a.token.module().FindTokens(ctx, "pkcs11:") {
		if err != nil || token != a.token {
			t.Errorf("of one module: %v", err)
		}
	}
	for text, want := range map[string]error{"pkcs11:tokne=x": ErrNotFound, "x": uri.ErrBadScheme} {
		n := 0
		for token, err := range ms.FindTokens(ctx, text) {
			if n++; token != nil || !errors.Is(err, want) {
				t.Errorf("%s: %v", text, err)
			}
		}
		if n != 1 {
			t.Errorf("%s: %d errors", text, n)
		}
	}
}

// One token's trouble does not hide what others have.
func TestSearchGoesOn(t *testing.T) {
	ctx := context.Background()
	bad := load(t, module.Func(broken(softtoken.New())))
	good := use(t, load(t, softtoken.New()), softtoken.UserPIN)
	good.generate("P-256", "key")
	ms := &Modules{all: []*Module{bad, good.token.module()}}
	if _, err := ms.PrivateKey(ctx, "pkcs11:object=key"); err != nil {
		t.Error(err)
	}
	_, err := ms.PrivateKey(ctx, "pkcs11:object=nothing")
	refused(t, "nothing", err, ErrIncomplete)
	refused(t, "nothing", err, ck.CKR_DEVICE_ERROR) // which may be why
}

// broken is a module whose slots cannot be listed.
func broken(mod module.Module) func(context.Context, ck.Call) error {
	return func(ctx context.Context, call ck.Call) error {
		if _, ok := call.(*ck.GetSlotListCall); ok {
			return ck.CKR_DEVICE_ERROR
		}
		return mod.Do(ctx, call)
	}
}

// The public key of a private one is found in each place where it may be.
func TestPublicKeySources(t *testing.T) {
	soft := softtoken.New()
	var hidden []ck.AttributeType
	f := use(t, load(t, module.Func(func(ctx context.Context, call ck.Call) error {
		err := soft.Do(ctx, call)
		if c, ok := call.(*ck.GetAttributeValueCall); ok {
			for i := range c.Template {
				if slices.Contains(hidden, c.Template[i].Type) {
					c.Template[i].N = ck.CK_UNAVAILABLE_INFORMATION
					err = ck.CKR_ATTRIBUTE_TYPE_INVALID
				}
			}
		}
		return err
	})), softtoken.UserPIN)
	for _, p := range pairs {
		pub, priv := f.generate(p.name, p.name)
		want, err := pub.PublicKey(f.ctx)
		f.must(err)
		check := func(what string) {
			t.Helper()
			if got, err := priv.PublicKey(f.ctx); err != nil || !equal(got, want) {
				t.Errorf("%s, %s: %v, %v", p.name, what, got, err)
			}
		}
		check("its own attributes")
		hidden = []ck.AttributeType{ck.CKA_MODULUS, ck.CKA_EC_POINT}
		check("CKA_PUBLIC_KEY_INFO")
		hidden = nil
		f.must(priv.Set(f.ctx, Attr(ck.CKA_ID, []byte("another"))))
		if p.name != "RSA" { // which has it all itself
			hidden = []ck.AttributeType{ck.CKA_PUBLIC_KEY_INFO}
		}
		f.must(priv.Set(f.ctx, Attr(ck.CKA_ID, []byte(p.name))))
		check("the public key with its CKA_ID")
		f.must(pub.Destroy(f.ctx))
		hidden = []ck.AttributeType{ck.CKA_PUBLIC_KEY_INFO, ck.CKA_MODULUS, ck.CKA_EC_POINT}
		_, err = priv.PublicKey(f.ctx)
		refused(t, p.name+", nothing left", err, ErrNotFound)
		f.certificate(p.name, want, []byte(p.name))
		check("the certificate with its CKA_ID")
		hidden = nil
	}
	secret := f.secretKey(ck.CKK_AES, aesKey)
	_, err := secret.PublicKey(f.ctx)
	refused(t, "a secret key", err, ErrUnsupported)
}

// Points and parameters come in more than one form.
func TestPublicKeyForms(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	point, err := key.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	octets := func(b []byte) []byte {
		der, err := asn1.Marshal(b)
		if err != nil {
			t.Fatal(err)
		}
		return der
	}
	compressed := elliptic.MarshalCompressed(elliptic.P256(), key.X, key.Y)
	p256 := pairs[1].public[0].Value
	for name, point := range map[string][]byte{"DER": octets(point), "plain": point, "compressed": octets(compressed), "compressed and plain": compressed} {
		for _, params := range [][]byte{p256, []byte("\x13\x09secp256r1")} {
			got, err := ecPublicKey(Attributes{Attr(ck.CKA_EC_PARAMS, params), Attr(ck.CKA_EC_POINT, point)})
			if err != nil || !equal(got, &key.PublicKey) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	for name, bad := range map[string]Attributes{
		"no point":          {Attr(ck.CKA_EC_PARAMS, p256)},
		"no curve":          {Attr(ck.CKA_EC_POINT, point)},
		"an unknown curve":  {Attr(ck.CKA_EC_PARAMS, []byte{6, 5, 0x2b, 0x81, 4, 0, 0x0a}), Attr(ck.CKA_EC_POINT, point)},
		"no parameters":     {Attr(ck.CKA_EC_PARAMS, []byte{1, 2, 3}), Attr(ck.CKA_EC_POINT, point)},
		"off the curve":     {Attr(ck.CKA_EC_PARAMS, p256), Attr(ck.CKA_EC_POINT, append([]byte{4}, make([]byte, 64)...))},
		"off, compressed":   {Attr(ck.CKA_EC_PARAMS, p256), Attr(ck.CKA_EC_POINT, append([]byte{2}, slices.Repeat([]byte{0xff}, 32)...))},
		"of another length": {Attr(ck.CKA_EC_PARAMS, p256), Attr(ck.CKA_EC_POINT, point[:40])},
	} {
		if key, err := ecPublicKey(bad); err == nil {
			t.Errorf("%s: %v", name, key)
		}
	}
	edwards, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, params := range [][]byte{edwardsOID, edwardsName} {
		for name, point := range map[string][]byte{"DER": octets(edwards), "plain": edwards} {
			got, err := edwardsPublicKey(Attributes{Attr(ck.CKA_EC_PARAMS, params), Attr(ck.CKA_EC_POINT, point)})
			if err != nil || !equal(got, crypto.PublicKey(edwards)) {
				t.Errorf("Ed25519, %s: %v", name, err)
			}
		}
	}
	for name, bad := range map[string]Attributes{
		"no point": {Attr(ck.CKA_EC_PARAMS, edwardsOID)},
		"Ed448":    {Attr(ck.CKA_EC_PARAMS, []byte{6, 3, 0x2b, 0x65, 0x71}), Attr(ck.CKA_EC_POINT, make([]byte, 57))},
	} {
		if key, err := edwardsPublicKey(bad); err == nil {
			t.Errorf("Ed25519, %s: %v", name, key)
		}
	}
	for name, bad := range map[string]Attributes{
		"no modulus":      {Attr(ck.CKA_PUBLIC_EXPONENT, 3)},
		"a zero modulus":  {Attr(ck.CKA_MODULUS, []byte{0}), Attr(ck.CKA_PUBLIC_EXPONENT, []byte{3})},
		"a huge exponent": {Attr(ck.CKA_MODULUS, []byte{9}), Attr(ck.CKA_PUBLIC_EXPONENT, make([]byte, 300))},
		"a big exponent":  {Attr(ck.CKA_MODULUS, []byte{9}), Attr(ck.CKA_PUBLIC_EXPONENT, []byte{1, 0, 0, 0, 0, 1})},
	} {
		if key, err := rsaPublicKey(bad); err == nil {
			t.Errorf("RSA, %s: %v", name, key)
		}
	}
}

// An error says why something may not have been found.
func TestNotFoundHints(t *testing.T) {
	ctx := context.Background()
	a, b := load(t, softtoken.New()), load(t, module.Func(relabeled(softtoken.New(), "other")))
	for _, test := range []struct {
		modules []*Module
		uri     string
		want    string
	}{
		{[]*Module{a}, "pkcs11:object=k", `what is private on "p11mux demo" shows after a login only`},
		{[]*Module{a, b}, "pkcs11:object=k", "several tokens need a login"},
		{[]*Module{a, b}, "pkcs11:object=k;token=other", `"other"`},
	} {
		_, err := (&Modules{all: test.modules}).PrivateKey(ctx, test.uri)
		refused(t, test.uri, err, ErrIncomplete)
		if errors.Is(err, ErrNotFound) {
			t.Errorf("%v is certain", err)
		}
		if err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%v does not say %s", err, test.want)
		}
	}
}

// What was searched completely is certain, and the error says what there is not, or what there is too much of.
func TestSearchErrors(t *testing.T) {
	ctx := context.Background()
	f := use(t, load(t, softtoken.New()), softtoken.UserPIN)
	for range maxCandidates + 1 {
		f.generate("P-256", "twin")
	}
	ms := &Modules{all: []*Module{f.token.module()}, problems: []error{errors.New("gone.so is gone")}}
	for uri, want := range map[string]struct {
		is   error
		says string
	}{
		"pkcs11:object=k":             {ErrNotFound, "not found: no private key for pkcs11:object=k; gone.so is gone"},
		"pkcs11:token=k;object=twin":  {ErrNotFound, "not found: no token for pkcs11:token=k;object=twin; gone.so is gone"},
		"pkcs11:object=twin":          {ErrAmbiguous, "ambiguous: pkcs11:object=twin names several private keys: pkcs11:"},
		"pkcs11:object=twin;type=any": {ErrNotFound, `not found: nothing can have the uri's attribute "type", or its value`},
	} {
		_, err := ms.PrivateKey(ctx, uri)
		refused(t, uri, err, want.is)
		if err != nil && !strings.HasPrefix(err.Error(), want.says) {
			t.Errorf("%v, want %s", err, want.says)
		}
		if want.is == ErrAmbiguous && !strings.HasSuffix(err.Error(), ", and more") {
			t.Errorf("%v", err)
		}
	}
}

// A wrong PIN does not make a key one that is not there.
func TestWrongPINIsNotNotFound(t *testing.T) {
	ms := &Modules{all: []*Module{load(t, softtoken.New())}}
	_, err := ms.PrivateKey(context.Background(), "pkcs11:object=k?pin-value=0000")
	refused(t, "a wrong PIN", err, ErrIncomplete)
	refused(t, "a wrong PIN", err, ck.CKR_PIN_INCORRECT)
	if errors.Is(err, ErrNotFound) {
		t.Error(err)
	}
}

// A token that gets its first PIN while it is in use wants a login from then on.
func TestSearchSeesFlags(t *testing.T) {
	soft := softtoken.New()
	var tries atomic.Int32
	var missing atomic.Uint64 // flags
	m := load(t, module.Func(func(ctx context.Context, call ck.Call) error {
		if _, ok := call.(*ck.LoginCall); ok {
			tries.Add(1)
		}
		err := soft.Do(ctx, call)
		if info, ok := call.(*ck.GetTokenInfoCall); ok {
			info.Info.Flags &^= ck.Flags(missing.Load())
		}
		return err
	}), WithPIN(PINString(softtoken.UserPIN)))
	ctx := context.Background()
	for _, state := range []struct {
		missing ck.Flags
		tokens  int
		tries   int32
	}{{ck.CKF_TOKEN_INITIALIZED | ck.CKF_LOGIN_REQUIRED, 0, 0}, {ck.CKF_LOGIN_REQUIRED, 1, 0}, {0, 1, 1}} {
		missing.Store(uint64(state.missing))
		n := 0
		for _, err := range m.Tokens(ctx) {
			if n++; err != nil {
				t.Error(err)
			}
		}
		_, err := m.PrivateKey(ctx, "pkcs11:object=none")
		refused(t, "a key that there is not", err, ErrNotFound)
		if n != state.tokens || tries.Load() != state.tries {
			t.Errorf("without %x: %d tokens and %d logins, want %d and %d", state.missing, n, tries.Load(), state.tokens, state.tries)
		}
		if _, err := m.Slot(0).Token(ctx); err != nil {
			t.Error(err)
		}
	}
}
