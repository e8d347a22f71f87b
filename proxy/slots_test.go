package proxy

import (
	"math"
	"sync"
	"testing"

	"github.com/p11mux/p11mux/ck"
)

// A slot has one id, and an id one slot.
func TestSlots(t *testing.T) {
	s := NewSlots()
	type slot struct {
		key  any
		real ck.SlotID
	}
	all := []slot{{"a", 0}, {"a", math.MaxUint64}, {"b", 0}, {new(int), 0}, {7, 17}}
	for range 2 {
		for i, want := range all {
			id := s.ID(want.key, want.real)
			if id != ck.SlotID(firstID+i) {
				t.Errorf("slot %v has id %d, want %d", want, id, firstID+i)
			}
			if key, real, ok := s.Real(id); !ok || (slot{key, real}) != want {
				t.Errorf("id %d is slot %d of %v, %v; want %v", id, real, key, ok, want)
			}
		}
	}
	for _, id := range []ck.SlotID{0, firstID - 1, ck.SlotID(firstID + len(all)), math.MaxUint64} {
		if key, real, ok := s.Real(id); ok {
			t.Errorf("id %d is slot %d of %v, want none", id, real, key)
		}
	}
}

// What a parent gave out stays, and is not given out again.
func TestAdopt(t *testing.T) {
	s := NewSlots()
	s.Adopt("a", 1, 20)
	s.Adopt("a", 2, 18)
	s.Adopt("a", 9, math.MaxUint64) // can be no id
	if a, b, c := s.ID("a", 1), s.ID("a", 2), s.ID("b", 1); a != 20 || b != 18 || c != 21 {
		t.Errorf("the ids are %d %d %d, want 20 18 21", a, b, c)
	}
	// Too late: what has an id keeps it.
	s.Adopt("b", 1, 30)
	s.Adopt("c", 5, 20)
	for id, want := range map[ck.SlotID]any{20: "a", 21: "b", 30: "b"} {
		if key, real, ok := s.Real(id); !ok || key != want || real != 1 {
			t.Errorf("id %d is slot %d of %v, %v; want 1 of %v", id, real, key, ok, want)
		}
	}
	if a, b := s.ID("b", 1), s.ID("c", 5); a != 21 || b != 31 {
		t.Errorf("the ids are %d %d, want 21 31", a, b)
	}
}

// All threads that ask for a slot at once get the same id.
func TestSlotsAtOnce(t *testing.T) {
	s := NewSlots()
	var wg sync.WaitGroup
	var got [8][100]ck.SlotID
	for n := range got {
		wg.Go(func() {
			for i := range got[n] {
				got[n][i] = s.ID("a", ck.SlotID(i))
				s.Adopt("b", ck.SlotID(i), 1000)
				if _, real, ok := s.Real(got[n][i]); !ok || real != ck.SlotID(i) {
					t.Errorf("id %d is slot %d, %v", got[n][i], real, ok)
				}
			}
		})
	}
	wg.Wait()
	for n := range got {
		if got[n] != got[0] {
			t.Errorf("the ids are %v and %v", got[0], got[n])
		}
	}
	seen := map[ck.SlotID]bool{1000: true}
	for _, id := range append(got[0][:], s.ID("c", 0)) {
		if seen[id] {
			t.Errorf("id %d is given twice", id)
		}
		seen[id] = true
	}
}
