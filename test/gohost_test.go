package test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// goProgram builds one of the Go programs below this directory, with cgo. flags are for go build; what is built with
// different ones are different programs.
func goProgram(t testing.TB, name string, flags ...string) string {
	t.Helper()
	file := strings.ReplaceAll(name+strings.Join(flags, ""), "/", "_")
	return once(t, file, func() string {
		path := filepath.Join(workDir, "bin", file)
		cmd := exec.Command("go", slices.Concat([]string{"build", "-o", path}, flags, []string{"./" + name})...)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("go build: %v\n%s", err, out)
		}
		return path
	})
}

// TestGoHost runs a host that is itself a Go program.  The reference is not
// asked: callers that finalise at the same time corrupt its counts.
func TestGoHost(t *testing.T) {
	c := command{path: goProgram(t, "gohost"), args: []string{filepath.Join(modules(t), "a.so")}, lib: ours}
	if r := c.mustRun(t); r.stdout != "done\n" {
		t.Errorf("printed %q", r.stdout)
	}
}

// TestGoJoin runs a Go program that is the engine of the library in its process: one count for Go and C, whoever comes
// first.
func TestGoJoin(t *testing.T) {
	for _, first := range []string{"go", "c"} {
		t.Run(first, func(t *testing.T) {
			c := command{path: goProgram(t, "gojoin"), args: []string{filepath.Join(modules(t), "a.so"), first}, lib: ours}
			if r := c.mustRun(t); r.stdout != "done\n" {
				t.Errorf("printed %q", r.stdout)
			}
		})
	}
}
