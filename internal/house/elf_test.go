package house

import (
	"debug/elf"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// mapOf says by which version script a library is linked, by its path below lib. Of the engines nothing is seen but
// by the shim, which looks its functions up by name.
func mapOf(library string) string {
	switch {
	case library == "libp11-kit.so.0":
		return "shim/libp11-kit.map"
	case library == "p11-kit-proxy.so", strings.HasPrefix(library, "pkcs11/"):
		return "shim/module.map"
	}
	return ""
}

// libraries are the shared libraries below lib, without links.
func libraries(t *testing.T) []string {
	t.Helper()
	var found []string
	lib := filepath.Join(buildDir(), "lib")
	err := fs.WalkDir(os.DirFS(lib), ".", func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			found = append(found, path)
		}
		return err
	})
	if err != nil {
		t.Fatalf("%v: run make first", err)
	}
	for _, want := range []string{"libp11-kit.so.0", "p11mux/engine.so", "pkcs11/p11mux-softtoken.so"} {
		if !slices.Contains(found, want) {
			t.Fatalf("%s is not there: run make first", filepath.Join(lib, want))
		}
	}
	return found
}

// openELF opens a library below lib.
func openELF(t *testing.T, library string) *elf.File {
	t.Helper()
	f, err := elf.Open(filepath.Join(buildDir(), "lib", library))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// A versionScript is what a linker's version script says.
type versionScript struct {
	version string // name of its only version, may be empty
	global  []string
}

var scriptPattern = regexp.MustCompile(`(?s)^\s*(\w[\w.]*)?\s*\{\s*global:(.*?)local:\s*\*;\s*\};\s*$`)

// readScript reads a version script of the simple kind that we write.
func readScript(t *testing.T, path string) versionScript {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(root(), path))
	if err != nil {
		t.Fatal(err)
	}
	m := scriptPattern.FindSubmatch(data)
	if m == nil {
		t.Fatalf("%s: is to have one version with global: names, and local: *", path)
	}
	s := versionScript{version: string(m[1])}
	for name := range strings.SplitSeq(string(m[2]), ";") {
		if name = strings.TrimSpace(name); name != "" {
			s.global = append(s.global, name)
		}
	}
	slices.Sort(s.global)
	return s
}

// An export is a symbol that a library defines for others.
type export struct{ name, version string }

// exports are the defined symbols that others can see. The names of versions are symbols too, which are left out.
func exports(t *testing.T, f *elf.File) []export {
	t.Helper()
	symbols, err := f.DynamicSymbols()
	if err != nil {
		t.Fatal(err)
	}
	var seen []export
	for _, s := range symbols {
		if s.Section == elf.SHN_UNDEF || elf.ST_BIND(s.Info) == elf.STB_LOCAL || s.Section == elf.SHN_ABS {
			continue
		}
		seen = append(seen, export{s.Name, s.Version})
	}
	return seen
}

// The world sees what the version script says, in its version, and nothing else.
func TestExports(t *testing.T) {
	for _, library := range libraries(t) {
		script := mapOf(library)
		if script == "" {
			continue
		}
		t.Run(library, func(t *testing.T) {
			want := readScript(t, script)
			if len(want.global) == 0 {
				t.Fatalf("%s exports nothing", script)
			}
			var got []string
			for _, e := range exports(t, openELF(t, library)) {
				if e.version != want.version {
					t.Errorf("%s has the version %q, want %q", e.name, e.version, want.version)
				}
				got = append(got, e.name)
			}
			slices.Sort(got)
			for _, name := range got {
				if !slices.Contains(want.global, name) {
					t.Errorf("exports %s, which is not in %s", name, script)
				}
			}
			for _, name := range want.global {
				if !slices.Contains(got, name) {
					t.Errorf("lacks %s, which is in %s", name, script)
				}
			}
		})
	}
}

// What programs were linked with stays what it was.
func TestScripts(t *testing.T) {
	if s := readScript(t, "shim/libp11-kit.map"); s.version != "LIBP11_KIT_1.0" {
		t.Errorf("shim/libp11-kit.map has the version %q", s.version)
	}
	want := []string{"C_GetFunctionList", "C_GetInterface", "C_GetInterfaceList"}
	if s := readScript(t, "shim/module.map"); s.version != "" || !slices.Equal(s.global, want) {
		t.Errorf("shim/module.map has %q %v", s.version, s.global)
	}
	names, err := openELF(t, "libp11-kit.so.0").DynString(elf.DT_SONAME)
	if err != nil || !slices.Equal(names, []string{"libp11-kit.so.0"}) {
		t.Errorf("soname %v, %v", names, err)
	}
}

// Nothing that is loaded into other programs weakens them, or can be taken away under their feet.
func TestHardened(t *testing.T) {
	for _, library := range libraries(t) {
		t.Run(library, func(t *testing.T) {
			f := openELF(t, library)
			stack := false
			for _, p := range f.Progs {
				if p.Type == elf.PT_LOAD && p.Flags&elf.PF_W != 0 && p.Flags&elf.PF_X != 0 {
					t.Errorf("the segment at %#x is writable and executable", p.Vaddr)
				}
				if p.Type == elf.PT_GNU_STACK {
					stack = true
					if p.Flags&elf.PF_X != 0 {
						t.Error("makes the stack executable: link with -z noexecstack")
					}
				}
			}
			if !stack {
				t.Error("has no PT_GNU_STACK, so the stack becomes executable: link with -z noexecstack")
			}
			if v, err := f.DynValue(elf.DT_TEXTREL); err != nil || len(v) > 0 {
				t.Errorf("has relocations in its code: compile with -fPIC (%v)", err)
			}
			flags, err := f.DynValue(elf.DT_FLAGS)
			if err != nil || len(flags) > 0 && elf.DynFlag(flags[0])&elf.DF_TEXTREL != 0 {
				t.Errorf("has relocations in its code: compile with -fPIC (%v)", err)
			}
			flags1, err := f.DynValue(elf.DT_FLAGS_1)
			if err != nil || len(flags1) == 0 || elf.DynFlag1(flags1[0])&elf.DF_1_NODELETE == 0 {
				t.Errorf("can be unloaded while threads are in it: link with -z nodelete (%v)", err)
			}
			for _, tag := range []elf.DynTag{elf.DT_RPATH, elf.DT_RUNPATH} {
				if v, err := f.DynString(tag); err != nil || len(v) > 0 {
					t.Errorf("has %v %v (%v)", tag, v, err)
				}
			}
		})
	}
}
