// Package engine is what libp11-kit.so.0 does beyond its C: it answers the calls of the shim (see internal/capi/engine_abi.h) from
// the registry of the process. It is plain Go; internal/capi connects it with C.
//
// One engine serves one process. In a forked child the shim starts a new one, which goes on with the modules and handles
// that it inherits; see [Engine.AdoptModule].
package engine

import (
	"context"
	"sync"
	"unsafe"

	"github.com/p11mux/p11mux/calllog"
	"github.com/p11mux/p11mux/ck"
	"github.com/p11mux/p11mux/conf"
	"github.com/p11mux/p11mux/internal/native"
	"github.com/p11mux/p11mux/module"
	"github.com/p11mux/p11mux/proxy"
	"github.com/p11mux/p11mux/registry"
)

// Flags are the P11_KIT_MODULE_ flags of a load.
type Flags int

// The flags (abi.md 1.3).
const (
	Unmanaged Flags = 1 << iota
	Critical
	Trusted
	Verbose
)

// TakesReserved is a flag of [Engine.ModuleLoad] of our own: the caller may pass a reserved pointer at C_Initialize, whatever
// the configuration says (P11_LOAD_RESERVED, internal/capi/engine_abi.h).
const TakesReserved Flags = 0x100

// A Handle is a managed function list, in the shim's memory.
type Handle unsafe.Pointer

// A Host is the shim, which owns what outlives an engine. Its methods may be called from any goroutine.
type Host interface {
	// Guest tells whether the engine is Go's only part in a program in C.
	Guest() bool
	Message(text string)
	Describe(rv ck.RV) string
	Progname() string
	Environment() (conf.Paths, conf.Env)

	// NewRecord makes a record of a module, which is nil if it is remote; nil if there is no memory.
	NewRecord(m *native.Module) unsafe.Pointer
	ConfigureRecord(record unsafe.Pointer, config *conf.Module)
	FreeRecord(record unsafe.Pointer)
	// Connected has a forked child close the descriptors of a remote module's connection, -1 for none.
	Connected(record unsafe.Pointer, connection, process int)
	Global(options *conf.Options)

	// NewHandle is nil, with a message, when there can be no more handles.
	NewHandle(record unsafe.Pointer) Handle
	RetireHandle(h Handle)
	// LogHandle has the calls of a new handle logged, as those of the caller with this id; false where memory is short. An engine of a
	// forked child gets the settings back, see [Engine.AdoptLog].
	LogHandle(h Handle, id uint32, settings string) bool
	SetState(h Handle, initialized bool)

	// NewProxy is nil, with a message, when there can be no more instances of the proxy.
	NewProxy(members []ProxyMember, version ck.Version) (Handle, ProxyTable)
}

// An Engine answers the shim. Its methods may be called from any goroutine; those that take a handle must be given one
// that NewHandle made and that is not retired.
type Engine struct {
	host     Host
	registry *registry.Registry
	slots    *proxy.Slots // of all instances of the proxy
	handles  sync.Map     // Handle -> *entry, of all handles that are not released
	logs     logs
	logged   sync.Map // Handle -> id of what logs its calls, of those that are logged
	remotes  sync.Map // record -> *registry.Module, of remote modules that C code has called

	mu   sync.Mutex
	lent map[*registry.Module]int // how often a module's own list is lent out; guarded by mu
}

// New makes an engine for a host, with the modules that are in the registry: a Go program may have loaded some before it
// came to the shim. Nil if the host has no memory for them.
func New(host Host, modules *registry.Registry) *Engine {
	e := &Engine{host: host, registry: modules, slots: proxy.NewSlots()}
	attached := modules.Attach(registry.Hooks{
		Guest:       host.Guest(),
		Loaded:      host.NewRecord,
		Configured:  host.ConfigureRecord,
		Unloading:   e.forget,
		Connected:   host.Connected,
		Global:      host.Global,
		Message:     host.Message,
		Describe:    host.Describe,
		Environment: host.Environment,
	})
	if !attached {
		return nil
	}
	return e
}

// forget is told before a module is unloaded.
func (e *Engine) forget(record unsafe.Pointer) {
	e.remotes.Delete(record)
	e.host.FreeRecord(record)
}

// Remote gives the remote module that has a record, nil if there is none.
func (e *Engine) Remote(record unsafe.Pointer) module.Module {
	if v, known := e.remotes.Load(record); known {
		return v.(*registry.Module)
	}
	m := e.registry.Find(record)
	if m == nil {
		return nil
	}
	e.remotes.Store(record, m)
	return m
}

// AdoptRemote takes in a remote module that the process had before it was forked.
func (e *Engine) AdoptRemote(config *conf.Module, record unsafe.Pointer) {
	e.registry.AdoptRemote(config, record)
}

// AdoptModule takes in a module that the process had before it was forked.
func (e *Engine) AdoptModule(m *native.Module, config *conf.Module, record unsafe.Pointer) {
	e.registry.Adopt(m, config, record)
}

// AdoptHandle takes in a handle of an adopted module. Whatever it was in the parent, here it is not initialized.
func (e *Engine) AdoptHandle(h Handle, list unsafe.Pointer) {
	if m := e.registry.Find(list); m != nil {
		e.registry.Hold(m)
		e.attach(h, m)
	}
}

// A caller is what is behind a handle: a caller of a module, or an instance of the proxy.
type caller interface {
	module.Module
	Initialize(ctx context.Context, args *ck.InitializeArgs) error
	Finalize(ctx context.Context) error
	OpenSession(ctx context.Context, call *ck.OpenSessionCall) error
	CloseSession(ctx context.Context, session ck.SessionHandle) error
	CloseAllSessions(ctx context.Context, slot ck.SlotID) error
	Close(ctx context.Context) error
}

// entry is what the engine knows of a handle.
type entry struct {
	module *registry.Module // nil for an instance of the proxy
	caller caller
}

func (e *Engine) attach(h Handle, m *registry.Module) {
	caller := m.Shared().NewCaller(func(initialized bool) { e.host.SetState(h, initialized) })
	e.handles.Store(h, &entry{m, caller})
}

// caller gives the caller of a handle, nil if the handle is released.
func (e *Engine) caller(h Handle) caller {
	if v, live := e.handles.Load(h); live {
		return v.(*entry).caller
	}
	return nil
}

// Module gives what is behind a handle, nil if the handle is released.
func (e *Engine) Module(h Handle) module.Module {
	if caller := e.caller(h); caller != nil {
		return caller
	}
	return nil
}

// list gives the caller's function list for a module that a reference is held to: a new managed one, or the module's own.
// It is nil, and the reference is released, if there can be none.
func (e *Engine) list(m *registry.Module, managed bool, view *calllog.View, log *conf.Logging) unsafe.Pointer {
	if !managed {
		e.mu.Lock()
		defer e.mu.Unlock()
		if e.lent == nil {
			e.lent = make(map[*registry.Module]int)
		}
		e.lent[m]++
		return m.List()
	}
	h := e.host.NewHandle(m.Record())
	if h == nil {
		e.registry.Release(m)
		return nil
	}
	e.attach(h, m)
	e.logHandle(h, view, log, moduleName(m))
	return unsafe.Pointer(h)
}

func (e *Engine) query(flags Flags) registry.Query {
	return registry.Query{
		Progname:  e.host.Progname(),
		Trusted:   flags&Trusted != 0,
		Critical:  flags&Critical != 0,
		Verbose:   flags&Verbose != 0,
		Unmanaged: flags&Unmanaged != 0,
	}
}

// ModulesLoad is p11_kit_modules_load.
func (e *Engine) ModulesLoad(flags Flags) ([]unsafe.Pointer, ck.RV) {
	choices, err := e.registry.Configured(e.query(flags))
	if err != nil {
		return nil, ck.RVOf(err)
	}
	lists := make([]unsafe.Pointer, 0, len(choices))
	view := new(calllog.View) // all lists are one caller's
	for i, c := range choices {
		list := e.list(c.Module, c.Managed, view, c.Log)
		if list == nil {
			for _, rest := range choices[i+1:] {
				e.registry.Release(rest.Module)
			}
			for j, list := range lists {
				if choices[j].Managed {
					e.Release(Handle(list))
					e.host.RetireHandle(Handle(list))
				} else {
					e.ReleaseList(list)
				}
			}
			e.registry.Sweep()
			return nil, ck.CKR_HOST_MEMORY
		}
		lists = append(lists, list)
	}
	return lists, ck.CKR_OK
}

// ModuleLoad is p11_kit_module_load.
func (e *Engine) ModuleLoad(path string, flags Flags) (unsafe.Pointer, ck.RV) {
	m, err := e.registry.ByPath(path)
	if err != nil {
		e.registry.Sweep()
		return nil, ck.RVOf(err)
	}
	managed, log, err := e.registry.Single(m, e.query(flags))
	if err != nil {
		e.registry.Release(m)
		e.registry.Sweep()
		return nil, ck.RVOf(err)
	}
	list := e.list(m, managed, new(calllog.View), log)
	if list == nil {
		e.registry.Sweep()
		return nil, ck.CKR_HOST_MEMORY
	}
	if caller, ok := e.caller(Handle(list)).(interface{ TakeReserved() }); ok && flags&TakesReserved != 0 {
		caller.TakeReserved()
	}
	return list, ck.CKR_OK
}

// Release ends a handle. If its caller is still initialized it is finalized. The shim retires the handle afterwards.
func (e *Engine) Release(h Handle) {
	v, live := e.handles.LoadAndDelete(h)
	if !live {
		return // another thread was faster
	}
	e.logged.Delete(h)
	entry := v.(*entry)
	if err := entry.caller.Close(context.Background()); err != nil {
		// The thread is inside the module's own C_Initialize or C_Finalize: it must stay loaded.
		e.host.Message("couldn't finalize module on release: " + err.Error())
		return
	}
	e.registry.Release(entry.module)
}

// ReleaseList gives up one unmanaged use of a module. More of them than loads do no harm: what others use they do not take
// away.
func (e *Engine) ReleaseList(list unsafe.Pointer) {
	m := e.registry.Find(list)
	if m == nil {
		return
	}
	e.mu.Lock()
	lent := e.lent[m]
	switch lent {
	case 0:
	case 1:
		delete(e.lent, m)
	default:
		e.lent[m]--
	}
	e.mu.Unlock()
	if lent > 0 {
		e.registry.Release(m)
	}
}

// Sweep unloads everything if nothing is in use.
func (e *Engine) Sweep() { e.registry.Sweep() }
