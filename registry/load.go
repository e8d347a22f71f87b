package registry

import (
	"slices"

	"github.com/p11mux/p11mux/ck"
	"github.com/p11mux/p11mux/conf"
	"github.com/p11mux/p11mux/internal/native"
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
	Log     *conf.Logging // how its calls are logged, nil if they are not
	Config  *conf.Module  // what it was chosen by
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
		managed, log := r.managed(config, mc, q)
		choices = append(choices, Choice{m, managed, log, mc})
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
		return r.openRemote(mc, address, q)
	}
	path, ok := mc.Path(config.Paths.ModuleDir)
	if !ok {
		return nil, nil
	}
	if address, ok := mc.Options.Get("server-address"); ok {
		if forget, ok := native.TellServer(path, address); ok {
			defer forget()
		}
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

// managed decides whether the caller gets a managed list (abi.md 2.2), and how its calls are logged.
func (r *Registry) managed(config *conf.Config, mc *conf.Module, q Query) (managed bool, log *conf.Logging) {
	if q.Unmanaged {
		return false, nil
	}
	managed, _ = config.Managed(mc)
	how, wanted := config.Logging(mc)
	switch {
	case !wanted:
		return managed, nil
	case managed:
		return true, &how
	}
	name := ""
	if mc != nil {
		name = mc.Name
	}
	r.tell(q)("the 'log-calls' option for module '" + name + "' is only supported for managed modules")
	return false, nil
}

// ProxyLog tells how the calls of the proxy module are logged, nil if they are not: by the global options. Where it logs the calls,
// those that it makes of its modules are not logged again.
func (r *Registry) ProxyLog(q Query) *conf.Logging {
	if how, wanted := r.configurationFor(q).Logging(nil); wanted {
		return &how
	}
	return nil
}

// Single decides how a caller gets a module that it loads by its path, how its calls are logged (nil if they are not), and whether it
// may have it.
func (r *Registry) Single(m *Module, q Query) (managed bool, log *conf.Logging, err error) {
	config := m.Config()
	if q.Trusted && (config == nil || !config.Trusted()) {
		text := m.Path() + ": the module is not configured with trust-policy"
		r.tell(q)(text)
		return false, nil, loadError(ck.CKR_GENERAL_ERROR, text)
	}
	r.mu.Lock()
	global := r.config
	r.mu.Unlock()
	if global == nil {
		global = &conf.Config{}
	}
	managed, log = r.managed(global, config, q)
	return managed, log, nil
}
