package test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// install copies a file of the build, or of the tests, to where a test wants it.
func install(t *testing.T, from, to string) {
	t.Helper()
	if err := copyFile(from, to); err != nil {
		t.Fatal(err)
	}
}

// TestEngineFile runs hosts whose engine is missing, is something else, or is replaced under them: an error and a message
// that names the file and says what to do, and never two versions in one line of processes.
func TestEngineFile(t *testing.T) {
	lib := ours.dir(t)
	engine := filepath.Join(lib, "p11mux", "engine.so")
	otherBuild := filepath.Join(buildDir(t), "lib", "p11mux", "softtoken-engine.so")
	notAnEngine := filepath.Join(modules(t), "b.so")
	for _, tc := range []struct {
		name, program         string
		installed, replacedBy string // "" is none
		says                  string
	}{
		{"missing", "unusable", "", "", "engine.so: No such file or directory; is it installed beside this library?"},
		{"not an engine", "unusable", notAnEngine, "", "engine.so is of another build than this library: install both from one build"},
		{"not a library", "unusable", "engine_test.go", "", "engine.so: invalid ELF header"},
		{"comes later", "restored", "", engine, "engine.so: No such file or directory; is it installed beside this library?"},
		{"replaced", "replaced", engine, otherBuild, "engine.so: the file has been replaced since this program started; restart the program"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := t.TempDir()
			install(t, filepath.Join(lib, "libp11-kit.so.0"), filepath.Join(dir, "libp11-kit.so.0"))
			env := map[string]string{
				"LD_LIBRARY_PATH": dir,
				"ENGINE":          filepath.Join(dir, "p11mux", "engine.so"),
				"REPLACEMENT":     filepath.Join(dir, "p11mux", "next.so"),
			}
			if err := os.Mkdir(filepath.Join(dir, "p11mux"), 0o755); err != nil {
				t.Fatal(err)
			}
			if tc.installed != "" {
				install(t, tc.installed, env["ENGINE"])
			}
			if tc.replacedBy != "" {
				install(t, tc.replacedBy, env["REPLACEMENT"])
			}
			r := command{path: program(t, "engine", "conf_scripted.c"), args: []string{tc.program}, lib: ours, env: env}.mustRun(t)
			lines := strings.Split(strings.TrimSpace(r.stdout), "\n")
			for _, line := range lines {
				if !strings.HasSuffix(line, tc.says) {
					t.Errorf("got %q, want its end to be %q", line, tc.says)
				}
			}
			if r.stderr != "" {
				t.Errorf("a quiet library wrote to stderr: %s", r.stderr)
			}
		})
	}
}

// TestLibraryGone runs a host that needs more of the library's code when the library's file is gone.
func TestLibraryGone(t *testing.T) {
	dir := t.TempDir()
	library := filepath.Join(dir, "libp11-kit.so.0")
	install(t, filepath.Join(ours.dir(t), "libp11-kit.so.0"), library)
	install(t, filepath.Join(ours.dir(t), "p11mux", "engine.so"), filepath.Join(dir, "p11mux", "engine.so"))
	command{
		path: program(t, "engine", "conf_scripted.c"), args: []string{"gone"}, lib: ours,
		env: map[string]string{"LD_LIBRARY_PATH": dir, "LIBRARY": library},
	}.mustRun(t)
}
