package house

import (
	"path"
	"slices"
	"strings"
	"testing"
)

// layers are the packages of the module, the lowest first, as ARCHITECTURE.md draws them. A package imports packages of
// lower layers only, never a sibling; its tests may use siblings too.
var layers = [][]string{
	{"ck", "spec", "internal/testkit"},
	{"module"},
	{"module/moduletest", "uri", "conf", "internal/cabi", "internal/sandbox", "internal/stream", "internal/turn"},
	{"internal/native", "managed", "proxy", "calllog", "filter", "rpc", "internal/softtoken"},
	{"transport"},
	{"registry"},
	{"internal/engine", "internal/process"},
	{"internal/capi"},
	{"."},
	{"internal/trace", "internal/launch", "internal/manual", "internal/serve"},
	{"internal/doctor", "internal/server"},
	{"internal/cli"},
	{"cmd/engine", "cmd/p11mux"},
}

// only are packages that import no more of the module than what is listed here, and that nothing imports.
var only = map[string][]string{
	"internal/gen":   {"spec"},
	"internal/house": {},
}

// outside are trees that prove from the outside what the module does: they import what they like, and nothing imports them.
var outside = []string{"test", "bench", "demo"}

// withC are the packages that may import "C": the way in from C and the way out to it, and what starts programs or begins before Go.
var withC = []string{"cmd/engine", "internal/capi", "internal/native", "internal/sandbox", "transport"}

// withUnsafe are the packages that may import unsafe: they hold addresses of C memory.
var withUnsafe = []string{"calllog", "cmd/engine", "internal/capi", "internal/cabi", "internal/engine", "internal/native",
	"internal/sandbox", "internal/server", "internal/stream", "registry", "transport"}

// isOutside tells whether a package is in one of the trees outside.
func isOutside(dir string) bool {
	tree, _, _ := strings.Cut(dir, "/")
	return slices.Contains(outside, tree)
}

// layer is the number of a package's layer, -1 if it has none.
func layer(dir string) int {
	return slices.IndexFunc(layers, func(l []string) bool { return slices.Contains(l, dir) })
}

// forbidden says why a package may not import another one of the module; "" if it may.
func forbidden(from, to string, test bool) string {
	if isOutside(to) || only[to] != nil {
		return "nothing may import " + to
	}
	if isOutside(from) {
		return ""
	}
	if test && from == to {
		return ""
	}
	if allowed, ok := only[from]; ok {
		if slices.Contains(allowed, to) {
			return ""
		}
		return from + " imports none but " + strings.Join(allowed, " ")
	}
	switch f, l := layer(from), layer(to); {
	case f < 0:
		return from + " is in no layer: give it one in internal/house/layers_test.go"
	case l < 0:
		return to + " is in no layer: give it one in internal/house/layers_test.go"
	case l < f, l == f && test:
		return ""
	case l == f:
		return from + " and " + to + " are siblings: let a layer above connect them"
	}
	return to + " is in a layer above " + from
}

func TestLayers(t *testing.T) {
	for _, f := range parsed(t) {
		if !isOutside(f.dir()) && only[f.dir()] == nil && layer(f.dir()) < 0 {
			t.Errorf("%s: the package is in no layer: give it one in internal/house/layers_test.go", f.path)
		}
		for _, i := range f.imports() {
			to, ours := strings.CutPrefix(i, modulePath+"/")
			if i == modulePath {
				to, ours = ".", true
			}
			if !ours {
				continue
			}
			if why := forbidden(f.dir(), to, f.isTest()); why != "" {
				t.Errorf("%s imports %s: %s", f.path, i, why)
			}
		}
	}
}

// The rules refuse what they are for.
func TestForbidden(t *testing.T) {
	for _, c := range []struct {
		from, to      string
		code, inTests bool // may be imported
	}{
		{"registry", "managed", true, true},
		{"managed", "registry", false, false},
		{"managed", "internal/native", false, true},
		{"managed", "managed", false, true},
		{"internal/gen", "spec", true, true},
		{"internal/gen", "ck", false, false},
		{"ck", "internal/gen", false, false},
		{"cmd/engine", "test", false, false},
		{"test", "cmd/engine", true, true},
		{"test/gohost", "ck", true, true},
		{"nowhere", "ck", false, false},
		{"ck", "nowhere", false, false},
	} {
		if got := forbidden(c.from, c.to, false) == ""; got != c.code {
			t.Errorf("%s may import %s: %v", c.from, c.to, got)
		}
		if got := forbidden(c.from, c.to, true) == ""; got != c.inTests {
			t.Errorf("tests of %s may import %s: %v", c.from, c.to, got)
		}
	}
}

func TestImportsOfC(t *testing.T) {
	users := map[string][]string{"C": withC, "unsafe": withUnsafe}
	found := map[string]bool{}
	for _, f := range parsed(t) {
		for _, i := range f.imports() {
			allowed, ok := users[i]
			if !ok || isOutside(f.dir()) {
				continue
			}
			found[path.Join(i, f.dir())] = true
			if !slices.Contains(allowed, f.dir()) {
				t.Errorf("%s imports %q: only %s may", f.path, i, strings.Join(allowed, ", "))
			}
		}
	}
	for i, dirs := range users {
		for _, dir := range dirs {
			if !found[path.Join(i, dir)] {
				t.Errorf("%s may import %q but does not: take it off the list in internal/house/layers_test.go", dir, i)
			}
		}
	}
}

// TestWithoutC proves that the two packages are the only ones that need a C compiler.
func TestWithoutC(t *testing.T) {
	goTool(t, []string{"CGO_ENABLED=0"}, "build", "./...")
}
