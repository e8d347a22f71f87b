package main

/*
#cgo CFLAGS: -std=gnu11 -O1 -Wall -Wextra -Werror -Wno-unused-parameter -I${SRCDIR}/../../include
#cgo LDFLAGS: -ldl
#include "gnutls.h"
#include "../goproxy/proxy.h"
*/
import "C"

import (
	"errors"
	"fmt"
	"os"
	"unsafe"
)

// tlsLibrary is the file that GnuTLS is in.
const tlsLibrary = "/libgnutls.so.30"

// room is enough for a signature, and for what the server says.
const room = 1024

// tlsError is what GnuTLS says is wrong.
func tlsError(rv C.int) error {
	if rv == 0 {
		return nil
	}
	return errors.New("GnuTLS: " + C.GoString(C.tls_error(rv)))
}

// A gnutls is GnuTLS, as a consumer of the configured modules.
type gnutls struct{ where }

func (gnutls) open() error { return tlsError(C.tls_open()) }

func (gnutls) close() error {
	C.tls_close()
	return nil
}

func (g gnutls) use() error {
	for _, label := range labels {
		uri := C.CString(g.key(label))
		var signature [room]byte
		n := C.size_t(len(signature))
		rv := C.tls_sign(uri, unsafe.Pointer(&data[0]), C.size_t(len(data)), unsafe.Pointer(&signature[0]), &n)
		C.free(unsafe.Pointer(uri))
		if err := tlsError(rv); err != nil {
			return err
		}
		if err := g.verify(label, signature[:n]); err != nil {
			return err
		}
	}
	return nil
}

// client is the client of a TLS connection, with a key of the token; it gives what the server says. The certificates are
// in PEM.
func (g gnutls) client(socket *os.File, server, own []byte, label string) (string, error) {
	cserver, cown, uri := C.CString(string(server)), C.CString(string(own)), C.CString(g.key(label))
	defer C.free(unsafe.Pointer(cserver))
	defer C.free(unsafe.Pointer(cown))
	defer C.free(unsafe.Pointer(uri))
	var said [room]byte
	n := C.size_t(len(said))
	rv := C.tls_client(C.int(socket.Fd()), cserver, cown, uri, unsafe.Pointer(&said[0]), &n)
	if err := tlsError(rv); err != nil {
		return "", err
	}
	return string(said[:n]), nil
}

// A proxy is a consumer of the proxy module, as NSS is one.
type proxy struct{ where }

func proxyError(line C.int) error {
	if line == 0 {
		return nil
	}
	return fmt.Errorf("proxy.c:%d: this failed", line)
}

func (p proxy) open() error {
	path, token := C.CString(p.proxy), C.CString("token")
	defer C.free(unsafe.Pointer(path))
	defer C.free(unsafe.Pointer(token))
	pin, err := os.ReadFile(p.pinFile)
	if err != nil {
		return err
	}
	if len(pin) == 0 {
		return fmt.Errorf("%s: no PIN in it", p.pinFile)
	}
	if err := proxyError(C.proxy_open(path)); err != nil {
		return err
	}
	return proxyError(C.proxy_login(token, unsafe.Pointer(&pin[0]), C.size_t(len(pin))))
}

func (p proxy) use() error {
	for _, label := range labels {
		key := C.CString(label)
		var signature [room]byte
		n := C.size_t(len(signature))
		line := C.proxy_sign(key, unsafe.Pointer(&data[0]), unsafe.Pointer(&signature[0]), &n)
		C.free(unsafe.Pointer(key))
		if err := proxyError(line); err != nil {
			return err
		}
		if err := p.verifyRaw(label, signature[:n]); err != nil {
			return err
		}
	}
	return nil
}

func (proxy) close() error { return proxyError(C.proxy_close()) }

// counted checks one of the counters of the module.
func (w where) counted(counter string, want int) error {
	path, name := C.CString(w.module), C.CString(counter)
	defer C.free(unsafe.Pointer(path))
	defer C.free(unsafe.Pointer(name))
	if n := int(C.counter_of(path, name)); n != want {
		return fmt.Errorf("the module counts %d %s, want %d", n, counter, want)
	}
	return nil
}
