package proxy

import (
	"slices"
	"sync"
	"sync/atomic"

	"github.com/p11mux/p11mux/ck"
)

// A Table has the sessions of an instance: handles, and what they stand for. It is told the slots too, for who translates
// beside the proxy. All methods may be called from any goroutine, and must not call the proxy.
type Table interface {
	// Slot makes a slot id known: that of a slot of a member, by the member's place in Options.Members.
	Slot(id ck.SlotID, member int, real ck.SlotID)
	// Open gives a handle for a member's session; false when there is no room. No handle comes back, ever.
	Open(member int, real ck.SessionHandle, slot ck.SlotID) (ck.SessionHandle, bool)
	// Lookup translates a handle.
	Lookup(handle ck.SessionHandle) (member int, real ck.SessionHandle, slot ck.SlotID, ok bool)
	// Hide makes a handle unknown while its session is being closed. Of two who do, one is told false.
	Hide(handle ck.SessionHandle) bool
	// Restore makes a hidden handle known again: its session could not be closed.
	Restore(handle ck.SessionHandle)
	// Drop is told that the session of a hidden handle is closed.
	Drop(handle ck.SessionHandle)
	// Clear forgets all sessions and slots.
	Clear()
	// Sessions visits the sessions on a slot; visit may call the Table.
	Sessions(slot ck.SlotID, visit func(handle ck.SessionHandle))
}

// handles counts the handles that tables in Go's memory have given out. They count together, so that a handle of one
// instance is none in another.
var handles atomic.Uint64

// NewTable gives a Table in Go's memory. Its handles are used once in a process, from 17 up.
func NewTable() Table { return new(table) }

type table struct {
	mu     sync.RWMutex
	open   map[ck.SessionHandle]session
	hidden map[ck.SessionHandle]session
}

type session struct {
	member int
	real   ck.SessionHandle
	slot   ck.SlotID
}

func (t *table) Slot(ck.SlotID, int, ck.SlotID) {}

func (t *table) Open(member int, real ck.SessionHandle, slot ck.SlotID) (ck.SessionHandle, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.open == nil {
		t.open = make(map[ck.SessionHandle]session)
		t.hidden = make(map[ck.SessionHandle]session)
	}
	handle := ck.SessionHandle(firstID - 1 + handles.Add(1))
	t.open[handle] = session{member, real, slot}
	return handle, true
}

func (t *table) Lookup(handle ck.SessionHandle) (member int, real ck.SessionHandle, slot ck.SlotID, ok bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	s, ok := t.open[handle]
	return s.member, s.real, s.slot, ok
}

func (t *table) Hide(handle ck.SessionHandle) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	s, ok := t.open[handle]
	if ok {
		delete(t.open, handle)
		t.hidden[handle] = s
	}
	return ok
}

func (t *table) Restore(handle ck.SessionHandle) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if s, ok := t.hidden[handle]; ok {
		delete(t.hidden, handle)
		t.open[handle] = s
	}
}

func (t *table) Drop(handle ck.SessionHandle) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.hidden, handle)
}

func (t *table) Clear() {
	t.mu.Lock()
	defer t.mu.Unlock()
	clear(t.open)
	clear(t.hidden)
}

func (t *table) Sessions(slot ck.SlotID, visit func(ck.SessionHandle)) {
	t.mu.RLock()
	var handles []ck.SessionHandle
	for handle, s := range t.open {
		if s.slot == slot {
			handles = append(handles, handle)
		}
	}
	t.mu.RUnlock()
	slices.Sort(handles) // as they were opened
	for _, handle := range handles {
		visit(handle)
	}
}
