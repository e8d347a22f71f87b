package test

import (
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// patience is how long a program may take in valgrind, on a machine that has other things to do.
const patience = 5 * time.Minute

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
	for name, program := range map[string]func(t *testing.T, l linked, certificate string) command{
		"p11tool lists": func(t *testing.T, l linked, _ string) command {
			return l.command(t, "p11tool", "--login", "--list-all")
		},
		"p11tool signs": func(t *testing.T, l linked, _ string) command {
			return l.command(t, "p11tool", "--login", "--test-sign", "pkcs11:token=token;object=ec")
		},
		"systemd-cryptenroll": func(t *testing.T, l linked, _ string) command {
			return l.command(t, "systemd-cryptenroll", "--pkcs11-token-uri=list")
		},
		"p11_child": func(t *testing.T, l linked, certificate string) command {
			return l.p11Child(t, "--pre", "--logger=stderr", "--verify=no_ocsp", "--ca_db="+certificate)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			// A token of its own: SoftHSM writes to it when somebody logs in, which others may see half done.
			l := linked{lib: ours, tok: newToken(t)}.card(t)
			file, _ := l.certify(t, "ec")
			l.watched = true
			c := program(t, l, file)
			c.timeout = patience
			if r := c.mustRun(t); r.stdout+r.stderr == "" {
				t.Error("it says nothing")
			}
		})
	}
	// These run several programs each: certtool, p11tool, gnutls-cli, gnutls-serv, openconnect.
	for name, f := range map[string]func(t *testing.T, l linked) []string{
		"certtool": gnutlsKeys, "gnutls-cli": gnutlsClient, "gnutls-serv": gnutlsServer, "openconnect": openConnect,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f(t, linked{lib: ours, tok: newToken(t), watched: true})
		})
	}
}
