package p11mux

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/p11mux/p11mux/ck"
	"github.com/p11mux/p11mux/internal/softtoken"
	"github.com/p11mux/p11mux/module"
	"github.com/p11mux/p11mux/uri"
)

// counted is a token that counts the PINs it is given.
func counted(tries *atomic.Int32) module.Module {
	soft := softtoken.New()
	return module.Func(func(ctx context.Context, call ck.Call) error {
		if _, ok := call.(*ck.LoginCall); ok {
			tries.Add(1)
		}
		return soft.Do(ctx, call)
	})
}

// However many goroutines log in with a wrong PIN, the token gets to see it once.
func TestWrongPIN(t *testing.T) {
	ctx := context.Background()
	var tries atomic.Int32
	m := load(t, counted(&tries), WithPIN(PINString("wrong")))
	token := firstToken(t, m)
	var wg sync.WaitGroup
	for i := range 64 {
		wg.Go(func() {
			var err error
			switch i % 3 {
			case 0:
				err = token.Login(ctx, PINString("wrong"))
			case 1:
				_, err = m.PrivateKey(ctx, "pkcs11:object=none")
			case 2:
				_, err = m.PrivateKey(ctx, "pkcs11:object=none?pin-value=wrong")
			}
			refused(t, "a wrong PIN", err, ck.CKR_PIN_INCORRECT)
		})
	}
	wg.Wait()
	if n := tries.Load(); n != 1 {
		t.Fatalf("the token saw %d PINs", n)
	}
	if err := token.Login(ctx, PINString(softtoken.UserPIN)); err != nil {
		t.Fatal(err)
	}
	if n := tries.Load(); n != 2 {
		t.Errorf("the token saw %d PINs", n)
	}
	// After a logout it is the user's to try again.
	if err := token.Logout(ctx); err != nil {
		t.Fatal(err)
	}
	refused(t, "a wrong PIN after a logout", token.Login(ctx, PINString("wrong")), ck.CKR_PIN_INCORRECT)
	if n := tries.Load(); n != 3 {
		t.Errorf("the token saw %d PINs", n)
	}
}

func TestLogin(t *testing.T) {
	ctx := context.Background()
	var tries atomic.Int32
	m := load(t, counted(&tries))
	token := firstToken(t, m)
	asked := 0
	pin := func(_ context.Context, of *Token) ([]byte, error) {
		asked++
		if of != token {
			t.Error("asked for another token")
		}
		return []byte(softtoken.UserPIN), nil
	}
	no := errors.New("nobody is there")
	refused(t, "no PIN", token.Login(ctx, func(context.Context, *Token) ([]byte, error) { return nil, no }), no)
	for range 2 {
		if err := token.Login(ctx, pin); err != nil {
			t.Fatal(err)
		}
	}
	if asked != 1 || tries.Load() != 1 {
		t.Errorf("asked %d times, tried %d times", asked, tries.Load())
	}
	for range 2 {
		if err := token.Logout(ctx); err != nil {
			t.Fatal(err)
		}
	}
	refused(t, "a protected path that there is not", token.Login(ctx, nil), ck.CKR_ARGUMENTS_BAD)
}

// The memory that held a PIN is wiped, whatever came of it.
func TestPINWiped(t *testing.T) {
	token := firstToken(t, load(t, softtoken.New()))
	for _, pin := range []string{"wrong", softtoken.UserPIN} {
		value := []byte(pin)
		_ = token.Login(context.Background(), func(context.Context, *Token) ([]byte, error) { return value[:len(value):len(value)], nil })
		if strings.Trim(string(value), "\x00") != "" {
			t.Errorf("%q is left", value)
		}
	}
}

func TestPINNotShown(t *testing.T) {
	pin := PINString("secret")
	var text strings.Builder
	slog.New(slog.NewTextHandler(&text, nil)).Info("x", "pin", pin)
	fmt.Fprintf(&text, "%v %+v %s", pin, pin, fmt.Sprint(pin))
	if strings.Contains(text.String(), "secret") {
		t.Error(text.String())
	}
	token := firstToken(t, load(t, softtoken.New()))
	err := token.Login(context.Background(), PINString("secret"))
	if err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("%v", err)
	}
	_, err = token.module().PrivateKey(context.Background(), "pkcs11:object=none?pin-value=secret")
	if err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("%v", err)
	}
}

func TestPINSources(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	pin := write("pin", "1234\n")
	for _, test := range []struct{ uri, want string }{
		{"pkcs11:?pin-value=12%2034", "12 34"},
		{"pkcs11:?pin-source=file:" + pin, "1234"},
		{"pkcs11:?pin-source=file://" + pin, "1234"},
		{"pkcs11:?pin-source=file://localhost" + pin, "1234"},
		{"pkcs11:?pin-source=" + pin, "1234"},
		{"pkcs11:?pin-source=file:" + write("dos", "1234\r\n"), "1234"},
		{"pkcs11:?pin-source=file:" + write("two lines", "12\n34"), "12\n34"},
		{"pkcs11:?pin-source=file:" + write("empty", ""), ""},
	} {
		u, err := uri.Parse(strings.ReplaceAll(test.uri, " ", "%2520"), uri.ForAny)
		if err != nil {
			t.Fatal(err)
		}
		pin, err := PINFromURI(u)
		if err != nil {
			t.Errorf("%s: %v", test.uri, err)
			continue
		}
		if got, err := pin(ctx, nil); string(got) != test.want || err != nil {
			t.Errorf("%s: %q, %v", test.uri, got, err)
		}
	}
	for _, bad := range []string{"|cat " + pin, "file://elsewhere" + pin, "https://a/b", "file:", "file:%zz", "pin"} {
		var u uri.URI
		if err := u.Set(uri.PINSource, bad); err != nil {
			t.Fatal(err)
		}
		if _, err := PINFromURI(&u); err == nil {
			t.Errorf("%s: no error", bad)
		}
	}
	if pin, err := PINFromURI(new(uri.URI)); pin != nil || err != nil {
		t.Errorf("no PIN: %v", err)
	}
	if _, err := PINFile(filepath.Join(dir, "missing"))(ctx, nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
	if _, err := PINFile(write("long", strings.Repeat("1", maxPIN+1)))(ctx, nil); err == nil || strings.Contains(err.Error(), strings.Repeat("1", 20)) {
		t.Errorf("long file: %v", err)
	}
}

// With several tokens, a PIN is given to the one that the URI names, and to no other.
func TestPINIsForOneToken(t *testing.T) {
	ctx := context.Background()
	var tries [2]atomic.Int32
	a := load(t, counted(&tries[0]), WithPIN(PINString(softtoken.UserPIN)))
	b := load(t, module.Func(relabeled(counted(&tries[1]), "other")), WithPIN(PINString(softtoken.UserPIN)))
	ms := &Modules{all: []*Module{a, b}}
	_, err := ms.PrivateKey(ctx, "pkcs11:object=k")
	refused(t, "a PIN of the options for two tokens", err, ErrIncomplete)
	_, err = ms.PrivateKey(ctx, "pkcs11:object=k?pin-value="+softtoken.UserPIN)
	refused(t, "a PIN in the URI for two tokens", err, ErrAmbiguous)
	refused(t, "a PIN in the URI for two tokens", err, errPINForOne)
	if tries[0].Load()+tries[1].Load() != 0 {
		t.Error("a PIN was tried")
	}
	_, err = ms.PrivateKey(ctx, "pkcs11:object=k;token=other")
	refused(t, "a PIN for one token", err, ErrNotFound)
	if tries[0].Load() != 0 || tries[1].Load() != 1 {
		t.Errorf("tried %d and %d times", tries[0].Load(), tries[1].Load())
	}
}

// relabeled is a module whose tokens have another label.
func relabeled(mod module.Module, label string) func(context.Context, ck.Call) error {
	return func(ctx context.Context, call ck.Call) error {
		err := mod.Do(ctx, call)
		if info, ok := call.(*ck.GetTokenInfoCall); ok && err == nil {
			ck.Pad(info.Info.Label[:], label)
		}
		return err
	}
}

// A key may want the PIN before each use. Wrong ones are not tried twice for it either.
func TestAlwaysAuthenticate(t *testing.T) {
	var tries atomic.Int32
	var pin atomic.Value
	pin.Store(softtoken.UserPIN)
	f := use(t, load(t, counted(&tries), WithPIN(func(context.Context, *Token) ([]byte, error) { return []byte(pin.Load().(string)), nil })), softtoken.UserPIN)
	f.generate("P-256", "k", Attr(ck.CKA_ALWAYS_AUTHENTICATE, true))
	f.generate("RSA", "r", Attr(ck.CKA_ALWAYS_AUTHENTICATE, true))
	key, err := f.token.module().PrivateKey(f.ctx, "pkcs11:object=k")
	f.must(err)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() { signs(t, key, crypto.SHA256) })
	}
	wg.Wait()
	rsaKey, err := f.token.module().PrivateKey(f.ctx, "pkcs11:object=r")
	f.must(err)
	decrypts(t, must(rsaKey.Decrypter()))

	pin.Store("wrong")
	before := tries.Load()
	for range 8 {
		wg.Go(func() {
			_, err := key.Sign(nil, hashed(crypto.SHA256), crypto.SHA256)
			refused(t, "a wrong PIN", err, ck.CKR_PIN_INCORRECT)
		})
	}
	wg.Wait()
	if n := tries.Load() - before; n != 1 {
		t.Errorf("the token saw %d wrong PINs", n)
	}
	// The URI's PIN goes before that of the options.
	key, err = f.token.module().PrivateKey(f.ctx, "pkcs11:object=k?pin-value="+softtoken.UserPIN)
	f.must(err)
	signs(t, key, crypto.SHA256)
}

func TestOfficer(t *testing.T) {
	ctx := context.Background()
	m := load(t, softtoken.New())
	token := firstToken(t, m)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	refused(t, "a long label", token.Slot().InitToken(ctx, strings.Repeat("x", 33), PINString(softtoken.SOPIN)), ck.CKR_ARGUMENTS_BAD)
	must(token.With(ctx, func(*Session) error { return nil })) // leaves a session in the pool
	must(token.Slot().InitToken(ctx, "fresh", PINString(softtoken.SOPIN)))
	token = firstToken(t, m)
	if token.Label() != "fresh" {
		t.Errorf("label %q", token.Label())
	}
	must(token.With(ctx, func(*Session) error { return nil }))
	s, err := token.OpenSession(ctx, ReadWrite)
	must(err)
	must(s.Login(ctx, ck.CKU_SO, PINString(softtoken.SOPIN)))
	must(s.Login(ctx, ck.CKU_SO, PINString(softtoken.SOPIN)))
	must(s.InitPIN(ctx, PINString("5678")))
	must(s.Do(ctx, new(ck.LogoutCall)))
	must(s.Login(ctx, ck.CKU_USER, PINString("5678")))
	must(s.SetPIN(ctx, PINString("5678"), PINString("9012")))
	must(token.Logout(ctx))
	refused(t, "the old PIN", token.Login(ctx, PINString("5678")), ck.CKR_PIN_INCORRECT)
	must(token.Login(ctx, PINString("9012")))
}

// The security officer's wrong PIN is no news about the user's.
func TestRefusalsByUser(t *testing.T) {
	ctx := context.Background()
	var tries atomic.Int32
	token := firstToken(t, load(t, counted(&tries)))
	s, err := token.OpenSession(ctx, ReadWrite)
	if err != nil {
		t.Fatal(err)
	}
	for _, user := range []ck.UserType{ck.CKU_SO, ck.CKU_USER, ck.CKU_SO, ck.CKU_USER} {
		refused(t, user.String(), s.Login(ctx, user, PINString("0000")), ck.CKR_PIN_INCORRECT)
	}
	if n := tries.Load(); n != 2 {
		t.Errorf("the token saw %d PINs", n)
	}
	if err := s.Login(ctx, ck.CKU_USER, PINString(softtoken.UserPIN)); err != nil {
		t.Error(err)
	}
}

// While a person is asked for a PIN, others who want to log in wait for the answer: no longer than their contexts, and not
// beyond Close.
func TestLoginWaits(t *testing.T) {
	m := load(t, softtoken.New())
	token := firstToken(t, m)
	asked, answer := make(chan struct{}), make(chan string)
	person := func(context.Context, *Token) ([]byte, error) {
		asked <- struct{}{}
		return []byte(<-answer), nil
	}
	ctx := context.Background()
	login := func(ctx context.Context) error { return token.Login(ctx, person) }
	first := make(chan error)
	go func() { first <- login(ctx) }()
	<-asked
	bored := errors.New("bored")
	cancel, impatient := waiting(ctx, login)
	_, patient := waiting(ctx, login)
	cancel(bored)
	refused(t, "a wait", <-impatient, bored)
	answer <- "wrong"
	refused(t, "a wrong PIN", <-first, ck.CKR_PIN_INCORRECT)
	refused(t, "a wait for a wrong PIN", <-patient, ck.CKR_PIN_INCORRECT)

	go func() { first <- login(ctx) }()
	<-asked
	_, late := waiting(ctx, login)
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	refused(t, "a wait beyond Close", <-late, ErrClosed)
	answer <- softtoken.UserPIN
	refused(t, "a PIN after Close", <-first, ErrClosed)
}
