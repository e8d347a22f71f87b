package capi

/*
#include "host.h"
*/
import "C"

import (
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/p11mux/p11mux/ck"
	"github.com/p11mux/p11mux/internal/engine"
)

// table is what a proxy instance's stubs translate by (shim/proxy.S), in C memory. They read it while we write, so every
// word is written atomically, in the order that engine_abi.h gives.
type table struct {
	p  *C.struct_p11_proxy
	mu sync.Mutex
	// free are places that had a session; guarded by mu, as all writing to p is.
	free []uint64
}

// serials are the numbers that distinguish the handles of one place, in all instances: a handle of one instance is none of
// another.
var serials atomic.Uint64

// renew gives an instance a number that no instance had.
func (t *table) renew() { t.p.serial = C.uint64_t(serials.Add(1) - 1) }

// outlive has all numbers to come be above those that an instance had before the process was forked.
func outlive(p *C.struct_p11_proxy) {
	for {
		seen := serials.Load()
		if seen > uint64(p.serial) || serials.CompareAndSwap(seen, uint64(p.serial)+1) {
			return
		}
	}
}

// word is a word of C memory that C reads without a lock.
func word[T any](p *T) *uint64 { return (*uint64)(unsafe.Pointer(p)) }

// address is a C pointer as a word.
func address[T any](p *T) uint64 { return uint64(uintptr(unsafe.Pointer(p))) }

// session is the entry in one place.
func (t *table) session(place uint64) *C.struct_p11_session {
	return (*C.struct_p11_session)(unsafe.Add(unsafe.Pointer(t.p.sessions), uintptr(place)*C.sizeof_struct_p11_session))
}

// entry is the place of a handle, nil if no handle is there.
func (t *table) entry(handle ck.SessionHandle) *C.struct_p11_session {
	place := uint64(handle) % C.P11_SESSIONS
	if t.p.sessions == nil || place < C.P11_FIRST_ID {
		return nil
	}
	return t.session(place)
}

// slot is the entry of a slot id; there must be room for it.
func (t *table) slot(id uint64) *C.struct_p11_slot {
	return (*C.struct_p11_slot)(unsafe.Add(unsafe.Pointer(t.p.slots), C.sizeof_struct_p11_slots+uintptr(id)*C.sizeof_struct_p11_slot))
}

// member is one of the instance's modules.
func (t *table) member(i int) *C.struct_p11_member { return &unsafe.Slice(t.p.members, t.p.count)[i] }

// functions are what the stubs call of a module: its own, or those that log the calls.
func (t *table) functions(i int) *C.struct_p11_table {
	m := t.member(i)
	if m.log != nil {
		return &m.log.table
	}
	return &m.record.table
}

// Prepare makes room for sessions; false when there is no memory.
func (t *table) Prepare() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return C.p11_host_proxy_prepare(t.p) == 0
}

// Slot makes a slot id known.
func (t *table) Slot(id ck.SlotID, member int, real ck.SlotID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := uint64(id) + 1
	if C.p11_host_proxy_slots(t.p, C.uint64_t(n)) != 0 {
		return // no memory: calls with it answer CKR_SLOT_ID_INVALID
	}
	record := t.member(member).record
	e := t.slot(uint64(id))
	e.record = record
	atomic.StoreUint64(word(&e.real), uint64(real))
	atomic.StoreUint64(word(&e.table), address(t.functions(member)))
	if uint64(t.p.slots.count) < n {
		atomic.StoreUint64(word(&t.p.slots.count), n)
	}
}

// Open gives a handle for a session; false if all places are taken.
func (t *table) Open(member int, real ck.SessionHandle, slot ck.SlotID) (ck.SessionHandle, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	place := max(uint64(t.p.used), C.P11_FIRST_ID)
	if n := len(t.free); n > 0 {
		// A handle that had this place must not come back.
		place, t.free = t.free[n-1], t.free[:n-1]
		t.renew()
	} else if place < C.P11_SESSIONS {
		t.p.used = C.uint64_t(place + 1)
	} else {
		return 0, false
	}
	handle := uint64(t.p.serial)<<C.P11_SESSION_BITS | place
	e := t.session(place)
	atomic.StoreUint64(word(&e.real), uint64(real))
	atomic.StoreUint64(word(&e.table), address(t.functions(member)))
	atomic.StoreUint64(word(&e.slot), uint64(slot))
	atomic.StoreUint64(word(&e.handle), handle)
	return ck.SessionHandle(handle), true
}

// Lookup translates a handle.
func (t *table) Lookup(handle ck.SessionHandle) (member int, real ck.SessionHandle, slot ck.SlotID, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	e := t.entry(handle)
	if e == nil || uint64(e.handle) != uint64(handle) {
		return 0, 0, 0, false
	}
	for i := range int(t.p.count) {
		if t.functions(i) == e.table {
			return i, ck.SessionHandle(e.real), ck.SlotID(e.slot), true
		}
	}
	return 0, 0, 0, false
}

// Hide makes a handle unknown; false if it is.
func (t *table) Hide(handle ck.SessionHandle) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	e := t.entry(handle)
	return e != nil && atomic.CompareAndSwapUint64(word(&e.handle), uint64(handle), 0)
}

// Restore makes a hidden handle known again.
func (t *table) Restore(handle ck.SessionHandle) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if e := t.entry(handle); e != nil {
		atomic.StoreUint64(word(&e.handle), uint64(handle))
	}
}

// Drop frees the place of a hidden handle.
func (t *table) Drop(handle ck.SessionHandle) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if e := t.entry(handle); e != nil {
		atomic.StoreUint64(word(&e.real), 0)
		t.free = append(t.free, uint64(handle)%C.P11_SESSIONS)
	}
}

// Clear forgets all sessions, and lets no slot be used until Slot names it again. What ids there are stays written, for a
// forked child.
func (t *table) Clear() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for place := uint64(C.P11_FIRST_ID); place < uint64(t.p.used); place++ {
		e := t.session(place)
		atomic.StoreUint64(word(&e.handle), 0)
		atomic.StoreUint64(word(&e.real), 0)
	}
	if t.p.used > 0 {
		t.p.used = 0
		t.renew()
	}
	t.free = nil
	if t.p.slots != nil {
		for id := range uint64(t.p.slots.count) {
			atomic.StoreUint64(word(&t.slot(id).table), 0)
		}
	}
}

// Sessions visits the handles of the sessions on a slot.
func (t *table) Sessions(slot ck.SlotID, visit func(ck.SessionHandle)) {
	var found []ck.SessionHandle
	t.mu.Lock()
	for place := uint64(C.P11_FIRST_ID); place < uint64(t.p.used); place++ {
		if e := t.session(place); e.handle != 0 && ck.SlotID(e.slot) == slot {
			found = append(found, ck.SessionHandle(e.handle))
		}
	}
	t.mu.Unlock()
	for _, handle := range found {
		visit(handle)
	}
}

// known are the slot ids that a process before this one has given out.
func (t *table) known() []engine.KnownSlot {
	var slots []engine.KnownSlot
	if t.p.slots == nil {
		return nil
	}
	for id := range uint64(t.p.slots.count) {
		if e := t.slot(id); e.record != nil {
			slots = append(slots, engine.KnownSlot{List: e.record.list, Real: ck.SlotID(e.real), ID: ck.SlotID(id)})
		}
	}
	return slots
}
