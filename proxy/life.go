package proxy

import (
	"context"
	"runtime"
	"sync"
	"syscall"

	"github.com/p11mux/p11mux/ck"
)

// running is one initialization of an instance.
type running struct {
	on     []bool        // members that are initialized
	theirs []bool        // of them, those that somebody else initialized, past all counting
	done   chan struct{} // closed by C_Finalize, before a member is finalized

	mu     sync.Mutex
	over   bool           // guarded by mu
	calls  sync.WaitGroup // those that open and close sessions or ask for events; none is added once it is over
	asking map[int]int    // thread -> how often it is inside a member that it asks for events; guarded by mu
}

// enter lets a call in that opens or closes sessions, until it calls leave. C_Finalize waits for it: then every session is
// either in the table or was never opened.
//
// A lock that C_Finalize takes for writing would do that too, but a module that comes back from its C_OpenSession would
// hang when another thread finalizes meanwhile; so it is refused.
func (p *Proxy) enter() (*running, error) {
	r := p.now.Load()
	if r == nil {
		return nil, ck.CKR_CRYPTOKI_NOT_INITIALIZED
	}
	if !r.enter() {
		return nil, ck.CKR_CRYPTOKI_NOT_INITIALIZED
	}
	return r, nil
}

// enter lets a call in, unless C_Finalize has begun.
func (r *running) enter() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.over {
		return false
	}
	r.calls.Add(1)
	return true
}

// leave ends what enter began.
func (r *running) leave() { r.calls.Done() }

// ask runs a member's code that looks for events, unless C_Finalize has begun. C_Finalize waits for it, since modules do not
// bear to be finalized meanwhile, so one that comes from inside that code has to be known.
func (r *running) ask(member func()) bool {
	if !r.enter() {
		return false
	}
	defer r.leave()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	thread := syscall.Gettid()
	r.count(thread, 1)
	defer r.count(thread, -1)
	member()
	return true
}

// count adds to what is known of a thread that asks.
func (r *running) count(thread, n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.asking == nil {
		r.asking = make(map[int]int)
	}
	if r.asking[thread] += n; r.asking[thread] == 0 {
		delete(r.asking, thread)
	}
}

// inside tells whether this thread is inside a member that it asks for events.
func (r *running) inside() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.asking[syscall.Gettid()] != 0
}

// end refuses whoever comes from now on, wakes those who wait for events, and waits for those that have entered.
func (r *running) end() {
	r.mu.Lock()
	r.over = true
	r.mu.Unlock()
	close(r.done)
	r.calls.Wait()
}

// ended tells whether C_Finalize has begun. A member's answers mean nothing then.
func (r *running) ended() bool {
	select {
	case <-r.done:
		return true
	default:
		return false
	}
}

// Initialize is C_Initialize: all members are initialized, in their order. One that cannot be is left out, and tried again
// the next time; if it is critical, its answer is the proxy's. CKR_CRYPTOKI_ALREADY_INITIALIZED if the instance is;
// CKR_FUNCTION_FAILED if called from inside the C_Initialize or C_Finalize of one of its own members.
func (p *Proxy) Initialize(ctx context.Context, args *ck.InitializeArgs) error {
	if !p.turn.Take() {
		p.o.Message("p11-kit initialization called recursively")
		return ck.CKR_FUNCTION_FAILED
	}
	defer p.turn.Give()
	switch {
	case p.now.Load() != nil:
		return ck.CKR_CRYPTOKI_ALREADY_INITIALIZED
	case args != nil && (args.Reserved != 0 || !args.Complete()):
		return ck.CKR_ARGUMENTS_BAD // PKCS#11 3.2 §5.4.1
	}
	n := len(p.o.Members)
	r := &running{on: make([]bool, n), theirs: make([]bool, n), done: make(chan struct{})}
	err := p.turn.Call(func() error { return p.start(ctx, r) })
	if err != nil {
		return err
	}
	p.o.Slots.join(p, r)
	p.now.Store(r)
	p.o.Initialized(true)
	return nil
}

// start initializes the members and looks at their slots.
func (p *Proxy) start(ctx context.Context, r *running) error {
	for i := range p.o.Members {
		m := &p.o.Members[i]
		switch err := m.Module.Do(ctx, new(ck.InitializeCall)); {
		case err == nil:
			r.on[i] = true
		case ck.RVOf(err) == ck.CKR_CRYPTOKI_ALREADY_INITIALIZED:
			// Past all sharing, by somebody who will finalize it.
			r.on[i], r.theirs[i] = true, true
		case m.Critical:
			p.o.Message(m.Name + ": module failed to initialize: " + p.o.Describe(ck.RVOf(err)))
			p.stop(ctx, r)
			return err
		default:
			p.o.Message(m.Name + ": module failed to initialize, skipping: " + p.o.Describe(ck.RVOf(err)))
		}
	}
	// The ids of what is there from the start are in the order of the members.
	for i := range p.o.Members {
		if r.on[i] {
			_, _ = p.slotsOf(ctx, r, i, false, true)
		}
	}
	return nil
}

// Finalize is C_Finalize: the instance's sessions are closed, who waits for a slot event stops waiting, and the members are
// finalized. What they answer is not passed on. CKR_CRYPTOKI_NOT_INITIALIZED if the instance is not initialized;
// CKR_FUNCTION_FAILED if called from inside the C_Initialize, C_Finalize or C_WaitForSlotEvent of one of its own members. It
// waits for calls that are inside a member's C_WaitForSlotEvent or open and close sessions, so it must not be called from
// inside one of the latter.
func (p *Proxy) Finalize(ctx context.Context) error {
	if r := p.now.Load(); r != nil && r.inside() || !p.turn.Take() {
		p.o.Message("p11-kit finalization called recursively")
		return ck.CKR_FUNCTION_FAILED
	}
	defer p.turn.Give()
	r := p.now.Load()
	if r == nil {
		return ck.CKR_CRYPTOKI_NOT_INITIALIZED
	}
	p.now.Store(nil)
	p.o.Initialized(false)
	r.end()
	p.o.Slots.leave(p)
	_ = p.turn.Call(func() error {
		p.closeOpen(ctx, r)
		p.stop(ctx, r)
		return nil
	})
	p.o.Table.Clear()
	return nil
}

// stop finalizes the members that this instance has initialized.
func (p *Proxy) stop(ctx context.Context, r *running) {
	for i := range p.o.Members {
		if r.on[i] && !r.theirs[i] {
			_ = p.o.Members[i].Module.Do(ctx, new(ck.FinalizeCall))
		}
	}
}

// closeOpen closes the sessions that no C_Finalize of ours will.
func (p *Proxy) closeOpen(ctx context.Context, r *running) {
	for i := range p.o.Members {
		if !r.theirs[i] {
			continue
		}
		for _, id := range p.o.Slots.of(p.o.Members[i].Key) {
			p.closeAll(ctx, id)
		}
	}
}

// Close finalizes the instance, if it is initialized. Closing twice is harmless.
func (p *Proxy) Close(ctx context.Context) error {
	if err := p.Finalize(ctx); err != nil && ck.RVOf(err) != ck.CKR_CRYPTOKI_NOT_INITIALIZED {
		return err
	}
	return nil
}
