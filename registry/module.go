package registry

import (
	"context"
	"unsafe"

	"github.com/p11mux/p11mux/ck"
	"github.com/p11mux/p11mux/conf"
	"github.com/p11mux/p11mux/internal/native"
	"github.com/p11mux/p11mux/managed"
)

// A Module is one loaded module. It is the same for all who use it. Its methods may be called from any goroutine.
type Module struct {
	registry *Registry
	native   *native.Module // nil for a remote module
	remote   *remote        // nil for a module in this process
	shared   *managed.Module

	// Guarded by the registry's lock.
	config     *conf.Module   // nil for a module that no configuration file names
	refs       int            // uses that have to be over before the module is unloaded
	pinned     bool           // inherited over a fork, with uses that cannot be counted: never unloaded
	loaded     *native.Module // keeps loaded what the program had loaded before us, or nil
	registered []*managed.Caller
	record     unsafe.Pointer
}

// Shared is the module as callers share it.
func (m *Module) Shared() *managed.Module { return m.shared }

// List is the module's own function list. A remote module has none: it is known by its record instead, nil where there is no host.
func (m *Module) List() unsafe.Pointer {
	if m.remote != nil {
		return m.record
	}
	return m.native.List()
}

// Native is the module itself, past all sharing, nil for a remote module.
func (m *Module) Native() *native.Module { return m.native }

// Path is what the module was loaded by, "" for a remote module.
func (m *Module) Path() string {
	if m.remote != nil {
		return ""
	}
	return m.native.Path()
}

// Do executes a call past all sharing.
func (m *Module) Do(ctx context.Context, call ck.Call) error {
	if m.remote != nil {
		return m.remote.client.Do(ctx, call)
	}
	return m.native.Do(ctx, call)
}

// Record is what [Hooks.Loaded] gave for the module.
func (m *Module) Record() unsafe.Pointer { return m.record }

// Config is the module's configuration, nil for a module that no configuration file names.
func (m *Module) Config() *conf.Module {
	m.registry.mu.Lock()
	defer m.registry.mu.Unlock()
	return m.config
}

// Args are what the module's C_Initialize gets.
func (m *Module) Args() ck.InitializeArgs {
	m.registry.mu.Lock()
	defer m.registry.mu.Unlock()
	return m.registry.options(m.config, false).Args
}

// Name is the module's configured name, or its path.
func (m *Module) Name() string {
	if config := m.Config(); config != nil {
		return config.Name
	}
	return m.Path()
}

// options are how the module is shared under its configuration; verbose is P11_KIT_MODULE_VERBOSE.
func (r *Registry) options(config *conf.Module, verbose bool) managed.Options {
	o := managed.Options{Args: native.InitializeArgs(), Message: func(text string) { r.host().Message(text) }}
	if config == nil {
		return o
	}
	if reserved, ok := config.Options.Get("x-init-reserved"); ok {
		if verbose {
			reserved += " verbose=yes"
		}
		o.TakesReserved = true
		o.Args.Reserved = r.reserved(reserved)
	}
	return o
}

// reserved keeps one C string for each text: a module may hold on to the pointer, so none can be freed. The lock must be
// held.
func (r *Registry) reserved(text string) uintptr {
	if p, ok := r.strings[text]; ok {
		return p
	}
	p := native.ReservedString(text)
	if r.strings == nil {
		r.strings = make(map[string]uintptr)
	}
	r.strings[text] = p
	return p
}

// loadError is a failure that [Hooks.Message] has been told of.
func loadError(rv ck.RV, text string) error { return &native.LoadError{RV: rv, Text: text} }
