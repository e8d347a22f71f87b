package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// A goRow is something that the program bench/go does.
type goRow struct {
	title, what string
	rival       way // whom it is compared with
	module      goModule
	turns       int // per sample
}

// A goModule is what it is done with.
type goModule int

const (
	null goModule = iota // the null module, with answers
	hsm                  // SoftHSM, logged in, with the keys of bench/c/token.c
)

// goRows are what is measured of one goroutine.
var goRows = [...]goRow{
	{"GetSessionInfo, null module", "info", miekg, null, 20_000},
	{"SignInit and Sign, null module", "sign", miekg, null, 5000},
	{"find of 10 objects, null module", "find", miekg, null, 500},
	{"find of 10 objects, SoftHSM", "find", miekg, hsm, 100},
	{"RSA-2048 signature in a session, SoftHSM", "sign", miekg, hsm, 20},
	{"RSA-2048 signature of a crypto.Signer, SoftHSM", "signer", crypto11, hsm, 20},
}

// handshakeRows are counted by the second.
var handshakeRows = [...]goRow{
	{"one after the other", "tls", crypto11, hsm, 20},
	{"8 at once", "tls8", crypto11, hsm, 64},
}

// level is how much of a difference counts as none.
const level = 0.01

// golang measures the Go API beside other Go bindings.
func (b *bench) golang() ([]table, error) {
	if err := b.buildGo(); err != nil {
		return nil, err
	}
	times := table{
		title: "The Go API",
		note: "One goroutine. In a session: one Session, logged in, beside one of miekg/pkcs11, with the same mechanism, " +
			"CKM_RSA_PKCS over a DigestInfo, and the same template; each of the 10 objects tells its class, key type, label and " +
			"identifier, and a search ends with an empty answer. The crypto.Signer is PrivateKey.Sign beside crypto11's, each with a " +
			"session of its pool, by PKCS#1 v1.5. Each library has a process of its own; ratios are the medians of the rounds' ratios, " +
			"and within a hundredth counts as level.",
		first: "what", unit: "µs",
	}
	allocations := table{
		title: "Allocations of the Go API",
		note:  "By Go, for the same; what the libraries take from malloc is not among it.",
		first: "what", unit: "allocations",
	}
	handshakes := table{
		title: "TLS handshakes",
		note: "TLS 1.3 with a server whose RSA-2048 key is on SoftHSM; client and server are in one process, which uses all CPUs. " +
			"More is better.",
		first: "handshakes", unit: "handshakes/s",
	}
	for _, r := range goRows {
		got, err := b.goRounds(r, b.pick(31, 2))
		if err != nil {
			return nil, err
		}
		made := r.row(got, "ns", 1e3)
		made.target("at most "+r.rival.String(), made.ratio(ours, r.rival), 1+level)
		times.rows = append(times.rows, made)
		made = r.row(got, "allocs", 1)
		made.target("fewer than "+r.rival.String(), made.median(ours)+1, made.median(r.rival))
		allocations.rows = append(allocations.rows, made)
	}
	for _, r := range handshakeRows {
		got, err := b.goRounds(r, b.pick(15, 2))
		if err != nil {
			return nil, err
		}
		made := r.row(got, "rate", 1)
		made.target("at least "+r.rival.String()+"'s", -made.ratio(ours, r.rival), -(1 - level))
		handshakes.rows = append(handshakes.rows, made)
	}
	return []table{times, allocations, handshakes}, nil
}

// buildGo compiles the program. What it depends on is downloaded when it is built for the first time, so it gets the
// environment of this process.
func (b *bench) buildGo() error {
	cmd := exec.CommandContext(b.ctx, "go", "build", "-o", b.path("go"), ".")
	cmd.Dir = filepath.Join(b.options.root, "bench", "go")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=1", "GOWORK=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		return errors.Join(fmt.Errorf("building bench/go: %w", err), errors.New(strings.TrimSpace(string(out))))
	}
	return nil
}

// goRounds runs the program n times for ours and its rival, in turn, and gives the medians of each time. Nothing is run if
// it takes SoftHSM, and there is none.
func (b *bench) goRounds(r goRow, n int) (results, error) {
	module, login := b.path("answers.so"), []string(nil)
	if r.module == hsm {
		module, login = b.softhsm, []string{"login"}
	}
	var medians results
	if module == "" {
		return medians, nil
	}
	ways := []way{ours, r.rival}
	for range n {
		round, err := b.rounds(1, ways, "go", func(w way) []string {
			return append([]string{w.String(), module, r.what, strconv.Itoa(b.pick(7, 2)), strconv.Itoa(b.pick(r.turns, max(1, r.turns/20)))}, login...)
		})
		if err != nil {
			return medians, fmt.Errorf("%s: %w", r.title, err)
		}
		for w, printed := range round {
			for name, values := range printed {
				medians[w] = medians[w].add(samples{name: {median(values)}})
			}
		}
		slices.Reverse(ways)
	}
	return medians, nil
}

// goRow makes a table's row of such medians.
func (r goRow) row(medians results, name string, unit float64) row {
	if medians[ours] == nil {
		return absent(r.title, []way{ours, r.rival})
	}
	made := medians.figures(r.title, name, unit)
	made.paired = true
	return made
}
