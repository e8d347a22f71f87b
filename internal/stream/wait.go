package stream

import (
	"context"
	"syscall"
	"time"
)

// Ended waits until the process that a descriptor is of (pidfd_open(2)) has ended, for at most this long.
func Ended(process int, timeout time.Duration) bool {
	ready, err := poll(process, pollIn, timeout)
	return ready && err == nil
}

// Writable waits until a descriptor can be written to or has an error, for at most this long; negative is for ever.
func Writable(fd int, timeout time.Duration) bool {
	ready, err := poll(fd, pollOut, timeout)
	return ready && err == nil
}

// slice is how long who waits takes to notice that the wait is over.
const slice = 20 * time.Millisecond

// Pause waits for a while, or less if done is closed or the context ends, without a timer of the runtime: that would open
// descriptors in the host and die when a daemon closes them.
func Pause(ctx context.Context, done <-chan struct{}, d time.Duration) {
	for ; d > 0; d -= slice {
		select {
		case <-done:
			return
		default:
		}
		if ctx.Err() != nil {
			return
		}
		Sleep(min(d, slice))
	}
}

// Sleep waits for a while by a system call: the timers of the runtime are too coarse. A signal makes it shorter.
func Sleep(d time.Duration) {
	t := syscall.NsecToTimespec(int64(d))
	_ = syscall.Nanosleep(&t, nil)
}
