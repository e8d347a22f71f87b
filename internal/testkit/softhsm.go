package testkit

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// The PINs of the tokens that are made here, which are thrown away.
const (
	UserPIN = "12345678"
	SOPIN   = "87654321"
)

// softHSMPlaces are where distributions install SoftHSM.
var softHSMPlaces = [...]string{
	"/usr/lib/softhsm/libsofthsm2.so",
	"/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
	"/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
	"/usr/lib64/softhsm/libsofthsm2.so",
	"/usr/lib64/pkcs11/libsofthsm2.so",
	"/usr/lib/libsofthsm2.so",
	"/usr/local/lib/softhsm/libsofthsm2.so",
}

// FindSoftHSM gives the path of the module SoftHSM, empty if it is not installed.
func FindSoftHSM() string {
	for _, place := range softHSMPlaces {
		if _, err := os.Stat(place); err == nil {
			return place
		}
	}
	return ""
}

// SoftHSM is FindSoftHSM for a test that cannot do without.
func SoftHSM(t testing.TB) string {
	t.Helper()
	path := FindSoftHSM()
	if path == "" {
		t.Fatal("SoftHSM is not there: run scripts/install-test-deps.sh")
	}
	return path
}

// SoftHSMTokens sets SoftHSM up for the test, with tokens of these labels, and gives the module and the directory that they
// are in. The test must not run beside others, for the environment says where the tokens are.
func SoftHSMTokens(t testing.TB, labels ...string) (module, tokens string) {
	t.Helper()
	module = SoftHSM(t)
	dir := t.TempDir()
	tokens = filepath.Join(dir, "tokens")
	if err := os.Mkdir(tokens, 0o700); err != nil {
		t.Fatal(err)
	}
	conf := filepath.Join(dir, "softhsm2.conf")
	if err := os.WriteFile(conf, []byte("directories.tokendir = "+tokens+"\nlog.level = ERROR\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("SOFTHSM2_CONF", conf)
	for _, label := range labels {
		AddSoftHSMToken(t, module, label)
	}
	return module, tokens
}

// AddSoftHSMToken makes one more token.
func AddSoftHSMToken(t testing.TB, module, label string) {
	t.Helper()
	cmd := exec.Command("softhsm2-util", "--module", module, "--init-token", "--free", "--label", label, "--so-pin", SOPIN, "--pin", UserPIN)
	if msg, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("softhsm2-util: %v\n%s", err, msg)
	}
}
