package test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"math/big"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// keytool runs Java's keytool on a slot of a module, counted from zero.
func (c consumer) keytool(t *testing.T, module string, slot int, args ...string) string {
	t.Helper()
	// The provider has the same name for every module, so that outputs can be compared.
	cfg := filepath.Join(c.dir, "provider.cfg")
	writeFile(t, cfg, "name = token\nlibrary = "+module+"\nslotListIndex = "+strconv.Itoa(slot)+"\n")
	return c.run(t, "keytool", append(args, "-storetype", "PKCS11", "-providerClass", "sun.security.pkcs11.SunPKCS11", "-providerArg", cfg,
		"-storepass:file", c.pinFile)...).stdout
}

// certify puts certificates for the token's keys into SoftHSM, without which Java does not see the keys. It gives their
// fingerprints as Java prints them.
func (c consumer) certify(t *testing.T) map[string]string {
	t.Helper()
	authority, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	issuer := &x509.Certificate{Subject: pkix.Name{CommonName: "authority"}}
	prints := make(map[string]string)
	for _, label := range []string{"rsa", "ec"} {
		template := &x509.Certificate{
			SerialNumber: big.NewInt(1),
			Subject:      pkix.Name{CommonName: label},
			NotBefore:    time.Now().Add(-time.Hour),
			NotAfter:     time.Now().Add(24 * time.Hour),
		}
		der, err := x509.CreateCertificate(rand.Reader, template, issuer, publicKey(t, label), authority)
		if err != nil {
			t.Fatal(err)
		}
		writeFile(t, filepath.Join(c.dir, label+".crt"), string(der))
		c.tool(t, softhsm(t), "--write-object", label+".crt", "--type", "cert", "--label", label, "--id", hex.EncodeToString([]byte(label)))
		prints[label] = strings.ReplaceAll(fmt.Sprintf("% X", sha256.Sum256(der)), " ", ":")
	}
	return prints
}

// The slot of the token in the lists of SoftHSM and of the proxy, where the bundled token comes first.
const rawIndex, proxyIndex = 0, 1

// TestJavaList compares what keytool lists of the token, raw and through the proxy.
func TestJavaList(t *testing.T) {
	c := newConsumer(t)
	prints := c.certify(t)
	raw := c.keytool(t, softhsm(t), rawIndex, "-list")
	for label, fingerprint := range prints {
		contains(t, "keytool -list", raw, label+", PrivateKeyEntry", fingerprint)
	}
	sameLines(t, "keytool -list", sortedLines(raw), sortedLines(c.keytool(t, proxy(t), proxyIndex, "-list")))
}

// TestJavaRequest has Java sign a certificate request with each key, through the proxy.
func TestJavaRequest(t *testing.T) {
	c := newConsumer(t)
	c.certify(t)
	for _, label := range []string{"rsa", "ec"} {
		block, _ := pem.Decode([]byte(c.keytool(t, proxy(t), proxyIndex, "-certreq", "-alias", label)))
		if block == nil {
			t.Fatalf("%s: keytool -certreq prints no request", label)
		}
		request, err := x509.ParseCertificateRequest(block.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		if err := request.CheckSignature(); err != nil {
			t.Errorf("%s: %v", label, err)
		}
		isKey(t, request.PublicKey, label)
	}
}
