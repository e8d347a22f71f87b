package engine

import (
	"context"
	"unsafe"

	"github.com/p11mux/p11mux/calllog"
	"github.com/p11mux/p11mux/ck"
	"github.com/p11mux/p11mux/internal/stream"
	"github.com/p11mux/p11mux/module"
	"github.com/p11mux/p11mux/proxy"
	"github.com/p11mux/p11mux/registry"
)

// A ProxyMember is a module of an instance of the proxy, for the host.
type ProxyMember struct {
	Record  unsafe.Pointer
	Managed bool
}

// An AdoptedMember is one that the host remembers, by the module's own function list.
type AdoptedMember struct {
	List    unsafe.Pointer
	Managed bool
	Log     uint32 // the id of what logs the calls of it, or 0
}

// A KnownSlot is a slot id that the host remembers.
type KnownSlot struct {
	List     unsafe.Pointer
	Real, ID ck.SlotID
}

// A ProxyTable is what an instance's C stubs translate by.
type ProxyTable interface {
	proxy.Table
	// Prepare makes room for sessions, and must come before the instance is initialized; false when there is no memory.
	Prepare() bool
	// LogMember has the calls logged that the stubs make of a module; it comes before anything is used. False where memory is short.
	LogMember(member int, id uint32, settings string) bool
}

// instance is an instance of the proxy.
type instance struct {
	*proxy.Proxy
	table ProxyTable
}

// Initialize is C_Initialize.
func (i *instance) Initialize(ctx context.Context, args *ck.InitializeArgs) error {
	if !i.table.Prepare() {
		return ck.CKR_HOST_MEMORY
	}
	return i.Proxy.Initialize(ctx, args)
}

// ProxyLoad is C_GetFunctionList and C_GetInterface of the proxy module: a new instance, with all configured modules that
// the program may have, and may have through the proxy.
func (e *Engine) ProxyLoad(version ck.Version) (unsafe.Pointer, ck.RV) {
	query := e.query(0)
	query.Proxy = true
	choices, err := e.registry.Configured(query)
	if err != nil {
		return nil, ck.RVOf(err)
	}
	members := make([]ProxyMember, len(choices))
	for i, c := range choices {
		members[i] = ProxyMember{c.Module.Record(), c.Managed}
	}
	h, table := e.host.NewProxy(members, version)
	if h == nil {
		for _, c := range choices {
			e.registry.Release(c.Module)
		}
		e.registry.Sweep()
		return nil, ck.CKR_HOST_MEMORY
	}
	ids := make([]uint32, len(choices))
	view := new(calllog.View)
	if how := e.registry.ProxyLog(query); how != nil {
		e.logHandle(h, view, how, proxyName)
	} else {
		for i, c := range choices {
			ids[i] = e.logMember(table, view, i, c)
		}
	}
	e.attachProxy(h, choices, ids, version, table)
	return unsafe.Pointer(h), ck.CKR_OK
}

// logMember has the calls logged that an instance makes of a module, and gives the id of the caller; 0 if they are not.
func (e *Engine) logMember(table ProxyTable, view *calllog.View, i int, c registry.Choice) uint32 {
	if c.Log == nil {
		return 0
	}
	name := moduleName(c.Module)
	id, settings := e.startLog(view, c.Log, name)
	if id == 0 || table.LogMember(i, id, settings) {
		return id
	}
	e.host.Message("the calls of module '" + name + "' are not logged: no memory")
	return 0
}

// AdoptProxy takes in an instance that the process had before it was forked, and the slot ids that it knew. Whatever the
// instance was in the parent, here it is not initialized.
func (e *Engine) AdoptProxy(h Handle, members []AdoptedMember, version ck.Version, table ProxyTable, slots []KnownSlot) {
	var choices []registry.Choice
	var ids []uint32
	for _, member := range members {
		m := e.registry.Find(member.List)
		if m == nil {
			return
		}
		e.registry.Hold(m)
		choices = append(choices, registry.Choice{Module: m, Managed: member.Managed})
		ids = append(ids, member.Log)
	}
	for _, slot := range slots {
		if m := e.registry.Find(slot.List); m != nil {
			e.slots.Adopt(m, slot.Real, slot.ID)
		}
	}
	e.attachProxy(h, choices, ids, version, table)
}

// attachProxy makes the Go half of an instance; ids are those of the members whose calls are logged, and 0 for the others. The
// references to the modules are the instance's, for as long as the process lives.
func (e *Engine) attachProxy(h Handle, choices []registry.Choice, ids []uint32, version ck.Version, table ProxyTable) {
	e.handles.Store(h, &entry{caller: &instance{proxy.New(proxy.Options{
		Version:     version,
		Members:     e.membersOf(choices, ids),
		Slots:       e.slots,
		Table:       table,
		Initialized: func(initialized bool) { e.host.SetState(h, initialized) },
		Message:     e.host.Message,
		Describe:    e.host.Describe,
		Pause:       stream.Pause,
	}), table}})
}

// membersOf makes members of a proxy; ids are as in attachProxy.
func (e *Engine) membersOf(choices []registry.Choice, ids []uint32) []proxy.Member {
	members := make([]proxy.Member, len(choices))
	for i, c := range choices {
		members[i] = proxy.Member{Key: c.Module, Name: c.Module.Name(), Module: view(c)}
		if log := e.Logged(ids[i]); log != nil {
			members[i].Module = log.Module(members[i].Module)
		}
		if config := c.Module.Config(); config != nil {
			members[i].Critical = config.Critical()
		}
	}
	return members
}

// view is a module as an instance of the proxy uses it.
func view(c registry.Choice) module.Module {
	if c.Managed {
		return c.Module.Shared().NewCaller(nil)
	}
	return module.Func(func(ctx context.Context, call ck.Call) error {
		if initialize, ok := call.(*ck.InitializeCall); ok && initialize.Args == nil {
			args := c.Module.Args()
			call = &ck.InitializeCall{Args: &args}
		}
		return c.Module.Do(ctx, call)
	})
}
