package stream

import (
	"runtime"
	"syscall"
	"unsafe"
)

// A Descriptor is somebody else's descriptor of a pipe, a socket or a file, for reading or writing by one goroutine at a
// time. It implements io.Reader and io.Writer. Whether it blocks does not matter: its methods do.
type Descriptor int

// Read reads at least one octet; at the end it gives io.EOF.
func (d Descriptor) Read(p []byte) (int, error) { return read(int(d), p) }

// Write writes all of p. Where nobody reads any more it gives EPIPE, and the thread gets no SIGPIPE.
func (d Descriptor) Write(p []byte) (int, error) {
	done := 0
	for done < len(p) {
		n, err := send(int(d), p[done:], 0)
		if err == syscall.ENOTSOCK {
			n, err = writeQuietly(int(d), p[done:])
		}
		if err == syscall.EAGAIN {
			err = await(int(d), pollOut, forever)
		}
		if done += n; err != nil {
			return done, err
		}
	}
	return done, nil
}

// A sigset is a set of signals as the kernel has it.
type sigset [8]byte

// sigpipe is the set with SIGPIPE alone.
var sigpipe = func() (s sigset) {
	*(*uint64)(unsafe.Pointer(&s)) = 1 << (syscall.SIGPIPE - 1)
	return s
}()

// What rt_sigprocmask(2) does.
const (
	sigBlock   = 0
	sigSetMask = 2
)

func sigmask(how uintptr, set, old *sigset) {
	_, _, _ = syscall.RawSyscall6(syscall.SYS_RT_SIGPROCMASK, how, uintptr(unsafe.Pointer(set)), uintptr(unsafe.Pointer(old)), unsafe.Sizeof(*set), 0, 0)
}

// pending tells whether SIGPIPE waits to be delivered to the thread or the process.
func pending() bool {
	var s sigset
	_, _, errno := syscall.RawSyscall(syscall.SYS_RT_SIGPENDING, uintptr(unsafe.Pointer(&s)), unsafe.Sizeof(s), 0)
	return errno == 0 && *(*uint64)(unsafe.Pointer(&s))&*(*uint64)(unsafe.Pointer(&sigpipe)) != 0
}

// writeQuietly writes to what is no socket. The SIGPIPE of a pipe that nobody reads goes to the thread that writes, so it is
// blocked there, and taken away again if there was none before.
func writeQuietly(fd int, p []byte) (n int, err error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var before sigset
	sigmask(sigBlock, &sigpipe, &before)
	already := pending()
	for {
		if n, err = syscall.Write(fd, p); err != syscall.EINTR {
			break
		}
	}
	if err == syscall.EPIPE && !already {
		var now syscall.Timespec
		_, _, _ = syscall.RawSyscall6(syscall.SYS_RT_SIGTIMEDWAIT, uintptr(unsafe.Pointer(&sigpipe)), 0,
			uintptr(unsafe.Pointer(&now)), unsafe.Sizeof(sigpipe), 0, 0)
	}
	sigmask(sigSetMask, &before, nil)
	return max(n, 0), err
}
