// Package install proves that what is installed works where users have it: below a prefix, in their shells, and as a package of Debian.
package install

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// root is the directory of the Makefile.
func root(t testing.TB) string {
	t.Helper()
	dir, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// buildDir is where make puts its products.
func buildDir(t testing.TB) string {
	if dir := os.Getenv("P11MUX_BUILD"); dir != "" {
		return dir
	}
	return filepath.Join(root(t), "build")
}

// command is a program with the environment of the test, less what a make that runs it means for itself, and with more.
func command(dir string, env []string, name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	cmd.Env = append(append(cmd.Environ(), "MAKEFLAGS=", "MFLAGS=", "MAKELEVEL="), env...)
	return cmd
}

// run gives what a program printed, and fails the test if it did not end well.
func run(t testing.TB, dir string, env []string, name string, args ...string) string {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd := command(dir, env, name, args...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		hint := ""
		if errors.Is(err, exec.ErrNotFound) {
			hint = ": run scripts/install-test-deps.sh"
		}
		t.Fatalf("%s %s: %v%s\n%s%s", name, strings.Join(args, " "), err, hint, &stdout, &stderr)
	}
	return stdout.String()
}

// staged installs what is built below a directory of the test's, as for the prefix /opt/p11mux, and gives that prefix there.
func staged(t testing.TB) string {
	t.Helper()
	stage := t.TempDir()
	run(t, root(t), nil, "make", "install", "BUILD="+buildDir(t), "DESTDIR="+stage, "PREFIX=/opt/p11mux")
	return filepath.Join(stage, "opt/p11mux")
}

// files are all files and links below a directory, by their paths in it, with their contents or where they lead.
func files(t testing.TB, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		if d.Type()&fs.ModeSymlink != 0 {
			to, err := os.Readlink(path)
			all[name] = "-> " + to
			return err
		}
		data, err := os.ReadFile(path)
		all[name] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(all) == 0 {
		t.Fatal(fmt.Errorf("%s has no files", dir))
	}
	return all
}
