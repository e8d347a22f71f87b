package test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestSofttokenTool runs OpenSC's pkcs11-tool, a foreign consumer, on the bundled token: it makes a key and tries what it
// can try with it.
func TestSofttokenTool(t *testing.T) {
	cmd := exec.Command("pkcs11-tool", "--module", filepath.Join(buildDir(t), "lib", "pkcs11", "p11mux-softtoken.so"),
		"--login", "--pin", "env:USER_PIN", "--keypairgen", "--key-type", "rsa:2048", "--id", "01", "--test")
	cmd.Env = append(os.Environ(), "USER_PIN="+pin)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("pkcs11-tool: %v\n%s", err, out)
	}
	for _, want := range []string{"Private Key Object; RSA", "all 4 digest functions seem to work", "RSA-PKCS: OK", "SHA1-RSA-PKCS: OK", "No errors"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("pkcs11-tool does not say %q:\n%s", want, out)
		}
	}
}
