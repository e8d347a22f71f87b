package server

import (
	"context"
	"errors"
	"sync"

	"github.com/p11mux/p11mux/ck"
	"github.com/p11mux/p11mux/module"
)

// A teller says what a worker's modules have to say. What they say before the worker is ready waits until then: if it does not get ready,
// the reason is said in another way.
type teller struct {
	mu    sync.Mutex
	early []string
	ready bool
	quiet bool
	told  int // how often it has been told something
}

// tell is told something, from any goroutine.
func (t *teller) tell(text string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.told++
	switch {
	case !t.ready:
		t.early = append(t.early, text)
	case !t.quiet:
		say(text)
	}
}

// begin says what has waited. From then on nothing waits, and nothing is said if it is to be quiet.
func (t *teller) begin(quiet bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, text := range t.early {
		say(text)
	}
	t.early, t.ready, t.quiet = nil, true, quiet
}

// count is how often it has been told something.
func (t *teller) count() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.told
}

// initializing is a module whose failures to initialize are told here too, since clients get a number only. Then advice follows, unless it
// is empty.
func (t *teller) initializing(m module.Module, name, advice string) module.Module {
	return module.Func(func(ctx context.Context, call ck.Call) error {
		if _, first := call.(*ck.InitializeCall); !first {
			return m.Do(ctx, call)
		}
		before := t.count()
		err := m.Do(ctx, call)
		if err != nil && t.count() == before && !errors.Is(err, ck.CKR_CRYPTOKI_ALREADY_INITIALIZED) {
			t.tell(name + ": C_Initialize: " + err.Error())
		}
		if t.count() > before && advice != "" {
			t.tell(advice)
		}
		return err
	})
}
