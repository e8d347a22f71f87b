package server

import (
	"os"
	"sync"
	"syscall"

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

// awaitEnd waits until a process has ended, by a descriptor of it (pidfd_open(2)) which it closes, and without a thread. It returns at
// once where that cannot be: who waits otherwise has a thread.
func awaitEnd(process int) {
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
	_ = raw.Read(func(fd uintptr) bool { // fails where it cannot wait
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 0)
		return n != 0 || err != nil && err != unix.EINTR
	})
}
