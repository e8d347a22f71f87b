package test

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// linked runs programs that the distribution has linked to libp11-kit.so.0, or that open it, with one of the libraries and
// a token of its own. The modules are those that the system has configured: SoftHSM's package configures its own.
type linked struct {
	lib     library
	tok     token
	modules string // what programs see of the system's configured modules; "" is all
	watched bool   // programs run in valgrind
}

// command is a run of a program. The PIN is never an argument: programs get it from the environment, or from a file.
func (l linked) command(t *testing.T, name string, args ...string) command {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("%v: run scripts/install-test-deps.sh", err)
	}
	env := maps.Clone(l.tok.env)
	env["GNUTLS_PIN"] = pin
	env["LC_ALL"] = "C"
	if l.watched {
		path, args = watch(t, path, args)
	}
	if l.modules != "" {
		args = append([]string{"-m", "sh", "-c", `mount --bind "$0" /usr/share/p11-kit/modules && exec "$@"`, l.modules, path}, args...)
		path = "/usr/bin/unshare"
		if os.Getuid() != 0 {
			// An ordinary user may mount in a user namespace of its own.
			args = append([]string{"-r"}, args...)
		}
	}
	return command{path: path, args: args, lib: l.lib, conf: l.tok.conf, env: env}
}

// exec runs a command to its end, and looks which library it was that the program loaded.
func (l linked) exec(t *testing.T, c command) result {
	t.Helper()
	if l.watched {
		return c.run(t) // valgrind loads libraries its own way
	}
	trace := filepath.Join(t.TempDir(), "loaded")
	c.env["LD_DEBUG"], c.env["LD_DEBUG_OUTPUT"] = "libs", trace
	r := c.run(t)
	files, err := filepath.Glob(trace + ".*")
	if err != nil || len(files) == 0 {
		t.Fatalf("%s leaves no trace of what it loads: %v", c, err)
	}
	var loaded strings.Builder
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		loaded.Write(data)
	}
	const begins = "calling init: "
	if !strings.Contains(loaded.String(), "/libp11-kit.so.0\n") {
		t.Errorf("%s does not load libp11-kit.so.0", c)
	}
	if own := strings.Contains(loaded.String(), begins+filepath.Join(ours.dir(t), "libp11-kit.so.0")+"\n"); own != (l.lib == ours) {
		t.Errorf("%s loads our library: %v", c, own)
	}
	return r
}

// run gives what a program prints, which must succeed.
func (l linked) run(t *testing.T, name string, args ...string) string {
	t.Helper()
	c := l.command(t, name, args...)
	r := l.exec(t, c)
	if r.code != 0 {
		t.Fatalf("%s: exit %d\nstdout: %s\nstderr: %s", c, r.code, r.stdout, r.stderr)
	}
	return r.stdout
}

// said is all that a program has to say, and how it ends.
func (l linked) said(t *testing.T, c command) string {
	t.Helper()
	r := l.exec(t, c)
	return fmt.Sprintf("exit %d\n%s%s", r.code, r.stdout, strings.ReplaceAll(r.stderr, l.tok.dir, "DIR"))
}

// file is a path beside the token.
func (l linked) file(name string) string { return filepath.Join(l.tok.dir, name) }

// card makes a card of the token: the only one in the only module, without SoftHSM's other slots.
func (l linked) card(t *testing.T) linked {
	t.Helper()
	l.modules = l.file("modules")
	writeFile(t, filepath.Join(l.modules, "card.module"), "module: "+cardModule(t)+"\n")
	l.tok.env = maps.Clone(l.tok.env)
	maps.Copy(l.tok.env, cardEnv(t, l.file("calls")))
	return l
}

// cardModule builds the module that makes a card of SoftHSM's token.
func cardModule(t testing.TB) string {
	t.Helper()
	return once(t, "card", func() string {
		return cc(t, "modules/card.so", "-shared", "-fPIC", "-fvisibility=hidden", "c/card.c", "-lpthread", "-ldl")
	})
}

// cardEnv is what that module wants to know: where SoftHSM is, and where it shall write down how often it is initialized.
func cardEnv(t testing.TB, calls string) map[string]string {
	return map[string]string{"CARD_MODULE": softhsm(t), "CARD_LOG": calls}
}

// calls is what the card was told: C_Initialize and C_Finalize, a line for each.
func (l linked) calls(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(l.file("calls"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// sameOnBoth runs f with both libraries, each with a token, and compares what the two say that f gives.
func sameOnBoth(t *testing.T, f func(t *testing.T, l linked) []string) {
	t.Helper()
	said := map[library][]string{}
	eachLibrary(t, both, func(t *testing.T, lib library) {
		said[lib] = f(t, linked{lib: lib, tok: newToken(t)})
	})
	if t.Failed() {
		return
	}
	if len(said[ours]) != len(said[reference]) {
		t.Fatalf("%d and %d results", len(said[reference]), len(said[ours]))
	}
	for i, want := range said[reference] {
		if got := said[ours][i]; got != want {
			t.Errorf("result %d: reference\n%s\nours\n%s", i, want, got)
		}
	}
}
