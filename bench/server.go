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

// A servedModule is one behind a server: how programs load it, what has to be in their environment, and the server's process.
type servedModule struct {
	module string
	env    []string
	server int // its id
}

// clientModule is a library's module for what is served elsewhere, "" if it is not installed.
func (b *bench) clientModule(w way) string {
	path := filepath.Join(filepath.Dir(b.libraries[w]), "pkcs11", "p11-kit-client.so")
	if _, err := os.Stat(path); b.libraries[w] == "" || err != nil {
		return ""
	}
	return path
}

// program is a way's program for servers and remote modules.
func (b *bench) program(w way) string {
	if w == ours {
		return filepath.Join(filepath.Dir(filepath.Dir(b.libraries[ours])), "bin", "p11mux")
	}
	return "p11-kit"
}

// serve starts the server of a way, and gives the module for its clients and what ends it.
func (b *bench) serve(w way, module string) (servedModule, func() error, error) {
	cmd := exec.CommandContext(b.ctx, b.program(w), "server", "--foreground", "--sh", "--name", b.path(w.String()+".socket"), module)
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
		return servedModule{}, nil, errors.Join(fmt.Errorf("%s server says %q", b.program(w), line), err, end())
	}
	return servedModule{b.clientModule(w), []string{address}, cmd.Process.Pid}, end, nil
}

// serveAll serves a module in all ways, by itself in raw, while do is at work.
func (b *bench) serveAll(module string, do func(by [numWays]servedModule) error) error {
	var by [numWays]servedModule
	by[raw].module = module
	for _, w := range []way{ours, reference} {
		served, end, err := b.serve(w, module)
		if err != nil {
			return err
		}
		defer func() { _ = end() }() // what was measured is not changed by it
		by[w] = served
	}
	return do(by)
}

// serverRounds runs a program n times for the module by itself and behind each server, in turn.
func (b *bench) serverRounds(n int, module, program string, arguments func(module string) []string) (results, error) {
	var all results
	err := b.serveAll(module, func(by [numWays]servedModule) error {
		for round := range n {
			for i := range cWays {
				w := cWays[(round+i)%len(cWays)]
				got, err := b.run(by[w].env, program, arguments(by[w].module)...)
				if err != nil {
					return fmt.Errorf("%s: %w", w, err)
				}
				all[w] = all[w].add(got)
			}
		}
		return nil
	})
	return all, err
}

// server measures clients of each server, and modules in a process of their own.
func (b *bench) server() ([]table, error) {
	if b.clientModule(reference) == "" {
		return nil, nil
	}
	var all []table
	for _, measure := range []func() (table, error){b.trips, b.pipes, b.rates, b.found, b.serverMemory} {
		t, err := measure()
		if err != nil {
			return nil, err
		}
		all = append(all, t)
	}
	return all, nil
}

// rates measures how many calls a server does.
func (b *bench) rates() (table, error) {
	t := table{
		title: "Servers: calls per second",
		note: "C_Sign by threads on one connection, each in a session of its own, or by processes. Each server has its own client module. " +
			"Raw is the module without a server. The slow module waits a millisecond in each call.",
		first: "module", unit: "calls/s",
	}
	for _, c := range []struct {
		title, module  string
		threads, calls int
		target         func(made *row)
	}{
		{"null module", "null.so", 1, 20_000, func(*row) {}},
		{"null module", "null.so", 8, 40_000, func(made *row) {
			made.target("at least 2 times the reference's", 2*made.median(reference), made.median(ours))
		}},
		{"null module", "null.so", 32, 40_000, func(*row) {}},
		{"slow module", "slow.so", 1, 200, func(*row) {}},
		{"slow module", "slow.so", 8, 800, func(*row) {}},
		{"slow module", "slow.so", 32, 1600, func(made *row) {
			made.target("at least 20000", 20_000, made.median(ours))
		}},
	} {
		calls := strconv.Itoa(b.pick(c.calls, c.calls/10) / c.threads)
		r, err := b.serverRounds(b.pick(5, 1), b.path(c.module), "calls", func(module string) []string {
			return []string{"-", module, "sign", strconv.Itoa(b.pick(3, 1)), calls, strconv.Itoa(c.threads)}
		})
		if err != nil {
			return t, err
		}
		made := r.row(b, c.title+", "+plural(c.threads, "thread"), "rate", 1)
		c.target(&made)
		t.rows = append(t.rows, made)
		if c.threads == 1 {
			continue // a process is the same
		}
		r, err = b.serverRounds(b.pick(5, 1), b.path(c.module), "clients", func(module string) []string {
			return []string{module, strconv.Itoa(c.threads), calls}
		})
		if err != nil {
			return t, err
		}
		t.rows = append(t.rows, r.row(b, c.title+", "+strconv.Itoa(c.threads)+" processes", "rate", 1))
	}
	return t, nil
}

// found measures finding objects behind a server.
func (b *bench) found() (table, error) {
	t := table{
		title: "Servers: objects",
		note: "Time for each of 1000 objects of a module that does nothing else: finding all, and the same with five attributes of each, which " +
			"take two calls for each object.",
		first: "figure", unit: "µs",
	}
	r, err := b.serverRounds(b.pick(7, 1), b.path("many.so"), "objects", func(module string) []string {
		return []string{"-", module, "1", strconv.Itoa(b.pick(5, 1))}
	})
	if err != nil {
		return t, err
	}
	load := r.row(b, "objects with attributes", "load", 1000)
	load.target("at most half of the reference's", load.median(ours), load.median(reference)/2)
	t.rows = append(t.rows, r.row(b, "objects", "iterate", 1000), load)
	return t, nil
}
