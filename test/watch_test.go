package test

import (
	"encoding/hex"
	"os/exec"
	"path/filepath"
	"testing"
)

// watch is a command line that runs a program, and its children, in valgrind. What valgrind has to say is an error, but for
// what Go's own code does; C code that the engine calls is watched like any other.
func watch(t testing.TB, path string, args []string) (string, []string) {
	t.Helper()
	valgrind, err := exec.LookPath("valgrind")
	if err != nil {
		t.Fatalf("%v: run scripts/install-test-deps.sh", err)
	}
	known, err := filepath.Abs("testdata/valgrind.supp")
	if err != nil {
		t.Fatal(err)
	}
	return valgrind, append([]string{"-q", "--error-exitcode=98", "--suppressions=" + known,
		"--leak-check=full", "--show-leak-kinds=definite", "--errors-for-leak-kinds=definite", path}, args...)
}

// TestLinkedWatched runs programs of the distribution on our library in valgrind.
func TestLinkedWatched(t *testing.T) {
	plain := linked{lib: ours, tok: newToken(t)}.card(t)
	file, _ := plain.certificate(t, "ec")
	plain.run(t, "p11tool", "--login", "--write", "--load-certificate", file, "--label", "ec",
		"--id", hex.EncodeToString([]byte("ec")), "pkcs11:token=token")
	l := plain
	l.watched = true
	for name, c := range map[string]command{
		"p11tool lists":       l.command(t, "p11tool", "--login", "--list-all"),
		"p11tool signs":       l.command(t, "p11tool", "--login", "--test-sign", "pkcs11:token=token;object=ec"),
		"systemd-cryptenroll": l.command(t, "systemd-cryptenroll", "--pkcs11-token-uri=list"),
		"p11_child":           l.p11Child(t, "--pre", "--logger=stderr", "--verify=no_ocsp", "--ca_db="+file),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if r := c.mustRun(t); r.stdout+r.stderr == "" {
				t.Error("it says nothing")
			}
		})
	}
}
