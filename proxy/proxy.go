package proxy

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/p11mux/p11mux/ck"
	"github.com/p11mux/p11mux/internal/turn"
	"github.com/p11mux/p11mux/module"
)

// A Member is one module of a proxy, as the instance uses it.
type Member struct {
	Module   module.Module // a caller of a shared module, or the module itself
	Key      any           // comparable; what the module is in the process: its slots have their ids by it
	Name     string        // for messages
	Critical bool          // if it cannot be initialized, the proxy is not
}

// Options make a proxy.
type Options struct {
	Version ck.Version // of the interface, for C_GetInfo
	Members []Member
	Slots   *Slots // of the process; nil for a proxy that is alone in it
	Table   Table  // nil for one in Go's memory
	// Initialized is told each time the proxy becomes initialized or ceases to be, before the call that does it returns. It
	// must not call back. It may be nil.
	Initialized func(initialized bool)
	// Message is told what no return value can carry, on the thread that called. It may be nil.
	Message func(text string)
	// Describe puts a return value into words for messages; nil for the constant's name.
	Describe func(rv ck.RV) string
	// Pause waits for a while, or less if done is closed or the context ends; nil for one with a timer.
	Pause func(ctx context.Context, done <-chan struct{}, d time.Duration)
}

// A Proxy is one instance. It implements module.Module. All its methods may be called from any goroutine.
type Proxy struct {
	o      Options
	turn   turn.Turn
	silent []atomic.Bool           // members whose slots could not be listed, and that was said
	asked  atomic.Int64            // the member behind the one whose slot event was reported last
	now    atomic.Pointer[running] // nil unless initialized; written with the turn
}

// New makes an instance, which is not initialized.
func New(o Options) *Proxy {
	if o.Slots == nil {
		o.Slots = NewSlots()
	}
	if o.Table == nil {
		o.Table = NewTable()
	}
	if o.Initialized == nil {
		o.Initialized = func(bool) {}
	}
	if o.Message == nil {
		o.Message = func(string) {}
	}
	if o.Describe == nil {
		o.Describe = ck.RV.Error
	}
	if o.Pause == nil {
		o.Pause = pause
	}
	return &Proxy{o: o, silent: make([]atomic.Bool, len(o.Members))}
}

// member finds the member with a key that is initialized, -1 if there is none.
func (p *Proxy) member(r *running, key any) int {
	for i := range p.o.Members {
		if p.o.Members[i].Key == key && r.on[i] {
			return i
		}
	}
	return -1
}

// Do executes a call.
func (p *Proxy) Do(ctx context.Context, call ck.Call) error {
	switch call := call.(type) {
	case *ck.InitializeCall:
		return p.Initialize(ctx, call.Args)
	case *ck.FinalizeCall:
		if call.Reserved != 0 {
			return ck.CKR_ARGUMENTS_BAD // PKCS#11 3.2 §5.4.2
		}
		return p.Finalize(ctx)
	case *ck.OpenSessionCall:
		return p.OpenSession(ctx, call)
	case *ck.CloseSessionCall:
		return p.CloseSession(ctx, call.Session)
	case *ck.CloseAllSessionsCall:
		return p.CloseAllSessions(ctx, call.Slot)
	case *ck.GetFunctionStatusCall, *ck.CancelFunctionCall:
		return ck.CKR_FUNCTION_NOT_PARALLEL
	case *ck.GetFunctionListCall, *ck.GetInterfaceListCall, *ck.GetInterfaceCall:
		return ck.CKR_FUNCTION_NOT_SUPPORTED // a function list is not for Go to give
	}
	r := p.now.Load()
	if r == nil {
		return ck.CKR_CRYPTOKI_NOT_INITIALIZED
	}
	switch call := call.(type) {
	case *ck.GetInfoCall:
		p.info(&call.Info)
		return nil
	case *ck.GetSlotListCall:
		return p.slotList(ctx, r, call)
	case *ck.WaitForSlotEventCall:
		return p.wait(ctx, r, call)
	}
	if session := ck.SessionOf(call); session != nil {
		return p.inSession(ctx, call, session)
	}
	if slot := ck.SlotOf(call); slot != nil {
		return p.onSlot(ctx, r, call, slot)
	}
	return ck.CKR_FUNCTION_NOT_SUPPORTED
}

// info is C_GetInfo (abi.md 7.4).
func (p *Proxy) info(info *ck.Info) {
	*info = ck.Info{CryptokiVersion: p.o.Version, LibraryVersion: ck.Version{Major: 1, Minor: 1}}
	ck.Pad(info.ManufacturerID[:], "PKCS#11 Kit")
	ck.Pad(info.LibraryDescription[:], "PKCS#11 Kit Proxy Module")
}

// inSession passes a call on with the module's own session in it.
func (p *Proxy) inSession(ctx context.Context, call ck.Call, session *ck.SessionHandle) error {
	handle := *session
	i, real, slot, ok := p.o.Table.Lookup(handle)
	if !ok {
		return ck.CKR_SESSION_HANDLE_INVALID
	}
	*session = real
	err := p.o.Members[i].Module.Do(ctx, call)
	*session = handle
	if info, ok := call.(*ck.GetSessionInfoCall); ok && err == nil {
		info.Info.Slot = slot
	}
	return err
}

// onSlot passes a call on with the module's own slot in it. Whether a slot that was there is there still, the module
// says.
func (p *Proxy) onSlot(ctx context.Context, r *running, call ck.Call, slot *ck.SlotID) error {
	id := *slot
	i, real, ok := p.slot(r, id)
	if !ok {
		return ck.CKR_SLOT_ID_INVALID
	}
	*slot = real
	err := p.o.Members[i].Module.Do(ctx, call)
	*slot = id
	return err
}

// slot finds the slot that an id stands for.
func (p *Proxy) slot(r *running, id ck.SlotID) (member int, real ck.SlotID, ok bool) {
	key, real, ok := p.o.Slots.Real(id)
	if !ok {
		return 0, 0, false
	}
	i := p.member(r, key)
	return i, real, i >= 0
}
