// Goproxy is a consumer written in Go: it loads a PKCS#11 module as bindings for Go do, and signs with it from many
// goroutines. When the module is our proxy, and the bundled token is behind it, three Go run-times share the process.
package main

/*
#cgo CFLAGS: -I${SRCDIR}/../../include
#cgo LDFLAGS: -ldl
#include "proxy.h"
*/
import "C"

import (
	"fmt"
	"os"
	"runtime"
	"sync"
	"unsafe"
)

const (
	signers    = 4
	signatures = 8 // by each signer with each key
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "goproxy:", err)
		os.Exit(1)
	}
}

func run() error {
	if len(os.Args) != 4 {
		return fmt.Errorf("usage: goproxy MODULE TOKEN PIN-FILE")
	}
	pin, err := os.ReadFile(os.Args[3])
	if err != nil {
		return err
	}
	if len(pin) == 0 {
		return fmt.Errorf("%s: no PIN in it", os.Args[3])
	}
	module, token := C.CString(os.Args[1]), C.CString(os.Args[2])
	defer C.free(unsafe.Pointer(module))
	defer C.free(unsafe.Pointer(token))
	if line := C.proxy_open(module); line != 0 {
		return failure(line)
	}
	if line := C.proxy_login(token, unsafe.Pointer(&pin[0]), C.size_t(len(pin))); line != 0 {
		return failure(line)
	}

	done := make(chan struct{})
	go collect(done)
	errs := make(chan error, signers)
	var wg sync.WaitGroup
	for range signers {
		wg.Go(func() { errs <- sign() })
	}
	wg.Wait()
	close(done)
	for range signers {
		if err := <-errs; err != nil {
			return err
		}
	}
	if line := C.proxy_close(); line != 0 {
		return failure(line)
	}
	return nil
}

func failure(line C.int) error {
	return fmt.Errorf("proxy.c:%d: this failed", line)
}

// collect keeps the garbage collector, and the signals that it stops goroutines with, busy.
func collect(done <-chan struct{}) {
	for {
		select {
		case <-done:
			return
		default:
			runtime.GC()
		}
	}
}

// sign prints signatures of the octets 0 to 31, a line for each: the key's label, and the signature in hexadecimal.
func sign() error {
	data := make([]byte, 32)
	for i := range data {
		data[i] = byte(i)
	}
	for range signatures {
		for _, label := range []string{"rsa", "ec"} {
			signature := make([]byte, 512)
			n := C.size_t(len(signature))
			key := C.CString(label)
			line := C.proxy_sign(key, unsafe.Pointer(&data[0]), unsafe.Pointer(&signature[0]), &n)
			C.free(unsafe.Pointer(key))
			if line != 0 {
				return failure(line)
			}
			fmt.Printf("%s %x\n", label, signature[:n])
		}
	}
	return nil
}
