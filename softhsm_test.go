//go:build cgo

package p11mux

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/p11mux/p11mux/ck"
	"github.com/p11mux/p11mux/conf"
	"github.com/p11mux/p11mux/internal/testkit"
)

func write(t testing.TB, path string, lines ...string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
}

// loadPath loads a module and closes it in the end.
func loadPath(t testing.TB, path string, opts ...Option) *Module {
	t.Helper()
	m, err := LoadModule(path, opts...)
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

// openHSM gives a new token of SoftHSM.
func openHSM(t testing.TB, opts ...Option) *fixture {
	t.Helper()
	lib, _ := testkit.SoftHSMTokens(t, "hsm")
	return use(t, loadPath(t, lib, opts...), testkit.UserPIN)
}

func TestSoftHSMKeys(t *testing.T) {
	f := openHSM(t)
	m := f.token.module()
	for _, p := range pairs {
		t.Run(p.name, func(t *testing.T) {
			f.TB = t
			pub, _ := f.generate(p.name, p.name)
			key, err := m.PrivateKey(f.ctx, "pkcs11:token=hsm;object="+p.name)
			f.must(err)
			// SoftHSM has one hash for all of PSS and OAEP, and no salt longer than RFC 8017 recommends.
			opts := optsFor(p.name)
			if p.name == "RSA" {
				opts = append([]crypto.SignerOpts{crypto.SHA1, crypto.SHA224}, hashes...)
				for _, h := range hashes {
					opts = append(opts, &rsa.PSSOptions{Hash: h.HashFunc(), SaltLength: rsa.PSSSaltLengthEqualsHash})
				}
				opts = append(opts, &rsa.PSSOptions{Hash: crypto.SHA256, SaltLength: 7}, &rsa.PSSOptions{Hash: crypto.SHA256})
				decryptsWith(t, must(key.Decrypter()), []*rsa.OAEPOptions{{Hash: crypto.SHA1}})
			}
			signs(t, key, opts...)

			public, err := pub.PublicKey(f.ctx)
			f.must(err)
			root := newAuthority(t, nil, "root of "+p.name)
			f.store(issue(t, root, "server", public, nil, nextYear), []byte(p.name))
			cert, err := m.TLSCertificate(f.ctx, "pkcs11:object="+p.name)
			f.must(err)
			shakes(t, cert, root, tls.VersionTLS13, 64)
			shakes(t, cert, root, tls.VersionTLS12, 8)
		})
	}
	f.TB = t
}

// 64 goroutines sign with one key, with their own session and with the pool's.
func TestSoftHSMManySign(t *testing.T) {
	f := openHSM(t, WithMaxSessions(16))
	_, priv := f.generate("P-256", "k")
	key, err := f.token.module().PrivateKey(f.ctx, priv.URI())
	f.must(err)
	manySign(t, f, key)
	own, err := priv.PrivateKey(f.ctx)
	f.must(err)
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() { signs(t, own, crypto.SHA256) })
	}
	wg.Wait()
}

func TestSoftHSMWrongPIN(t *testing.T) {
	ctx := context.Background()
	lib, _ := testkit.SoftHSMTokens(t, "hsm")
	m := loadPath(t, lib, WithPIN(PINString("00000000")))
	token, err := m.Token(ctx, "pkcs11:token=hsm")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() {
			_, err := m.PrivateKey(ctx, "pkcs11:token=hsm;object=k")
			refused(t, "a wrong PIN", err, ck.CKR_PIN_INCORRECT)
		})
	}
	wg.Wait()
	// SoftHSM tells when one try was wrong, and not how many; the right PIN works yet.
	if info, err := token.Info(ctx); err != nil || info.Flags&ck.CKF_USER_PIN_LOCKED != 0 {
		t.Errorf("%x, %v", info.Flags, err)
	}
	if err := token.Login(ctx, PINString(testkit.UserPIN)); err != nil {
		t.Error(err)
	}
}

// The directory of one of two tokens goes away in the middle of its use.
func TestSoftHSMRemoved(t *testing.T) {
	lib, tokens := testkit.SoftHSMTokens(t, "first")
	first, err := os.ReadDir(tokens)
	if err != nil || len(first) != 1 {
		t.Fatal(first, err)
	}
	testkit.AddSoftHSMToken(t, lib, "second")
	ctx := context.Background()
	m := loadPath(t, lib)
	var keys []*PrivateKey
	var fixtures []*fixture
	for _, label := range []string{"first", "second"} {
		token, err := m.Token(ctx, "pkcs11:token="+label)
		if err != nil {
			t.Fatal(err)
		}
		f := &fixture{TB: t, ctx: ctx, token: token}
		f.must(token.Login(ctx, PINString(testkit.UserPIN)))
		s, err := token.OpenSession(ctx, ReadWrite)
		f.must(err)
		f.Session = s
		f.generate("P-256", "k")
		key, err := m.PrivateKey(ctx, "pkcs11:object=k;token="+label)
		f.must(err)
		keys, fixtures = append(keys, key), append(fixtures, f)
		signs(t, key, crypto.SHA256)
	}
	if err := os.RemoveAll(filepath.Join(tokens, first[0].Name())); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for range 5 {
				// SoftHSM may still have the key in memory: whatever it says, it is an answer.
				if _, err := keys[0].Sign(rand.Reader, hashed(crypto.SHA256), crypto.SHA256); err != nil && ck.RVOf(err) == ck.CKR_OK {
					t.Error(err)
				}
				signs(t, keys[1], crypto.SHA256)
			}
		})
	}
	wg.Wait()
	_, err = fixtures[0].GenerateKey(ctx, ck.Mechanism{Type: ck.CKM_AES_KEY_GEN}, Attr(ck.CKA_VALUE_LEN, 32), Attr(ck.CKA_TOKEN, true))
	if err == nil {
		t.Error("a key is made on a token that is gone")
	}
	fixtures[1].generate("P-256", "more")
	for o, err := range fixtures[0].token.Find(ctx) {
		_, _ = o, err // any answer will do
	}
}

// A configuration of two modules that are there, one that is not, and one that is no module.
func configured(t *testing.T, lib string) conf.Paths {
	t.Helper()
	dir := t.TempDir()
	paths := conf.Paths{
		SystemConfig: filepath.Join(dir, "pkcs11.conf"), UserConfig: filepath.Join(dir, "none.conf"), PackageModules: filepath.Join(dir, "none"),
		SystemModules: filepath.Join(dir, "modules"), UserModules: filepath.Join(dir, "none"), ModuleDir: dir,
	}
	if err := os.Mkdir(paths.SystemModules, 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, paths.SystemConfig, "user-config: none")
	write(t, filepath.Join(paths.SystemModules, "hsm.module"), "module: "+lib, "priority: 1", "trust-policy: yes")
	write(t, filepath.Join(paths.SystemModules, "missing.module"), "module: missing.so")
	write(t, filepath.Join(paths.SystemModules, "other.module"), "module: "+lib, "this is no option")
	write(t, filepath.Join(paths.SystemModules, "same.module"), "module: "+lib)
	write(t, filepath.Join(paths.SystemModules, "elsewhere.module"), "module: "+lib, "enable-in: another-program")
	return paths
}

func TestLoad(t *testing.T) {
	ctx := context.Background()
	lib, _ := testkit.SoftHSMTokens(t, "hsm")
	paths := configured(t, lib)
	var log bytes.Buffer
	ms, err := Load(WithConfig(paths), WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
	if err != nil {
		t.Fatal(err)
	}
	defer ms.Close()
	if ms.Len() != 1 || ms.Module("hsm") == nil || ms.Module("hsm").Path() != lib {
		t.Fatalf("%d modules\n%s", ms.Len(), &log)
	}
	for _, want := range []string{"missing.so", "other.module", "is the same as module 'hsm'"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log does not have %q:\n%s", want, &log)
		}
		if problems := errors.Join(ms.Problems()...); problems == nil || !strings.Contains(problems.Error(), want) {
			t.Errorf("%q is no problem: %v", want, problems)
		}
	}
	if token, err := ms.Token(ctx, "pkcs11:token=hsm?module-name=hsm"); err != nil || token.Slot().Module() != ms.Module("hsm") {
		t.Errorf("%v", err)
	}

	_, err = Load(WithConfig(paths), WithCritical())
	if err == nil || !strings.Contains(err.Error(), "missing.so") {
		t.Errorf("a critical load: %v", err)
	}
	other, err := Load(WithConfig(paths), WithProgname("another-program"), WithTrustedOnly())
	if err != nil || other.Len() != 1 || other.Module("hsm") == nil {
		t.Fatalf("%v", err)
	}
	if err := other.Close(); err != nil {
		t.Error(err)
	}
	none, err := Load(WithConfig(conf.Paths{SystemConfig: "/dev/null", UserConfig: "/dev/null", PackageModules: "/dev/null", SystemModules: "/dev/null", UserModules: "/dev/null"}))
	if err != nil || none.Len() != 0 {
		t.Errorf("no modules: %d, %v", none.Len(), err)
	}
	if problems := none.Problems(); len(problems) != 0 {
		t.Errorf("no modules: %v", problems)
	}
	if err := none.Close(); err != nil {
		t.Error(err)
	}
	// The first load has gone on.
	if _, err := ms.Token(ctx, "pkcs11:token=hsm"); err != nil {
		t.Error(err)
	}
	if err := ms.Close(); err != nil {
		t.Error(err)
	}
}

func TestLoadModuleErrors(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "text.so"), "not a shared object")
	for _, path := range []string{filepath.Join(dir, "text.so"), filepath.Join(dir, "missing.so"), "missing.so", "", dir} {
		m, err := LoadModule(path, WithConfig(conf.Paths{ModuleDir: dir}))
		if m != nil || err == nil {
			t.Errorf("%q: %v", path, err)
		}
	}
	lib, _ := testkit.SoftHSMTokens(t)
	if _, err := LoadModule(lib, WithTrustedOnly()); err == nil {
		t.Error("a module without trust-policy")
	}
}

// Two packages load what they like, at the same time and in any order, and nobody hurts the others.
func TestLoadMany(t *testing.T) {
	lib, _ := testkit.SoftHSMTokens(t, "hsm")
	paths := configured(t, lib)
	f := use(t, loadPath(t, lib), testkit.UserPIN)
	_, priv := f.generate("P-256", "k")
	uri := priv.URI()
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for range 5 {
				ms, err := Load(WithConfig(paths), WithPIN(PINString(testkit.UserPIN)))
				if err != nil {
					t.Error(err)
					return
				}
				key, err := ms.PrivateKey(f.ctx, uri)
				if err != nil {
					t.Error(err)
				} else {
					signs(t, key, crypto.SHA256)
				}
				if i%2 == 0 {
					_, err = ms.Module("hsm").Info(f.ctx)
				}
				if e := ms.Close(); err != nil || e != nil {
					t.Error(err, e)
				}
			}
		})
	}
	wg.Wait()
	signs(t, must(priv.PrivateKey(f.ctx)), crypto.SHA256)
}

// When nobody uses a module any more, it is unloaded.
func TestUnload(t *testing.T) {
	lib, _ := testkit.SoftHSMTokens(t, "hsm")
	real := must(filepath.EvalSymlinks(lib))
	mapped := func() bool {
		maps, err := os.ReadFile("/proc/self/maps")
		if err != nil {
			t.Fatal(err)
		}
		return slices.ContainsFunc(strings.Split(string(maps), "\n"), func(line string) bool { return strings.HasSuffix(line, " "+real) })
	}
	a, b := loadPath(t, lib), loadPath(t, lib)
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Info(context.Background()); err != nil || !mapped() {
		t.Errorf("unloaded under the other's feet: %v", err)
	}
	if err := b.Close(); err != nil || mapped() {
		t.Errorf("still loaded, %v", err)
	}
}

// A module that is loaded and cannot be initialized is left out, or, if it is critical, fails the load and leaves nothing.
func TestLoadFailsToInitialize(t *testing.T) {
	lib, tokens := testkit.SoftHSMTokens(t)
	if err := os.RemoveAll(tokens); err != nil { // SoftHSM's C_Initialize wants it
		t.Fatal(err)
	}
	paths := configured(t, lib)
	dir := os.Getenv("P11_MODULE_PATH") // of the bundled token
	write(t, filepath.Join(paths.SystemModules, "before.module"), "module: "+filepath.Join(dir, "p11mux-softtoken.so"), "priority: 2")
	var log bytes.Buffer
	ms, err := Load(WithConfig(paths), WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
	if err != nil {
		t.Fatal(err)
	}
	if ms.Len() != 1 || ms.Module("before") == nil || !strings.Contains(log.String(), "skipping module 'hsm'") {
		t.Errorf("%d modules\n%s", ms.Len(), &log)
	}
	if err := ms.Close(); err != nil {
		t.Error(err)
	}
	write(t, filepath.Join(paths.SystemModules, "hsm.module"), "module: "+lib, "priority: 1", "critical: yes")
	ms, err = Load(WithConfig(paths))
	refused(t, "a critical module", err, ck.CKR_GENERAL_ERROR)
	if ms != nil {
		t.Error("there are modules in spite of the error")
	}
	_, err = LoadModule(lib)
	refused(t, "a module that cannot be initialized", err, ck.CKR_GENERAL_ERROR)
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil || strings.Contains(string(maps), must(filepath.EvalSymlinks(lib))) {
		t.Errorf("the module is loaded, %v", err)
	}
}

// A configuration that wants calls logged is heard in Go too: each of two callers of one module is in the log by its name.
func TestConfiguredLog(t *testing.T) {
	lib, _ := testkit.SoftHSMTokens(t, "hsm")
	for _, format := range []string{"text", "json"} {
		paths := configured(t, lib)
		dir := filepath.Dir(paths.SystemConfig)
		write(t, paths.SystemConfig, "user-config: none", "log-calls: yes", "log-format: "+format, "log-file: "+dir+"/%n.log")
		for _, name := range []string{"first", "second"} {
			ms, err := Load(WithConfig(paths), WithProgname(name))
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range ms.all {
				if m.Path() == lib {
					f := use(t, m, testkit.UserPIN)
					useSecrets(f)
					f.must(f.Session.Close())
				}
			}
			if err := ms.Close(); err != nil {
				t.Error(err)
			}
		}
		logs, err := filepath.Glob(dir + "/*.log")
		if err != nil {
			t.Fatal(err)
		}
		var all []byte
		for _, path := range logs {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, text...)
		}
		withoutSecrets(t, string(all), testkit.UserPIN)
		wanted := []string{"C_Initialize = CKR_OK\n", "  IN: pPin = (8) NOT-PRINTED\n", "CKA_VALUE, CKA_LABEL", "C_Finalize = CKR_OK\n"}
		if format == "json" {
			wanted = []string{`"function":"C_Login"`, `"pPin":{"length":8}`, `"caller":"first"`, `"caller":"second"`, `"result":"CKR_OK"`}
		}
		for _, want := range wanted {
			if !strings.Contains(string(all), want) {
				t.Errorf("the log lacks %q:\n%s", want, all)
			}
		}
	}
}
