//go:build cgo

package registry

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/p11mux/p11mux/conf"
)

// A load with a configuration and a listener of its own: the registry's are not touched.
func TestPrivateConfiguration(t *testing.T) {
	h := newHouse(t)
	h.plain("a.so", "b.so")
	h.configure("a")
	paths, env := h.environment()
	paths.SystemModules = filepath.Join(h.dir, "private")
	if err := os.Mkdir(paths.SystemModules, 0o755); err != nil {
		t.Fatal(err)
	}
	h.write("private/first.module", "module: a.so", "priority: 1")
	h.write("private/second.module", "module: a.so")
	h.write("private/third.module", "module: b.so")
	h.write("private/bad.module", "no option")
	h.readings = 0
	var told []string
	q := Query{Config: conf.Load(paths, env), Message: func(text string) { told = append(told, strings.ReplaceAll(text, h.dir, "DIR")) }}

	private := h.load(q)
	if got := names(private); got != "first* third*" || private[0].Config.Name != "first" {
		t.Errorf("got %s", got)
	}
	want := []string{"bad.module", "module 'second' is the same as module 'first', whose configuration is used: DIR/lib/a.so"}
	if len(told) != len(want) {
		t.Errorf("told %q", told)
	}
	for i := range min(len(told), len(want)) {
		if !strings.Contains(told[i], want[i]) {
			t.Errorf("told %q, want %q", told[i], want[i])
		}
	}
	h.tells("a private load", "")
	if h.readings != 0 {
		t.Errorf("the registry's configuration was read %d times", h.readings)
	}

	// The registry's configuration gives the module its own name, and a private one leaves it alone then.
	public := h.load(Query{})
	if got := names(public); got != "a*" || public[0].Module != private[0].Module {
		t.Errorf("got %s", got)
	}
	again := h.load(q)
	if again[0].Config.Name != "first" || again[0].Module.Name() != "a" {
		t.Errorf("chosen by %s, called %s", again[0].Config.Name, again[0].Module.Name())
	}
	h.tells("the others", "")
}
