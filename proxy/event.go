package proxy

import (
	"context"
	"slices"
	"time"

	"github.com/p11mux/p11mux/ck"
)

// How often modules are asked for events while somebody waits. A thread that waits inside a module could be taken out only
// by finalizing the module, under everybody who shares it; so the modules are asked in turn, without waiting.
const (
	firstPause   = 10 * time.Millisecond
	longestPause = 250 * time.Millisecond
)

// wait is C_WaitForSlotEvent (PKCS#11 3.2 §5.5): an event of any module. It ends with C_Finalize, and with the context.
func (p *Proxy) wait(ctx context.Context, r *running, call *ck.WaitForSlotEventCall) error {
	if call.Reserved != 0 {
		return ck.CKR_ARGUMENTS_BAD
	}
	for d := firstPause; ; d = min(2*d, longestPause) {
		err := p.poll(ctx, r, call)
		if err != nil && r.ended() { // an event is not dropped for that: no module would tell it again
			return ck.CKR_CRYPTOKI_NOT_INITIALIZED
		}
		if call.Flags&ck.CKF_DONT_BLOCK != 0 || ck.RVOf(err) != ck.CKR_NO_EVENT {
			return err
		}
		if ctx.Err() != nil {
			return &ck.CallError{Call: "C_WaitForSlotEvent", RV: ck.CKR_FUNCTION_CANCELED, Err: context.Cause(ctx)}
		}
		p.o.Pause(ctx, r.done, d)
		if r.ended() {
			return ck.CKR_CRYPTOKI_NOT_INITIALIZED
		}
	}
}

// pause is Options.Pause with a timer.
func pause(ctx context.Context, done <-chan struct{}, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-done:
	case <-ctx.Done():
	}
}

// poll asks the modules for an event until one has it: what the others have stays with them. It begins behind the one that
// was heard last, so that none starves.
func (p *Proxy) poll(ctx context.Context, r *running, call *ck.WaitForSlotEventCall) error {
	err := error(ck.CKR_CRYPTOKI_NOT_INITIALIZED)
	r.ask(func() { err = p.pollAll(ctx, r, call) })
	return err
}

func (p *Proxy) pollAll(ctx context.Context, r *running, call *ck.WaitForSlotEventCall) error {
	n := len(p.o.Members)
	able := !slices.Contains(r.on, true) // nobody to ask can have no event either
	var failed error
	first := int(p.asked.Load())
	for j := range n {
		i := (first + j) % n
		if !r.on[i] {
			continue
		}
		m := &p.o.Members[i]
		one := ck.WaitForSlotEventCall{Flags: call.Flags | ck.CKF_DONT_BLOCK}
		switch err := m.Module.Do(ctx, &one); ck.RVOf(err) {
		case ck.CKR_OK:
			p.asked.Store(int64(i + 1))
			call.Slot = p.o.Slots.ID(m.Key, one.Slot)
			return nil
		case ck.CKR_NO_EVENT:
			able = true
		case ck.CKR_FUNCTION_NOT_SUPPORTED:
		default:
			if failed == nil {
				failed = err
			}
		}
	}
	switch {
	case able:
		return ck.CKR_NO_EVENT
	case failed != nil:
		return failed
	}
	return ck.CKR_FUNCTION_NOT_SUPPORTED
}
