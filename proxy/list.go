package proxy

import (
	"context"
	"strconv"

	"github.com/p11mux/p11mux/ck"
	"github.com/p11mux/p11mux/module"
)

// How much room a module's list gets when nothing is known of it, and how many slots of one module are believed.
const (
	fewSlots = 16
	maxSlots = 1 << 16
)

// slotList is C_GetSlotList: every module's list is read anew, and the slots are in the order of the modules and of their
// lists. A module that cannot list its slots shows none, and hides nobody else's.
func (p *Proxy) slotList(ctx context.Context, r *running, call *ck.GetSlotListCall) error {
	refresh := call.Slots.Buf == nil
	var all []ck.SlotID
	for i := range p.o.Members {
		if !r.on[i] {
			continue
		}
		ids, err := p.slotsOf(ctx, r, i, call.TokenPresent, refresh)
		if err != nil && r.ended() {
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
//
// refresh has the module look for slots that are new. PKCS#11 3.2 §5.5.1 wants that when a caller asks how many there are,
// and not when it fetches the list: what fitted into the room that it was told to make still fits then.
func (p *Proxy) slotsOf(ctx context.Context, r *running, i int, present, refresh bool) ([]ck.SlotID, error) {
	m := &p.o.Members[i]
	slots, err := list(ctx, m.Module, present, refresh)
	if err != nil {
		if !r.ended() && !p.silent[i].Swap(true) {
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

// A claim is an error: more slots than are believed.
type claim uint64

func (c claim) Error() string { return "it claims " + strconv.FormatUint(uint64(c), 10) + " slots" }

// describe is an error for a message.
func (p *Proxy) describe(err error) string {
	if c, ok := err.(claim); ok {
		return c.Error()
	}
	return p.o.Describe(ck.RVOf(err))
}

// list reads a module's own slot list. It may grow while it is read, so the room grows with it, up to what is believed.
func list(ctx context.Context, m module.Module, present, refresh bool) ([]ck.SlotID, error) {
	call := &ck.GetSlotListCall{TokenPresent: present}
	room := uint64(fewSlots)
	if refresh {
		if err := m.Do(ctx, call); err != nil {
			return nil, err
		}
		if n := call.Slots.N; n <= maxSlots { // a hint; what counts is the list itself
			room = max(room, n)
		}
	}
	for {
		call.Slots.Buf = make([]ck.SlotID, room)
		err := m.Do(ctx, call)
		n := call.Slots.N
		switch {
		case err == nil && n <= room:
			return call.Slots.Bytes(), nil
		case err != nil && ck.RVOf(err) != ck.CKR_BUFFER_TOO_SMALL:
			return nil, err
		case n > maxSlots, room == maxSlots:
			return nil, claim(n)
		}
		room = min(max(n, 2*room), maxSlots)
	}
}
