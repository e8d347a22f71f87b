package test

import (
	"crypto"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// proxyName is the file that programs are told to load; it is a link to the library.
const proxyName = "p11-kit-proxy.so"

// The PIN of a user of either token, and what the bundled token calls itself.
const (
	pin          = "1234"
	bundledLabel = "p11mux demo"
)

// A consumer is what an unmodified program needs to use our proxy module: a SoftHSM token of its own, the PIN in a file,
// and the configuration in environment variables. The program finds the bundled token first, so that SoftHSM's slots have
// other places and numbers than its own.
type consumer struct {
	token
	pinFile string // mode 0600, without a newline
}

func newConsumer(t testing.TB) consumer {
	t.Helper()
	c := consumer{token: newToken(t)}
	c.configure(t, "softhsm", softhsm(t), "1")
	c.configure(t, "bundled", bundled(t), "2")
	c.pinFile = c.secret(t, "pin", pin)
	maps.Copy(c.env, confEnv(c.conf))
	c.env["LC_ALL"] = "C"
	c.env["USER_PIN"] = pin // for pkcs11-tool, which reads it from nowhere else
	return c
}

// confEnv has a program find its configuration in a directory, and nowhere else.
func confEnv(conf string) map[string]string {
	return map[string]string{
		"P11_SYSTEM_CONFIG_FILE":     filepath.Join(conf, "pkcs11.conf"),
		"P11_SYSTEM_CONFIG_MODULES":  filepath.Join(conf, "modules"),
		"P11_PACKAGE_CONFIG_MODULES": filepath.Join(conf, "package"),
		"P11_USER_CONFIG_FILE":       filepath.Join(conf, "user.conf"),
		"P11_USER_CONFIG_MODULES":    filepath.Join(conf, "user"),
	}
}

// proxy is the path of our proxy module, as a program is told it.
func proxy(t testing.TB) string {
	t.Helper()
	path := filepath.Join(buildDir(t), "lib", proxyName)
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("%v: run make first", err)
	}
	return path
}

// bundled is the path of the token that comes with the project.
func bundled(t testing.TB) string {
	return filepath.Join(buildDir(t), "lib", "pkcs11", "p11mux-softtoken.so")
}

// configure writes the file of a module.
func (c consumer) configure(t testing.TB, name, module, priority string) {
	t.Helper()
	writeFile(t, filepath.Join(c.conf, "modules", name+".module"), "module: "+module+"\npriority: "+priority+"\n")
}

// secret writes a file that only its owner can read, and gives its path.
func (tok token) secret(t testing.TB, name, text string) string {
	t.Helper()
	path := filepath.Join(tok.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// command is a run of a program in the consumer's surroundings.
func (c consumer) command(name string, args ...string) command {
	return command{path: name, args: args, conf: c.conf, env: c.env, dir: c.dir}
}

// run runs a program, which must succeed.
func (c consumer) run(t testing.TB, name string, args ...string) result {
	t.Helper()
	return c.command(name, args...).mustRun(t)
}

// tool runs pkcs11-tool, logged in to a module's SoftHSM token.
func (c consumer) tool(t testing.TB, module string, args ...string) result {
	t.Helper()
	return c.run(t, "pkcs11-tool", slices.Concat([]string{"--module", module, "--token-label", "token", "--login", "--pin", "env:USER_PIN"}, args)...)
}

// read reads a file of the directory beside the token.
func (tok token) read(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(tok.dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// sortedLines are the lines of a text whose order says nothing: SoftHSM lists objects in the order of their addresses.
func sortedLines(text string) []string {
	return slices.Sorted(strings.Lines(text))
}

// sameLines fails the test where the texts differ, line by line.
func sameLines(t testing.TB, what string, raw, got []string) {
	t.Helper()
	for i := range max(len(raw), len(got)) {
		var r, g string
		if i < len(raw) {
			r = raw[i]
		}
		if i < len(got) {
			g = got[i]
		}
		if r != g {
			t.Errorf("%s, line %d: through the proxy %q, else %q", what, i+1, g, r)
		}
	}
}

// contains fails the test unless the text has all that is wanted, in this order.
func contains(t testing.TB, what, text string, wanted ...string) {
	t.Helper()
	rest := text
	for _, want := range wanted {
		_, after, ok := strings.Cut(rest, want)
		if !ok {
			t.Fatalf("%s lacks %q, or has it too early:\n%s", what, want, text)
		}
		rest = after
	}
}

// isKey fails the test unless a public key is that of the token's key.
func isKey(t testing.TB, key any, label string) {
	t.Helper()
	if k, ok := key.(interface{ Equal(crypto.PublicKey) bool }); !ok || !k.Equal(publicKey(t, label)) {
		t.Errorf("%s: this is another key: %v", label, key)
	}
}

// TestProxyIsTheLibrary checks what makes programs that link the library and programs that load the proxy share modules:
// the dynamic linker finds one file behind both names.
func TestProxyIsTheLibrary(t *testing.T) {
	got, err := os.Stat(proxy(t))
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.Stat(filepath.Join(buildDir(t), "lib", "libp11-kit.so.0"))
	if err != nil {
		t.Fatal(err)
	}
	if !os.SameFile(got, want) {
		t.Errorf("%s is not libp11-kit.so.0", proxyName)
	}
}
