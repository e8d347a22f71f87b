package test

import (
	"context"
	"encoding/binary"
	"maps"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"github.com/p11mux/p11mux/ck"
	"github.com/p11mux/p11mux/conf"
	"github.com/p11mux/p11mux/internal/native"
	"github.com/p11mux/p11mux/internal/softtoken"
	"github.com/p11mux/p11mux/internal/testkit"
	"github.com/p11mux/p11mux/module"
	"github.com/p11mux/p11mux/module/moduletest"
	"github.com/p11mux/p11mux/registry"
	"github.com/p11mux/p11mux/rpc"
)

// client is the path of our client module.
func client(t testing.TB) string {
	return filepath.Join(buildDir(t), "lib", "pkcs11", "p11-kit-client.so")
}

// listen serves the bundled token at a socket, to each client a new one, and gives the address.
func listen(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "a socket")
	testkit.Listen(t, path, func(c net.Conn) {
		_ = rpc.Serve(context.Background(), softtoken.New(), c, c, rpc.ServerOptions{}) // the client sees what is wrong
	})
	return "unix:path=" + strings.ReplaceAll(path, " ", "%20")
}

// elsewheres are addresses of tokens.
var elsewheres = []struct {
	name    string
	address func(t *testing.T) (string, moduletest.Fixture)
}{
	{"pipe", func(t *testing.T) (string, moduletest.Fixture) {
		token := newToken(t)
		return "|env SOFTHSM2_CONF=" + token.env["SOFTHSM2_CONF"] + " " + p11mux(t) + " remote " + softhsm(t), moduletest.Fixture{
			Label: "token", UserPIN: []byte(pin), SOPIN: []byte("5678"), Offers: softhsmOffers,
		}
	}},
	{"socket", func(t *testing.T) (string, moduletest.Fixture) {
		return listen(t), moduletest.Fixture{
			Label: softtoken.Label, UserPIN: []byte(softtoken.UserPIN), SOPIN: []byte(softtoken.SOPIN),
			Offers: []ck.MechanismType{ck.CKM_SHA256, ck.CKM_SHA256_RSA_PKCS, ck.CKM_ECDSA, ck.CKM_AES_GCM},
		}
	}},
}

// configured gives a module that is configured with an address, as a caller of the Go API has it. It may have the library say what has one of
// the texts in it, and nothing else.
func configured(t *testing.T, address string, texts ...string) module.Module {
	t.Helper()
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "modules", "far.module"), "remote: "+address+"\n")
	var messages []string
	reg := registry.New(registry.Hooks{
		Message: func(text string) {
			if !slices.ContainsFunc(texts, func(expected string) bool { return strings.Contains(text, expected) }) {
				messages = append(messages, text)
			}
		},
		Environment: func() (conf.Paths, conf.Env) {
			return conf.Paths{SystemConfig: filepath.Join(dir, "none"), PackageModules: dir, SystemModules: filepath.Join(dir, "modules")}, conf.Env{}
		},
	})
	choices, err := reg.Configured(registry.Query{})
	if err != nil || len(choices) != 1 {
		t.Fatalf("%v; %d modules; %q", err, len(choices), messages)
	}
	t.Cleanup(func() {
		reg.Release(choices[0].Module)
		reg.Sweep()
		if len(messages) > 0 {
			t.Errorf("messages: %q", messages)
		}
	})
	return choices[0].Module.Shared().NewCaller(nil)
}

// byClientModule gives a function list of our client module: calls go through all there is, from C to C.
func byClientModule(t *testing.T, address string) module.Module {
	t.Helper()
	t.Setenv("P11_KIT_SERVER_ADDRESS", address)
	m, err := native.Open(client(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	return m
}

// TestElsewhereModule has modules elsewhere behave as every module has to.
func TestElsewhereModule(t *testing.T) {
	for _, e := range elsewheres {
		for way, open := range map[string]func(t *testing.T, address string) module.Module{
			"configured":    func(t *testing.T, address string) module.Module { return configured(t, address) },
			"client module": byClientModule,
		} {
			t.Run(e.name+"/"+way, func(t *testing.T) {
				moduletest.Run(t, func(t *testing.T) moduletest.Fixture {
					address, f := e.address(t)
					f.Module, f.Again = open(t, address), ck.CKR_CRYPTOKI_ALREADY_INITIALIZED
					return f
				})
			})
		}
	}
}

// TestElsewhereConsumers has programs use a token that is elsewhere, by our proxy module and by the client modules of both, and
// compares with the same token here.
func TestElsewhereConsumers(t *testing.T) {
	c := newConsumer(t)
	data := c.secret(t, "data", "signed elsewhere")
	address := "|env SOFTHSM2_CONF=" + c.env["SOFTHSM2_CONF"] + " " + p11mux(t) + " remote " + softhsm(t)
	writeFile(t, filepath.Join(c.conf, "modules", "softhsm.module"), "remote: "+address+"\npriority: 1\n")
	listed := sortedLines(c.tool(t, softhsm(t), "--list-objects").stdout)
	for name, by := range map[string]struct{ module, address string }{
		"proxy":              {module: proxy(t)},
		"client":             {client(t), address},
		"reference's client": {clientModule(t), address},
		"reference's remote": {client(t), strings.Replace(address, p11mux(t), "p11-kit", 1)},
		"tokens":             {client(t), strings.Replace(address, softhsm(t), "--provider "+softhsm(t)+" pkcs11:token=token", 1)},
	} {
		t.Run(name, func(t *testing.T) {
			far := c
			far.env = maps.Clone(c.env)
			far.env["P11_KIT_SERVER_ADDRESS"] = by.address
			sameLines(t, "objects", listed, sortedLines(far.tool(t, by.module, "--list-objects").stdout))
			out := filepath.Join(c.dir, "signature")
			far.tool(t, by.module, append(signs, "--input-file", data, "--output-file", out)...)
			c.signed(t, "signature", "signed elsewhere")
		})
	}
	run := c.command("p11tool", "--login", "--list-all", "pkcs11:token=token")
	run.lib, run.env = ours, maps.Clone(c.env)
	run.env["GNUTLS_PIN"] = pin
	objects := run.mustRun(t).stdout // in no order
	contains(t, "p11tool", objects, "Label: rsa")
	contains(t, "p11tool", objects, "Label: ec")
	contains(t, "the Go API", c.run(t, p11mux(t), "list-tokens").stdout, "SoftHSM v2")
}

// TestElsewhereServer has our client module use the reference's server, which is told by a module's configuration.
func TestElsewhereServer(t *testing.T) {
	c := newConsumer(t)
	socket := filepath.Join(c.dir, "socket")
	server := c.referenceServer(t, socket)
	t.Cleanup(func() {
		_ = server.Process.Kill()
		_ = server.Wait() // says that it was killed
	})
	writeFile(t, filepath.Join(c.conf, "modules", "softhsm.module"), "module: "+client(t)+"\nserver-address: unix:path="+socket+"\npriority: 1\n")
	sameLines(t, "objects", sortedLines(c.tool(t, softhsm(t), "--list-objects").stdout), sortedLines(c.tool(t, proxy(t), "--list-objects").stdout))
	usual := c
	usual.env = maps.Clone(c.env)
	usual.env["XDG_RUNTIME_DIR"] = filepath.Join(c.dir, "run")
	if err := os.MkdirAll(filepath.Join(c.dir, "run", "p11-kit"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(socket, filepath.Join(c.dir, "run", "p11-kit", "pkcs11")); err != nil {
		t.Fatal(err)
	}
	contains(t, "the usual place", usual.run(t, "pkcs11-tool", "--module", client(t), "--list-slots").stdout, "token label        : token")
}

// TestRemoteCommand runs command lines of p11mux remote that serve nobody.
func TestRemoteCommand(t *testing.T) {
	for _, c := range []struct {
		args   []string
		stdin  string
		code   int
		stderr string
	}{
		{nil, "", 2, "specify a module or tokens to remote"},
		{[]string{"a.so", "b.so"}, "", 2, "only one module can be specified"},
		{[]string{"", "b.so"}, "", 2, "one of the words is empty"},
		{[]string{"--frobnicate"}, "", 2, "unknown flag"},
		{[]string{"/nonexistent.so"}, "\x02", 1, "couldn't load module: /nonexistent.so"},
		{[]string{"pkcs11:token"}, "\x02", 1, "couldn't parse the URI of a token"},
		{[]string{"--provider", "/nonexistent.so", "pkcs11:"}, "\x02", 1, "couldn't load module: /nonexistent.so"},
		{[]string{filepath.Join(modules(t), "a.so")}, "", 1, "unexpected EOF"},
		{[]string{filepath.Join(modules(t), "a.so")}, "\x02", 0, ""},
		{[]string{filepath.Join(modules(t), "a.so")}, "\x02\x00\x00\x00\x10\x00\x00\x00\x00\xff\xff\xff\xff", 1, "serve"},
		{[]string{"--provider", filepath.Join(modules(t), "a.so"), "pkcs11:"}, "\x02", 0, ""},
	} {
		r := command{path: p11mux(t), args: slices.Concat([]string{"remote"}, c.args), stdin: c.stdin}.run(t)
		if r.code != c.code || !strings.Contains(r.stderr, c.stderr) || c.stderr == "" && r.stderr != "" {
			t.Errorf("%q: exit %d, want %d and %q\n%s", c.args, r.code, c.code, c.stderr, r.stderr)
		}
	}
}

// TestElsewhereAddresses has parameters of mechanisms that nobody knows be sent, unless there are addresses of this process in them. What a
// session is to notify of, and whom, stays here: the server has no way to tell.
func TestElsewhereAddresses(t *testing.T) {
	for way, open := range map[string]func(t *testing.T, address string) module.Module{
		"configured":    func(t *testing.T, address string) module.Module { return configured(t, address) },
		"client module": byClientModule,
	} {
		t.Run(way, func(t *testing.T) {
			m := open(t, listen(t))
			do := func(call ck.Call) error { return m.Do(t.Context(), call) }
			if err := do(&ck.InitializeCall{}); err != nil {
				t.Fatal(err)
			}
			defer do(&ck.FinalizeCall{})
			slots := &ck.GetSlotListCall{TokenPresent: true, Slots: ck.Out[ck.SlotID]{Buf: make([]ck.SlotID, 8)}}
			if err := do(slots); err != nil || slots.Slots.N == 0 {
				t.Fatal(err)
			}
			here := new(uint64)
			session := &ck.OpenSessionCall{Slot: slots.Slots.Buf[0], Flags: ck.CKF_SERIAL_SESSION, Application: uintptr(unsafe.Pointer(here))}
			if err := do(session); err != nil {
				t.Fatal(err)
			}
			for name, c := range map[string]struct {
				words []uint64
				want  ck.RV
			}{
				"numbers":    {[]uint64{1, 64 << 10, 1 << 63}, ck.CKR_MECHANISM_INVALID}, // of the token
				"an address": {[]uint64{7, uint64(uintptr(unsafe.Pointer(here)))}, ck.CKR_MECHANISM_PARAM_INVALID},
			} {
				var memory []byte
				for _, word := range c.words {
					memory = binary.NativeEndian.AppendUint64(memory, word)
				}
				err := do(&ck.SignInitCall{Session: session.Session, Mechanism: &ck.Mechanism{Type: ck.CKM_VENDOR_DEFINED + 99, Param: ck.RawParam(memory)}})
				if ck.RVOf(err) != c.want {
					t.Errorf("%s: %v, want %v", name, err, c.want)
				}
			}
			runtime.KeepAlive(here)
		})
	}
}
