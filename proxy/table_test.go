package proxy

import (
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/p11mux/p11mux/ck"
)

// Whatever is done to a table, it is what it should be.
func FuzzTable(f *testing.F) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 20 {
		steps := make([]byte, 300)
		for i := range steps {
			steps[i] = byte(random.Uint32())
		}
		f.Add(steps)
	}
	f.Fuzz(func(t *testing.T, steps []byte) {
		table := NewTable()
		type entry struct {
			session
			hidden bool
		}
		model := map[ck.SessionHandle]entry{}
		var all []ck.SessionHandle // every handle that was given out
		for _, step := range steps {
			var handle ck.SessionHandle = 3 // of no session
			if n := int(step / 8); n < len(all) {
				handle = all[len(all)-1-n]
			}
			s, known := model[handle]
			switch step % 8 {
			case 0, 1, 2:
				s := session{member: int(step % 3), real: ck.SessionHandle(step / 16), slot: firstID + ck.SlotID(step/8%4)}
				handle, ok := table.Open(s.member, s.real, s.slot)
				if !ok || handle < firstID || slices.Contains(all, handle) {
					t.Fatalf("Open gives %d, %v", handle, ok)
				}
				model[handle] = entry{session: s}
				all = append(all, handle)
			case 3, 4:
				hidden := table.Hide(handle)
				if hidden != (known && !s.hidden) {
					t.Fatalf("Hide of %+v, %v, gives %v", s, known, hidden)
				}
				if hidden {
					s.hidden = true
					model[handle] = s
				}
			case 5:
				if s.hidden {
					table.Restore(handle)
					s.hidden = false
					model[handle] = s
				}
			case 6:
				if s.hidden {
					table.Drop(handle)
					delete(model, handle)
				}
			case 7:
				if step == 255 {
					table.Clear()
					clear(model)
				}
			}
		}
		bySlot := map[ck.SlotID][]ck.SessionHandle{}
		for _, handle := range append(all, 0, 3) {
			want, known := model[handle]
			known = known && !want.hidden
			member, real, slot, ok := table.Lookup(handle)
			if ok != known || ok && (session{member, real, slot}) != want.session {
				t.Errorf("handle %d is %d %d %d, %v; want %+v, %v", handle, member, real, slot, ok, want, known)
			}
			if known {
				bySlot[slot] = append(bySlot[slot], handle)
			}
		}
		for slot := range ck.SlotID(firstID + 5) {
			var got []ck.SessionHandle
			table.Sessions(slot, func(handle ck.SessionHandle) { got = append(got, handle) })
			if !slices.Equal(got, bySlot[slot]) {
				t.Errorf("on slot %d there are %v, want %v", slot, got, bySlot[slot])
			}
		}
	})
}

// Tables of one process give no handle twice.
func TestHandlesAreUsedOnce(t *testing.T) {
	var mu sync.Mutex
	seen := map[ck.SessionHandle]bool{}
	var wg sync.WaitGroup
	for range 8 {
		table := NewTable()
		wg.Go(func() {
			for range 100 {
				handle, _ := table.Open(0, 1, firstID)
				mu.Lock()
				if seen[handle] {
					t.Errorf("handle %d is given twice", handle)
				}
				seen[handle] = true
				mu.Unlock()
				if !table.Hide(handle) {
					t.Errorf("handle %d cannot be hidden", handle)
				}
				table.Drop(handle)
			}
		})
	}
	wg.Wait()
}
