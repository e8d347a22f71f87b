package proxy

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/p11mux/p11mux/ck"
)

// dontBlock asks for an event without waiting.
func dontBlock() *ck.WaitForSlotEventCall {
	return &ck.WaitForSlotEventCall{Flags: ck.CKF_DONT_BLOCK, Slot: 5}
}

// Each event of each module is told once, no module waits for ever behind another, and the slot has the proxy's id, a new
// one if need be (abi.md 11.2, 20).
func TestEvents(t *testing.T) {
	a, b, c := newFake(1), newFake(1), newFake(1)
	h := started(t, []*fake{a, b, c}, nil)
	a.events, c.events = []ck.SlotID{1, 1, 1}, []ck.SlotID{1, 7}
	for _, want := range []ck.SlotID{17, 19, 17, 20, 17} {
		call := dontBlock()
		h.gives("C_WaitForSlotEvent", h.do(call), ck.CKR_OK)
		if call.Slot != want || call.Flags != ck.CKF_DONT_BLOCK {
			t.Errorf("the call is %+v, want slot %d", call, want)
		}
	}
	call := dontBlock()
	h.gives("C_WaitForSlotEvent", h.do(call), ck.CKR_NO_EVENT)
	if call.Slot != 5 {
		t.Errorf("without an event it is in slot %d", call.Slot)
	}
	if key, real, ok := h.o.Slots.Real(20); !ok || key != any(c) || real != 7 {
		t.Errorf("the new id is slot %d, %v", real, ok)
	}
	h.gives("C_WaitForSlotEvent", h.do(&ck.WaitForSlotEventCall{Flags: ck.CKF_DONT_BLOCK, Reserved: 1}), ck.CKR_ARGUMENTS_BAD)
	h.gives("C_WaitForSlotEvent", h.do(&ck.WaitForSlotEventCall{Reserved: 1}), ck.CKR_ARGUMENTS_BAD)
}

// C_Finalize waits until a module that is asked for events has answered. An event that it has told by then is passed on, since
// no module would tell it again.
func TestFinalizeWhileAsked(t *testing.T) {
	for _, flags := range []ck.Flags{0, ck.CKF_DONT_BLOCK} {
		synctest.Test(t, func(t *testing.T) {
			f := newFake(1)
			asked := false
			var h *house
			h = started(t, []*fake{f}, func(o *Options) {
				o.Members[0].Module = instead(f, func(call ck.Call) error {
					switch c := call.(type) {
					case *ck.FinalizeCall:
						if asked {
							t.Error("the module is finalized while it is asked")
						}
					case *ck.WaitForSlotEventCall:
						asked = true
						// From inside the member it would wait for itself.
						h.gives("C_Finalize", h.Finalize(t.Context()), ck.CKR_FUNCTION_FAILED)
						go func() { h.gives("C_Finalize", h.Finalize(t.Context()), ck.CKR_OK) }()
						time.Sleep(time.Hour)
						asked = false
						c.Slot = 1
						return errDone
					}
					return nil
				})
			})
			call := &ck.WaitForSlotEventCall{Flags: flags}
			h.gives("C_WaitForSlotEvent", h.do(call), ck.CKR_OK)
			if call.Slot != firstID {
				t.Errorf("the event is in slot %d, want %d", call.Slot, firstID)
			}
			synctest.Wait()
			h.gives("C_WaitForSlotEvent", h.do(call), ck.CKR_CRYPTOKI_NOT_INITIALIZED)
		})
	}
}

// What is answered when there is no event.
func TestNoEvent(t *testing.T) {
	const none, unsupported = ck.CKR_NO_EVENT, ck.CKR_FUNCTION_NOT_SUPPORTED
	for _, c := range []struct {
		members []ck.RV
		want    ck.RV
	}{
		{[]ck.RV{none}, none},
		{[]ck.RV{unsupported}, unsupported},
		{[]ck.RV{unsupported, none}, none},
		{[]ck.RV{none, unsupported}, none},
		{[]ck.RV{unsupported, unsupported}, unsupported},
		{[]ck.RV{ck.CKR_DEVICE_ERROR, none}, none},
		{[]ck.RV{none, ck.CKR_DEVICE_ERROR}, none},
		{[]ck.RV{unsupported, ck.CKR_DEVICE_ERROR, ck.CKR_HOST_MEMORY}, ck.CKR_DEVICE_ERROR},
		{[]ck.RV{ck.CKR_HOST_MEMORY}, ck.CKR_HOST_MEMORY},
	} {
		var fakes []*fake
		for _, rv := range c.members {
			f := newFake(1)
			f.hook = answers(ck.FuncWaitForSlotEvent, rv)
			fakes = append(fakes, f)
		}
		h := started(t, fakes, nil)
		h.gives("C_WaitForSlotEvent", h.do(dontBlock()), c.want)
		if c.want != none { // blocking would not help
			h.gives("C_WaitForSlotEvent", h.do(new(ck.WaitForSlotEventCall)), c.want)
		}
		// What one answers hides no other's event.
		last := newFake(1)
		h = started(t, append(fakes, last), func(o *Options) {
			for i, f := range fakes {
				o.Members[i].Module = instead(f, answers(ck.FuncInitialize, ck.CKR_CRYPTOKI_ALREADY_INITIALIZED))
			}
		})
		last.events = []ck.SlotID{1}
		call := dontBlock()
		h.gives("C_WaitForSlotEvent", h.do(call), ck.CKR_OK)
		if want := ck.SlotID(firstID + len(fakes)); call.Slot != want {
			t.Errorf("the event is in slot %d, want %d", call.Slot, want)
		}
	}
}

// Without CKF_DONT_BLOCK the event is waited for.
func TestBlocking(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newFake(1), newFake(1)
		h := started(t, []*fake{a, b}, nil)
		go func() {
			time.Sleep(time.Hour)
			b.set(func() { b.events = append(b.events, 1) })
		}()
		begin := time.Now()
		call := new(ck.WaitForSlotEventCall)
		h.gives("C_WaitForSlotEvent", h.do(call), ck.CKR_OK)
		if call.Slot != 18 || call.Flags != 0 {
			t.Errorf("the call is %+v", call)
		}
		if waited := time.Since(begin); waited < time.Hour || waited > time.Hour+longestPause {
			t.Errorf("it came after %v", waited)
		}
		// It looks often at first, and four times in a second later.
		asked := strings.Count(a.took(), "WaitForSlotEvent")
		if most := int(time.Hour/longestPause) + 10; asked < most-10 || asked > most {
			t.Errorf("the module is asked %d times in an hour", asked)
		}
	})
}

// Several threads that wait, and several modules with many events: each event is told to one thread.
func TestEventsOnce(t *testing.T) {
	for _, flags := range []ck.Flags{0, ck.CKF_DONT_BLOCK} {
		synctest.Test(t, func(t *testing.T) {
			fakes := []*fake{newFake(0), newFake(0), newFake(0)}
			h := started(t, fakes, nil)
			const perModule, threads = 40, 6
			got := make(chan ck.SlotID, len(fakes)*perModule*2)
			for range threads {
				go func() {
					for {
						call := &ck.WaitForSlotEventCall{Flags: flags}
						switch rv := ck.RVOf(h.do(call)); rv {
						case ck.CKR_OK:
							got <- call.Slot
						case ck.CKR_NO_EVENT:
							if flags == 0 {
								t.Error("a blocking call gives CKR_NO_EVENT")
							}
							time.Sleep(20 * time.Millisecond)
						case ck.CKR_CRYPTOKI_NOT_INITIALIZED:
							return
						default:
							t.Errorf("C_WaitForSlotEvent gives %v", rv)
							return
						}
					}
				}()
			}
			for _, f := range fakes {
				go func() {
					for i := range perModule {
						f.set(func() { f.events = append(f.events, ck.SlotID(i)) })
						time.Sleep(time.Duration(i%7) * 10 * time.Millisecond)
					}
				}()
			}
			time.Sleep(time.Minute)
			h.gives("C_Finalize", h.Finalize(t.Context()), ck.CKR_OK)
			time.Sleep(time.Second)
			close(got)
			var slots []ck.SlotID
			for slot := range got {
				slots = append(slots, slot)
			}
			slices.Sort(slots)
			for i, slot := range slots { // each event was in a slot of its own
				if slot != ck.SlotID(firstID+i) {
					t.Fatalf("the events are in slots %v", slots)
				}
			}
			if len(slots) != len(fakes)*perModule {
				t.Errorf("%d events were told, want %d", len(slots), len(fakes)*perModule)
			}
		})
	}
}

// C_Finalize ends all waits at once, as does the context; a proxy of nothing waits for them alone.
func TestWaitEnds(t *testing.T) {
	for _, n := range []int{0, 1, 3} {
		synctest.Test(t, func(t *testing.T) {
			var fakes []*fake
			for range n {
				fakes = append(fakes, newFake(1))
			}
			h := started(t, fakes, nil)
			ctx, cancel := context.WithCancelCause(t.Context())
			cause := errors.New("it takes too long")
			ended := make(chan error, 9)
			for _, ctx := range []context.Context{ctx, t.Context(), t.Context()} {
				go func() { ended <- h.Do(ctx, new(ck.WaitForSlotEventCall)) }()
			}
			time.Sleep(time.Hour)
			synctest.Wait()
			select {
			case err := <-ended:
				t.Fatalf("it ends with %v", err)
			default:
			}
			now := time.Now()
			cancel(cause)
			err := <-ended
			h.gives("C_WaitForSlotEvent", err, ck.CKR_FUNCTION_CANCELED)
			if !errors.Is(err, cause) {
				t.Errorf("the cause is lost: %v", err)
			}
			h.gives("C_Finalize", h.Finalize(t.Context()), ck.CKR_OK)
			for _, f := range fakes {
				f.took()
			}
			for range 2 {
				h.gives("C_WaitForSlotEvent", <-ended, ck.CKR_CRYPTOKI_NOT_INITIALIZED)
			}
			if !time.Now().Equal(now) {
				t.Errorf("it took %v", time.Since(now))
			}
			for _, f := range fakes {
				h.takes(f, "") // nobody is asked after C_Finalize
			}
		})
	}
}
