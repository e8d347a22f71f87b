// Command go measures a Go binding of PKCS#11 for the command bench: this module, github.com/miekg/pkcs11 or
// github.com/ThalesGroup/crypto11. It is a module of its own, so that none but the benchmark depends on the others.
//
//	go WAY MODULE WHAT SAMPLES TURNS [login]
//
// WAY is ours, miekg or crypto11; one process has one of them, since two cannot initialize a module. It does WHAT on the
// first token of the module TURNS times, SAMPLES times over; with "login" the user is logged in and the token has the
// keys of bench/c/token.c. What there is to do:
//
//	info    Session.Info, C_GetSessionInfo
//	sign    a signature in one session, C_SignInit and C_Sign: CKM_RSA_PKCS over a DigestInfo
//	find    ten objects in one session, each with its class, key type, label and identifier
//	signer  a signature by the crypto.Signer, which takes a session from a pool: PKCS#1 v1.5
//	tls     a TLS 1.3 handshake of a server whose key is on the token
//	tls8    the same, eight at once
//
// It prints for each sample
//
//	ns      ns that a turn takes
//	rate    turns per second
//
// and, for what happens on one goroutine, the allocations of a turn:
//
//	allocs  mean number of a turn
package main

import (
	"crypto"
	"errors"
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"
)

// pin is the user's, as in bench/c/bench.h: the token is thrown away after the measurement.
const pin = "12345678"

// A binding is a library with a token that it has opened.
type binding struct {
	// What it does in a session of its own; nil if it does not show its sessions.
	info, sign, find func() error
	// signer is the token's RSA key; nil without a login, or if the library has none.
	signer crypto.Signer
	// close ends everything.
	close func() error
}

// ways are the libraries. Each opens the first token of a module, and logs in if it is told to.
var ways = map[string]func(module string, login bool) (*binding, error){
	"ours":     openOurs,
	"miekg":    openMiekg,
	"crypto11": openCrypto11,
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench/go:", err)
		os.Exit(1)
	}
}

// run is main without the process.
func run(args []string) (err error) {
	if len(args) < 5 || len(args) > 6 || len(args) == 6 && args[5] != "login" {
		return errors.New("usage: go WAY MODULE WHAT SAMPLES TURNS [login]")
	}
	open, ok := ways[args[0]]
	if !ok {
		return fmt.Errorf("there is no way called %q", args[0])
	}
	samples, err := number(args[3], "SAMPLES")
	if err != nil {
		return err
	}
	turns, err := number(args[4], "TURNS")
	if err != nil {
		return err
	}
	b, err := open(args[1], len(args) == 6)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.close()) }()
	w, err := b.work(args[2])
	if err != nil {
		return err
	}
	defer w.end()
	return measure(w, samples, turns)
}

// number is an argument that counts something.
func number(text, name string) (int, error) {
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		return 0, fmt.Errorf("%s is %q, and has to be a number above zero", name, text)
	}
	return n, nil
}

// A work is what is measured.
type work struct {
	turns func(n int) error // does it n times
	alone bool              // on the goroutine that calls turns, so that its allocations can be counted
	end   func()
}

// work prepares what is to be done.
func (b *binding) work(what string) (*work, error) {
	alone := func(turn func() error) (*work, error) {
		if turn == nil {
			return nil, fmt.Errorf("this library does not do %s", what)
		}
		return &work{repeated(turn), true, func() {}}, nil
	}
	switch what {
	case "info":
		return alone(b.info)
	case "sign":
		return alone(b.sign)
	case "find":
		return alone(b.find)
	case "signer", "tls", "tls8":
		if b.signer == nil {
			return nil, fmt.Errorf("no key for %s: it takes a login, and a library that has signers", what)
		}
	}
	switch what {
	case "signer":
		turn, err := signing(b.signer)
		if err != nil {
			return nil, err
		}
		return alone(turn)
	case "tls":
		return handshakes(b.signer, 1)
	case "tls8":
		return handshakes(b.signer, 8)
	}
	return nil, fmt.Errorf("there is nothing called %q to do", what)
}

// repeated does one thing many times.
func repeated(turn func() error) func(int) error {
	return func(n int) error {
		for range n {
			if err := turn(); err != nil {
				return err
			}
		}
		return nil
	}
}

// measure prints the samples. What comes before the first one warms up and is not counted.
func measure(w *work, samples, turns int) error {
	if err := w.turns(turns); err != nil {
		return err
	}
	for range samples {
		start := time.Now()
		if err := w.turns(turns); err != nil {
			return err
		}
		took := time.Since(start)
		fmt.Printf("ns %.4f\nrate %.4f\n", float64(took.Nanoseconds())/float64(turns), float64(turns)/took.Seconds())
	}
	if !w.alone {
		return nil
	}
	var failed error
	allocs := testing.AllocsPerRun(min(turns, 100), func() {
		if err := w.turns(1); err != nil {
			failed = err
		}
	})
	fmt.Printf("allocs %.0f\n", allocs)
	return failed
}
