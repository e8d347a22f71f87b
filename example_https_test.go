//go:build cgo

package p11mux_test

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/p11mux/p11mux"
	"github.com/p11mux/p11mux/ck"
)

// An HTTPS server whose private key never leaves its token. 64 clients shake hands with it at the same time: each
// handshake takes a session of the token's pool.
func ExampleModules_TLSCertificate() {
	ctx := context.Background()
	modules, err := p11mux.Load()
	if err != nil {
		log.Fatal(err)
	}
	defer modules.Close()
	makeKey(ctx, modules, "web server")
	const uri = "pkcs11:token=p11mux%20demo;object=web%20server?pin-value=1234"
	root := makeCertificate(ctx, modules, uri)

	cert, err := modules.TLSCertificate(ctx, uri)
	if err != nil {
		log.Fatal(err)
	}
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{cert}})
	if err != nil {
		log.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "hello")
	})}
	go server.Serve(listener)
	defer server.Close()

	var answers atomic.Int32
	var clients sync.WaitGroup
	for range 64 {
		clients.Go(func() {
			if get("https://"+listener.Addr().String(), root) == "hello" {
				answers.Add(1)
			}
		})
	}
	clients.Wait()
	fmt.Println(answers.Load(), "answers")
	// Output: 64 answers
}

// get asks the server on a connection of its own.
func get(url string, root *x509.Certificate) string {
	roots := x509.NewCertPool()
	roots.AddCert(root)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}
	defer transport.CloseIdleConnections()
	response, err := (&http.Client{Transport: transport}).Get(url)
	if err != nil {
		log.Print(err)
		return ""
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		log.Print(err)
	}
	return string(body)
}

// makeCertificate has a key sign its own certificate, and puts that beside it.
func makeCertificate(ctx context.Context, modules *p11mux.Modules, uri string) *x509.Certificate {
	key, err := modules.PrivateKey(ctx, uri)
	if err != nil {
		log.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "web server"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		log.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		log.Fatal(err)
	}
	session, err := key.Object().Token().OpenSession(ctx, p11mux.ReadWrite)
	if err != nil {
		log.Fatal(err)
	}
	defer session.Close()
	_, err = session.CreateObject(ctx, p11mux.Attr(ck.CKA_CLASS, ck.CKO_CERTIFICATE), p11mux.Attr(ck.CKA_CERTIFICATE_TYPE, ck.CKC_X_509),
		p11mux.Attr(ck.CKA_TOKEN, true), p11mux.Attr(ck.CKA_ID, key.Object().ID()), p11mux.Attr(ck.CKA_SUBJECT, cert.RawSubject),
		p11mux.Attr(ck.CKA_VALUE, cert.Raw))
	if err != nil {
		log.Fatal(err)
	}
	return cert
}
