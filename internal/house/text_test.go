package house

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// maxLines is how long a file may be that people read and write: what is longer is about more than one thing.
const maxLines = 700

// isCode matches files of code.
func isCode(path string) bool {
	return ext(".go", ".c", ".h", ".S", ".map", ".sh")(path) || path == "Makefile" || path == ".ci/run"
}

func TestFileSizes(t *testing.T) {
	each(t, isCode, func(s source) {
		if n := bytes.Count(s.data, []byte("\n")); n > maxLines && !generated(s) {
			t.Errorf("%s has %d lines, %d are allowed: divide it", s.path, n, maxLines)
		}
	})
}

// Whoever opens a generated file must see by its name that it is one. The public header has its name from the standard.
func TestGeneratedNames(t *testing.T) {
	each(t, ext(".go", ".c", ".h"), func(s source) {
		named := strings.HasPrefix(filepath.Base(s.path), "z") || s.path == "include/p11-kit/pkcs11.h"
		if generated(s) != named {
			t.Errorf("%s: a generated file is named z* and says so in its first line, and no other does", s.path)
		}
	})
}

// unfinished matches the words that people leave where work is left. It is put together so as not to match itself.
var unfinished = regexp.MustCompile(`\b(` + strings.Join([]string{"TO" + "DO", "FIX" + "ME", "X" + "XX", "HA" + "CK", "(?i:not implemented)"}, "|") + `)\b`)

func TestFinished(t *testing.T) {
	// The tables in spec quote the standard, whose words are not ours.
	// In the octets of a picture any word may come up.
	match := func(path string) bool {
		return !strings.HasPrefix(path, "spec/") && !strings.Contains(path, "testdata/") && !ext(".png")(path)
	}
	each(t, match, func(s source) {
		if strings.HasSuffix(s.path, "internal/house/text_test.go") {
			return
		}
		for i, line := range strings.Split(string(s.data), "\n") {
			if word := unfinished.FindString(line); word != "" {
				t.Errorf("%s:%d: says %q: finish it, or take it out", s.path, i+1, word)
			}
		}
	})
}

// shared are directories that every machine has, and that may be named.
var shared = []string{"/", "/tmp", "/var/tmp", "/home", "/src", "/usr", "/usr/src", "/usr/local", "/usr/local/src", "/opt", "/srv", "/mnt", "/var", "/root", "/build"}

// privateDirs are places on this machine only.
func privateDirs(root, home string) []string {
	var dirs []string
	for _, dir := range []string{root, filepath.Dir(root), home} {
		if dir != "" && !slices.Contains(shared, dir) && !slices.Contains(dirs, dir) {
			dirs = append(dirs, dir)
		}
	}
	return dirs
}

// names tells whether a text names a directory or what is in it.
func names(text []byte, dir string) bool {
	return regexp.MustCompile(`(^|[^A-Za-z0-9_.})-])` + regexp.QuoteMeta(dir) + `($|[^A-Za-z0-9_.-])`).Match(text)
}

func TestNoPrivatePaths(t *testing.T) {
	dirs := privateDirs(root(), os.Getenv("HOME"))
	each(t, func(string) bool { return true }, func(s source) {
		for _, dir := range dirs {
			if names(s.data, dir) {
				t.Errorf("%s names %s, which is on this machine only", s.path, dir)
			}
		}
	})
}

func TestPrivateDirs(t *testing.T) {
	got := privateDirs("/home/me/src/p11mux", "/home/me")
	if want := []string{"/home/me/src/p11mux", "/home/me/src", "/home/me"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if got := privateDirs("/tmp/p11mux", "/root"); !slices.Equal(got, []string{"/tmp/p11mux"}) {
		t.Errorf("got %v", got)
	}
	for text, want := range map[string]bool{
		"cd /home/me/x": true, "/home/me": true, `"/home/me"`: true, "PATH=a:/home/me": true,
		"/home/media": false, "$(x)/home/me/": false, "/chroot/home/me": false,
	} {
		if names([]byte(text), "/home/me") != want {
			t.Errorf("%q: want %v", text, want)
		}
	}
}
