package managed

import (
	"runtime"
	"sync"
	"syscall"
)

// A turn lets one thread at a time change how a module is initialized.
//
// A module may call back while it initializes, and may wait for another module that waits for it. Where waiting would
// never end, because the thread that has the turn waits, through however many others, for this one, take refuses.
//
// Only a thread that is inside a module's code can be waited for in such a ring, so only those are written down; a
// caller that finds the turn free pays for nothing but a mutex.
type turn struct {
	mu     sync.Mutex
	inside int // thread that is inside the module's code with this turn, 0 if none; guarded by ring.mu
}

// ring has what is needed to see that threads wait for each other in a circle.
var ring struct {
	mu    sync.Mutex
	depth map[int]int   // thread -> how many turns it is inside a module with
	waits map[int]*turn // such a thread -> the turn that it waits for
}

// take waits for the turn. It is false if that would be for ever.
func (t *turn) take() bool {
	if t.mu.TryLock() {
		return true
	}
	// A goroutine that moved to another thread now would take what that one's is for its own.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	thread := syscall.Gettid()
	ring.mu.Lock()
	if ring.depth[thread] == 0 {
		ring.mu.Unlock()
		t.mu.Lock()
		return true
	}
	for at := t; at != nil && at.inside != 0; at = ring.waits[at.inside] {
		if at.inside == thread {
			ring.mu.Unlock()
			return false
		}
	}
	ring.waits[thread] = t
	ring.mu.Unlock()
	t.mu.Lock()
	ring.mu.Lock()
	delete(ring.waits, thread)
	ring.mu.Unlock()
	return true
}

// give passes the turn on.
func (t *turn) give() { t.mu.Unlock() }

// call runs the module's code; the turn must have been taken.
func (t *turn) call(module func() error) error {
	// The module calls back on this thread, and there it has to be known.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	thread := syscall.Gettid()
	ring.mu.Lock()
	if ring.depth == nil {
		ring.depth = make(map[int]int)
		ring.waits = make(map[int]*turn)
	}
	ring.depth[thread]++
	t.inside = thread
	ring.mu.Unlock()
	defer func() {
		ring.mu.Lock()
		t.inside = 0
		if ring.depth[thread]--; ring.depth[thread] == 0 {
			delete(ring.depth, thread)
		}
		ring.mu.Unlock()
	}()
	return module()
}
