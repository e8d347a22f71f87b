package proxy

import (
	"context"
	"strconv"

	"github.com/p11mux/p11mux/ck"
)

// maxSlots is how many slots of one module are believed.
const maxSlots = 1 << 16

// slotList is C_GetSlotList: every module's list is read anew, and the slots are in the order of the modules and of their
// lists. A module that cannot list its slots shows none, and hides nobody else's.
func (p *Proxy) slotList(ctx context.Context, r *running, call *ck.GetSlotListCall) error {
	var all []ck.SlotID
	for i := range p.o.Members {
		if !r.on[i] {
			continue
		}
		ids, err := p.slotsOf(ctx, i, call.TokenPresent)
		if err != nil && p.now.Load() != r {
			return ck.CKR_CRYPTOKI_NOT_INITIALIZED // meanwhile
		}
		all = append(all, ids...)
	}
	call.Slots.N = uint64(len(all))
	switch {
	case call.Slots.Buf == nil:
		return nil
	case len(call.Slots.Buf) < len(all):
		return ck.CKR_BUFFER_TOO_SMALL
	}
	copy(call.Slots.Buf, all)
	return nil
}

// slotsOf gives the ids of a member's slots. What goes wrong is said once, until it goes well again.
func (p *Proxy) slotsOf(ctx context.Context, i int, present bool) ([]ck.SlotID, error) {
	m := &p.o.Members[i]
	slots, err := list(ctx, m, present)
	if err != nil {
		if !p.silent[i].Swap(true) {
			p.o.Message(m.Name + ": the module's slots are left out, its C_GetSlotList failed: " + p.describe(err))
		}
		return nil, err
	}
	p.silent[i].Store(false)
	for j, real := range slots {
		slots[j] = p.o.Slots.ID(m.Key, real)
	}
	return slots, nil
}

// describe is an error for a message.
func (p *Proxy) describe(err error) string {
	if rv, ok := err.(ck.RV); ok {
		return p.o.Describe(rv)
	}
	return err.Error()
}

// list reads a module's own slot list. A list may grow between the question for its length and the list itself.
func list(ctx context.Context, m *Member, present bool) ([]ck.SlotID, error) {
	for range 8 {
		call := ck.GetSlotListCall{TokenPresent: present}
		if err := m.Module.Do(ctx, &call); err != nil {
			return nil, err
		}
		n := call.Slots.N
		if n > maxSlots {
			return nil, &ck.CallError{RV: ck.CKR_GENERAL_ERROR, Call: "C_GetSlotList", Module: m.Name + " claims " + strconv.FormatUint(n, 10) + " slots"}
		}
		if n == 0 {
			return nil, nil
		}
		call.Slots = ck.Out[ck.SlotID]{Buf: make([]ck.SlotID, n)}
		err := m.Module.Do(ctx, &call)
		if err == nil {
			return call.Slots.Bytes(), nil
		}
		if ck.RVOf(err) != ck.CKR_BUFFER_TOO_SMALL {
			return nil, err
		}
	}
	return nil, ck.CKR_BUFFER_TOO_SMALL
}
