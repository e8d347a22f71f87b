package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

const soname = "libp11-kit.so.0"

// programs are what is compiled: the name, its source without ".c", and what is special about it.
var programs = [...]struct {
	name, source string
	flags        []string
	common       bool // with bench.c
	linked       bool // with the library
}{
	{"null.so", "null", []string{"-shared", "-fPIC", "-fvisibility=hidden"}, false, false},
	{"answers.so", "null", []string{"-shared", "-fPIC", "-fvisibility=hidden", "-DANSWERS"}, false, false},
	{"many.so", "null", []string{"-shared", "-fPIC", "-fvisibility=hidden", "-DMANY=1000"}, false, false},
	{"slow.so", "null", []string{"-shared", "-fPIC", "-fvisibility=hidden", "-DSLOW=1000"}, false, false},
	{"calls", "calls", nil, true, false},
	{"trips", "trips", nil, true, false},
	{"clients", "clients", nil, true, false},
	{"second", "second", nil, true, false},
	{"handles", "handles", nil, true, false},
	{"fork", "fork", nil, true, false},
	{"token", "token", nil, true, false},
	{"objects", "objects", nil, true, false},
	{"uri", "uri", nil, true, false},
	{"link", "link", nil, false, true},
	{"link-raw", "link", nil, false, false},
	{"list", "list", nil, true, true},
	{"list-raw", "list", []string{"-DWITHOUT_LIBRARY"}, true, false},
}

// build finds the libraries and compiles the programs.
func (b *bench) build() error {
	dir := b.options.library
	if dir == "" {
		dir = filepath.Join(b.options.root, "build", "lib")
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	b.libraries[raw] = "-"
	b.libraries[ours] = filepath.Join(dir, soname)
	if _, err := os.Stat(b.libraries[ours]); err != nil {
		return fmt.Errorf("%w: build the library with make first, or name its directory with -library", err)
	}
	for _, p := range programs {
		if err := b.compile(p.name, p.source, p.flags, p.common, p.linked); err != nil {
			return err
		}
	}
	// A static program is the smallest; not every system can make one.
	if b.compile("spawn", "spawn", []string{"-static"}, false, false) != nil {
		if err := b.compile("spawn", "spawn", nil, false, false); err != nil {
			return err
		}
	}
	if err := b.findReference(); err != nil {
		return err
	}
	return b.makeSearchPaths()
}

func (b *bench) compile(name, source string, flags []string, common, linked bool) error {
	from := filepath.Join(b.options.root, "bench", "c")
	arguments := []string{
		"-O2", "-std=gnu11", "-Wall", "-Wextra", "-Werror",
		"-I" + filepath.Join(b.options.root, "include"), "-I" + filepath.Join(b.options.root, "shim"),
		"-o", b.path(name), filepath.Join(from, source+".c"),
	}
	if common {
		arguments = append(arguments, filepath.Join(from, "bench.c"))
	}
	arguments = append(arguments, flags...)
	if linked {
		arguments = append(arguments, "-Wl,--no-as-needed", "-L"+filepath.Dir(b.libraries[ours]), "-l:"+soname)
	}
	_, err := b.command(nil, "gcc", append(arguments, "-lpthread", "-ldl")...)
	return err
}

// findReference asks the dynamic linker which library a program that needs it gets. One that has an engine beside it is
// this library, installed, and no reference.
func (b *bench) findReference() error {
	if b.options.reference != "" {
		path, err := filepath.Abs(filepath.Join(b.options.reference, soname))
		if err != nil {
			return err
		}
		if _, err := os.Stat(path); err != nil {
			return err
		}
		b.libraries[reference] = path
		return nil
	}
	out, err := b.command([]string{"LD_TRACE_LOADED_OBJECTS=1"}, b.path("link"))
	if err != nil {
		return err
	}
	for _, line := range strings.Split(string(out), "\n") {
		name, found, _ := strings.Cut(strings.TrimSpace(line), " => ")
		if name == soname && strings.HasPrefix(found, "/") {
			path, _, _ := strings.Cut(found, " ")
			if _, err := os.Stat(filepath.Join(filepath.Dir(path), "p11mux", "engine.so")); err != nil {
				b.libraries[reference] = path
			}
			return nil
		}
	}
	return nil
}

// searchPath is the directory with which the dynamic linker finds the way's library. Each way has one, for to look
// through a directory first takes time: the one for raw is empty, and the reference's has nothing but the library.
func (b *bench) searchPath(w way) string {
	if w == ours {
		return filepath.Dir(b.libraries[ours])
	}
	return b.path("search", w.String())
}

func (b *bench) makeSearchPaths() error {
	var failed error
	for _, w := range []way{raw, reference} {
		failed = errors.Join(failed, os.MkdirAll(b.searchPath(w), 0o755))
	}
	if failed == nil && b.libraries[reference] != "" {
		return os.Symlink(b.libraries[reference], filepath.Join(b.searchPath(reference), soname))
	}
	return failed
}
