//go:build cgo

package cli

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/p11mux/p11mux/internal/testkit"
)

// systemKit is the p11-kit that the system has.
const systemKit = "/usr/bin/p11-kit"

// An outcome is what a command did.
type outcome struct {
	out, err string
	status   int
}

// run runs a program under p11-kit's name.
func run(t *testing.T, path string, env []string, args ...string) outcome {
	t.Helper()
	var out, errOut bytes.Buffer
	cmd := exec.Cmd{Path: path, Args: append([]string{kitName}, args...), Env: env, Stdout: &out, Stderr: &errOut}
	err := cmd.Run()
	if e, ok := errors.AsType[*exec.ExitError](err); !ok && err != nil {
		t.Fatalf("%s: %v", path, err)
	} else if ok && e.ExitCode() < 0 {
		t.Fatalf("%s: %v", path, err)
	}
	return outcome{out.String(), errOut.String(), cmd.ProcessState.ExitCode()}
}

// both gives what the system's p11-kit does and what we do, with the system's own configuration.
func bothKits(t *testing.T, args ...string) (theirs, ours outcome) {
	t.Helper()
	if _, err := os.Stat(systemKit); err != nil {
		t.Fatal("p11-kit is not there: run scripts/install-test-deps.sh")
	}
	path, err := exec.LookPath(kitName)
	if err != nil {
		t.Fatal(err)
	}
	var env []string
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "P11_") {
			env = append(env, v)
		}
	}
	env = append(env, "P11_KIT_NO_USER_CONFIG=1")
	return run(t, systemKit, env, args...), run(t, path, env, args...)
}

// What p11-kit says byte by byte of command lines, right and wrong, is what we say.
func TestSameAsKit(t *testing.T) {
	testPlace(t)
	for _, args := range [][]string{
		{"list-modules", "--help"}, {"list-modules", "-h"}, {"--help", "list-modules"}, {"-v", "list-modules", "--help"},
		{"list-modules", "--frobnicate"}, {"list-modules", "-x"}, {"list-modules", "--verb", "--help"}, {"list-modules", "--verbose=1"},
		{"list-modules", "more"}, {"list-modules", "more", "--frobnicate"}, {"list-modules", "-vqx"},
		{"-v"}, {"-q"}, {"--verbose"}, {"--frobnicate"}, {"-x"}, {"-vx"}, {"--", "list-modules"}, {"--version"},
		{"frobnicate"}, {"frobnicate", "--help"}, {"-v", "frobnicate"},
	} {
		theirs, ours := bothKits(t, args...)
		if theirs != ours {
			t.Errorf("p11-kit %q\ntheirs: %+v\nours:   %+v", args, theirs, ours)
		}
	}
}

// Versions of p11-kit have more commands and fewer: those that the system's has are in our overview as they are in its own.
func TestOverviewOfKit(t *testing.T) {
	testPlace(t)
	for _, args := range [][]string{{}, {"--help"}, {"-h"}} {
		theirs, ours := bothKits(t, args...)
		if theirs.status != ours.status || theirs.err != ours.err {
			t.Errorf("p11-kit %q\ntheirs: %+v\nours:   %+v", args, theirs, ours)
		}
		for line := range strings.Lines(theirs.out) {
			if !slices.Contains(slices.Collect(strings.Lines(ours.out)), line) {
				t.Errorf("p11-kit %q: %q is not in ours:\n%s", args, line, ours.out)
			}
		}
	}
}

// facts are what a list says, without what versions of p11-kit have in other forms: the first line of a module, its path, and URIs.
func facts(list string) []string {
	var all []string
	for line := range strings.Lines(list) {
		text := strings.TrimSpace(line)
		name, value, _ := strings.Cut(text, ": ")
		switch {
		case name == "path", name == "uri":
		case !strings.HasPrefix(line, " ") && name != "module":
			all = append(all, "module: "+name) // 0.24 has NAME: PATH
		case !strings.HasPrefix(line, " "):
			all = append(all, "module: "+value)
		default:
			all = append(all, text)
		}
	}
	return all
}

// The lists of modules say the same of the machine's own configuration.
func TestListModulesAsKit(t *testing.T) {
	p := testPlace(t)
	testkit.AddSoftHSMToken(t, p.module, "A: label, with  blanks")
	for _, args := range [][]string{{"list-modules"}, {"-l"}, {"-q", "list-modules"}} {
		theirs, ours := bothKits(t, args...)
		if want, got := facts(theirs.out), facts(ours.out); !slices.Equal(want, got) || theirs.err != ours.err || theirs.status != ours.status {
			t.Errorf("p11-kit %q\ntheirs: %+v\nours:   %+v", args, theirs, ours)
		}
		if !strings.Contains(ours.out, "A: label, with  blanks") {
			t.Errorf("the token is not there:\n%s", ours.out)
		}
	}
}

// Commands of p11-kit's that are programs of their own are found where it finds them.
func TestExternalOfKit(t *testing.T) {
	p := testPlace(t)
	program := filepath.Join(p.dir, "p11-kit-frobnicate")
	if err := os.WriteFile(program, []byte("#!/bin/sh\necho \"$@\"\nexit 7\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	path, err := exec.LookPath(kitName)
	if err != nil {
		t.Fatal(err)
	}
	env := append(os.Environ(), "P11_KIT_PRIVATEDIR="+p.dir)
	theirs, ours := run(t, systemKit, env, "frobnicate", "a", "-b"), run(t, path, env, "frobnicate", "a", "-b")
	if theirs != ours || ours.status != 7 {
		t.Errorf("theirs: %+v\nours:   %+v", theirs, ours)
	}
}
