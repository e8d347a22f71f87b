//go:build cgo

package native

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/p11mux/p11mux/ck"
	"github.com/p11mux/p11mux/module/moduletest"
)

// softHSM opens SoftHSM with a new token of its own.
func softHSM(t *testing.T) moduletest.Fixture {
	t.Helper()
	var lib string
	for _, name := range []string{"/usr/lib/softhsm/libsofthsm2.so", "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so", "/usr/lib64/pkcs11/libsofthsm2.so"} {
		if _, err := os.Stat(name); err == nil {
			lib = name
			break
		}
	}
	if lib == "" {
		t.Fatal("SoftHSM is not there: install softhsm2")
	}
	dir := t.TempDir()
	conf := filepath.Join(dir, "softhsm2.conf")
	if err := os.WriteFile(conf, []byte("directories.tokendir = "+dir+"\nlog.level = ERROR\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("SOFTHSM2_CONF", conf)
	cmd := exec.Command("softhsm2-util", "--module", lib, "--init-token", "--free", "--label", "moduletest", "--so-pin", "87654321", "--pin", "12345678")
	if msg, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("softhsm2-util: %v\n%s", err, msg)
	}
	m, err := Open(lib)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	return moduletest.Fixture{
		Module: m, Label: "moduletest", UserPIN: []byte("12345678"), SOPIN: []byte("87654321"), Again: ck.CKR_CRYPTOKI_ALREADY_INITIALIZED,
		Offers: []ck.MechanismType{ck.CKM_SHA256, ck.CKM_RSA_PKCS_KEY_PAIR_GEN, ck.CKM_SHA256_RSA_PKCS, ck.CKM_SHA256_RSA_PKCS_PSS, ck.CKM_RSA_PKCS_OAEP,
			ck.CKM_EC_KEY_PAIR_GEN, ck.CKM_ECDSA, ck.CKM_AES_KEY_GEN, ck.CKM_AES_CBC_PAD, ck.CKM_AES_GCM, ck.CKM_AES_KEY_WRAP},
	}
}

func TestSoftHSM(t *testing.T) { moduletest.Run(t, softHSM) }
