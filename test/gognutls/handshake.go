//go:build cgo

package main

import (
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"syscall"
	"time"
)

const greeting = "hello from Go\n"

// certificate is a certificate that a key of the token has signed for itself.
func (p *program) certificate(label string) (tls.Certificate, []byte, error) {
	key, err := p.golang.signer(label)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	template := x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		DNSNames: []string{"localhost"}, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		BasicConstraintsValid: true, IsCA: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, key.Public(), key)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, text, nil
}

// sockets are the two ends of a connection: one for Go, and one for C.
func sockets() (net.Conn, *os.File, error) {
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, err
	}
	end := os.NewFile(uintptr(fds[0]), "server")
	defer end.Close()
	client := os.NewFile(uintptr(fds[1]), "client")
	server, err := net.FileConn(end)
	if err != nil {
		client.Close()
		return nil, nil, err
	}
	return server, client, nil
}

// handshake has a server in Go and a client of GnuTLS prove to each other that each has a key of the token.
func (p *program) handshake() error {
	own, serverPEM, err := p.certificate("rsa")
	if err != nil {
		return err
	}
	_, clientPEM, err := p.certificate("ec")
	if err != nil {
		return err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(clientPEM)
	server, client, err := sockets()
	if err != nil {
		return err
	}
	defer client.Close()
	served := make(chan error, 1)
	go func() {
		defer server.Close()
		served <- serve(server, &tls.Config{
			Certificates: []tls.Certificate{own}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool,
		})
	}()
	said, err := p.gnutls.client(client, serverPEM, clientPEM, "ec")
	client.Close() // ends the server too
	if err := errors.Join(err, <-served); err != nil {
		return err
	}
	if said != greeting {
		return fmt.Errorf("the client heard %q", said)
	}
	return nil
}

func serve(raw net.Conn, config *tls.Config) error {
	conn := tls.Server(raw, config)
	if err := conn.Handshake(); err != nil {
		return err
	}
	if _, err := io.WriteString(conn, greeting); err != nil {
		return err
	}
	return conn.CloseWrite()
}
