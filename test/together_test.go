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

// TestTogether runs programs in which two libraries use one token: GnuTLS and NSS, as in a mail client, and GnuTLS and
// libgck with libgcr. Either starts first and either ends first; the other goes on, and the first comes back.
func TestTogether(t *testing.T) {
	for _, tc := range []struct {
		name     string
		packages []string
	}{
		{"nss", []string{"gnutls", "nss"}},
		{"gck", []string{"gnutls", "gck-1"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			path := once(t, "together-"+tc.name, func() string {
				return cc(t, "bin/together-"+tc.name, togetherArgs(t, tc.name, tc.packages...)...)
			})
			runCases(t, path, withCard)
		})
	}
}
