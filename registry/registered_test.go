//go:build cgo

package registry

import (
	"strings"
	"testing"

	"github.com/p11mux/p11mux/ck"
)

// listedNames are the names of what Registered gives.
func (h *house) listedNames() (string, bool) {
	modules, ok := h.reg.Registered(Query{Progname: "prog"})
	var all []string
	for _, m := range modules {
		all = append(all, m.Name())
	}
	return strings.Join(all, " "), ok
}

// The configured modules are initialized by count, once more for each time (abi.md 1.4.2).
func TestRegisterConfigured(t *testing.T) {
	h := newHouse(t)
	h.plain("b.so", "a.so", "off.so", "top.so")
	h.configure("a")
	h.configure("b")
	h.configure("top", "priority: 1")
	h.configure("off", "disable-in: prog")
	q := Query{Progname: "prog"}
	if h.reg.UnregisterConfigured(t.Context()) {
		t.Error("something is loaded before all")
	}
	if _, ok := h.listedNames(); ok || h.reg.RegisteredName("a") != nil {
		t.Error("something is registered before all")
	}
	for range 2 {
		if err := h.reg.RegisterConfigured(t.Context(), q); err != nil {
			t.Fatal(err)
		}
	}
	if got, ok := h.listedNames(); got != "top a b" || !ok {
		t.Errorf("registered are %q, %v", got, ok)
	}
	a := h.reg.RegisteredName("a")
	if a == nil || h.reg.RegisteredName("off") != nil {
		t.Fatal("they are not found by their names")
	}
	if n := h.count(a, initialized); n != 1 {
		t.Errorf("the module was initialized %d times, want once", n)
	}
	if n := a.Shared().Initialized(); n != 2 {
		t.Errorf("it counts %d, want 2", n)
	}

	if !h.reg.UnregisterConfigured(t.Context()) {
		t.Error("nothing was loaded")
	}
	if got, _ := h.listedNames(); got != "top a b" || h.count(a, finalized) != 0 {
		t.Errorf("after the first of two, registered are %q; finalized %d times", got, h.count(a, finalized))
	}
	h.reg.Hold(a) // to look at it afterwards
	if !h.reg.UnregisterConfigured(t.Context()) {
		t.Error("nothing was loaded")
	}
	if n := h.count(a, finalized); n != 1 {
		t.Errorf("the module was finalized %d times, want once", n)
	}
	if got, ok := h.listedNames(); got != "" || !ok {
		t.Errorf("after all, registered are %q, %v", got, ok)
	}
	h.reg.Release(a)
	if !h.reg.UnregisterConfigured(t.Context()) { // nothing to undo, but to sweep
		t.Error("nothing was loaded")
	}
	if h.mapped("a.so") || h.mapped("top.so") {
		t.Error("something is still loaded")
	}
	if h.reg.UnregisterConfigured(t.Context()) {
		t.Error("something is loaded after all")
	}
	h.tells("all", "")
}

// One that fails is left out; a critical one undoes all.
func TestRegisterConfiguredFails(t *testing.T) {
	h := newHouse(t)
	h.plain("a.so", "z.so")
	h.build("m.so", "-DINIT_RV=CKR_DEVICE_ERROR")
	h.configure("a")
	h.configure("m")
	h.configure("z")
	if err := h.reg.RegisterConfigured(t.Context(), Query{}); err != nil {
		t.Fatal(err)
	}
	h.tells("register", "skipping module 'm' whose initialization failed: CKR_DEVICE_ERROR")
	if got, _ := h.listedNames(); got != "a z" || h.reg.RegisteredName("m") != nil {
		t.Errorf("registered are %q", got)
	}
	h.reg.UnregisterConfigured(t.Context())

	h.configure("m", "critical: yes")
	for range 2 {
		if err := h.reg.RegisterConfigured(t.Context(), Query{}); ck.RVOf(err) != ck.CKR_DEVICE_ERROR {
			t.Fatalf("a critical module's failure gives %v", err)
		}
		h.tells("register", "initialization of critical module 'm' failed: CKR_DEVICE_ERROR")
		if h.mapped("a.so") || h.mapped("m.so") || h.mapped("z.so") {
			t.Error("something is still loaded")
		}
	}
	h.configure("m", "critical: yes", "module: missing.so")
	if err := h.reg.RegisterConfigured(t.Context(), Query{}); ck.RVOf(err) != ck.CKR_GENERAL_ERROR {
		t.Fatalf("a critical module that is missing gives %v", err)
	}
}

// Registered uses and managed callers are counted together.
func TestRegisterBesideManaged(t *testing.T) {
	h := newHouse(t)
	h.plain("m.so")
	m, err := h.reg.ByPath("m.so")
	if err != nil {
		t.Fatal(err)
	}
	caller := m.Shared().NewCaller(nil)
	if err := caller.Initialize(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		h.reg.Hold(m)
		if err := h.reg.Register(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	if n := h.count(m, initialized); n != 1 {
		t.Errorf("initialized %d times, want once", n)
	}
	if got, _ := h.listedNames(); got != "" {
		t.Errorf("a module without a name is listed: %q", got)
	}
	for range 3 {
		if !h.reg.Unregister(t.Context(), m) {
			t.Error("there was nothing to undo")
		}
	}
	if h.reg.Unregister(t.Context(), m) {
		t.Error("more was undone than done")
	}
	if n := h.count(m, finalized); n != 0 {
		t.Errorf("finalized %d times, while a caller is left", n)
	}
	if err := caller.Finalize(t.Context()); err != nil {
		t.Error(err)
	}
	if n := h.count(m, finalized); n != 1 {
		t.Errorf("finalized %d times, want once", n)
	}
	h.reg.Release(m)
	h.reg.Sweep()
	if h.mapped("m.so") {
		t.Error("it is still loaded")
	}
}
