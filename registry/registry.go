package registry

import (
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/p11mux/p11mux/ck"
	"github.com/p11mux/p11mux/conf"
	"github.com/p11mux/p11mux/internal/native"
	"github.com/p11mux/p11mux/managed"
)

// Hooks let a host keep account of what is loaded. Each may be nil. All but Message and Connected are called with the registry's lock
// held and must not call back.
type Hooks struct {
	// Loaded is told of a new module, which is nil if it is remote, and gives what Record shall return. Nil says that there is
	// no room for it.
	Loaded func(m *native.Module) unsafe.Pointer
	// Configured is told each time that a module gets its name and options from the configuration.
	Configured func(record unsafe.Pointer, config *conf.Module)
	// Unloading is told before a module is unloaded.
	Unloading func(record unsafe.Pointer)
	// Global is told the global options when the configuration is read, and nil when it is forgotten.
	Global func(options *conf.Options)
	// Connected is told which descriptors a remote module has, the connection's and the process's, -1 for none. A forked child
	// must close them, and whoever closes them here says so before. It is called without the registry's lock.
	Connected func(record unsafe.Pointer, connection, process int)
	// Message is told what a user should know, on the thread that called.
	Message func(text string)
	// Describe puts a return value into words for messages; by default it is the constant's name.
	Describe func(rv ck.RV) string
	// Guest is whether the process is a program in C, whose threads call: they wait by themselves then, see
	// [rpc.Options.NewWaiter].
	Guest bool
	// Environment gives where the configuration is and what it depends on, each time it is read.
	Environment func() (conf.Paths, conf.Env)
}

// A Registry knows all modules of a process. All its methods may be called from any goroutine.
type Registry struct {
	hooks atomic.Pointer[Hooks]

	beside atomic.Pointer[func() Opener]

	mu      sync.Mutex
	config  *conf.Config // nil until it is needed
	modules []*Module
	strings map[string]uintptr
	opener  Opener // how modules are opened as long as there are any, or some are being opened
	opening int
}

// An Opener opens the module at an absolute path, without initializing it.
type Opener func(path string) (*native.Module, error)

// Beside has find asked each time before a module is opened: if it gives an opener, modules are opened by that instead of
// the dynamic linker, for somebody else in this process shares them. As long as any module is loaded, nothing changes: one
// module must not be opened in both ways.
func (r *Registry) Beside(find func() Opener) { r.beside.Store(&find) }

// begin says how the next module is to be opened. end must follow.
func (r *Registry) begin() Opener {
	opener := Opener(native.Open)
	if find := r.beside.Load(); find != nil {
		if other := (*find)(); other != nil { // without the lock: it may attach us to a host
			opener = other
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.opener == nil || len(r.modules) == 0 && r.opening == 0 {
		r.opener = opener
	}
	r.opening++
	return r.opener
}

func (r *Registry) end() {
	r.mu.Lock()
	r.opening--
	r.mu.Unlock()
}

// New makes an empty registry.
func New(hooks Hooks) *Registry {
	r := new(Registry)
	hooks = hooks.complete()
	r.hooks.Store(&hooks)
	return r
}

// host is whoever keeps account of what is loaded.
func (r *Registry) host() *Hooks { return r.hooks.Load() }

// Attach gives the registry to another host, and tells it of what is loaded. It is false, and leaves things as they are, if
// the host has no room for a module.
func (r *Registry) Attach(hooks Hooks) bool {
	hooks = hooks.complete()
	r.mu.Lock()
	defer r.mu.Unlock()
	records := make([]unsafe.Pointer, len(r.modules))
	for i, m := range r.modules {
		if hooks.Loaded == nil {
			continue
		}
		if records[i] = hooks.Loaded(m.native); records[i] == nil {
			for _, record := range records[:i] {
				if hooks.Unloading != nil {
					hooks.Unloading(record)
				}
			}
			return false
		}
	}
	for i, m := range r.modules {
		m.record = records[i]
		if m.remote != nil {
			m.remote.record.Store((*byte)(m.record))
		}
		if m.config != nil && hooks.Configured != nil {
			hooks.Configured(m.record, m.config)
		}
	}
	if r.config != nil && hooks.Global != nil {
		hooks.Global(&r.config.Global)
	}
	r.hooks.Store(&hooks)
	return true
}

// complete fills in what a host leaves out and the registry cannot do without.
func (hooks Hooks) complete() Hooks {
	if hooks.Message == nil {
		hooks.Message = func(string) {}
	}
	if hooks.Describe == nil {
		hooks.Describe = ck.RV.Error
	}
	if hooks.Environment == nil {
		hooks.Environment = func() (conf.Paths, conf.Env) {
			env := conf.ProcessEnv()
			return conf.Paths{}.WithEnviron(env), env
		}
	}
	return hooks
}

// configuration reads the configuration unless it is known, and tells what is wrong with it.
func (r *Registry) configuration(tell func(text string)) *conf.Config {
	r.mu.Lock()
	known := r.config
	r.mu.Unlock()
	if known != nil {
		return known
	}
	config := conf.Load(r.host().Environment())
	for _, problem := range config.Problems {
		tell(problem.Error())
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.config == nil {
		r.config = config
		if r.host().Global != nil {
			r.host().Global(&config.Global)
		}
	}
	return r.config
}

// path is where the module directory has a relative path.
func (r *Registry) path(path string) string {
	if len(path) > 0 && path[0] == '/' {
		return path
	}
	paths, _ := r.host().Environment()
	return paths.WithDefaults().ModuleDir + "/" + path
}

// open loads the module at an absolute path, or finds it, and holds a reference to it.
func (r *Registry) open(path string, tell func(text string)) (*Module, error) {
	opener := r.begin()
	defer r.end()
	loaded, err := opener(path)
	if err != nil {
		tell(r.explain(err))
		return nil, err
	}
	m, taken, err := r.hold(loaded)
	if !taken {
		loaded.Close()
	}
	return m, err
}

// explain is an error of loading for the user.
func (r *Registry) explain(err error) string {
	if e, ok := errors.AsType[*native.LoadError](err); ok && e.Refused {
		return e.Text + ": " + r.host().Describe(e.RV)
	}
	return err.Error()
}

// hold finds the module that loaded is, or takes it in, and holds a reference to it. If loaded is not taken, it is the
// caller's to close.
func (r *Registry) hold(loaded *native.Module) (m *Module, taken bool, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, m := range r.modules {
		if m.native != nil && m.native.Same(loaded) {
			m.refs++
			if m.native.DL() != nil || m.loaded != nil || loaded.DL() == nil {
				return m, false, nil
			}
			// The program may unload what it has loaded itself; now the module is ours too.
			m.loaded = loaded
			return m, true, nil
		}
	}
	m = &Module{registry: r, native: loaded, refs: 1}
	m.shared = managed.New(loaded, r.options(nil, false))
	if r.host().Loaded != nil {
		if m.record = r.host().Loaded(loaded); m.record == nil {
			return nil, false, loadError(ck.CKR_HOST_MEMORY, "no memory to load "+loaded.Path())
		}
	}
	r.modules = append(r.modules, m)
	return m, true, nil
}

// configure gives a module its configuration. It is false if the module has another one of the same reading already,
// whose name it tells.
func (r *Registry) configure(m *Module, config *conf.Module, q Query) (other string, ok bool) {
	r.mu.Lock()
	if m.config == config || q.Config != nil && m.config != nil && m.refs > 1 {
		r.mu.Unlock()
		return "", true
	}
	if q.Config == nil && m.config != nil && m.config.Name != config.Name && r.config != nil {
		for i := range r.config.Modules {
			if &r.config.Modules[i] == m.config {
				defer r.mu.Unlock()
				return m.config.Name, false
			}
		}
	}
	m.config = config
	options := r.options(config, q.Verbose)
	if r.host().Configured != nil {
		r.host().Configured(m.record, config)
	}
	r.mu.Unlock()
	m.shared.SetOptions(options)
	return "", true
}

// ByPath loads one module, by a path or a name in the module directory. The configuration is not read. The module must be
// released.
func (r *Registry) ByPath(path string) (*Module, error) {
	return r.open(r.path(path), r.host().Message)
}

// ByList takes in a module that the program has loaded itself and knows by its function list. The module must be
// released.
func (r *Registry) ByList(list unsafe.Pointer) (*Module, error) {
	m, _, err := r.hold(native.Adopt("", nil, list, native.ListBytes(list)))
	return m, err
}

// Adopt takes in a module that the process inherited over a fork, with what is known of it; config may be nil. It is
// never unloaded: what else was inherited may use it.
func (r *Registry) Adopt(loaded *native.Module, config *conf.Module, record unsafe.Pointer) *Module {
	r.mu.Lock()
	defer r.mu.Unlock()
	m := &Module{registry: r, native: loaded, config: config, record: record, pinned: true}
	m.shared = managed.New(loaded, r.options(config, false))
	r.modules = append(r.modules, m)
	return m
}

// Find gives the known module that has this function list, or nil. No reference is held.
func (r *Registry) Find(list unsafe.Pointer) *Module {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, m := range r.modules {
		if list != nil && m.List() == list {
			return m
		}
	}
	return nil
}

// Hold holds one more reference to a module.
func (r *Registry) Hold(m *Module) {
	r.mu.Lock()
	m.refs++
	r.mu.Unlock()
}

// Release gives up one reference. Nothing is unloaded until [Registry.Sweep]. More releases than references do no harm.
func (r *Registry) Release(m *Module) {
	r.mu.Lock()
	if m.refs > 0 {
		m.refs--
	}
	r.mu.Unlock()
}

// Sweep unloads all modules and forgets the configuration, if no module is in use.
func (r *Registry) Sweep() {
	for _, m := range r.takeUnused() {
		if m.remote != nil {
			continue // its last C_Finalize has ended the connection
		}
		m.native.Close()
		if m.loaded != nil {
			m.loaded.Close()
		}
	}
}

// takeUnused takes all modules out, if none is in use. Those that are pinned stay.
func (r *Registry) takeUnused() []*Module {
	r.mu.Lock()
	defer r.mu.Unlock()
	if slices.ContainsFunc(r.modules, func(m *Module) bool { return m.refs > 0 }) {
		return nil
	}
	var unused, pinned []*Module
	for _, m := range r.modules {
		if m.pinned {
			pinned = append(pinned, m)
			continue
		}
		unused = append(unused, m)
		if r.host().Unloading != nil {
			r.host().Unloading(m.record)
		}
	}
	r.modules = pinned
	r.config = nil
	if r.host().Global != nil {
		r.host().Global(nil)
	}
	return unused
}
