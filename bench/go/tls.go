package main

import (
	"crypto"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"sync"
	"time"
)

// serverName is what the certificate is for.
const serverName = "bench.example"

// handshakes makes TLS handshakes, so many at once, with a server in this process, which signs by the token. They go over
// a local socket and not by TCP, which would run out of ports. A turn is over when the client has read an octet that the
// server sends after the handshake.
func handshakes(signer crypto.Signer, atOnce int) (*work, error) {
	server, client, err := configs(signer)
	if err != nil {
		return nil, err
	}
	address := fmt.Sprintf("@p11mux-bench-%d", os.Getpid()) // of no file
	l, err := net.Listen("unix", address)
	if err != nil {
		return nil, err
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { serve(conn, server) })
		}
	})
	turn := func() error { return handshake(address, client) }
	return &work{
		turns: func(n int) error { return parallel(atOnce, n, turn) },
		end: func() {
			_ = l.Close()
			serving.Wait()
		},
	}, nil
}

// configs are those of the server, with a certificate of the token's key, and of a client that trusts it.
func configs(signer crypto.Signer) (server, client *tls.Config, err error) {
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: serverName}, DNSNames: []string{serverName},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, signer.Public(), signer)
	if err != nil {
		return nil, nil, err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, nil, err
	}
	roots := x509.NewCertPool()
	roots.AddCert(cert)
	server = &tls.Config{
		Certificates:           []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: signer, Leaf: cert}},
		MinVersion:             tls.VersionTLS13,
		SessionTicketsDisabled: true,
	}
	return server, &tls.Config{RootCAs: roots, ServerName: serverName, MinVersion: tls.VersionTLS13}, nil
}

// serve makes the server's part of a handshake. What goes wrong shows at the client.
func serve(conn net.Conn, config *tls.Config) {
	defer conn.Close()
	_, _ = tls.Server(conn, config).Write([]byte{1})
}

// handshake makes the client's part.
func handshake(address string, config *tls.Config) error {
	conn, err := net.Dial("unix", address)
	if err != nil {
		return err
	}
	defer conn.Close()
	var octet [1]byte
	_, err = io.ReadFull(tls.Client(conn, config), octet[:])
	return err
}

// parallel does something n times on some goroutines.
func parallel(goroutines, n int, turn func() error) error {
	if goroutines == 1 {
		return repeated(turn)(n)
	}
	errs := make([]error, goroutines)
	var all sync.WaitGroup
	for i := range goroutines {
		share := n / goroutines
		if i < n%goroutines {
			share++
		}
		all.Go(func() { errs[i] = repeated(turn)(share) })
	}
	all.Wait()
	return errors.Join(errs...)
}
