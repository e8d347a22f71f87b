package test

import (
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestHeadersBothWays runs one program on both libraries, built with the headers of either: what is compiled with one goes
// on with the other.
func TestHeadersBothWays(t *testing.T) {
	sources := conformanceSources(t)
	theirs := program(t, "conformance", sources...)
	own := cc(t, "bin-own/conformance", append(programArgs("conformance", sources), ownHeaders)...)
	for _, s := range sections(t, theirs, reference) {
		libs := both
		if s.ours {
			libs = []library{ours}
		}
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			for _, lib := range libs {
				c := command{path: theirs, args: []string{s.name}, lib: lib}
				want := c.mustRun(t)
				c.path = own
				if got := c.mustRun(t); got.stdout != want.stdout {
					t.Errorf("with the %s library and our headers:\n%s\nand the system's:\n%s", lib, got.stdout, want.stdout)
				}
			}
		})
	}
}

// TestCPlusPlus does the same with a program in C++.
func TestCPlusPlus(t *testing.T) {
	theirs, err := pkgConfig()
	if err != nil {
		t.Fatal(err)
	}
	for name, headers := range map[string][]string{"own": {ownHeaders}, "theirs": theirs} {
		path := filepath.Join(workDir, "cplusplus-"+name)
		args := slices.Concat([]string{"-std=c++11", "-Wall", "-Wextra", "-Werror"}, headers,
			[]string{"-o", path, "c/cplusplus.cc", "-l:libp11-kit.so.0"})
		if out, err := exec.Command("g++", args...).CombinedOutput(); err != nil {
			t.Fatalf("g++ %s: %v\n%s", strings.Join(args, " "), err, out)
		}
		t.Run(name, func(t *testing.T) {
			eachLibrary(t, both, func(t *testing.T, lib library) {
				command{path: path, args: []string{filepath.Join(modules(t), "a.so")}, lib: lib}.mustRun(t)
			})
		})
	}
}
