package test

import (
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// newNSS gives a consumer with a database of NSS, without a password, to which modutil added the proxy.
func newNSS(t *testing.T) consumer {
	t.Helper()
	c := newConsumer(t)
	if err := os.Mkdir(filepath.Join(c.dir, "nss"), 0o700); err != nil {
		t.Fatal(err)
	}
	c.run(t, "certutil", "-N", "-d", "sql:nss", "--empty-password")
	c.run(t, "modutil", "-force", "-dbdir", "sql:nss", "-add", "proxy", "-libfile", proxy(t))
	// certutil mixes this into the random numbers; without it, it waits for somebody to type.
	noise := make([]byte, 64)
	rand.Read(noise)
	c.secret(t, "noise", string(noise))
	return c
}

// certutil runs certutil on the consumer's database and a token.
func (c consumer) certutil(t *testing.T, token string, args ...string) string {
	t.Helper()
	return c.run(t, "certutil", append([]string{"-d", "sql:nss", "-h", token, "-f", c.pinFile}, args...)...).stdout
}

// TestNSSModule adds the proxy to NSS, which then lists the tokens of both modules in the order of priority.
func TestNSSModule(t *testing.T) {
	c := newNSS(t)
	contains(t, "modutil -list", c.run(t, "modutil", "-dbdir", "sql:nss", "-list").stdout,
		"proxy\n", "library name: "+proxy(t), "status: loaded", "token: "+bundledLabel+"\n", "token: token\n")
	contains(t, "modutil -list proxy", c.run(t, "modutil", "-dbdir", "sql:nss", "-list", "proxy").stdout,
		"Manufacturer: PKCS#11 Kit", "Status: Enabled", "Token Name: "+bundledLabel, "Status: Enabled", "Token Name: token ")
	c.run(t, "modutil", "-force", "-dbdir", "sql:nss", "-delete", "proxy")
	if out := c.run(t, "modutil", "-dbdir", "sql:nss", "-list").stdout; strings.Contains(out, "proxy") {
		t.Errorf("modutil lists a module that it removed:\n%s", out)
	}
}

// TestNSSKeys lists the token's keys, which certutil must log in for.
func TestNSSKeys(t *testing.T) {
	c := newNSS(t)
	list := c.certutil(t, "token", "-K")
	for _, want := range []string{`"token" in slot "SoftHSM`, `rsa      "rsa"`, `ec       "ec"`} {
		contains(t, "certutil -K", list, want)
	}
}

// madeID is the id that pkcs11-tool prints of the certificate "made".
var madeID = regexp.MustCompile(`label: +made\n(?:.*\n)*? +(ID: +[0-9a-f]+\n)`)

// TestNSSCertificate has NSS make a key and a certificate in the token, through the proxy.
func TestNSSCertificate(t *testing.T) {
	c := newNSS(t)
	c.certutil(t, "token", "-S", "-n", "made", "-s", "CN=made", "-x", "-t", ",,", "-k", "rsa", "-g", "2048", "-Z", "SHA256", "-z", "noise")
	contains(t, "certutil -L -h all", c.certutil(t, "all", "-L"), "token:made ", "u,u,u")
	block, _ := pem.Decode([]byte(c.certutil(t, "token", "-L", "-n", "token:made", "-a")))
	if block == nil {
		t.Fatal("certutil -L -a prints no certificate")
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	if err := cert.CheckSignature(cert.SignatureAlgorithm, cert.RawTBSCertificate, cert.Signature); err != nil || cert.Subject.CommonName != "made" {
		t.Errorf("the certificate of %q: %v", cert.Subject.CommonName, err)
	}
	// SoftHSM has both, under one id, when it is asked without the proxy.
	list := func(kind string) string { return c.tool(t, softhsm(t), "--list-objects", "--type", kind).stdout }
	id := madeID.FindStringSubmatch(list("cert"))
	if id == nil {
		t.Fatalf("SoftHSM does not have the certificate:\n%s", list("cert"))
	}
	contains(t, "pkcs11-tool --list-objects --type privkey", list("privkey"), id[1])
}

// TestNSSRequest has NSS make a key in the token and a certificate request with it.
func TestNSSRequest(t *testing.T) {
	c := newNSS(t)
	for kind, size := range map[string][]string{"rsa": {"-g", "2048"}, "ec": {"-q", "nistp256"}} {
		c.certutil(t, "token", append([]string{"-R", "-s", "CN=" + kind, "-k", kind, "-Z", "SHA256", "-z", "noise", "-o", kind + ".req"}, size...)...)
		request, err := x509.ParseCertificateRequest(c.read(t, kind+".req"))
		if err != nil {
			t.Fatal(err)
		}
		if err := request.CheckSignature(); err != nil || request.Subject.CommonName != kind {
			t.Errorf("the request of %q: %v", request.Subject.CommonName, err)
		}
	}
}
