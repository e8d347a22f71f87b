package test

import (
	"debug/elf"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// exports are the functions that a library defines for others, as NAME@VERSION, and the names of its versions.
func exports(t *testing.T, path string) (functions, versions []string) {
	t.Helper()
	f, err := elf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	symbols, err := f.DynamicSymbols()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range symbols {
		switch {
		case s.Section == elf.SHN_UNDEF || elf.ST_BIND(s.Info) == elf.STB_LOCAL:
		case s.Section == elf.SHN_ABS:
			versions = append(versions, s.Name)
		default:
			functions = append(functions, s.Name+"@"+s.Version)
		}
	}
	slices.Sort(functions)
	return functions, versions
}

// referencePath asks the dynamic linker which library a program gets.
func referencePath(t *testing.T) string {
	t.Helper()
	out := command{path: program(t, "dlopen"), lib: reference, env: map[string]string{"LD_TRACE_LOADED_OBJECTS": "1"}}.mustRun(t).stdout
	for line := range strings.Lines(out) {
		if name, found, ok := strings.Cut(strings.TrimSpace(line), " => "); ok && name == "libp11-kit.so.0" {
			path, _, _ := strings.Cut(found, " ")
			return path
		}
	}
	t.Fatalf("no libp11-kit.so.0 among what a program loads:\n%s", out)
	return ""
}

// since024 are those that p11-kit has got since 0.24.
var since024 = []string{"C_GetInterface@LIBP11_KIT_1.0", "C_GetInterfaceList@LIBP11_KIT_1.0"}

// TestExportsLikeReference compares what our library exports with the system's: nothing more, nothing less.
func TestExportsLikeReference(t *testing.T) {
	want, wantVersions := exports(t, referencePath(t))
	got, gotVersions := exports(t, filepath.Join(buildDir(t), "lib", "libp11-kit.so.0"))
	if len(want) != 100 {
		t.Errorf("the system's library has %d functions: is it p11-kit 0.24?", len(want))
	}
	want = slices.Sorted(slices.Values(append(want, since024...)))
	for _, name := range got {
		if !slices.Contains(want, name) {
			t.Errorf("%s is too much", name)
		}
	}
	for _, name := range want {
		if !slices.Contains(got, name) {
			t.Errorf("%s is missing", name)
		}
	}
	if len(wantVersions) != 1 || !slices.Equal(gotVersions, wantVersions) {
		t.Errorf("versions %v, the system's are %v", gotVersions, wantVersions)
	}
}
