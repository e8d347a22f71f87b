//go:build linux && amd64

package main

import (
	"bytes"
	"context"
	"errors"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// library builds the library into a directory of the test's own.
func library(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	cmd := exec.Command("make", "-C", "..", "BUILD="+dir)
	cmd.Env = append(os.Environ(), "MAKEFLAGS=", "MAKELEVEL=") // nothing from a make that runs the tests
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("make: %v\n%s", err, out)
	}
	return filepath.Join(dir, "lib")
}

// tables takes a report apart: by heading, the fields of each line.
func tables(t *testing.T, report string) map[string][][]string {
	t.Helper()
	found := map[string][][]string{}
	heading := ""
	for _, line := range strings.Split(report, "\n") {
		if title, ok := strings.CutPrefix(line, "## "); ok {
			heading = title
		}
		if strings.HasPrefix(line, "| ") {
			var fields []string
			for _, f := range strings.Split(strings.Trim(line, "|"), "|") {
				fields = append(fields, strings.TrimSpace(f))
			}
			if rows := found[heading]; len(rows) > 0 && len(fields) != len(rows[0]) {
				t.Errorf("%s: the line %q has %d fields, its head %d", heading, line, len(fields), len(rows[0]))
			}
			found[heading] = append(found[heading], fields)
		}
	}
	return found
}

func TestMeasure(t *testing.T) {
	dir := library(t)
	t.Run("all", func(t *testing.T) { testAll(t, dir) })
	t.Run("alone", func(t *testing.T) { testAlone(t, dir) })
	t.Run("go", func(t *testing.T) { testGo(t, dir) })
}

// A short run measures everything, and leaves nothing behind.
func testAll(t *testing.T, dir string) {
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	var stdout, stderr bytes.Buffer
	if code := run(context.Background(), []string{"-quick", "-library", dir}, &stdout, &stderr); code != 0 {
		t.Fatalf("exit status %d\n%s", code, &stderr)
	}
	for _, field := range []string{"Command: `go run ./bench -quick", "Date: 2", "Machine: ", " CPUs", "Ours: p11mux ", "Reference: ", "SoftHSM: "} {
		if !strings.Contains(stdout.String(), field) {
			t.Errorf("the head has no %q", field)
		}
	}
	got := tables(t, stdout.String())
	want := map[string]int{
		"Calls":                                 2,
		"Calls of a real module":                2,
		"Threads":                               8,
		"Growth with threads":                   6,
		"Sessions":                              2,
		"The proxy module":                      9,
		"Calls that are logged":                 4,
		"Threads whose calls are logged":        12,
		"A second caller":                       2,
		"Servers: one call after the other":     8,
		"A module in a process of its own":      4,
		"Servers: calls per second":             10,
		"Servers: objects":                      2,
		"Servers: memory":                       2,
		"Iterators":                             6,
		"URIs":                                  12,
		"A program that only links the library": 3,
		"A program that lists the slots of the configured modules": 12,
		"p11tool --list-all":        2,
		"Lists of one module":       9,
		"Memory of a list":          8,
		"After fork":                2,
		"The Go API":                6,
		"Allocations of the Go API": 6,
		"TLS handshakes":            2,
	}
	for heading, rows := range want {
		table := got[heading]
		if len(table) != rows+1 {
			t.Errorf("%s: %d rows, want %d", heading, len(table)-1, rows)
			continue
		}
		column := -1
		for i, name := range table[0] {
			if name == "ours" {
				column = i
			}
		}
		if column < 0 {
			t.Errorf("%s: no column for ours", heading)
			continue
		}
		for _, row := range table[1:] {
			figure := row[column]
			if figure != "no SoftHSM" && !strings.ContainsAny(strings.TrimPrefix(figure, "−")[:1], "0123456789") {
				t.Errorf("%s: %s: ours is %q, not a figure", heading, row[0], figure)
			}
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d tables, want %d", len(got), len(want))
	}
	if n := strings.Count(stdout.String(), ": reached") + strings.Count(stdout.String(), ": not reached"); n < 10 {
		t.Errorf("%d targets have a verdict, want at least 10", n)
	}
	if left, err := os.ReadDir(tmp); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}

// Neither the reference nor SoftHSM is needed; every measurement says which of its figures are missing.
func testAlone(t *testing.T, dir string) {
	root, err := findRoot()
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{ctx: context.Background(), dir: t.TempDir(), options: options{quick: true, root: root, library: dir}}
	if err := b.build(); err != nil {
		t.Fatal(err)
	}
	b.libraries[reference] = ""
	for _, m := range measurements {
		made, err := m.measure(b)
		if err != nil {
			t.Errorf("%s: %v", m.key, err)
		}
		for _, table := range made {
			for i := range table.rows {
				r := &table.rows[i]
				w, want := reference, notInstalled
				switch measured := len(r.cells[ours].values) > 0; {
				case m.key == "golang" && !measured:
					w, want = ours, "no SoftHSM"
				case m.key == "golang":
					want = noFigure // it is not asked
				case !measured:
					want = "no SoftHSM"
				}
				if got := r.cells[w].String(); got != want {
					t.Errorf("%s: %s: the figure of %s is %q, want %q", table.title, r.title, w, got, want)
				}
			}
		}
	}
}

// The program bench/go says what it cannot do, in place of measuring something else.
func testGo(t *testing.T, dir string) {
	root, err := findRoot()
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{ctx: context.Background(), dir: t.TempDir(), options: options{root: root, library: dir}}
	if err := errors.Join(b.build(), b.buildGo()); err != nil {
		t.Fatal(err)
	}
	answers := b.path("answers.so")
	for _, test := range []struct {
		args []string
		want string
	}{
		{nil, "usage: go WAY"},
		{[]string{"ours", answers, "info", "1", "1", "surplus"}, "usage: go WAY"},
		{[]string{"raw", answers, "info", "1", "1"}, `no way called "raw"`},
		{[]string{"ours", answers, "nothing", "1", "1"}, `nothing called "nothing"`},
		{[]string{"ours", answers, "info", "0", "1"}, "SAMPLES"},
		{[]string{"ours", answers, "info", "1", "many"}, "TURNS"},
		{[]string{"ours", b.path("none.so"), "info", "1", "1"}, "none.so"},
		{[]string{"miekg", b.path("none.so"), "info", "1", "1"}, "none.so"},
		{[]string{"ours", answers, "signer", "1", "1"}, "no key for signer"},
		{[]string{"miekg", answers, "tls", "1", "1"}, "no key for tls"},
		{[]string{"crypto11", answers, "signer", "1", "1"}, "without a login"},
		{[]string{"ours", b.path("null.so"), "find", "1", "1"}, "0 objects, want 10"},
		{[]string{"miekg", b.path("null.so"), "sign", "1", "1"}, "a signature of 0 octets"},
	} {
		if got, err := b.run(nil, "go", test.args...); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%q: got %v, %v, want an error with %q", test.args, got, err, test.want)
		}
	}
}

// Figures that belong together are compared one by one.
func TestPaired(t *testing.T) {
	r := results{ours: samples{"ns": {1, 20, 3}}, miekg: samples{"ns": {2, 10, 6}}}
	made := r.figures("call", "ns", 1)
	if got := made.ratio(ours, miekg); got != 0.5 {
		t.Errorf("the ratio of the medians is %v, want 0.5", got)
	}
	made.paired = true
	if got := made.ratio(ours, miekg); got != 0.5 {
		t.Errorf("the median of the ratios is %v, want 0.5", got)
	}
	made.cells[ours].values = []float64{1, 20, 12}
	if got := made.ratio(ours, miekg); got != 2 {
		t.Errorf("the median of the ratios is %v, want 2", got)
	}
	if got := made.ratio(ours, crypto11); !math.IsNaN(got) {
		t.Errorf("the ratio to what was not measured is %v", got)
	}
}

// What does not work is an error, and so is a library that is not there.
func TestBroken(t *testing.T) {
	empty := t.TempDir()
	for _, test := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"-library", empty}, 1, "build the library with make first"},
		{[]string{"-only", "("}, 2, "error parsing regexp"},
		{[]string{"surplus"}, 2, `unexpected argument "surplus"`},
		{[]string{"-unknown"}, 2, "-unknown"},
	} {
		var stdout, stderr bytes.Buffer
		code := run(context.Background(), test.args, &stdout, &stderr)
		if code != test.code || !strings.Contains(stderr.String(), test.want) {
			t.Errorf("%q: exit status %d, want %d; stderr %q, want %q in it", test.args, code, test.code, &stderr, test.want)
		}
	}
}

// Without a reference the report says so, and draws no comparison.
func TestNoReference(t *testing.T) {
	b := &bench{libraries: [numWays]string{"-", "/lib", ""}}
	r := results{raw: samples{"ns": {2000, 1000, 3000}}, ours: samples{"ns": {4000}}}
	made := r.row(b, "call", "ns", 1000)
	made.target("at most twice raw", made.median(ours), 2*made.median(raw))
	made.target("at most raw", made.median(ours), made.median(raw))
	made.target("at most the reference", made.median(ours), made.median(reference))
	table := table{title: "T", note: "N.", first: "what", unit: "µs", rows: []row{made}}
	want := `
## T

N. Unit: µs.

| what |               raw | ours |     reference | ours − raw | ours ÷ raw |                                               target |
|------|------------------:|-----:|--------------:|-----------:|-----------:|-----------------------------------------------------:|
| call | 2.00 (1.20..2.80) | 4.00 | not installed |      +2.00 |       2.00 | at most twice raw: reached; at most raw: not reached |
`
	if got := table.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestPercentile(t *testing.T) {
	values := []float64{4, 1, 3, 2, 5}
	for p, want := range map[float64]float64{0: 1, 10: 1.4, 50: 3, 90: 4.6, 100: 5} {
		if got := percentile(values, p); math.Abs(got-want) > 1e-9 {
			t.Errorf("percentile %v is %v, want %v", p, got, want)
		}
	}
	if got := median([]float64{7}); got != 7 {
		t.Errorf("the median of one value is %v", got)
	}
	if got := median(nil); !math.IsNaN(got) {
		t.Errorf("the median of nothing is %v", got)
	}
	if values[0] != 4 {
		t.Error("the values were sorted in place")
	}
}

func TestFigure(t *testing.T) {
	for v, want := range map[float64]string{
		0: "0", 0.0123: "0.0123", -0.0123: "−0.0123", 0.00001: "0", 0.5: "0.50", 9.994: "9.99", 9.996: "10.0", -12.34: "−12.3",
		99.96: "100", 12345: "12345",
	} {
		if got := figure(v); got != want {
			t.Errorf("figure(%v) is %q, want %q", v, got, want)
		}
	}
}

func TestParseSamples(t *testing.T) {
	got, err := parseSamples([]byte("ns 1.5\nrate 3\nns 2\n"))
	if err != nil || len(got["ns"]) != 2 || got["ns"][1] != 2 || got["rate"][0] != 3 {
		t.Errorf("got %v, %v", got, err)
	}
	for _, bad := range []string{"ns\n", "ns x\n", " 1\n", "\n", "ns 1 2\n"} {
		if got, err := parseSamples([]byte(bad)); err == nil {
			t.Errorf("%q was taken as %v", bad, got)
		}
	}
}
