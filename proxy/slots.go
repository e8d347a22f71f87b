package proxy

import (
	"sync"

	"github.com/p11mux/p11mux/ck"
)

// firstID is the first slot id and session handle, as in the reference.
const firstID = 17

// Slots gives slots their ids: one for each slot of each module, the same in all instances, for the life of the process.
// A slot that vanishes and returns has its old id. All methods may be called from any goroutine.
type Slots struct {
	mu   sync.Mutex
	ids  map[place]ck.SlotID
	real map[ck.SlotID]place
	next ck.SlotID
	live map[*Proxy]*running // instances that are initialized, to be told of new ids
}

// place is where a slot really is.
type place struct {
	key  any // of the module
	slot ck.SlotID
}

// NewSlots gives Slots without a slot.
func NewSlots() *Slots {
	return &Slots{
		ids:  make(map[place]ck.SlotID),
		real: make(map[ck.SlotID]place),
		next: firstID,
		live: make(map[*Proxy]*running),
	}
}

// ID gives the id of a module's slot, a new one if it has none yet. key is the module's identity (see [Member]).
func (s *Slots) ID(key any, real ck.SlotID) ck.SlotID {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := place{key, real}
	if id, ok := s.ids[p]; ok {
		return id
	}
	id := s.next
	s.set(p, id)
	for p, r := range s.live {
		if i := p.member(r, key); i >= 0 {
			p.o.Table.Slot(id, i, real)
		}
	}
	return id
}

// Real gives the slot behind an id.
func (s *Slots) Real(id ck.SlotID) (key any, real ck.SlotID, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, ok := s.real[id]
	return p.key, p.slot, ok
}

// Adopt takes in an id that was given out before the process was forked. It comes before ids are given out here: a slot
// that has one keeps it, and is known by both, but an id that another slot has stays that one's.
func (s *Slots) Adopt(key any, real, id ck.SlotID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, taken := s.real[id]; taken || id == ck.SlotID(ck.CK_UNAVAILABLE_INFORMATION) {
		return // the latter is never given out, and no id comes after it
	}
	s.set(place{key, real}, id)
}

// set writes down an id; mu must be held.
func (s *Slots) set(p place, id ck.SlotID) {
	if _, ok := s.ids[p]; !ok {
		s.ids[p] = id
	}
	s.real[id] = p
	s.next = max(s.next, id+1)
}

// join tells an instance that is being initialized all ids that it can use, and from now on the new ones.
func (s *Slots) join(p *Proxy, r *running) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.live[p] = r
	for id, at := range s.real {
		if i := p.member(r, at.key); i >= 0 {
			p.o.Table.Slot(id, i, at.slot)
		}
	}
}

// leave ends that.
func (s *Slots) leave(p *Proxy) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.live, p)
}

// of gives the ids of a module's slots.
func (s *Slots) of(key any) []ck.SlotID {
	s.mu.Lock()
	defer s.mu.Unlock()
	var ids []ck.SlotID
	for id, p := range s.real {
		if p.key == key {
			ids = append(ids, id)
		}
	}
	return ids
}
