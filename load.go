package p11mux

import (
	"context"
	"errors"
	"path/filepath"
	"strings"

	"github.com/p11mux/p11mux/calllog"
	"github.com/p11mux/p11mux/ck"
	"github.com/p11mux/p11mux/conf"
	"github.com/p11mux/p11mux/internal/process"
	"github.com/p11mux/p11mux/module"
	"github.com/p11mux/p11mux/registry"
)

// A caller is one caller's view of a module that others may use too: it is initialized and finalized by itself, and its
// sessions are its own.
type caller interface {
	module.Module
	// Close finalizes the view. It closes its sessions, and is called when no other call is under way.
	Close(ctx context.Context) error
}

// Load gives the configured modules of the machine, the user and the program, each initialized. It reads the
// configuration that p11-kit reads too, see package conf. Each Load has its own view of the modules, which nobody else in
// the process can close: not another Load, nor a library in C that uses the same modules by p11mux.
//
// A module that cannot be loaded or initialized is left out, and [Modules.Problems] and the logger tell. If it is marked as
// critical, or with [WithCritical], Load fails and leaves nothing behind. No modules at all are no error.
//
// Load may be called from any goroutine. The modules are the caller's to close, with [Modules.Close].
func Load(opts ...Option) (*Modules, error) {
	o := newOptions(opts)
	modules := new(Modules)
	tell := func(text string) {
		modules.problems = append(modules.problems, errors.New(text))
		o.tell(text)
	}
	reg, query := process.Registry(), o.query()
	query.Message = tell
	if o.paths != nil {
		query.Config = conf.Load(*o.paths, conf.ProcessEnv())
	}
	choices, err := reg.Configured(query)
	if err != nil {
		return nil, err
	}
	number := new(calllog.View) // one for all modules of the load
	for i, choice := range choices {
		m, err := open(reg, choice.Module, number, choice.Config.Name, choice.Log, o)
		if err == nil {
			modules.all = append(modules.all, m)
			continue
		}
		if !o.critical && !choice.Config.Critical() {
			tell("skipping module '" + choice.Config.Name + "': " + err.Error())
			continue
		}
		for _, rest := range choices[i+1:] {
			reg.Release(rest.Module)
		}
		_ = modules.Close() // what failed is the initialization
		reg.Sweep()
		return nil, err
	}
	if len(modules.all) == 0 {
		reg.Sweep()
	}
	return modules, nil
}

// LoadModule gives the module in a shared object, initialized. A path that does not begin with a slash is looked up in
// the module directory. The configuration is not read, but for its options about this module if another part of the
// process has read it.
//
// LoadModule may be called from any goroutine, and as often as wanted for one module: each gets a view of its own. The
// module is the caller's to close, with [Module.Close].
func LoadModule(path string, opts ...Option) (*Module, error) {
	o := newOptions(opts)
	reg := process.Registry()
	if o.paths != nil && path != "" && path[0] != '/' {
		path = o.paths.WithDefaults().ModuleDir + "/" + path
	}
	m, err := reg.ByPath(path)
	if err != nil {
		return nil, err
	}
	_, log, err := reg.Single(m, o.query())
	if err != nil {
		reg.Release(m)
		reg.Sweep()
		return nil, err
	}
	opened, err := open(reg, m, new(calllog.View), nameOf(m), log, o)
	if err != nil {
		reg.Sweep()
		return nil, err
	}
	return opened, nil
}

// nameOf is the configured name of a module, or that of its file.
func nameOf(m *registry.Module) string {
	if config := m.Config(); config != nil {
		return config.Name
	}
	return strings.TrimSuffix(filepath.Base(m.Path()), ".so")
}

// open initializes a view of a module of the registry, whose calls are logged as the configuration says. The reference that is held
// to it passes to the view, and is given up on failure.
func open(reg *registry.Registry, m *registry.Module, number *calllog.View, name string, log *conf.Logging, o *options) (*Module, error) {
	opened, err := newModule(name, o.logged(m.Shared().NewCaller(nil), number, name, log), o, func() {
		reg.Release(m)
		reg.Sweep()
	})
	if err != nil {
		reg.Release(m)
		return nil, err
	}
	opened.path = m.Path()
	return opened, nil
}

// newModule initializes a caller's view of a module. release is called once it is closed.
func newModule(name string, view caller, o *options, release func()) (*Module, error) {
	m := &Module{name: name, view: view, options: o, release: release, done: make(chan struct{})}
	// The arguments are for this package's own view; the module gets those that all callers need.
	if err := view.Do(context.Background(), &ck.InitializeCall{}); err != nil {
		return nil, m.failed(ck.FuncInitialize, err)
	}
	return m, nil
}

// query is what the registry is asked for.
func (o *options) query() registry.Query {
	return registry.Query{Progname: o.progname, Trusted: o.trusted, Critical: o.critical, Message: o.tell}
}
