package test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestTrust runs p11-kit's own programs, as the distribution has them, with either library: they iterate modules, tokens and
// objects, and load attributes. What they say must be the same, to the byte.
func TestTrust(t *testing.T) {
	said := map[string]string{}
	eachLibrary(t, both, func(t *testing.T, lib library) {
		tok := newToken(t)
		run := func(name string, args ...string) string {
			t.Helper()
			path, err := exec.LookPath(name)
			if err != nil {
				t.Fatalf("%v: run scripts/install-test-deps.sh", err)
			}
			return command{path: path, args: args, lib: lib, conf: tok.conf, env: tok.env}.mustRun(t).stdout
		}
		compare := func(what, text string, wanted ...string) {
			t.Helper()
			contains(t, what, text, wanted...)
			if lib == reference {
				said[what] = text
			} else if text != said[what] {
				t.Errorf("%s:\n%s\nwith the system's library:\n%s", what, text, said[what])
			}
		}
		compare("trust list", run("trust", "list"), "pkcs11:id=", "type: certificate", "trust: anchor")
		compare("trust list by filter", run("trust", "list", "--filter=ca-anchors", "--purpose=email"), "pkcs11:id=")
		compare("trust dump", run("trust", "dump", "--filter=pkcs11:type=cert"), "[p11-kit-object-v1]", "trusted: true")
		bundle := filepath.Join(tok.dir, "bundle.pem")
		run("trust", "extract", "--format=pem-bundle", "--filter=ca-anchors", bundle)
		pem, err := os.ReadFile(bundle)
		if err != nil {
			t.Fatal(err)
		}
		compare("trust extract", string(pem), "-----BEGIN CERTIFICATE-----")
		compare("p11-kit list-modules", run("p11-kit", "list-modules"), "library-description: PKCS#11 Kit Trust Module", "token: System Trust",
			"library-description: Implementation of PKCS11", "token: token")
	})
}
