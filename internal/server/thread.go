package server

import (
	"errors"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Go's runtime ends a process that gets no thread, and the number of threads is part of what a user's processes are limited to. So the
// process that listens makes its threads when it begins, and then needs no more of them however many clients there are.

// spareThreads is how many threads there are beside those that run Go code.
const spareThreads = 12

// reserveThreads has the runtime make threads, which it keeps.
func reserveThreads() {
	var ends [2]int
	if syscall.Pipe2(ends[:], syscall.O_CLOEXEC) != nil {
		return // nor will there be descriptors for clients
	}
	var all, begun sync.WaitGroup
	for range spareThreads {
		begun.Add(1)
		all.Go(func() {
			begun.Done()
			_, _ = syscall.Read(ends[0], make([]byte, 1)) // until the other end is closed
		})
	}
	begun.Wait()
	_ = syscall.Close(ends[1])
	all.Wait()
	_ = syscall.Close(ends[0])
}

// recheck is how often it is looked whether a process has ended, beside when the poller tells.
const recheck = 2 * time.Second

// awaitEnd waits until a child has ended, which is still to be reaped, by a descriptor of it (pidfd_open(2)) which it closes, and without a
// thread. It returns at once where that cannot be: who waits otherwise has a thread.
func awaitEnd(pid, process int) {
	if process < 0 {
		return
	}
	_ = unix.SetNonblock(process, true) // or it is not waited for without a thread
	f := os.NewFile(uintptr(process), "process")
	defer f.Close()
	raw, err := f.SyscallConn()
	if err != nil {
		return
	}
	// The poller tells of each change once. Nobody shall be left over where that was too early, while threads of the process were on
	// their way out still.
	for err = os.ErrDeadlineExceeded; errors.Is(err, os.ErrDeadlineExceeded) && !hasEnded(pid); {
		if err = f.SetReadDeadline(time.Now().Add(recheck)); err == nil {
			err = raw.Read(func(uintptr) bool { return hasEnded(pid) })
		}
	}
}

// hasEnded tells whether a child has ended, and leaves it to be reaped.
func hasEnded(pid int) bool {
	var info unix.Siginfo
	err := unix.Waitid(unix.P_PID, pid, &info, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil)
	return err == nil && info.Signo != 0 || err != nil && err != unix.EINTR
}
