package house

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write testdata/engine-packages.txt")

// heavy matches packages that have no business in a guest: they fill tables when they start, or bring in half the library.
var heavy = regexp.MustCompile(`^(fmt|reflect|os|os/.*|net|net/.*|encoding/.*|regexp|regexp/.*|log|log/.*|text/.*|html/.*|crypto/.*|math/big|math/rand.*|compress/.*|flag|unicode/utf16|testing|testing/.*|embed|.*/spec|.*/internal/gen|.*/internal/softtoken|.*/moduletest)$`)

// internals matches what the standard library is made of itself, which differs between releases of Go.
var internals = regexp.MustCompile(`^(internal|runtime|vendor)(/|$)`)

func TestEnginePackages(t *testing.T) {
	deps := strings.Fields(goTool(t, []string{"CGO_ENABLED=1"}, "list", "-deps", "./cmd/engine"))
	slices.Sort(deps)
	var got []string
	for _, p := range deps {
		if heavy.MatchString(p) {
			t.Errorf("the engine has come to link %s, which is too heavy for a guest in every process that uses PKCS#11;\n"+
				"find who imports it with: go list -deps -f '{{.ImportPath}}: {{.Imports}}' ./cmd/engine", p)
		}
		if !internals.MatchString(p) {
			got = append(got, p)
		}
	}
	file := filepath.Join("testdata", "engine-packages.txt")
	if *update {
		if err := os.WriteFile(file, []byte(strings.Join(got, "\n")+"\n"), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Fields(string(data))
	for _, p := range got {
		if !slices.Contains(want, p) {
			t.Errorf("the engine has come to link %s. It is loaded by browsers and daemons that never asked for Go: every package\n"+
				"costs them memory and time at its start. Do without it, or run go test ./internal/house -update and say in the\n"+
				"commit why it must be", p)
		}
	}
	for _, p := range want {
		if !slices.Contains(got, p) {
			t.Errorf("the engine links %s no more: run go test ./internal/house -update", p)
		}
	}
}
