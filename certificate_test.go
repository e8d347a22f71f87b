package p11mux

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"math/big"
	"sync"
	"testing"
	"time"

	"github.com/p11mux/p11mux/ck"
	"github.com/p11mux/p11mux/internal/softtoken"
	"github.com/p11mux/p11mux/module"
)

// An authority issues certificates for tests.
type authority struct {
	cert *x509.Certificate
	key  crypto.Signer
}

var serial = big.NewInt(1)

// issue makes a certificate. Without an authority it is a root.
func issue(t testing.TB, by *authority, name string, public crypto.PublicKey, key crypto.Signer, notAfter time.Time) *x509.Certificate {
	t.Helper()
	serial.Add(serial, big.NewInt(1))
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: notAfter, BasicConstraintsValid: true, IsCA: key != nil,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	parent, signer := template, key
	if by != nil {
		parent, signer = by.cert, by.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, signer)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func newAuthority(t testing.TB, by *authority, name string) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return &authority{issue(t, by, name, key.Public(), key, nextYear), key}
}

var nextYear = time.Now().AddDate(1, 0, 0)

// store puts a certificate on the token.
func (f *fixture) store(cert *x509.Certificate, id []byte) {
	f.Helper()
	_, err := f.CreateObject(f.ctx, Attr(ck.CKA_CLASS, ck.CKO_CERTIFICATE), Attr(ck.CKA_CERTIFICATE_TYPE, ck.CKC_X_509), Attr(ck.CKA_TOKEN, true),
		Attr(ck.CKA_SUBJECT, cert.RawSubject), Attr(ck.CKA_ISSUER, cert.RawIssuer), Attr(ck.CKA_VALUE, cert.Raw), Attr(ck.CKA_ID, id))
	f.must(err)
}

// certificate puts a certificate for a key on the token.
func (f *fixture) certificate(name string, public crypto.PublicKey, id []byte) {
	f.Helper()
	f.store(issue(f, newAuthority(f, nil, "some root"), name, public, nil, nextYear), id)
}

func TestChain(t *testing.T) {
	f := openToken(t)
	root := newAuthority(t, nil, "root")
	middle := newAuthority(t, root, "middle")
	older := &authority{issue(t, root, "middle", middle.key.Public(), middle.key, time.Now().Add(time.Hour)), middle.key}
	impostor := newAuthority(t, root, "middle") // of the same name, with another key
	low := newAuthority(t, middle, "low")
	pub, _ := f.generate("P-256", "leaf")
	public, err := pub.PublicKey(f.ctx)
	f.must(err)
	leaf := issue(t, low, "leaf", public, nil, nextYear)
	shorter := issue(t, low, "leaf", public, nil, time.Now().Add(time.Hour))
	for _, c := range []*x509.Certificate{root.cert, impostor.cert, older.cert, middle.cert, low.cert, shorter} {
		f.store(c, nil)
	}
	f.store(leaf, []byte("leaf"))
	f.store(issue(t, low, "leaf", public, nil, nextYear.AddDate(1, 0, 0)), []byte("another id"))
	_, err = f.CreateObject(f.ctx, Attr(ck.CKA_CLASS, ck.CKO_CERTIFICATE), Attr(ck.CKA_CERTIFICATE_TYPE, ck.CKC_X_509), Attr(ck.CKA_TOKEN, true),
		Attr(ck.CKA_SUBJECT, "x"), Attr(ck.CKA_VALUE, "no certificate")) // in nobody's way
	f.must(err)

	want := [][]byte{leaf.Raw, low.cert.Raw, middle.cert.Raw}
	got, err := f.token.module().TLSCertificate(f.ctx, "pkcs11:object=leaf")
	f.must(err)
	if len(got.Certificate) != len(want) || !bytes.Equal(bytes.Join(got.Certificate, nil), bytes.Join(want, nil)) || !got.Leaf.Equal(leaf) {
		t.Errorf("%d certificates", len(got.Certificate))
	}
	chain, err := f.token.Chain(f.ctx, low.cert)
	f.must(err)
	if len(chain) != 2 || !chain[0].Equal(low.cert) || !chain[1].Equal(middle.cert) {
		t.Errorf("%d certificates", len(chain))
	}
	n := 0
	for c, err := range f.token.Certificates(f.ctx) {
		f.must(err)
		if len(c.Raw) == 0 {
			t.Error("an empty certificate")
		}
		n++
	}
	if n != 8 {
		t.Errorf("%d certificates", n)
	}
	_, key := f.generate("P-256", "without")
	k, err := key.PrivateKey(f.ctx)
	f.must(err)
	_, err = k.TLSCertificate(f.ctx)
	refused(t, "a key without a certificate", err, ErrNotFound)
	_, err = key.Certificate(f.ctx)
	refused(t, "a key as a certificate", err, ErrUnsupported)
}

// Two authorities that certify each other are no chain without an end.
func TestChainLoop(t *testing.T) {
	a, b := newAuthority(t, nil, "a"), newAuthority(t, nil, "b")
	ab := issue(t, b, "a", a.key.Public(), a.key, nextYear)
	ba := issue(t, a, "b", b.key.Public(), b.key, nextYear)
	leaf := issue(t, a, "leaf", a.key.Public(), nil, nextYear)
	if got := chain(leaf, []*x509.Certificate{ab, ba}); len(got) != 3 {
		t.Errorf("%d certificates", len(got))
	}
}

// A TLS server with each kind of key, and with a token that has no PSS.
func TestTLS(t *testing.T) {
	soft := softtoken.New()
	for name, mod := range map[string]module.Module{"all mechanisms": soft, "without PSS": module.Func(func(ctx context.Context, call ck.Call) error {
		if c, ok := call.(*ck.GetMechanismInfoCall); ok && c.Type == ck.CKM_RSA_PKCS_PSS {
			return ck.CKR_MECHANISM_INVALID
		}
		if c, ok := call.(*ck.SignInitCall); ok && c.Mechanism.Type == ck.CKM_RSA_PKCS_PSS {
			return ck.CKR_MECHANISM_INVALID
		}
		return soft.Do(ctx, call)
	})} {
		t.Run(name, func(t *testing.T) {
			f := use(t, load(t, mod), softtoken.UserPIN)
			for _, p := range pairs {
				label := name + " " + p.name
				pub, priv := f.generate(p.name, label)
				public, err := pub.PublicKey(f.ctx)
				f.must(err)
				root := newAuthority(t, nil, "root of "+label)
				f.store(issue(t, root, "server", public, nil, nextYear), []byte(label))
				cert, err := f.token.module().TLSCertificate(f.ctx, priv.URI())
				f.must(err)
				if _, isRSA := public.(*rsa.PublicKey); isRSA && name == "without PSS" {
					shakes(t, cert, root, tls.VersionTLS12, 8) // TLS 1.3 has nothing else for RSA
					cert.SupportedSignatureAlgorithms = nil
					shakes(t, cert, root, tls.VersionTLS12, 8, tls.TLS_RSA_WITH_AES_128_GCM_SHA256) // decrypts
				} else {
					shakes(t, cert, root, tls.VersionTLS13, 8)
					shakes(t, cert, root, tls.VersionTLS12, 8)
				}
			}
		})
	}
}

// shakes has so many clients at once do a handshake with a server.
func shakes(t *testing.T, cert tls.Certificate, root *authority, version uint16, clients int, suites ...uint16) {
	t.Helper()
	pool := x509.NewCertPool()
	pool.AddCert(root.cert)
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{cert}, MaxVersion: version, CipherSuites: suites})
	if err != nil {
		t.Fatal(err)
	}
	var served sync.WaitGroup
	served.Go(func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			served.Go(func() {
				defer c.Close()
				if err := c.(*tls.Conn).Handshake(); err != nil {
					t.Errorf("the server: %v", err)
				}
				io.Copy(c, c)
			})
		}
	})
	var wg sync.WaitGroup
	for range clients {
		wg.Go(func() {
			c, err := tls.Dial("tcp", listener.Addr().String(), &tls.Config{RootCAs: pool, ServerName: "server", CipherSuites: suites})
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			if c.ConnectionState().Version != version {
				t.Errorf("version %x", c.ConnectionState().Version)
			}
			if _, err := c.Write([]byte("echo")); err != nil {
				t.Error(err)
			}
			if _, err := io.ReadFull(c, make([]byte, 4)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	listener.Close()
	served.Wait()
}
