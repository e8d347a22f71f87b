package rpc

import "sync"

// A Waiter has one goroutine wait for others.
type Waiter interface {
	// Wait waits for Wake, which may have come already. It is for one goroutine.
	Wait()
	// Wake has Wait return, or the next Wait where nobody waits. Who wakes does so once for each Wait.
	Wake()
}

// A Mutex is a lock, such as [sync.Mutex].
type Mutex interface {
	sync.Locker
	// TryLock takes the lock if it is free, and tells whether it was.
	TryLock() bool
}

// A channel is a Waiter for programs in Go.
type channel chan struct{}

// Wait implements Waiter.
func (c channel) Wait() { <-c }

// Wake implements Waiter.
func (c channel) Wake() { c <- struct{}{} }

// newChannel is Options.NewWaiter where there is none.
func newChannel() Waiter { return make(channel, 1) }

// newMutex is Options.NewMutex where there is none.
func newMutex() Mutex { return new(sync.Mutex) }
