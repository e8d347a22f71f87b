package proxy

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/p11mux/p11mux/ck"
)

// Events of several modules are reported once each, by the proxy's own ids.
func TestEvents(t *testing.T) {
	a, b := &fake{slots: []ck.SlotID{1, 2}, events: []ck.SlotID{2, 1}}, &fake{slots: []ck.SlotID{1}, events: []ck.SlotID{1, 5}}
	c := &fake{answers: map[ck.Func]ck.RV{ck.FuncWaitForSlotEvent: ck.CKR_DEVICE_ERROR}}
	p := join(t, NewSlots(), a, b, c)
	p.gives(&ck.InitializeCall{}, ck.CKR_OK)
	var got []ck.SlotID
	for _, flags := range []ck.Flags{ck.CKF_DONT_BLOCK, 0, ck.CKF_DONT_BLOCK, 0} {
		call := ck.WaitForSlotEventCall{Flags: flags}
		p.gives(&call, ck.CKR_OK)
		got = append(got, call.Slot)
	}
	p.gives(&ck.WaitForSlotEventCall{Flags: ck.CKF_DONT_BLOCK}, ck.CKR_NO_EVENT)
	p.gives(&ck.WaitForSlotEventCall{Reserved: 1}, ck.CKR_ARGUMENTS_BAD)
	slices.Sort(got)
	if want := []ck.SlotID{17, 18, 19, 20}; !slices.Equal(got, want) {
		t.Errorf("events on %v, want %v", got, want)
	}
	p.list(17, 18, 19)
}

// What no module can do, the proxy cannot.
func TestNoEvents(t *testing.T) {
	a := &fake{answers: map[ck.Func]ck.RV{ck.FuncWaitForSlotEvent: ck.CKR_FUNCTION_NOT_SUPPORTED}}
	p := join(t, NewSlots(), a)
	p.gives(&ck.InitializeCall{}, ck.CKR_OK)
	p.gives(&ck.WaitForSlotEventCall{}, ck.CKR_FUNCTION_NOT_SUPPORTED)
	p.gives(&ck.WaitForSlotEventCall{Flags: ck.CKF_DONT_BLOCK}, ck.CKR_FUNCTION_NOT_SUPPORTED)
}

// Who waits is woken by an event, by C_Finalize, and by the end of the context.
func TestWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := &fake{slots: []ck.SlotID{1}}, &fake{slots: []ck.SlotID{1}}
		p := join(t, NewSlots(), a, b)
		p.gives(&ck.InitializeCall{}, ck.CKR_OK)
		wait := func(ctx context.Context, call *ck.WaitForSlotEventCall) <-chan ck.RV {
			answer := make(chan ck.RV, 1)
			go func() { answer <- ck.RVOf(p.Do(ctx, call)) }()
			time.Sleep(time.Minute)
			select {
			case rv := <-answer:
				t.Errorf("the wait has ended with %v", rv)
			default:
			}
			return answer
		}
		var call ck.WaitForSlotEventCall
		answer := wait(t.Context(), &call)
		b.set(func() { b.events = []ck.SlotID{1} })
		if rv := <-answer; rv != ck.CKR_OK || call.Slot != 18 {
			t.Errorf("%v, slot %d", rv, call.Slot)
		}
		ctx, cancel := context.WithCancel(t.Context())
		answer = wait(ctx, new(ck.WaitForSlotEventCall))
		cancel()
		if rv := <-answer; rv != ck.CKR_FUNCTION_CANCELED {
			t.Errorf("canceled: %v", rv)
		}
		answer = wait(t.Context(), new(ck.WaitForSlotEventCall))
		p.gives(&ck.FinalizeCall{}, ck.CKR_OK)
		if rv := <-answer; rv != ck.CKR_CRYPTOKI_NOT_INITIALIZED {
			t.Errorf("finalized: %v", rv)
		}
	})
}
