// Package filter shows chosen tokens of a module to somebody who shall see no others.
package filter

import (
	"bytes"
	"context"
	"slices"
	"sync"

	"github.com/p11mux/p11mux/ck"
	"github.com/p11mux/p11mux/module"
)

// FirstServed is the id of the first slot of tokens that are served to a remote client by their URIs, as in the reference.
const FirstServed ck.SlotID = 17

// A Rule chooses tokens.
type Rule struct {
	Match    func(token *ck.TokenInfo) bool // must be safe for concurrent use
	ReadOnly bool                           // nothing may be written to the tokens
}

// Like matches tokens that have the texts of info: label, manufacturer, model and serial number, octet by octet with their
// padding. A text that begins with 0 stands for any, as in the URIs of tokens.
func Like(info ck.TokenInfo) func(token *ck.TokenInfo) bool {
	same := func(want, text []byte) bool { return want[0] == 0 || bytes.Equal(want, text) }
	return func(token *ck.TokenInfo) bool {
		return same(info.Label[:], token.Label[:]) && same(info.ManufacturerID[:], token.ManufacturerID[:]) &&
			same(info.Model[:], token.Model[:]) && same(info.SerialNumber[:], token.SerialNumber[:])
	}
}

// Options make a [Filter].
type Options struct {
	Rules []Rule    // a token is shown if one matches; the first that does decides about writing
	First ck.SlotID // the id of the first slot; the others follow
}

// A Filter is a module with the tokens of another one that rules choose. It implements module.Module. Its methods may be called
// from any goroutine.
//
// Which tokens there are is settled by C_Initialize. Slots have ids of their own, and only sessions that were opened here can be
// used: the module may have others. All slots are listed, whether with a token or not. There are no slot events.
type Filter struct {
	module module.Module
	o      Options

	mu       sync.RWMutex
	slots    []slot                         // nil unless initialized
	sessions map[ck.SessionHandle]ck.SlotID // that were opened here, and their slots here
}

type slot struct {
	real     ck.SlotID
	readOnly bool
}

// New makes a filter of a module, which nobody else should initialize.
func New(m module.Module, o Options) *Filter { return &Filter{module: m, o: o} }

// Do executes a call. A session that was not opened here gives CKR_SESSION_HANDLE_INVALID, and writing to a token that may not
// be written CKR_TOKEN_WRITE_PROTECTED.
func (f *Filter) Do(ctx context.Context, call ck.Call) error {
	switch call := call.(type) {
	case *ck.InitializeCall:
		return f.initialize(ctx, call)
	case *ck.FinalizeCall:
		return f.finalize(ctx, call)
	}
	if f.all() == nil {
		return f.module.Do(ctx, call) // which says that it is not initialized
	}
	switch call := call.(type) {
	case *ck.GetSlotListCall:
		return f.list(call)
	case *ck.WaitForSlotEventCall:
		return f.wait(call)
	case *ck.OpenSessionCall:
		return f.open(ctx, call)
	case *ck.CloseAllSessionsCall:
		return f.closeAll(ctx, call.Slot)
	}
	if session := ck.SessionOf(call); session != nil {
		return f.inSession(ctx, call, *session)
	}
	if id := ck.SlotOf(call); id != nil {
		return f.onSlot(ctx, call, id)
	}
	return f.module.Do(ctx, call)
}

// all gives the slots, nil unless initialized.
func (f *Filter) all() []slot {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.slots
}

// initialize is C_Initialize: it finds the tokens. Where they cannot be found the module is finalized again.
func (f *Filter) initialize(ctx context.Context, call *ck.InitializeCall) error {
	if err := f.module.Do(ctx, call); err != nil {
		return err
	}
	slots, err := f.find(ctx)
	if err != nil {
		_ = f.module.Do(ctx, &ck.FinalizeCall{})
		return err
	}
	f.mu.Lock()
	f.slots, f.sessions = slots, make(map[ck.SessionHandle]ck.SlotID)
	f.mu.Unlock()
	return nil
}

// find finds the slots of the tokens that rules choose.
func (f *Filter) find(ctx context.Context) ([]slot, error) {
	slots := []slot{}
	list := &ck.GetSlotListCall{TokenPresent: true, Slots: ck.Out[ck.SlotID]{Buf: make([]ck.SlotID, 16)}}
	err := f.module.Do(ctx, list)
	for range 3 { // slots can be added meanwhile
		if ck.RVOf(err) != ck.CKR_BUFFER_TOO_SMALL {
			break
		}
		list.Slots.Buf = make([]ck.SlotID, min(2*list.Slots.N, 1<<16))
		err = f.module.Do(ctx, list)
	}
	if err != nil {
		return nil, err
	}
	for _, real := range list.Slots.Bytes() {
		info := &ck.GetTokenInfoCall{Slot: real}
		if f.module.Do(ctx, info) != nil {
			continue // it has been taken out
		}
		if i := slices.IndexFunc(f.o.Rules, func(r Rule) bool { return r.Match(&info.Info) }); i >= 0 {
			slots = append(slots, slot{real, f.o.Rules[i].ReadOnly})
		}
	}
	return slots, nil
}

func (f *Filter) finalize(ctx context.Context, call *ck.FinalizeCall) error {
	err := f.module.Do(ctx, call)
	if err == nil {
		f.mu.Lock()
		f.slots, f.sessions = nil, nil
		f.mu.Unlock()
	}
	return err
}

// slot finds a slot by its id here.
func (f *Filter) slot(id ck.SlotID) (slot, bool) {
	slots := f.all()
	i := uint64(id - f.o.First)
	if i >= uint64(len(slots)) {
		return slot{}, false
	}
	return slots[i], true
}

func (f *Filter) list(call *ck.GetSlotListCall) error {
	n := len(f.all())
	call.Slots.N = uint64(n)
	if call.Slots.Buf == nil {
		return nil
	}
	if n > len(call.Slots.Buf) {
		return ck.CKR_BUFFER_TOO_SMALL
	}
	for i := range n {
		call.Slots.Buf[i] = f.o.First + ck.SlotID(i)
	}
	return nil
}

// wait is C_WaitForSlotEvent: what happens in the slots of others is nobody's business here.
func (f *Filter) wait(call *ck.WaitForSlotEventCall) error {
	if len(f.all()) == 0 && call.Flags&ck.CKF_DONT_BLOCK != 0 {
		return ck.CKR_NO_EVENT
	}
	return ck.CKR_FUNCTION_NOT_SUPPORTED
}

// onSlot passes a call on with the module's own slot in it.
func (f *Filter) onSlot(ctx context.Context, call ck.Call, id *ck.SlotID) error {
	s, ok := f.slot(*id)
	if !ok {
		return ck.CKR_SLOT_ID_INVALID
	}
	if _, init := call.(*ck.InitTokenCall); init && s.readOnly {
		return ck.CKR_TOKEN_WRITE_PROTECTED
	}
	ours := *id
	*id = s.real
	err := f.module.Do(ctx, call)
	*id = ours
	if info, ok := call.(*ck.GetTokenInfoCall); ok && err == nil && s.readOnly {
		info.Info.Flags |= ck.CKF_WRITE_PROTECTED
	}
	return err
}
