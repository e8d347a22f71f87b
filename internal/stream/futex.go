package stream

import (
	"sync/atomic"
	"syscall"
	"unsafe"
)

// Operations of futex(2), for the memory of one process.
const (
	futexWait = 128
	futexWake = 129
)

// sleep waits until the word is woken, if it has a value.
func sleep(word *atomic.Uint32, value uint32) {
	_, _, _ = syscall.Syscall6(syscall.SYS_FUTEX, uintptr(unsafe.Pointer(word)), futexWait, uintptr(value), 0, 0, 0)
}

// wake wakes one that sleeps.
func wake(word *atomic.Uint32) {
	_, _, _ = syscall.RawSyscall6(syscall.SYS_FUTEX, uintptr(unsafe.Pointer(word)), futexWake, 1, 0, 0, 0)
}

// A Waiter has one goroutine wait for others by a system call: its thread sleeps. The zero Waiter is ready.
type Waiter struct{ woken atomic.Uint32 }

// Wait waits for Wake, which may have come already. It is for one goroutine.
func (w *Waiter) Wait() {
	for !w.woken.CompareAndSwap(1, 0) {
		sleep(&w.woken, 0)
	}
}

// Wake has Wait return, or the next Wait where nobody waits.
func (w *Waiter) Wake() {
	if w.woken.Swap(1) == 0 {
		wake(&w.woken)
	}
}

// States of a Mutex.
const (
	unlocked = iota
	locked
	contended // locked, and perhaps waited for
)

// tries is how often a locked Mutex is looked at before the thread sleeps: most are locked for less time than it takes to fall asleep.
const tries = 100

// A Mutex is a lock that is waited for by a system call: the thread sleeps. The zero Mutex is unlocked.
type Mutex struct{ state atomic.Uint32 }

// Lock takes the lock.
func (m *Mutex) Lock() {
	for range tries {
		if m.state.Load() == unlocked && m.TryLock() {
			return
		}
	}
	for m.state.Swap(contended) != unlocked {
		sleep(&m.state, contended)
	}
}

// TryLock takes the lock if it is free, and tells whether it was.
func (m *Mutex) TryLock() bool { return m.state.CompareAndSwap(unlocked, locked) }

// Unlock gives the lock back.
func (m *Mutex) Unlock() {
	if m.state.Swap(unlocked) == contended {
		wake(&m.state)
	}
}
