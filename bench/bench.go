package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"
)

// A way is one of those that are compared.
type way int

const (
	raw       way = iota // the module by itself
	ours                 // through this library
	reference            // through p11-kit's library
	miekg                // by github.com/miekg/pkcs11, from Go
	crypto11             // by github.com/ThalesGroup/crypto11, from Go
	numWays
)

func (w way) String() string { return [...]string{"raw", "ours", "reference", "miekg", "crypto11"}[w] }

// cWays are those of programs in C.
var cWays = [...]way{raw, ours, reference}

// A bench is one run: what has been built, found and set up for it.
type bench struct {
	ctx       context.Context
	options   options
	dir       string          // temporary, with everything in it
	libraries [numWays]string // paths; "-" for raw, "" if not installed
	softhsm   string          // the module's path; "" if it is not installed
	used      time.Duration   // of the processors, by the programs that have been run
}

// measurements are the parts of a run, in the order of the report.
var measurements = [...]struct {
	key     string
	measure func(*bench) ([]table, error)
}{
	{"calls", (*bench).calls},
	{"threads", (*bench).threads},
	{"sessions", (*bench).sessions},
	{"proxy", (*bench).proxy},
	{"logging", (*bench).logging},
	{"second", (*bench).second},
	{"objects", (*bench).objects},
	{"uri", (*bench).uris},
	{"link", (*bench).link},
	{"modules", (*bench).modules},
	{"p11tool", (*bench).p11tool},
	{"handles", (*bench).handles},
	{"fork", (*bench).fork},
	{"golang", (*bench).golang},
	{"server", (*bench).server},
}

// keys are the names of the parts, for -only.
func keys() []string {
	var keys []string
	for _, m := range measurements {
		keys = append(keys, m.key)
	}
	return keys
}

// report measures and prints.
func report(ctx context.Context, o options, stdout, progress io.Writer) error {
	dir, err := os.MkdirTemp("", "p11mux-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	b := &bench{ctx: ctx, options: o, dir: dir}
	if err := b.build(); err != nil {
		return err
	}
	if err := b.findSoftHSM(); err != nil {
		return err
	}
	if err := b.head(stdout); err != nil {
		return err
	}
	for _, m := range measurements {
		if !o.only.MatchString(m.key) {
			continue
		}
		fmt.Fprintf(progress, "bench: measuring %s\n", m.key)
		others := b.watchOthers()
		tables, err := m.measure(b)
		if err != nil {
			return fmt.Errorf("measuring %s: %w", m.key, err)
		}
		note := others()
		for _, t := range tables {
			t.note += note
			if _, err := io.WriteString(stdout, t.String()); err != nil {
				return err
			}
		}
	}
	return nil
}

// pick is full, or quick in a quick run.
func (b *bench) pick(full, quick int) int {
	if b.options.quick {
		return quick
	}
	return full
}

// installed are the ways that can be measured; without raw, which is always there, if it has no meaning for what is
// measured.
func (b *bench) installed(withRaw bool) []way {
	var ways []way
	for _, w := range cWays {
		if b.libraries[w] != "" && (w != raw || withRaw) {
			ways = append(ways, w)
		}
	}
	return ways
}

// results are what the ways printed: by way and name, all samples of all rounds.
type results [numWays]samples

// rounds runs a program n times for each of the ways, in turn; every round begins with another one. arguments are for
// one way.
func (b *bench) rounds(n int, ways []way, program string, arguments func(way) []string) (results, error) {
	var all results
	for round := range n {
		for i := range ways {
			w := ways[(round+i)%len(ways)]
			got, err := b.run(nil, program, arguments(w)...)
			if err != nil {
				return all, fmt.Errorf("%s: %w", w, err)
			}
			all[w] = all[w].add(got)
		}
	}
	return all, nil
}

// row makes a table's row of what was printed under a name, each figure divided by unit. It says which libraries are not
// installed.
func (r results) row(b *bench, title, name string, unit float64) row {
	made := r.figures(title, name, unit)
	for _, w := range cWays {
		if b.libraries[w] == "" {
			made.cells[w].missing = notInstalled
		}
	}
	return made
}

// figures is row for what needs no library.
func (r results) figures(title, name string, unit float64) row {
	made := row{title: title}
	for w := range made.cells {
		for _, v := range r[w][name] {
			made.cells[w].values = append(made.cells[w].values, v/unit)
		}
	}
	return made
}
