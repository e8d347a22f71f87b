//go:build cgo

// Gognutls is a Go program whose C library uses PKCS#11 as well: it signs with the keys of a token by the Go API, with
// GnuTLS, and through the proxy module as NSS does. Its arguments are steps, in their order:
//
//	go+ gnutls+ proxy+    the consumer comes
//	go gnutls proxy       it signs with each key, and Go checks the signatures
//	go- gnutls- proxy-    it goes
//	tls                   a server in Go shakes hands with a client of GnuTLS, both with a key in the token
//	many                  all who are there sign at once, on many goroutines
//	one-engine            the program is the engine of the library
//	counts=1/0            the real C_Initialize and C_Finalize have been called so often
//
// In the environment: TOKEN_MODULE, a module that counts; TOKEN_PIN_FILE; TOKEN_KEYS, a directory with the public keys; and
// TOKEN_PROXY, the proxy module.
package main

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/p11mux/p11mux"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "gognutls:", err)
		os.Exit(1)
	}
	fmt.Println("done")
}

// labels are those of the keys, and data is what is signed.
var (
	labels = []string{"rsa", "ec"}
	data   = func() (d [32]byte) {
		for i := range d {
			d[i] = byte(i)
		}
		return d
	}()
)

// A consumer uses the token. Between open and close, use may be called from any goroutine.
type consumer interface {
	open() error
	use() error
	close() error
}

// A program has the consumers that there may be, and knows which are there.
type program struct {
	where
	golang    *golang
	gnutls    gnutls
	consumers map[string]consumer
	open      map[string]bool
}

func run(steps []string) error {
	w, err := surroundings()
	if err != nil {
		return err
	}
	p := &program{where: w, golang: &golang{where: w}, gnutls: gnutls{w}, open: make(map[string]bool)}
	p.consumers = map[string]consumer{"go": p.golang, "gnutls": p.gnutls, "proxy": proxy{w}}
	if len(steps) == 0 {
		return errors.New("usage: gognutls STEP [STEP...]")
	}
	if isMapped(tlsLibrary) != linked {
		return errors.New("GnuTLS is there too early, or too late")
	}
	for _, step := range steps {
		if err := p.step(step); err != nil {
			return fmt.Errorf("%s: %w", step, err)
		}
	}
	return nil
}

func (p *program) step(step string) error {
	name := strings.TrimRight(step, "+-")
	if c, ok := p.consumers[name]; ok {
		switch step[len(name):] {
		case "+":
			p.open[name] = true
			return c.open()
		case "-":
			p.open[name] = false
			return c.close()
		}
		return c.use()
	}
	switch {
	case step == "many":
		return p.many()
	case step == "tls":
		return p.handshake()
	case step == "one-engine":
		return p.oneEngine()
	}
	var initialized, finalized int
	if _, err := fmt.Sscanf(step, "counts=%d/%d", &initialized, &finalized); err != nil {
		return errors.New("there is no such step")
	}
	return errors.Join(p.counted("initialize", initialized), p.counted("finalize", finalized), p.counted("faults", 0))
}

const (
	users  = 4 // of each consumer
	rounds = 5
)

func (p *program) many() error {
	var wg sync.WaitGroup
	errs := make(chan error, users*len(p.consumers))
	for name := range p.open {
		if !p.open[name] {
			continue
		}
		for range users {
			wg.Go(func() {
				for range rounds {
					if err := p.consumers[name].use(); err != nil {
						errs <- fmt.Errorf("%s: %w", name, err)
						return
					}
				}
			})
		}
	}
	wg.Wait()
	close(errs)
	var all []error
	for err := range errs {
		all = append(all, err)
	}
	return errors.Join(all...)
}

// A golang is the consumer by the Go API.
type golang struct {
	where
	modules *p11mux.Modules
}

func (g *golang) open() (err error) {
	g.modules, err = p11mux.Load(p11mux.WithCritical())
	return err
}

func (g *golang) close() error { return g.modules.Close() }

func (g *golang) use() error {
	digest := sha256.Sum256(data[:])
	for _, label := range labels {
		key, err := g.signer(label)
		if err != nil {
			return err
		}
		signature, err := key.Sign(rand.Reader, digest[:], crypto.SHA256)
		if err != nil {
			return err
		}
		if err := g.verify(label, signature); err != nil {
			return err
		}
	}
	return nil
}

func (g *golang) signer(label string) (crypto.Signer, error) {
	return g.modules.PrivateKey(context.Background(), g.key(label))
}

// oneEngine looks whether the library is there, and has loaded an engine of its own, though the program is one.
func (w where) oneEngine() error {
	switch {
	case !isMapped(filepath.Join(filepath.Dir(w.proxy), "libp11-kit.so.0")):
		return errors.New("the process uses another libp11-kit.so.0")
	case isMapped("/engine.so"):
		return errors.New("the library has loaded its engine, though the program is one")
	}
	return nil
}

// isMapped tells whether a file is in the process whose path has this in it.
func isMapped(path string) bool {
	maps, err := os.ReadFile("/proc/self/maps")
	return err != nil || strings.Contains(string(maps), path)
}
