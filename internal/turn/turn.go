// Package turn lets one thread at a time change something that runs foreign code meanwhile, and refuses where waiting for
// one's turn would be for ever.
package turn

import (
	"runtime"
	"sync"
	"syscall"
)

// A Turn lets one thread at a time change how a module is initialized. The zero Turn is free.
//
// A module may call back while it initializes, and may wait for another module that waits for it. Where waiting would
// never end, because the thread that has the turn waits, through however many others, for this one, Take refuses.
//
// Only a thread that is inside a module's code can be waited for in such a ring, so only those are written down; a
// caller that finds the turn free pays for nothing but a mutex.
type Turn struct {
	mu     sync.Mutex
	inside int // thread that is inside the module's code with this turn, 0 if none; guarded by ring.mu
}

// ring has what is needed to see that threads wait for each other in a circle.
var ring struct {
	mu    sync.Mutex
	depth map[int]int   // thread -> how many turns it is inside a module with
	waits map[int]*Turn // such a thread -> the turn that it waits for
}

// Take waits for the turn. It is false if that would be for ever.
func (t *Turn) Take() bool {
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

// Give passes the turn on.
func (t *Turn) Give() { t.mu.Unlock() }

// Call runs the module's code; the turn must have been taken.
func (t *Turn) Call(module func() error) error {
	// The module calls back on this thread, and there it has to be known.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	thread := syscall.Gettid()
	ring.mu.Lock()
	if ring.depth == nil {
		ring.depth = make(map[int]int)
		ring.waits = make(map[int]*Turn)
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

// Known tells how many threads are inside a module with a turn, and how many of them wait for another one.
func Known() (inside, waiting int) {
	ring.mu.Lock()
	defer ring.mu.Unlock()
	return len(ring.depth), len(ring.waits)
}
