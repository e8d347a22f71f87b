package registry

import (
	"slices"

	"github.com/p11mux/p11mux/ck"
	"github.com/p11mux/p11mux/conf"
)

// Query says which of the configured modules are wanted.
type Query struct {
	Progname string // for enable-in and disable-in
	Trusted  bool   // only modules with trust-policy
	Critical bool   // a module that cannot be loaded fails the load, whatever its configuration says
	Verbose  bool   // adds verbose=yes to configured reserved strings
	// Unmanaged callers use the modules' own function lists.
	Unmanaged bool
	// Proxy is for an instance of the proxy module: enable-in and disable-in can name that too.
	Proxy bool
	// Config takes the place of the registry's configuration, which is not read then. A module that is in use keeps the
	// name and options that it has. Nil is for the registry's.
	Config *conf.Config
	// Message is told what there is to say about this load, in place of [Hooks.Message]. It may be nil.
	Message func(text string)
}

// A Choice is a module for a caller, and how the caller is to get it.
type Choice struct {
	Module  *Module
	Managed bool
	Config  *conf.Module // what it was chosen by
}

// tell is who gets the messages of a load.
func (r *Registry) tell(q Query) func(text string) {
	if q.Message != nil {
		return q.Message
	}
	return r.host().Message
}

// configurationFor is the configuration that a load is by.
func (r *Registry) configurationFor(q Query) *conf.Config {
	if q.Config == nil {
		return r.configuration(r.tell(q))
	}
	for _, problem := range q.Config.Problems {
		r.tell(q)(problem.Error())
	}
	return q.Config
}

// Configured loads the configured modules that are enabled for the program, in the order of the configuration. Each must
// be released. Modules that cannot be loaded are left out, with a message, unless they are critical: then the load fails
// and leaves nothing behind.
func (r *Registry) Configured(q Query) ([]Choice, error) {
	config, tell := r.configurationFor(q), r.tell(q)
	var choices []Choice
	for i := range config.Modules {
		mc := &config.Modules[i]
		m, err := r.configured(config, mc, q)
		if err != nil {
			if !q.Critical && !mc.Critical() {
				continue
			}
			// The loader's message says why, but it is this one that a caller gets to read.
			tell("aborting initialization because module '" + mc.Name + "' was marked as critical: " + r.explain(err))
			for _, c := range choices {
				r.Release(c.Module)
			}
			r.Sweep()
			return nil, err
		}
		if m == nil {
			continue
		}
		if i := slices.IndexFunc(choices, func(c Choice) bool { return c.Module == m }); i >= 0 {
			path, _ := mc.Path(config.Paths.ModuleDir)
			tell(sameModule(mc, choices[i].Config.Name, path))
			r.Release(m)
			continue
		}
		choices = append(choices, Choice{m, r.managed(config, mc, q), mc})
	}
	return choices, nil
}

// configured loads one configured module; nil if it is not wanted.
func (r *Registry) configured(config *conf.Config, mc *conf.Module, q Query) (*Module, error) {
	tell := r.tell(q)
	enabled, problem := conf.EnabledFor(mc, q.Progname, q.Proxy)
	if problem != nil {
		tell(problem.Error())
	}
	if !enabled || q.Trusted && !mc.Trusted() {
		return nil, nil
	}
	if address, remote := mc.Remote(); remote {
		if managed, _ := config.Managed(mc); !managed || q.Unmanaged {
			return nil, nil // a remote module has no function list of its own to give out
		}
		text := "remote not supported: " + address
		tell(text)
		return nil, loadError(ck.CKR_GENERAL_ERROR, text)
	}
	path, ok := mc.Path(config.Paths.ModuleDir)
	if !ok {
		return nil, nil
	}
	m, err := r.open(path, tell)
	if err != nil {
		return nil, err
	}
	if other, ok := r.configure(m, mc, q); !ok {
		tell(sameModule(mc, other, path))
		r.Release(m)
		return nil, nil
	}
	return m, nil
}

// sameModule says that two module files are about one module.
func sameModule(mc *conf.Module, other, path string) string {
	return mc.File + ": module '" + mc.Name + "' is the same as module '" + other + "', whose configuration is used: " + path
}

// managed decides whether the caller gets a managed list (abi.md 2.2).
func (r *Registry) managed(config *conf.Config, mc *conf.Module, q Query) bool {
	if q.Unmanaged {
		return false
	}
	managed, _ := config.Managed(mc)
	if log, _ := config.LogCalls(mc); log {
		name := ""
		if mc != nil {
			name = mc.Name
		}
		if !managed {
			r.tell(q)("the 'log-calls' option for module '" + name + "' is only supported for managed modules")
		} else {
			r.tell(q)("calls of module '" + name + "' are not logged: this version of the library does not have the 'log-calls' option")
		}
	}
	return managed
}

// Single decides how a caller gets a module that it loads by its path, and whether it may.
func (r *Registry) Single(m *Module, q Query) (managed bool, err error) {
	config := m.Config()
	if q.Trusted && (config == nil || !config.Trusted()) {
		text := m.native.Path() + ": the module is not configured with trust-policy"
		r.tell(q)(text)
		return false, loadError(ck.CKR_GENERAL_ERROR, text)
	}
	r.mu.Lock()
	global := r.config
	r.mu.Unlock()
	if global == nil {
		global = &conf.Config{}
	}
	return r.managed(global, config, q), nil
}
