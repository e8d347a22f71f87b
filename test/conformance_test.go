package test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// conformanceSources are the files of the conformance program besides its main.
func conformanceSources(t testing.TB) []string {
	t.Helper()
	paths, err := filepath.Glob("c/conf_*.c")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no sources of the conformance program: %v", err)
	}
	for i, p := range paths {
		paths[i] = filepath.Base(p)
	}
	return paths
}

// A section is a part of the conformance program that runs in its own process.
type section struct {
	name string
	ours bool // the reference cannot run it
}

func sections(t testing.TB, path string, lib library) []section {
	t.Helper()
	var all []section
	r := command{path: path, args: []string{"--list"}, lib: lib}.mustRun(t)
	for line := range strings.Lines(r.stdout) {
		name, who, ok := strings.Cut(strings.TrimSpace(line), " ")
		if !ok {
			t.Fatalf("odd line in the list of sections: %q", line)
		}
		all = append(all, section{name, who == "ours"})
	}
	if len(all) < 50 {
		t.Fatalf("only %d sections", len(all))
	}
	return all
}

// observations turns "section/check: value" lines into a map that remembers
// the order.
func observations(t testing.TB, text string) (order []string, values map[string]string) {
	t.Helper()
	values = make(map[string]string)
	for line := range strings.Lines(text) {
		name, value, ok := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		if !ok {
			t.Errorf("odd line of output: %q", line)
			continue
		}
		if _, dup := values[name]; dup {
			t.Errorf("%s is printed twice", name)
		}
		order = append(order, name)
		values[name] = wording(value)
	}
	return order, values
}

// wording takes out of a value what is the dynamic linker's choice of words and
// not the library's: it names a missing file twice.
func wording(value string) string {
	before, after, ok := strings.Cut(value, ": cannot open shared object file: ")
	if !ok {
		return value
	}
	if i := strings.LastIndex(before, ": "); i >= 0 && strings.HasSuffix(before[:i], " "+before[i+2:]) {
		before = before[:i]
	}
	return before + ": " + after
}

// A difference is one line of testdata/differences.txt.
type difference struct {
	reference, ours, reason string
	line                    int
}

func readDifferences(t testing.TB) map[string]difference {
	t.Helper()
	const path = "testdata/differences.txt"
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string]difference)
	n := 0
	for line := range strings.Lines(string(data)) {
		n++
		line = strings.TrimSuffix(line, "\n")
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		f := strings.Split(line, " | ")
		if len(f) != 4 || f[3] == "" {
			t.Fatalf("%s:%d: want \"section/check | reference | ours | reason\"", path, n)
		}
		if _, dup := all[f[0]]; dup {
			t.Fatalf("%s:%d: %s is listed twice", path, n, f[0])
		}
		all[f[0]] = difference{f[1], f[2], f[3], n}
	}
	return all
}

// TestConformance compares the two libraries observation by observation.  Each
// intended difference is listed with its reason; one that is not listed is a
// fault, and so is a listed one that has gone away.
func TestConformance(t *testing.T) {
	path := program(t, "conformance", conformanceSources(t)...)
	listed := readDifferences(t)
	known := make(map[string]bool)
	for _, s := range sections(t, path, reference) {
		known[s.name] = true
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			c := command{path: path, args: []string{s.name}, lib: ours}
			if s.ours {
				r := c.mustRun(t)
				if !strings.HasPrefix(r.stdout, s.name+"/") {
					t.Errorf("no observations: %q", r.stdout)
				}
				checkExpected(t, s.name, r.stdout)
				return
			}
			got := c.run(t)
			c.lib, c.conf = reference, ""
			want := c.mustRun(t)
			if got.code != 0 {
				t.Errorf("exit %d\nstdout: %s\nstderr: %s", got.code, got.stdout, got.stderr)
			}
			compare(t, s.name, want.stdout, got.stdout, listed)
		})
	}
	for name, d := range listed {
		if s, _, _ := strings.Cut(name, "/"); !known[s] {
			t.Errorf("testdata/differences.txt:%d: there is no section %s", d.line, s)
		}
	}
}

func compare(t *testing.T, name, wantText, gotText string, listed map[string]difference) {
	t.Helper()
	order, want := observations(t, wantText)
	gotOrder, got := observations(t, gotText)
	for _, k := range gotOrder {
		if _, ok := want[k]; !ok {
			want[k] = "(not observed)"
			order = append(order, k)
		}
	}
	for _, k := range order {
		w, g := want[k], got[k]
		if _, ok := got[k]; !ok {
			g = "(not observed)"
		}
		d, ok := listed[k]
		switch {
		case !ok && w != g:
			t.Errorf("not listed as a difference:\n%s | %s | %s | reason", k, w, g)
		case ok && w == g:
			t.Errorf("listed as a difference in line %d, but both say %q:\n%s", d.line, g, k)
		case ok && (w != d.reference || g != d.ours):
			t.Errorf("listed differently in line %d:\n%s | %s | %s | %s", d.line, k, w, g, d.reason)
		}
	}
	for k, d := range listed {
		if _, seen := want[k]; !seen && strings.HasPrefix(k, name+"/") {
			t.Errorf("line %d lists %s, which is not observed", d.line, k)
		}
	}
}

// checkExpected compares the output of a section that only our library can run
// with testdata/<section>.txt.
func checkExpected(t *testing.T, name, got string) {
	t.Helper()
	want, err := os.ReadFile(filepath.Join("testdata", name+".txt"))
	if err != nil {
		t.Fatal(fmt.Errorf("%w: it should hold\n%s", err, got))
	}
	if string(want) != got {
		t.Errorf("got:\n%swant:\n%s", got, want)
	}
}
