package house

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// modulePath is the module's, as in go.mod.
const modulePath = "github.com/p11mux/p11mux"

// root is the directory of go.mod.
var root = sync.OnceValue(func() string {
	dir, err := filepath.Abs("../..")
	if err != nil {
		panic(err)
	}
	return dir
})

// buildDir is where make puts its products.
func buildDir() string {
	if dir := os.Getenv("P11MUX_BUILD"); dir != "" {
		return dir
	}
	return filepath.Join(root(), "build")
}

// A source is a file of the tree.
type source struct {
	path string // from the root, with slashes
	data []byte
}

// sources are all files that the tree is made of, in the order of their paths: what make builds, what version control
// keeps for itself and links are left out.
var sources = sync.OnceValues(func() ([]source, error) {
	var all []source
	err := fs.WalkDir(os.DirFS(root()), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if path == "build" || path == ".git" {
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if !d.Type().IsRegular() {
			return nil
		}
		data, err := os.ReadFile(filepath.Join(root(), path))
		if err != nil {
			return err
		}
		all = append(all, source{path, data})
		return nil
	})
	return all, err
})

// each visits the sources that match, and fails the test if there is none.
func each(t *testing.T, match func(path string) bool, visit func(s source)) {
	t.Helper()
	all, err := sources()
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, s := range all {
		if match(s.path) {
			visit(s)
			n++
		}
	}
	if n == 0 {
		t.Fatal("no file of the tree is looked at")
	}
}

// ext matches files by the end of their names.
func ext(ends ...string) func(string) bool {
	return func(path string) bool {
		return slices.ContainsFunc(ends, func(end string) bool { return strings.HasSuffix(path, end) })
	}
}

// generated tells whether a file says so itself, in the way that Go's tools know, or in a C comment.
func generated(s source) bool {
	head, _, _ := bytes.Cut(s.data, []byte("\n\n"))
	return bytes.Contains(head, []byte("Code generated ")) && bytes.Contains(head, []byte("DO NOT EDIT."))
}

// A goFile is a parsed file of Go.
type goFile struct {
	source
	fset *token.FileSet
	tree *ast.File
}

// goFiles parses all files of Go that are not test data.
var goFiles = sync.OnceValues(func() ([]goFile, error) {
	all, err := sources()
	if err != nil {
		return nil, err
	}
	var files []goFile
	for _, s := range all {
		if !strings.HasSuffix(s.path, ".go") || strings.Contains(s.path, "testdata/") {
			continue
		}
		fset := token.NewFileSet()
		tree, err := parser.ParseFile(fset, s.path, s.data, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		files = append(files, goFile{s, fset, tree})
	}
	return files, nil
})

// parsed gives the files of Go, and fails the test if there is none.
func parsed(t *testing.T) []goFile {
	t.Helper()
	files, err := goFiles()
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Fatal("no file of Go is looked at")
	}
	return files
}

// isTest tells whether the file is only compiled by go test.
func (f goFile) isTest() bool { return strings.HasSuffix(f.path, "_test.go") }

// dir is the directory of the file's package from the root, "." for the root itself.
func (f goFile) dir() string { return filepath.ToSlash(filepath.Dir(f.path)) }

// imports are the paths that the file imports.
func (f goFile) imports() []string {
	var paths []string
	for _, i := range f.tree.Imports {
		paths = append(paths, strings.Trim(i.Path.Value, "`\""))
	}
	return paths
}

// goTool runs the go command in the root and gives what it prints. Variables of the environment are added to ours.
func goTool(t *testing.T, env []string, args ...string) string {
	t.Helper()
	out, err := run(root(), env, "go", args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// run runs a program and gives its standard output; the error holds what it said.
func run(dir string, env []string, name string, args ...string) (string, error) {
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	cmd.Env = append(cmd.Environ(), env...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s %s: %w\n%s%s", name, strings.Join(args, " "), err, &stdout, &stderr)
	}
	return stdout.String(), nil
}
