package registry

import (
	"context"

	"github.com/p11mux/p11mux/ck"
	"github.com/p11mux/p11mux/managed"
)

// The registered modules: callers of an older time use modules' own function lists, and have them initialized by count.
// Each count is a caller of the shared module, so that they and managed callers do not get in each other's way.

// Register initializes a module once more by count. The reference that the caller holds passes to the count, and is
// released on failure.
func (r *Registry) Register(ctx context.Context, m *Module) error {
	caller := m.shared.NewCaller(nil)
	if err := caller.Initialize(ctx, nil); err != nil {
		r.Release(m)
		return err
	}
	r.mu.Lock()
	m.registered = append(m.registered, caller)
	r.mu.Unlock()
	return nil
}

// Unregister undoes one Register. It is false if there is none left.
func (r *Registry) Unregister(ctx context.Context, m *Module) bool {
	r.mu.Lock()
	n := len(m.registered)
	if n == 0 {
		r.mu.Unlock()
		return false
	}
	var caller *managed.Caller
	caller, m.registered = m.registered[n-1], m.registered[:n-1]
	r.mu.Unlock()
	_ = caller.Close(ctx)
	r.Release(m)
	return true
}

// RegisterConfigured registers all configured modules. One that fails is left out, unless it is critical: then what was
// registered is undone.
func (r *Registry) RegisterConfigured(ctx context.Context, q Query) error {
	q.Unmanaged = true
	choices, err := r.Configured(q)
	if err != nil {
		return err
	}
	var done []*Module
	for i, c := range choices {
		err := r.Register(ctx, c.Module)
		if err == nil {
			done = append(done, c.Module)
			continue
		}
		config := c.Module.Config()
		if config == nil || !config.Critical() {
			r.host().Message("skipping module '" + c.Module.Name() + "' whose initialization failed: " + r.host().Describe(ck.RVOf(err)))
			continue
		}
		for _, rest := range choices[i+1:] {
			r.Release(rest.Module)
		}
		for _, m := range done {
			r.Unregister(ctx, m)
		}
		r.Sweep()
		r.host().Message("initialization of critical module '" + c.Module.Name() + "' failed: " + r.host().Describe(ck.RVOf(err)))
		return err
	}
	return nil
}

// UnregisterConfigured undoes one Register of each configured module that has one. It is false if nothing is loaded.
func (r *Registry) UnregisterConfigured(ctx context.Context) bool {
	modules := r.all()
	for _, m := range modules {
		if m.Config() != nil {
			r.Unregister(ctx, m)
		}
	}
	r.Sweep()
	return len(modules) > 0
}

// Registered gives the configured modules that are registered, in the order of the configuration; ok is false if
// nothing is loaded. No references are held.
func (r *Registry) Registered(q Query) (modules []*Module, ok bool) {
	all := r.all()
	for _, m := range inOrder(all) {
		if r.isRegistered(m) && enabled(m, q) {
			modules = append(modules, m)
		}
	}
	return modules, len(all) > 0
}

// RegisteredName gives the module of a name that is in use, or nil. No reference is held.
func (r *Registry) RegisteredName(name string) *Module {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, m := range r.modules {
		if m.config != nil && m.config.Name == name && m.refs > 0 {
			return m
		}
	}
	return nil
}

func (r *Registry) all() []*Module {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]*Module(nil), r.modules...)
}

func (r *Registry) isRegistered(m *Module) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(m.registered) > 0
}
