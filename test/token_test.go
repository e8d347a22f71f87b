package test

import (
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	stdcrypto "crypto"

	"github.com/p11mux/p11mux/internal/testkit"
)

// softhsm finds the module file of SoftHSM.
func softhsm(t testing.TB) string {
	t.Helper()
	return testkit.SoftHSM(t)
}

// tokenTemplate is a SoftHSM token with the keys "rsa" and "ec", made once.
func tokenTemplate(t testing.TB) string {
	t.Helper()
	return once(t, "token", func() string {
		dir := filepath.Join(workDir, "token")
		writeSofthsmConf(t, dir)
		tool := func(args ...string) {
			t.Helper()
			cmd := exec.Command("pkcs11-tool", append([]string{"--module", softhsm(t)}, args...)...)
			cmd.Env = append(os.Environ(), "SOFTHSM2_CONF="+filepath.Join(dir, "softhsm2.conf"), "USER_PIN="+pin, "SO_PIN=5678")
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("pkcs11-tool: %v\n%s", err, out)
			}
		}
		tool("--init-token", "--slot-index", "0", "--label", "token", "--so-pin", "env:SO_PIN")
		tool("--token-label", "token", "--login", "--login-type", "so", "--so-pin", "env:SO_PIN", "--init-pin", "--new-pin", "env:USER_PIN")
		for label, kind := range map[string]string{"rsa": "rsa:2048", "ec": "EC:prime256v1"} {
			tool("--token-label", "token", "--login", "--pin", "env:USER_PIN",
				"--keypairgen", "--key-type", kind, "--label", label, "--id", hex.EncodeToString([]byte(label)))
			tool("--token-label", "token", "--read-object",
				"--type", "pubkey", "--label", label, "--output-file", filepath.Join(dir, label+".der"))
		}
		return dir
	})
}

func writeSofthsmConf(t testing.TB, dir string) {
	t.Helper()
	tokens := filepath.Join(dir, "tokens")
	if err := os.MkdirAll(tokens, 0o755); err != nil {
		t.Fatal(err)
	}
	conf := "directories.tokendir = " + tokens + "\nobjectstore.backend = file\nlog.level = ERROR\n"
	if err := os.WriteFile(filepath.Join(dir, "softhsm2.conf"), []byte(conf), 0o644); err != nil {
		t.Fatal(err)
	}
}

// A token is a private copy of the template, with a configuration directory
// that names the module "softhsm".
type token struct {
	conf string            // for command.conf
	env  map[string]string // for command.env
	dir  string
}

func newToken(t testing.TB) token {
	t.Helper()
	template := tokenTemplate(t)
	dir := t.TempDir()
	if err := os.CopyFS(filepath.Join(dir, "tokens"), os.DirFS(filepath.Join(template, "tokens"))); err != nil {
		t.Fatal(err)
	}
	writeSofthsmConf(t, dir)
	conf := filepath.Join(dir, "conf")
	writeFile(t, filepath.Join(conf, "modules", "softhsm.module"), "module: "+softhsm(t)+"\n")
	return token{conf, map[string]string{"SOFTHSM2_CONF": filepath.Join(dir, "softhsm2.conf")}, dir}
}

// writeFile writes a file and makes the directories above it.
func writeFile(t testing.TB, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// publicKey reads a key that pkcs11-tool exported from the template.
func publicKey(t testing.TB, label string) any {
	t.Helper()
	der, err := os.ReadFile(filepath.Join(tokenTemplate(t), label+".der"))
	if err != nil {
		t.Fatal(err)
	}
	key, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// signatures runs the signing program and checks its signatures with Go's own
// cryptography.
func signatures(t testing.TB, c command) map[string]string {
	t.Helper()
	all := make(map[string]string)
	for line := range strings.Lines(c.mustRun(t).stdout) {
		label, text, _ := strings.Cut(strings.TrimSpace(line), " ")
		all[label] = text
		if err := verify(publicKey(t, label), text); err != nil {
			t.Errorf("%s: %v", label, err)
		}
	}
	if len(all) != 2 {
		t.Fatalf("signatures by %d keys, want 2", len(all))
	}
	return all
}

func verify(key any, text string) error {
	sig, err := hex.DecodeString(text)
	if err != nil {
		return err
	}
	data := make([]byte, 32)
	for i := range data {
		data[i] = byte(i)
	}
	switch k := key.(type) {
	case *rsa.PublicKey:
		digest := sha256.Sum256(data)
		return rsa.VerifyPKCS1v15(k, stdcrypto.SHA256, digest[:], sig)
	case *ecdsa.PublicKey:
		n := len(sig) / 2
		if !ecdsa.Verify(k, data, new(big.Int).SetBytes(sig[:n]), new(big.Int).SetBytes(sig[n:])) {
			return fmt.Errorf("wrong signature")
		}
		return nil
	}
	return fmt.Errorf("unexpected key type %T", key)
}

// TestSign signs with both libraries; RSA signatures must be the same octets.
func TestSign(t *testing.T) {
	tok := newToken(t)
	path := program(t, "sign", "token.c")
	rsaOf := make(map[library]string)
	eachLibrary(t, both, func(t *testing.T, lib library) {
		rsaOf[lib] = signatures(t, command{path: path, lib: lib, conf: tok.conf, env: tok.env})["rsa"]
	})
	if !t.Failed() && rsaOf[ours] != rsaOf[reference] {
		t.Errorf("RSA signatures differ:\n%s\n%s", rsaOf[ours], rsaOf[reference])
	}
}

// signs has pkcs11-tool sign with the token's RSA key.
var signs = []string{"--sign", "--mechanism", "SHA256-RSA-PKCS", "--id", hex.EncodeToString([]byte("rsa"))}

// signed fails the test unless a file has the RSA key's signature of a text.
func (tok token) signed(t testing.TB, name, text string) {
	t.Helper()
	digest := sha256.Sum256([]byte(text))
	if err := rsa.VerifyPKCS1v15(publicKey(t, "rsa").(*rsa.PublicKey), stdcrypto.SHA256, digest[:], tok.read(t, name)); err != nil {
		t.Errorf("%s: %v", name, err)
	}
}
