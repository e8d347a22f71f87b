//go:build cgo

package registry

import (
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/p11mux/p11mux/ck"
	"github.com/p11mux/p11mux/conf"
	"github.com/p11mux/p11mux/internal/native"
	"github.com/p11mux/p11mux/internal/testkit"
)

// A file that the configuration names twice is one module, and the first of its names in order counts (abi.md 2.1, 11.2).
func TestSameFile(t *testing.T) {
	for _, test := range []struct {
		name  string
		other func(h *house) error
	}{
		{"symbolic link", func(h *house) error { return os.Symlink("a.so", h.lib("b.so")) }},
		{"hard link", func(h *house) error { return os.Link(h.lib("a.so"), h.lib("b.so")) }},
		{"same path", func(h *house) error {
			h.write("modules/b.module", "module: a.so", "x-init-reserved: b")
			return nil
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := newHouse(t)
			h.plain("a.so", "c.so")
			h.configure("a", "x-init-reserved: a")
			h.configure("b", "x-init-reserved: b")
			h.configure("c")
			if err := test.other(h); err != nil {
				t.Fatal(err)
			}
			for range 2 {
				choices, err := h.reg.Configured(Query{})
				if got := names(choices); got != "a* c*" || err != nil {
					t.Fatalf("got %q, %v", got, err)
				}
				path := "DIR/lib/b.so"
				if test.name == "same path" {
					path = "DIR/lib/a.so"
				}
				h.tells("load", "DIR/modules/b.module: module 'b' is the same as module 'a', whose configuration is used: "+path)
				if v, _ := choices[0].Module.Config().Options.Get("x-init-reserved"); v != "a" {
					t.Errorf("the configuration is that of %q", v)
				}
				for _, c := range choices {
					h.reg.Release(c.Module)
				}
				h.reg.Sweep()
				if h.mapped("a.so") {
					t.Error("the second name keeps it loaded")
				}
			}
		})
	}
}

// A copy is another module.
func TestCopy(t *testing.T) {
	h := newHouse(t)
	h.plain("a.so", "b.so")
	h.configure("a")
	h.configure("b")
	choices := h.load(Query{})
	if got := names(choices); got != "a* b*" || choices[0].Module.List() == choices[1].Module.List() {
		t.Errorf("got %q", got)
	}
	h.tells("load", "")
}

// Whatever way leads to a module, it is the same one, and it is loaded once.
func TestOneModule(t *testing.T) {
	h := newHouse(t)
	h.plain("m.so", "x.so")
	h.configure("m", "managed: no", "trust-policy: yes")
	byPath, err := h.reg.ByPath("m.so")
	if err != nil {
		t.Fatal(err)
	}
	if name := byPath.Name(); name != h.lib("m.so") || byPath.Config() != nil {
		t.Errorf("before the configuration is read its name is %q", name)
	}
	if managed, _, err := h.reg.Single(byPath, Query{}); !managed || err != nil {
		t.Errorf("before the configuration is read: managed is %v, %v", managed, err)
	}
	if _, _, err := h.reg.Single(byPath, Query{Trusted: true}); err == nil {
		t.Error("before the configuration is read it is trusted")
	}
	h.tells("asked for trust", "DIR/lib/m.so: the module is not configured with trust-policy")
	h.happened("ByPath", "loaded m.so")

	first, second := h.load(Query{}), h.load(Query{Unmanaged: true})
	absolute, err := h.reg.ByPath(h.lib("m.so"))
	if err != nil {
		t.Fatal(err)
	}
	byList, err := h.reg.ByList(byPath.List())
	if err != nil {
		t.Fatal(err)
	}
	for i, m := range []*Module{first[0].Module, second[0].Module, absolute, byList, h.reg.Find(byPath.List())} {
		if m != byPath {
			t.Errorf("way %d leads to another module", i)
		}
	}
	h.happened("the other ways", "read", "configured m.so as m")
	if n := h.count(byPath, listed); n != 4 {
		t.Errorf("C_GetFunctionList was called %d times, want 4", n)
	}
	if byPath.Name() != "m" {
		t.Errorf("its name is %q", byPath.Name())
	}
	if managed, _, err := h.reg.Single(byPath, Query{Trusted: true}); managed || err != nil {
		t.Errorf("now managed is %v, %v", managed, err)
	}
	if h.records[byPath.Record()] != "m.so" {
		t.Error("its record is another one's")
	}
	if h.reg.Find(nil) != nil {
		t.Error("a nil list leads to a module")
	}
	for range 3 {
		h.reg.Release(byPath)
	}
	h.tells("all", "")
}

// Nothing is unloaded while anything is in use, and then everything (abi.md 2.7).
func TestSweep(t *testing.T) {
	h := newHouse(t)
	h.plain("a.so", "b.so")
	h.configure("a")
	h.configure("b")
	choices := h.load(Query{})
	a, b := choices[0].Module, choices[1].Module
	h.happened("load", "read", "loaded a.so", "configured a.so as a", "loaded b.so", "configured b.so as b")
	h.reg.Sweep()
	h.reg.Release(a)
	h.reg.Release(a) // once too often, and so without effect
	h.reg.Hold(b)
	h.reg.Release(b)
	h.reg.Sweep()
	h.happened("Sweep of what is in use")
	if !h.mapped("a.so") || !h.mapped("b.so") || h.reg.Find(a.List()) != a {
		t.Error("something was unloaded that could have been used")
	}
	h.reg.Release(b)
	h.happened("Release")
	if !h.mapped("b.so") {
		t.Error("Release unloads")
	}
	h.reg.Sweep()
	h.happened("Sweep", "unloading a.so", "unloading b.so", "forgotten")
	if h.mapped("a.so") || h.mapped("b.so") {
		t.Error("Sweep does not unload")
	}

	// Again from the start.
	if got := names(h.load(Query{})); got != "a* b*" {
		t.Errorf("got %q", got)
	}
	h.happened("load", "read", "loaded a.so", "configured a.so as a", "loaded b.so", "configured b.so as b")
}

// A release too many does not count against the next use.
func TestReleaseTooOften(t *testing.T) {
	h := newHouse(t)
	h.plain("m.so")
	m, err := h.reg.ByPath("m.so")
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		h.reg.Release(m)
	}
	again, err := h.reg.ByPath("m.so")
	if again != m || err != nil {
		t.Fatalf("got another module, %v", err)
	}
	h.reg.Sweep()
	if !h.mapped("m.so") {
		t.Fatal("it is unloaded, though it is in use")
	}
	h.reg.Release(m)
	h.reg.Sweep()
}

// The configuration is read once until nothing is in use, and what is wrong with it told once (abi.md 2.7).
func TestConfigurationIsKept(t *testing.T) {
	h := newHouse(t)
	h.plain("a.so", "b.so")
	h.configure("a", "critical: perhaps")
	h.write("pkcs11.conf", "nonsense")
	first := h.load(Query{})
	text := h.told()
	if !strings.Contains(text, "DIR/pkcs11.conf:1: ") || !strings.Contains(text, "DIR/modules/a.module:2: invalid setting 'perhaps'") || strings.Count(text, "\n") != 1 {
		t.Errorf("messages: %s", text)
	}
	if h.readings != 1 {
		t.Errorf("the environment was asked for %d times", h.readings)
	}
	h.configure("b")
	if got := names(h.load(Query{})); got != "a*" {
		t.Errorf("got %q", got)
	}
	h.tells("load again", "")
	h.reg.Release(first[0].Module)
	h.reg.Release(first[0].Module)
	h.reg.Sweep()
	h.write("pkcs11.conf", "managed: no")
	h.configure("a")
	if got := names(h.load(Query{})); got != "a b" {
		t.Errorf("after Sweep, got %q", got)
	}
	h.tells("load after Sweep", "")
}

// Without configuration there are no modules, and that is no fault.
func TestNoConfiguration(t *testing.T) {
	h := newHouse(t)
	if choices := h.load(Query{Critical: true}); len(choices) != 0 {
		t.Errorf("got %q", names(choices))
	}
	h.reg.Sweep()
	h.happened("all", "read", "forgotten")
	h.tells("all", "")
}

// A host that has no room for one more module does not get it.
func TestNoRoom(t *testing.T) {
	h := newHouse(t)
	h.plain("a.so")
	h.configure("a", "critical: yes")
	h.noRoom = true
	m, err := h.reg.ByPath("a.so")
	if m != nil || ck.RVOf(err) != ck.CKR_HOST_MEMORY {
		t.Errorf("by its path: %v, %v", m, err)
	}
	choices, err := h.reg.Configured(Query{})
	if choices != nil || ck.RVOf(err) != ck.CKR_HOST_MEMORY {
		t.Errorf("configured: %v, %v", choices, err)
	}
	if h.mapped("a.so") {
		t.Error("it stays loaded")
	}
	h.noRoom = false
	if got := names(h.load(Query{})); got != "a*" {
		t.Errorf("got %q", got)
	}
}

// What a module gets as its reserved string (abi.md 1.4.1, 2.2).
func TestReserved(t *testing.T) {
	for _, test := range []struct {
		name    string
		options []string
		query   Query
		want    string
		takes   bool
	}{
		{name: "none"},
		{name: "none, verbose", query: Query{Verbose: true}},
		{name: "plain", options: []string{"x-init-reserved: some words"}, want: "some words", takes: true},
		{name: "verbose", options: []string{"x-init-reserved: some words"}, query: Query{Verbose: true}, want: "some words verbose=yes", takes: true},
		{name: "empty", options: []string{"x-init-reserved:"}, takes: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := newHouse(t)
			h.plain("m.so")
			h.configure("m", test.options...)
			m := h.load(test.query)[0].Module
			for range 2 {
				caller := m.Shared().NewCaller(nil)
				if err := caller.Initialize(t.Context(), nil); err != nil {
					t.Fatal(err)
				}
				if got := h.slot(m, 0).DescriptionString(); got != test.want {
					t.Errorf("the module gets %q, want %q", got, test.want)
				}
				if err := caller.Finalize(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			own := native.ReservedString("my own")
			err := m.Shared().NewCaller(nil).Initialize(t.Context(), &ck.InitializeArgs{Reserved: own})
			if !test.takes {
				if ck.RVOf(err) != ck.CKR_ARGUMENTS_BAD {
					t.Errorf("a reserved string of the caller's gives %v", err)
				}
				return
			}
			if got := h.slot(m, 0).DescriptionString(); err != nil || got != "my own" {
				t.Errorf("the module gets %q, want what the caller gave; %v", got, err)
			}
		})
	}
}

// The same text is kept once: it can never be freed.
func TestReservedIsKeptOnce(t *testing.T) {
	h := newHouse(t)
	if a, b := h.reg.reserved("text"), h.reg.reserved("te"+"xt"); a != b {
		t.Error("the same text has two addresses")
	}
	if h.reg.reserved("text") == h.reg.reserved("other") {
		t.Error("two texts have one address")
	}
}

// A module that came over a fork is known, found by its list and by its file, and never unloaded.
func TestAdopt(t *testing.T) {
	h := newHouse(t)
	h.plain("m.so", "x.so")
	h.configure("m", "x-init-reserved: new")
	h.configure("x")
	loaded, err := native.Open(h.lib("m.so"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(loaded.Close)
	config := &conf.Module{Name: "old", Options: conf.Options{{Key: "x-init-reserved", Value: "old"}}}
	inherited := native.Adopt(loaded.Path(), loaded.DL(), loaded.List(), loaded.Bytes())
	m := h.reg.Adopt(inherited, config, nil)
	if m.Name() != "old" || h.reg.Find(loaded.List()) != m {
		t.Errorf("it is known as %q", m.Name())
	}
	caller := m.Shared().NewCaller(nil)
	if err := caller.Initialize(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if got := h.slot(m, 0).DescriptionString(); got != "old" {
		t.Errorf("the module gets %q", got)
	}
	h.happened("Adopt")

	choices := h.load(Query{})
	if got := names(choices); got != "m* x*" || choices[0].Module != m {
		t.Errorf("got %q, the first is the adopted one: %v", got, choices[0].Module == m)
	}
	for _, c := range choices {
		h.reg.Release(c.Module)
	}
	h.reg.Sweep()
	if h.reg.Find(loaded.List()) != m || h.mapped("x.so") {
		t.Error("Sweep leaves the wrong modules")
	}
	h.happened("load and Sweep", "read", "configured  as m", "loaded x.so", "configured x.so as x", "unloading x.so", "forgotten")
	if got := h.count(m, initialized); got != 1 {
		t.Errorf("it was initialized %d times", got)
	}
	if got := names(h.load(Query{})); got != "m* x*" {
		t.Errorf("after Sweep, got %q", got)
	}
	h.tells("all", "")
}

// A module that the program loaded itself and gave up may still be in use by others.
func TestProgramUnloads(t *testing.T) {
	h := newHouse(t)
	h.plain("m.so")
	h.configure("m")
	loaded, err := native.Open(h.lib("m.so"))
	if err != nil {
		t.Fatal(err)
	}
	m, err := h.reg.ByList(loaded.List())
	if err != nil {
		t.Fatal(err)
	}
	choices := h.load(Query{})
	if len(choices) != 1 || choices[0].Module != m {
		t.Fatal("the configured module is another one")
	}
	h.reg.Release(m)
	loaded.Close()
	if !h.mapped("m.so") {
		t.Fatal("it is unloaded, though it is in use")
	}
	h.reg.Release(m)
	h.reg.Sweep()
	if h.mapped("m.so") {
		t.Error("it stays loaded when nobody uses it")
	}
}

// Many threads that load, release and sweep: nobody has a module taken away.
func TestConcurrent(t *testing.T) {
	h := newHouse(t)
	h.plain("a.so", "b.so")
	h.configure("a")
	h.configure("b")
	testkit.Finishes(t, func() {
		var wg sync.WaitGroup
		for n := range 6 {
			wg.Go(func() {
				for range 40 {
					var used []*Module
					if n%3 == 0 {
						m, err := h.reg.ByPath("a.so")
						if err != nil {
							t.Error(err)
							return
						}
						used = append(used, m)
					} else {
						choices, err := h.reg.Configured(Query{})
						if got := names(choices); err != nil || got != "a* b*" {
							t.Errorf("got %q, %v", got, err)
							return
						}
						for _, c := range choices {
							used = append(used, c.Module)
						}
					}
					for _, m := range used {
						caller := m.Shared().NewCaller(nil)
						if err := caller.Initialize(t.Context(), nil); err != nil {
							t.Error(err)
						}
						if err := caller.Do(t.Context(), &ck.GetSlotInfoCall{}); err != nil {
							t.Error(err)
						}
						if err := caller.Finalize(t.Context()); err != nil {
							t.Error(err)
						}
						h.reg.Release(m)
					}
					h.reg.Sweep()
				}
			})
		}
		wg.Wait()
	})
	h.tells("all", "")
	h.reg.Sweep()
	if h.mapped("a.so") || h.mapped("b.so") {
		t.Error("something is still loaded")
	}
}
