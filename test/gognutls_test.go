package test

import (
	"maps"
	"path/filepath"
	"strings"
	"testing"
)

// countedModule is SoftHSM behind a module that counts.
func countedModule(t testing.TB) string {
	t.Helper()
	return once(t, "counted", func() string {
		return cc(t, "modules/counted.so", "-shared", "-fPIC", "-fvisibility=hidden", "-Wl,-z,nodelete", "c/counted.c", "-ldl", "-lpthread")
	})
}

// counted is a token whose module counts.
type counted struct{ consumer }

func newCounted(t testing.TB) counted {
	t.Helper()
	c := counted{newConsumer(t)}
	c.configure(t, "softhsm", countedModule(t), "1")
	maps.Copy(c.env, map[string]string{
		"LD_LIBRARY_PATH": ours.dir(t),
		"COUNTED_MODULE":  softhsm(t),
		"TOKEN_MODULE":    countedModule(t),
		"TOKEN_PIN_FILE":  c.pinFile,
		"TOKEN_KEYS":      tokenTemplate(t),
		"TOKEN_PROXY":     filepath.Join(ours.dir(t), proxyName),
	})
	return c
}

// runSteps runs a program whose arguments are steps, and which says when it is done.
func runSteps(t *testing.T, c command, steps string) {
	t.Helper()
	c.args = strings.Fields(steps)
	if r := c.mustRun(t); r.stdout != "done\n" || r.stderr != "" {
		t.Errorf("printed %q and %q", r.stdout, r.stderr)
	}
}

// TestGoGnuTLS runs a Go program that uses a token by the Go API while GnuTLS, and a consumer of the proxy module, use it
// in the same process: whoever comes first, and whoever goes first, the module is initialized and finalized once.
func TestGoGnuTLS(t *testing.T) {
	for _, tc := range []struct{ name, steps string }{
		{"Go first, Go goes", "go+ go gnutls+ gnutls go counts=1/0 one-engine go- gnutls counts=1/0 gnutls- counts=1/1"},
		{"Go first, GnuTLS goes", "go+ go gnutls+ gnutls go counts=1/0 one-engine gnutls- go counts=1/0 go- counts=1/1"},
		{"GnuTLS first, GnuTLS goes", "gnutls+ gnutls go+ go gnutls counts=1/0 one-engine gnutls- go counts=1/0 go- counts=1/1"},
		{"GnuTLS first, Go goes", "gnutls+ gnutls go+ go gnutls counts=1/0 one-engine go- gnutls counts=1/0 gnutls- counts=1/1"},
		{"again", "go+ gnutls+ go- gnutls- counts=1/1 gnutls+ gnutls go+ go counts=2/1 gnutls- go go- counts=2/2"},
		{"handshake", "gnutls+ go+ tls tls go gnutls counts=1/0 gnutls- go- counts=1/1"},
		{"all at once", "go+ gnutls+ proxy+ many counts=1/0 one-engine go- many gnutls- many proxy- counts=1/1"},
		{"proxy first", "proxy+ proxy go+ go gnutls+ gnutls one-engine proxy- go gnutls counts=1/0 gnutls- go go- counts=1/1"},
		{"proxy last", "gnutls+ gnutls go+ go proxy+ proxy counts=1/0 gnutls- go proxy go- proxy proxy- counts=1/1"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			for _, tag := range []string{"linked", "late"} {
				runSteps(t, newCounted(t).command(goProgram(t, "gognutls", "-tags="+tag)), tc.steps)
			}
		})
	}
}

// TestGoGnuTLSRace has the race detector watch, with the program as the engine and without.
func TestGoGnuTLSRace(t *testing.T) {
	for _, flags := range [][]string{{"-race"}, {"-race", otherBuild(t)}} {
		runSteps(t, newCounted(t).command(goProgram(t, "gognutls", flags...)),
			"go+ gnutls+ proxy+ many tls go- many gnutls- go+ many go- proxy- counts=1/1")
	}
}

// TestGoGnuTLSOfOtherBuild runs a program that is of another build than the library: the library loads its engine, and the
// program uses it as well.
func TestGoGnuTLSOfOtherBuild(t *testing.T) {
	for _, steps := range []string{
		"go+ go gnutls+ gnutls many go tls counts=1/0 go- gnutls counts=1/0 gnutls- counts=1/1",
		"gnutls+ gnutls go+ go many gnutls proxy+ proxy counts=1/0 gnutls- go proxy- go counts=1/0 go- counts=1/1",
	} {
		runSteps(t, newCounted(t).command(goProgram(t, "gognutls", otherBuild(t))), steps)
	}
}

// TestTwoLibraries has two copies of libp11-kit.so.0 in one process, of which the program can be the engine of one only. The
// other loads its own. What they load they do not share, so who initialized the module has to go last; but they do not take
// the engine away from each other.
func TestTwoLibraries(t *testing.T) {
	for _, steps := range []string{
		"go+ gnutls+ gnutls proxy+ proxy go gnutls many proxy- go gnutls gnutls- go go-",
		"proxy+ proxy gnutls+ gnutls go+ go proxy many gnutls- go proxy go- proxy proxy-",
	} {
		c := newCounted(t)
		other := t.TempDir()
		for _, name := range []string{"libp11-kit.so.0", "p11mux/engine.so"} {
			install(t, filepath.Join(ours.dir(t), name), filepath.Join(other, name))
		}
		c.env["TOKEN_PROXY"] = filepath.Join(other, "libp11-kit.so.0")
		runSteps(t, c.command(goProgram(t, "gognutls", "-tags=linked")), steps)
	}
}
