// Package test proves from the outside that libp11-kit.so.0 behaves: C programs
// are linked to the library by name and run once with the reference library of
// the system and once with the one that make has built.
package test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// workDir holds what this run compiles; TestMain makes and removes it.
var workDir string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "p11mux-test-")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		// Some programs drop their privileges and must still reach their files.
		if err := os.Chmod(dir, 0o755); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		workDir = dir
		return m.Run()
	}())
}

// A library is one of the two that a program can be run with.
type library string

const (
	none      library = ""          // for programs that the tests do not build: whatever they link is the system's
	reference library = "reference" // what the system has
	ours      library = "ours"      // $P11MUX_BUILD/lib, or ../build/lib

	// Our library with its C half built with sanitizers, for programs that are built with the same ones.
	oursWatched library = "ours, address and undefined" // $P11MUX_BUILD/address,undefined/lib
	oursForking library = "ours, undefined"             // $P11MUX_BUILD/undefined/lib
)

var both = []library{reference, ours}

// buildDir is where make puts its products.
func buildDir(t testing.TB) string {
	dir := os.Getenv("P11MUX_BUILD")
	if dir == "" {
		dir = "../build"
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		t.Fatal(err)
	}
	return abs
}

// dir is the directory for LD_LIBRARY_PATH, or "" for the system's own. Ours is a copy: programs that drop their privileges
// could not reach a build in somebody's home directory.
func (l library) dir(t testing.TB) string {
	t.Helper()
	if l == reference || l == none {
		return ""
	}
	return once(t, "library "+string(l), func() string {
		from := filepath.Join(buildDir(t), map[library]string{oursWatched: memory, oursForking: forks}[l], "lib")
		to := filepath.Join(workDir, string(l))
		for _, name := range []string{"libp11-kit.so.0", "p11mux/engine.so"} {
			if err := copyFile(filepath.Join(from, name), filepath.Join(to, name)); err != nil {
				t.Fatalf("%v: run make all sanitized first", err)
			}
		}
		if err := os.Symlink("libp11-kit.so.0", filepath.Join(to, proxyName)); err != nil {
			t.Fatal(err)
		}
		return to
	})
}

// copyFile copies a file, and makes the directory that it is copied to.
func copyFile(from, to string) error {
	content, err := os.ReadFile(from)
	if err == nil {
		err = os.MkdirAll(filepath.Dir(to), 0o755)
	}
	if err == nil {
		err = os.WriteFile(to, content, 0o755)
	}
	return err
}

// pkgConfig asks for compiler flags of the public headers.
var pkgConfig = sync.OnceValues(func() ([]string, error) {
	out, err := exec.Command("pkg-config", "--cflags", "p11-kit-1").Output()
	if err != nil {
		return nil, fmt.Errorf("pkg-config p11-kit-1: %w: run scripts/install-test-deps.sh", err)
	}
	return strings.Fields(string(out)), nil
})

// cc compiles and links C sources below c/ to a file in workDir.
func cc(t testing.TB, output string, args ...string) string {
	t.Helper()
	cflags, err := pkgConfig()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(workDir, output)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	all := []string{"-std=gnu11", "-O1", "-g", "-Wall", "-Wextra", "-Werror", "-Ic"}
	for _, arg := range args {
		if strings.HasPrefix(arg, "-I") { // other headers than the system's are asked for
			all = append(all, arg)
		}
	}
	all = append(append(append(all, cflags...), "-o", path), args...)
	if out, err := exec.Command("gcc", all...).CombinedOutput(); err != nil {
		t.Fatalf("gcc %s: %v\n%s", strings.Join(all, " "), err, out)
	}
	return path
}

// once runs a compilation of a given name only once in a test binary.
var compiled sync.Map

type compilation struct {
	once sync.Once
	path string
}

func once(t testing.TB, name string, build func() string) string {
	t.Helper()
	v, _ := compiled.LoadOrStore(name, new(compilation))
	c := v.(*compilation)
	c.once.Do(func() { c.path = build() })
	if c.path == "" {
		t.Fatalf("%s could not be built; see the first test that needed it", name)
	}
	return c.path
}

// program builds c/name.c, and c/extra..., with the common helpers.
func program(t testing.TB, name string, extra ...string) string {
	t.Helper()
	return once(t, name, func() string {
		return cc(t, "bin/"+name, programArgs(name, extra)...)
	})
}

// sanitized is program with sanitizers, such as "address,undefined".
func sanitized(t testing.TB, sanitizers, name string, extra ...string) string {
	t.Helper()
	dir := "bin-" + sanitizers
	return once(t, dir+"/"+name, func() string {
		args := []string{"-fsanitize=" + sanitizers, "-fno-sanitize-recover=undefined"}
		return cc(t, dir+"/"+name, append(args, programArgs(name, extra)...)...)
	})
}

func programArgs(name string, extra []string) []string {
	args := []string{"c/" + name + ".c", "c/base.c"}
	for _, e := range extra {
		if !strings.HasPrefix(e, "-") {
			e = "c/" + e
		}
		args = append(args, e)
	}
	if !slices.Contains(unlinked, name) {
		args = append(args, "c/common.c", "-l:libp11-kit.so.0")
	}
	return append(args, "-lpthread", "-ldl", "-lrt")
}

// unlinked are the programs that know modules only and not the library. In a process that is linked to it, its
// C_GetFunctionList takes the place of that of a module that is opened later, where the module itself refers to it.
var unlinked = []string{"proxy_codes"}

// modules builds the counting modules: a to e are copies of the 2.40 one, v300
// and v320 have interfaces, nolist is no module at all, and ea to ec have events.
func modules(t testing.TB) string {
	t.Helper()
	return once(t, "modules", func() string {
		sources, err := filepath.Glob("c/counting*.c")
		if err != nil || len(sources) == 0 {
			t.Fatalf("no sources of the counting module: %v", err)
		}
		build := func(name string, define ...string) string {
			args := append([]string{"-shared", "-fPIC", "-fvisibility=hidden"}, define...)
			return cc(t, "modules/"+name+".so", append(append(args, sources...), "-lpthread")...)
		}
		copies := func(of string, names ...string) {
			for _, name := range names {
				if err := copyFile(of, filepath.Join(workDir, "modules", name+".so")); err != nil {
					t.Fatal(err)
				}
			}
		}
		copies(build("a"), "b", "c", "d", "e")
		build("v300", "-DVERSION_300")
		build("v320", "-DVERSION_320")
		cc(t, "modules/nolist.so", "-shared", "-fPIC", "c/nolist.c")
		copies(cc(t, "modules/ea.so", "-shared", "-fPIC", "-fvisibility=hidden", "c/events.c", "-lpthread"), "eb", "ec")
		return filepath.Join(workDir, "modules")
	})
}

// A result is what a program printed and how it ended.
type result struct {
	stdout, stderr string
	code           int // exit status, or 1000 + signal
}

// A command is one run of a program.
type command struct {
	path    string
	args    []string
	lib     library
	stdin   string            // "" is /dev/null
	conf    string            // configuration directory; "" makes an empty one
	env     map[string]string // added to, or replacing, the usual variables
	dir     string            // working directory; "" is the test's
	timeout time.Duration     // 0 is a minute; a hang is a failure
}

// String is the command as a report names it.
func (c command) String() string {
	words := append([]string{filepath.Base(c.path)}, c.args...)
	if c.lib != none {
		words = append(words, "with", string(c.lib), "library")
	}
	return strings.Join(words, " ")
}

// run runs the command to its end and fails the test if it hangs.
func (c command) run(t testing.TB) result {
	t.Helper()
	if c.conf == "" {
		c.conf = t.TempDir()
	}
	if c.timeout == 0 {
		c.timeout = time.Minute
	}
	env := map[string]string{"PATH": os.Getenv("PATH"), "HOME": c.conf}
	if c.lib != none {
		env["TEST_CONF_DIR"] = c.conf
		env["TEST_MODULE_DIR"] = modules(t)
		env["TEST_LIBRARY"] = string(c.lib)
	}
	if dir := c.lib.dir(t); dir != "" {
		env["LD_LIBRARY_PATH"] = dir
	}
	maps.Copy(env, c.env)
	var stdout, stderr bytes.Buffer
	cmd := exec.Command(c.path, c.args...)
	cmd.Dir = c.dir
	if c.stdin != "" {
		cmd.Stdin = strings.NewReader(c.stdin)
	}
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	// A group of its own, so that children of a program that hangs go with it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.WaitDelay = 5 * time.Second
	cmd.Env = assignments(env)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	hung := false
	timer := time.AfterFunc(c.timeout, func() {
		hung = true
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	})
	err := cmd.Wait()
	timer.Stop()
	r := result{stdout: stdout.String(), stderr: stderr.String()}
	if hung {
		t.Fatalf("%s hung for %v\nstdout: %s\nstderr: %s", c, c.timeout, r.stdout, r.stderr)
	}
	if err != nil && !errors.Is(err, exec.ErrWaitDelay) {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			t.Fatal(err)
		}
	}
	if ws, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		r.code = 1000 + int(ws.Signal())
	} else {
		r.code = cmd.ProcessState.ExitCode()
	}
	return r
}

// assignments are variables as a process gets them.
func assignments(env map[string]string) []string {
	var all []string
	for name, value := range env {
		all = append(all, name+"="+value)
	}
	return all
}

// mustRun runs the command and fails the test unless it exits with 0.
func (c command) mustRun(t testing.TB) result {
	t.Helper()
	r := c.run(t)
	if r.code != 0 {
		t.Fatalf("%s: exit %d\nstdout: %s\nstderr: %s", c, r.code, r.stdout, r.stderr)
	}
	return r
}

// eachLibrary runs f as a subtest for each of the libraries.
func eachLibrary(t *testing.T, libs []library, f func(t *testing.T, lib library)) {
	for _, lib := range libs {
		t.Run(string(lib), func(t *testing.T) { f(t, lib) })
	}
}
