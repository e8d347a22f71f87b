package test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// runCases runs each case that a program lists ("name both|ours" lines, printed
// when it has no arguments) in a process of its own, but for those that are about something else; prepare prepares a command.
func runCases(t *testing.T, path string, prepare func(t *testing.T, c *command), but ...string) {
	t.Helper()
	list := command{path: path, lib: reference}.mustRun(t).stdout
	n := 0
	for line := range strings.Lines(list) {
		name, who, _ := strings.Cut(strings.TrimSpace(line), " ")
		if slices.Contains(but, name) {
			continue
		}
		libs := both
		if who == "ours" {
			libs = []library{ours}
		}
		n++
		t.Run(name, func(t *testing.T) {
			eachLibrary(t, libs, func(t *testing.T, lib library) {
				t.Parallel()
				c := command{path: path, args: []string{name}, lib: lib}
				prepare(t, &c)
				c.mustRun(t)
			})
		})
	}
	if n == 0 {
		t.Fatalf("%s lists no cases: %q", path, list)
	}
}

// withToken gives a command a SoftHSM token of its own.
func withToken(t *testing.T, c *command) {
	tok := newToken(t)
	c.conf, c.env = tok.conf, tok.env
}

// TestFork runs hosts that fork in all the ways that real ones do.
func TestFork(t *testing.T) {
	runCases(t, program(t, "fork", "fork_busy.c", "token.c"), withToken)
}

// plain changes nothing: an empty configuration and the counting modules.
func plain(*testing.T, *command) {}

// TestIter runs hosts that iterate a real token.
func TestIter(t *testing.T) {
	runCases(t, program(t, "iter", "token.c"), withToken)
}

// TestGrowth runs hosts that do the same a hundred thousand times.
func TestGrowth(t *testing.T) {
	runCases(t, program(t, "growth", "conf_scripted.c"), plain)
}

// TestThreads runs many threads that share one counting module.
func TestThreads(t *testing.T) {
	runCases(t, program(t, "threads"), plain)
}

// TestLimits runs hosts with very many handles, and with stale pointers.
func TestLimits(t *testing.T) {
	runCases(t, program(t, "limits"), plain)
}

// TestQuiet runs hosts that compare their process before and after, and hosts
// that are rough with it.
func TestQuiet(t *testing.T) {
	runCases(t, program(t, "quiet", "quiet_signals.c", "quiet_still.c", "quiet_exit.c", "quiet_poor.c"), func(t *testing.T, c *command) {
		name := c.args[0]
		switch {
		case strings.HasPrefix(name, "chroot") && os.Getuid() != 0:
			// An ordinary user is root in a user namespace of its own.
			c.args = append([]string{"-r", c.path}, c.args...)
			c.path = "/usr/bin/unshare"
		case strings.HasPrefix(name, "setuid"):
			// The other user must reach its files.
			c.conf = publicDir(t)
		case name == "chdir" && c.lib == ours:
			c.dir = filepath.Dir(c.lib.dir(t))
			c.env = map[string]string{"LD_LIBRARY_PATH": filepath.Base(c.lib.dir(t))}
		}
	})
}

// publicDir is a temporary directory that every user may enter.
func publicDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp(workDir, "public-")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}
