//go:build cgo

package registry

import (
	"errors"
	"testing"

	"github.com/p11mux/p11mux/ck"
	"github.com/p11mux/p11mux/internal/native"
)

// A lender opens modules in the place of the dynamic linker, as a library does that shares them.
type lender struct {
	loaded   map[string]*native.Module // what it has, by path
	lent     int                       // modules that are not given back
	refuses  error
	finds    int
	disabled bool
}

func (l *lender) find() Opener {
	l.finds++
	if l.disabled {
		return nil
	}
	return func(path string) (*native.Module, error) {
		if l.refuses != nil {
			return nil, l.refuses
		}
		m := l.loaded[path]
		if m == nil {
			var err error
			if m, err = native.Open(path); err != nil {
				return nil, err
			}
			l.loaded[path] = m
		}
		l.lent++
		return native.Lent(path, m.List(), func() { l.lent-- }), nil
	}
}

// lend makes a lender, who closes what it has in the end.
func lend(h *house) *lender {
	l := &lender{loaded: make(map[string]*native.Module)}
	h.Cleanup(func() {
		for _, m := range l.loaded {
			m.Close()
		}
	})
	h.reg.Beside(l.find)
	return l
}

// What somebody else in the process shares is opened by them, once for all callers, and given back by the sweep.
func TestBeside(t *testing.T) {
	h := newHouse(t)
	h.plain("a.so")
	h.configure("a")
	l := lend(h)
	byPath, err := h.reg.ByPath("a.so")
	if err != nil {
		t.Fatal(err)
	}
	choices, err := h.reg.Configured(Query{})
	if err != nil || len(choices) != 1 || choices[0].Module != byPath {
		t.Fatalf("%v, %v: another module than the one that is loaded", choices, err)
	}
	if l.lent != 1 {
		t.Errorf("%d modules are lent, want 1", l.lent)
	}
	caller := byPath.Shared().NewCaller(nil)
	if err := caller.Initialize(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if n := h.count(byPath, initialized); n != 1 {
		t.Errorf("initialized %d times", n)
	}
	if err := caller.Close(t.Context()); err != nil {
		t.Error(err)
	}
	h.reg.Release(byPath)
	h.reg.Sweep()
	if l.lent != 1 {
		t.Error("given back while it is in use")
	}
	h.reg.Release(byPath)
	h.reg.Sweep()
	if l.lent != 0 {
		t.Error("not given back")
	}
}

// One that is refused is told with the lender's error.
func TestBesideRefused(t *testing.T) {
	h := newHouse(t)
	l := lend(h)
	l.refuses = &native.LoadError{RV: ck.CKR_HOST_MEMORY, Text: "there is no room for it"}
	if _, err := h.reg.ByPath("a.so"); !errors.Is(err, ck.CKR_HOST_MEMORY) {
		t.Error(err)
	}
	h.tells("a module that is refused", "there is no room for it")
}

// While a module is loaded, others are opened as it was, and after that the question is open again.
func TestBesideStays(t *testing.T) {
	h := newHouse(t)
	h.plain("a.so", "b.so")
	l := lend(h)
	for _, disabled := range []bool{true, false, true} {
		l.disabled = disabled
		a, err := h.reg.ByPath("a.so")
		if err != nil {
			t.Fatal(err)
		}
		l.disabled = !disabled
		b, err := h.reg.ByPath("b.so")
		if err != nil {
			t.Fatal(err)
		}
		want := 2
		if disabled {
			want = 0
		}
		if l.lent != want {
			t.Errorf("%d modules are lent, want %d", l.lent, want)
		}
		h.reg.Release(a)
		h.reg.Release(b)
		h.reg.Sweep()
	}
	if l.finds != 6 {
		t.Errorf("asked %d times", l.finds)
	}
}
