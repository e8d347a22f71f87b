package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// A served module is one behind a server: how programs load it, and what has to be in their environment.
type servedModule struct {
	module string
	env    []string
}

// clientModule is a library's module for what is served elsewhere, "" if it is not installed.
func (b *bench) clientModule(w way) string {
	path := filepath.Join(filepath.Dir(b.libraries[w]), "pkcs11", "p11-kit-client.so")
	if _, err := os.Stat(path); b.libraries[w] == "" || err != nil {
		return ""
	}
	return path
}

// serve starts the server of a way, and gives the module for its clients and what ends it.
func (b *bench) serve(w way, module string) (servedModule, func() error, error) {
	program := "p11-kit"
	if w == ours {
		program = filepath.Join(filepath.Dir(filepath.Dir(b.libraries[ours])), "bin", "p11mux")
	}
	cmd := exec.CommandContext(b.ctx, program, "server", "--foreground", "--sh", "--name", b.path(w.String()+".socket"), module)
	cmd.Env = append(b.environment(), "XDG_RUNTIME_DIR="+b.dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return servedModule{}, nil, err
	}
	end := func() error {
		err := cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait() // how it ends is its own affair
		return err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	address, _, found := strings.Cut(line, ";")
	if err != nil || !found {
		return servedModule{}, nil, errors.Join(fmt.Errorf("%s server says %q", program, line), err, end())
	}
	return servedModule{b.clientModule(w), []string{address}}, end, nil
}

// serverRounds runs a program for the module by itself and behind each server, in turn.
func (b *bench) serverRounds(n int, module, program string, arguments func(module string) []string) (results, error) {
	var all results
	ends := make([]func() error, 0, numWays)
	defer func() {
		for _, end := range ends {
			_ = end() // what was measured is not changed by it
		}
	}()
	var by [numWays]servedModule
	by[raw] = servedModule{module, nil}
	for _, w := range []way{ours, reference} {
		served, end, err := b.serve(w, module)
		if err != nil {
			return all, err
		}
		ends = append(ends, end)
		by[w] = served
	}
	for round := range n {
		for i := range cWays {
			w := cWays[(round+i)%len(cWays)]
			got, err := b.run(by[w].env, program, arguments(by[w].module)...)
			if err != nil {
				return all, fmt.Errorf("%s: %w", w, err)
			}
			all[w] = all[w].add(got)
		}
	}
	return all, nil
}

// server measures calls of a client of each server.
func (b *bench) server() ([]table, error) {
	if b.clientModule(reference) == "" {
		return nil, nil
	}
	rate := table{
		title: "Servers: calls per second",
		note: "C_Sign on one connection by p11-kit's own client module, each thread in a session of its own. Raw is the module without " +
			"a server. The slow module waits a millisecond in each call.",
		first: "module, threads", unit: "calls/s",
	}
	for _, c := range []struct {
		title, module  string
		threads, calls int
		target         func(made *row)
	}{
		{"null module, 1 thread", "null.so", 1, 20_000, func(made *row) {
			made.target("at most 1.3 of the reference's time", made.median(reference), 1.3*made.median(ours))
		}},
		{"null module, 8 threads", "null.so", 8, 40_000, func(made *row) {
			made.target("at least 2 times the reference's", 2*made.median(reference), made.median(ours))
		}},
		{"slow module, 32 threads", "slow.so", 32, 3200, func(made *row) {
			made.target("at least 20000", 20_000, made.median(ours))
		}},
	} {
		r, err := b.serverRounds(b.pick(7, 1), b.path(c.module), "calls", func(module string) []string {
			return []string{"-", module, "sign", strconv.Itoa(b.pick(3, 1)), strconv.Itoa(b.pick(c.calls, c.calls/10) / c.threads), strconv.Itoa(c.threads)}
		})
		if err != nil {
			return nil, err
		}
		made := r.row(b, c.title, "rate", 1)
		c.target(&made)
		rate.rows = append(rate.rows, made)
	}
	find := table{
		title: "Servers: objects",
		note: "Time for each of 1000 objects of a module that does nothing else: finding all, and the same with five attributes of each, which " +
			"take two calls for each object.",
		first: "figure", unit: "µs",
	}
	r, err := b.serverRounds(b.pick(7, 1), b.path("many.so"), "objects", func(module string) []string {
		return []string{"-", module, "1", strconv.Itoa(b.pick(5, 1))}
	})
	if err != nil {
		return nil, err
	}
	find.rows = append(find.rows, r.row(b, "objects", "iterate", 1000))
	load := r.row(b, "objects with attributes", "load", 1000)
	load.target("at most half of the reference's", load.median(ours), load.median(reference)/2)
	find.rows = append(find.rows, load)
	return []table{rate, find}, nil
}
