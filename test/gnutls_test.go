package test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

var objectHead = regexp.MustCompile(`(?m)^Object \d+:\n`)

// objects is a list of objects by p11tool in an order of its own: that of SoftHSM's files is random.
func objects(t *testing.T, list string, atLeast int) string {
	t.Helper()
	all := objectHead.Split(list, -1)[1:]
	if len(all) < atLeast {
		t.Fatalf("%d objects, want %d: %s", len(all), atLeast, list)
	}
	slices.Sort(all)
	return strings.Join(all, "")
}

// TestGnuTLSList lists what there is.
func TestGnuTLSList(t *testing.T) {
	sameOnBoth(t, func(t *testing.T, l linked) []string {
		writeFile(t, l.file("pin"), "1234")
		tokens := l.run(t, "p11tool", "--list-tokens")
		if !strings.Contains(tokens, "token=token\n") || !strings.Contains(tokens, "Module: ") {
			t.Errorf("the token is not listed: %s", tokens)
		}
		return []string{
			tokens,
			l.run(t, "p11tool", "--provider", softhsm(t), "--list-tokens"),
			l.run(t, "p11tool", "--list-mechanisms", "pkcs11:token=token"),
			objects(t, l.run(t, "p11tool", "--list-all", "pkcs11:token=token"), 2),
			objects(t, l.run(t, "p11tool", "--login", "--list-all", "pkcs11:token=token"), 4),
			objects(t, l.card(t).run(t, "p11tool", "--list-all", "--login"), 4),
			objects(t, l.run(t, "p11tool", "--login", "--list-privkeys", "pkcs11:model=SoftHSM%20v2;object=rsa"), 1),
			objects(t, l.run(t, "p11tool", "--login", "--list-all", "pkcs11:token=token?pin-source="+l.file("pin")), 4),
		}
	})
}

// TestGnuTLSRefused asks for what is not there, and with a PIN that is wrong.
func TestGnuTLSRefused(t *testing.T) {
	sameOnBoth(t, func(t *testing.T, l linked) []string {
		writeFile(t, l.file("pin"), "4321")
		var said []string
		for _, uri := range []string{
			"pkcs11:token=token?pin-source=" + l.file("pin"),
			"pkcs11:token=token?pin-source=" + l.file("no-such-pin"),
			"pkcs11:token=other",
			"pkcs11:token=token;slot-id=x",
			"pkcs11:token",
			"pkcs11:token=%zz",
			"pkcs12:token=token",
		} {
			c := l.command(t, "p11tool", "--login", "--list-privkeys", uri)
			// Or the PIN would come from there.
			delete(c.env, "GNUTLS_PIN")
			r := c.run(t)
			if r.code == 0 && strings.Contains(r.stdout, "Object") {
				t.Errorf("%s: %s", uri, r.stdout)
			}
			said = append(said, fmt.Sprintf("%d %s%s", r.code, r.stdout, strings.ReplaceAll(r.stderr, l.tok.dir, "DIR")))
		}
		// The token was not locked by trying.
		return append(said, objects(t, l.run(t, "p11tool", "--login", "--list-privkeys", "pkcs11:token=token"), 2))
	})
}

const certificateTemplate = `cn = "p11mux test"
dns_name = "localhost"
serial = 7
ca
cert_signing_key
signing_key
tls_www_server
tls_www_client
activation_date = "2024-01-01 00:00:00 UTC"
expiration_date = "2124-01-01 00:00:00 UTC"
`

// certificate has certtool make a certificate that a key in the token signs itself, and gives its file.
func (l linked) certificate(t *testing.T, label string) (string, *x509.Certificate) {
	t.Helper()
	template, file := l.file("template"), l.file(label+".pem")
	writeFile(t, template, certificateTemplate)
	key := "pkcs11:token=token;object=" + label + ";type="
	l.run(t, "certtool", "--generate-self-signed", "--template", template,
		"--load-privkey", key+"private", "--load-pubkey", key+"public", "--outfile", file)
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(fromPEM(t, string(data), "CERTIFICATE"))
	if err != nil {
		t.Fatal(err)
	}
	if err := cert.CheckSignature(cert.SignatureAlgorithm, cert.RawTBSCertificate, cert.Signature); err != nil {
		t.Errorf("the certificate of %s: %v", label, err)
	}
	return file, cert
}

// certify is certificate, and has p11tool write the certificate to the token, under the id of its key.
func (l linked) certify(t *testing.T, label string) (string, *x509.Certificate) {
	t.Helper()
	file, cert := l.certificate(t, label)
	l.run(t, "p11tool", "--login", "--write", "--load-certificate", file, "--label", label,
		"--id", hex.EncodeToString([]byte(label)), "pkcs11:token=token")
	return file, cert
}

// fromPEM gives what a PEM block of a kind holds.
func fromPEM(t *testing.T, text, kind string) []byte {
	t.Helper()
	block, _ := pem.Decode([]byte(text))
	if block == nil || block.Type != kind {
		t.Fatalf("not a %s: %q", kind, text)
	}
	return block.Bytes
}

// TestGnuTLSKeys makes keys and certificates in the token, and reads them back.
func TestGnuTLSKeys(t *testing.T) { sameOnBoth(t, gnutlsKeys) }

func gnutlsKeys(t *testing.T, l linked) []string {
	t.Helper()
	for _, label := range []string{"rsa", "ec"} {
		want, err := x509.MarshalPKIXPublicKey(publicKey(t, label))
		if err != nil {
			t.Fatal(err)
		}
		_, cert := l.certify(t, label)
		if !bytes.Equal(cert.RawSubjectPublicKeyInfo, want) {
			t.Errorf("the certificate of %s has another key", label)
		}
		exported := l.run(t, "p11tool", "--export", "pkcs11:token=token;type=cert;object="+label)
		if !bytes.Equal(fromPEM(t, exported, "CERTIFICATE"), cert.Raw) {
			t.Errorf("the certificate of %s is exported as another one: %s", label, exported)
		}
	}

	made := l.run(t, "p11tool", "--login", "--generate-privkey=ecdsa", "--curve=secp256r1", "--label=made", "--id=6d",
		"pkcs11:token=token")
	key := fromPEM(t, made, "PUBLIC KEY")
	if exported := l.run(t, "p11tool", "--export", "pkcs11:token=token;type=public;object=made"); !bytes.Equal(
		fromPEM(t, exported, "PUBLIC KEY"), key) {
		t.Errorf("the new key is exported as another one: %s", exported)
	}
	if _, cert := l.certificate(t, "made"); !bytes.Equal(cert.RawSubjectPublicKeyInfo, key) {
		t.Error("the certificate of the new key has another one")
	}
	signed := l.command(t, "p11tool", "--login", "--test-sign", "pkcs11:token=token;type=private;id=%6d").mustRun(t)
	return []string{
		signed.stdout, signed.stderr,
		objects(t, l.run(t, "p11tool", "--login", "--list-all", "pkcs11:token=token"), 8),
		objects(t, l.run(t, "p11tool", "--list-all-certs", "pkcs11:token=token"), 2),
	}
}

// TestGnuTLSClient has gnutls-cli show a certificate to a server in Go, whose key is in the token.
func TestGnuTLSClient(t *testing.T) { sameOnBoth(t, gnutlsClient) }

func gnutlsClient(t *testing.T, l linked) []string {
	t.Helper()
	file, cert := l.certificate(t, "ec")
	self := x509.NewCertPool()
	self.AddCert(cert)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := selfSigned(t)
	served := make(chan error, 1)
	go func() {
		served <- serveOnce(listener, &tls.Config{
			Certificates: []tls.Certificate{server},
			ClientAuth:   tls.RequireAndVerifyClientCert,
			ClientCAs:    self,
		})
	}()
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	c := l.command(t, "gnutls-cli", "--insecure", "--logfile", l.file("log"), "--x509certfile", file,
		"--x509keyfile", "pkcs11:token=token;object=ec;type=private", "--port", port, "127.0.0.1")
	r := c.run(t)
	listener.Close()
	if err := <-served; err != nil || r.code != 0 {
		t.Errorf("server: %v\nclient: exit %d\nstdout: %s\nstderr: %s", err, r.code, r.stdout, r.stderr)
	}
	if !strings.Contains(r.stdout, "hello") {
		t.Errorf("the client has not heard the server: %s", r.stdout)
	}
	return nil
}

// serveOnce accepts one connection, says hello, and waits for its end.
func serveOnce(listener net.Listener, config *tls.Config) error {
	raw, err := listener.Accept()
	if err != nil {
		return err
	}
	defer raw.Close()
	// A client that hangs is a failure.
	raw.SetDeadline(time.Now().Add(time.Minute))
	conn := tls.Server(raw, config)
	if err := conn.Handshake(); err != nil {
		return err
	}
	if _, err := io.WriteString(conn, "hello\n"); err != nil {
		return err
	}
	return conn.Close()
}

// TestGnuTLSServer has a client in Go talk to gnutls-serv, whose key is in the token.
func TestGnuTLSServer(t *testing.T) { sameOnBoth(t, gnutlsServer) }

func gnutlsServer(t *testing.T, l linked) []string {
	t.Helper()
	file, cert := l.certificate(t, "rsa")
	self := x509.NewCertPool()
	self.AddCert(cert)
	// A port that was free just now; where somebody else has taken it meanwhile, another one.
	for range 5 {
		conn, ended := l.serve(t, file, &tls.Config{RootCAs: self, ServerName: "localhost"})
		if conn == nil {
			t.Logf("gnutls-serv ended: %s", ended)
			continue
		}
		defer conn.Close()
		if _, err := io.WriteString(conn, "echo me\n"); err != nil {
			t.Fatal(err)
		}
		answer := make([]byte, len("echo me\n"))
		if _, err := io.ReadFull(conn, answer); err != nil || string(answer) != "echo me\n" {
			t.Errorf("%q, %v", answer, err)
		}
		return []string{tls.VersionName(conn.ConnectionState().Version)}
	}
	t.Fatal("no gnutls-serv stays")
	return nil
}

// serve starts gnutls-serv for this test and connects to it; nil and what it says if it ends first.
func (l linked) serve(t *testing.T, certificate string, config *tls.Config) (*tls.Conn, string) {
	t.Helper()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := free.Addr().String()
	free.Close()
	_, port, _ := net.SplitHostPort(address)
	c := l.command(t, "gnutls-serv", "--echo", "--disable-client-cert", "--port", port, "--x509certfile", certificate,
		"--x509keyfile", "pkcs11:token=token;object=rsa;type=private")
	var output bytes.Buffer
	cmd := exec.Command(c.path, c.args...)
	cmd.Env = []string{"HOME=" + c.conf, "LD_LIBRARY_PATH=" + c.lib.dir(t)}
	for k, v := range c.env {
		cmd.Env = append(cmd.Env, k+"="+v)
	}
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		cmd.Process.Kill()
		<-ended
		if l.watched && strings.Contains(output.String(), "\n==") {
			t.Errorf("valgrind says of gnutls-serv: %s", &output)
		}
	})
	deadline := time.Now().Add(time.Minute)
	for {
		conn, err := tls.DialWithDialer(&net.Dialer{Deadline: deadline}, "tcp", address, config)
		if err == nil {
			conn.SetDeadline(deadline)
			return conn, ""
		}
		if _, refused := errors.AsType[*net.OpError](err); !refused || time.Now().After(deadline) {
			t.Fatalf("gnutls-serv: %v", err)
		}
		select {
		case err := <-ended:
			ended <- err
			return nil, fmt.Sprint(err, " ", output.String())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// selfSigned is a certificate for a server whose name nobody checks.
func selfSigned(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}
