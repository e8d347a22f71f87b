package test

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
)

// vpnAnswer is what a VPN's gateway says to somebody whose certificate is enough.
const vpnAnswer = `<?xml version="1.0" encoding="UTF-8"?>
<config-auth client="vpn" type="complete"><session-id>7</session-id><session-token>cookie of %s</session-token>
<auth id="success"><title>SSL VPN Service</title></auth></config-auth>
`

// strapKey is a key that openconnect makes for each session.
var strapKey = regexp.MustCompile(`openconnect_strapkey=[^;]*; `)

// TestOpenConnect has openconnect log in to a VPN's gateway, in Go, with a certificate and a key that are both in the token.
func TestOpenConnect(t *testing.T) { sameOnBoth(t, openConnect) }

func openConnect(t *testing.T, l linked) []string {
	t.Helper()
	var all []string
	for _, label := range []string{"rsa", "ec"} {
		_, cert := l.certify(t, label)
		gateway := newGateway(t, cert)
		pinned := sha256.Sum256(gateway.Certificate().RawSubjectPublicKeyInfo)
		l.tok.secret(t, "pin", pin)
		c := l.command(t, "openconnect", "--authenticate", "--non-inter", "--useragent=test", "--no-proxy", "--protocol=anyconnect",
			"--servercert=pin-sha256:"+base64.StdEncoding.EncodeToString(pinned[:]),
			"--certificate=pkcs11:token=token;object="+label+"?pin-source="+l.file("pin"), gateway.URL)
		c.env["GNUTLS_PIN"] = "" // it has the PIN from its file
		r := l.exec(t, c)
		if r.code != 0 || !strings.Contains(r.stdout, "webvpn=cookie of "+label+"'") {
			t.Errorf("%s: exit %d\n%s%s", c, r.code, r.stdout, r.stderr)
		}
		all = append(all, strings.ReplaceAll(strapKey.ReplaceAllString(r.stdout+r.stderr, ""), gateway.URL[len("https://"):], "gateway"))
	}
	return all
}

// newGateway lets in who has the key of a certificate, and nobody else.
func newGateway(t *testing.T, client *x509.Certificate) *httptest.Server {
	t.Helper()
	pool := x509.NewCertPool()
	pool.AddCert(client)
	gateway := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		name := "rsa"
		if r.TLS.PeerCertificates[0].PublicKeyAlgorithm == x509.ECDSA {
			name = "ec"
		}
		fmt.Fprintf(w, vpnAnswer, name)
	}))
	gateway.TLS = &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool}
	gateway.StartTLS()
	t.Cleanup(gateway.Close)
	return gateway
}
