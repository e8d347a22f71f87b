package test

import (
	"maps"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// systemProxy is p11-kit's own proxy module.
func systemProxy(t *testing.T) string {
	t.Helper()
	paths, err := filepath.Glob("/usr/lib/*/" + proxyName)
	if err != nil || len(paths) != 1 {
		t.Fatalf("%s of the system: %v %v: run scripts/install-test-deps.sh", proxyName, paths, err)
	}
	return paths[0]
}

// togetherArgs are the compiler's arguments for a program with two consumers, GnuTLS and the one of together/name.c.
func togetherArgs(t *testing.T, name string, packages ...string) []string {
	t.Helper()
	flags := func(what string) []string {
		out, err := exec.Command("pkg-config", append([]string{what}, packages...)...).Output()
		if err != nil {
			t.Fatalf("pkg-config %v: %v: run scripts/install-test-deps.sh", packages, err)
		}
		return strings.Fields(string(out))
	}
	args := append(flags("--cflags"), "together/"+name+".c", "together/gnutls.c", "together/together.c", "c/common.c", "c/base.c")
	if name == "gck" {
		args = append(args, "-l:libgcr-base-3.so.1")
	}
	return append(append(args, flags("--libs")...), "-l:libp11-kit.so.0", "-lpthread", "-ldl", "-lrt")
}

// withCard prepares a run of such a program: its configuration names the card, and NSS is told where the proxy is.
func withCard(t *testing.T, c *command) {
	t.Helper()
	tok := newToken(t)
	card := cardModule(t)
	writeFile(t, filepath.Join(tok.dir, "card", "modules", "card.module"), "module: "+card+"\n")
	// For libgcr, which looks only there for issuers.
	writeFile(t, filepath.Join(tok.dir, "card", "pkcs11.conf"), "x-trust-lookup: pkcs11:token=token\n")
	c.conf = filepath.Join(tok.dir, "card")
	c.env = maps.Clone(tok.env)
	maps.Copy(c.env, cardEnv(t, filepath.Join(tok.dir, "calls")))
	c.env["TEST_PROXY"] = systemProxy(t)
	if dir := c.lib.dir(t); dir != "" {
		c.env["TEST_PROXY"] = filepath.Join(dir, proxyName)
	}
}

// eachTogether runs f for the two programs, with what their compiler is to be told.
func eachTogether(t *testing.T, f func(t *testing.T, name string, args []string)) {
	t.Helper()
	for name, packages := range map[string][]string{"nss": {"gnutls", "nss"}, "gck": {"gnutls", "gck-1"}} {
		t.Run(name, func(t *testing.T) { f(t, "together-"+name, togetherArgs(t, name, packages...)) })
	}
}

// plainTogether builds such a program as it is.
func plainTogether(t *testing.T, name string, args []string) string {
	t.Helper()
	return once(t, name, func() string { return cc(t, "bin/"+name, args...) })
}

// TestTogether runs programs in which two libraries use one token: GnuTLS and NSS, as in a mail client, and GnuTLS and
// libgck with libgcr. Either starts first and either ends first; the other goes on, and the first comes back.
func TestTogether(t *testing.T) {
	eachTogether(t, func(t *testing.T, name string, args []string) {
		runCases(t, plainTogether(t, name, args), withCard)
	})
}

// TestTogetherSanitized runs the same with the C half of our library, and the program, built with sanitizers.
func TestTogetherSanitized(t *testing.T) {
	eachTogether(t, func(t *testing.T, name string, args []string) {
		path := once(t, memory+"/"+name, func() string {
			return cc(t, "bin-"+memory+"/"+name, append([]string{"-fsanitize=" + memory, "-fno-sanitize-recover=undefined"}, args...)...)
		})
		for _, story := range []string{"gnutls_starts_gnutls_ends", "gnutls_starts_other_ends"} {
			t.Run(story, func(t *testing.T) {
				t.Parallel()
				c := command{path: path, args: []string{story}, lib: oursWatched}
				withCard(t, &c)
				maps.Copy(c.env, sanitizerEnv)
				checkSanitized(t, c.run(t))
			})
		}
	})
}

// TestTogetherWatched runs the same, as it is, in valgrind, which follows it into the child.
func TestTogetherWatched(t *testing.T) {
	eachTogether(t, func(t *testing.T, name string, args []string) {
		t.Parallel()
		c := command{args: []string{"other_starts_gnutls_ends"}, lib: ours, timeout: patience}
		c.path, c.args = watch(t, plainTogether(t, name, args), c.args)
		withCard(t, &c)
		c.mustRun(t)
	})
}
