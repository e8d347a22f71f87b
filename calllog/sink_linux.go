package calllog

import (
	"errors"
	"runtime"
	"syscall"
	"time"
	"unsafe"
)

// Flags of pwritev2 that package syscall does not have: not to wait, and not to raise SIGPIPE.
const (
	rwfNoWait   = 0x8
	rwfNoSignal = 0x100
	sysPwritev2 = 328
)

// writeNow writes without waiting. Kernels before 6.18, and descriptors that cannot tell whether they would wait, give EOPNOTSUPP.
func writeNow(fd int, b []byte) (int, syscall.Errno) {
	if len(b) == 0 {
		return 0, 0
	}
	v := syscall.Iovec{Base: &b[0]}
	v.SetLen(len(b))
	for {
		n, _, errno := syscall.RawSyscall6(sysPwritev2, uintptr(fd), uintptr(unsafe.Pointer(&v)), 1, ^uintptr(0), ^uintptr(0), rwfNoWait|rwfNoSignal)
		if errno != syscall.EINTR {
			return int(n), errno
		}
	}
}

// fstat is syscall.Fstat without telling the scheduler: it does not wait.
func fstat(fd int, st *syscall.Stat_t) syscall.Errno {
	_, _, errno := syscall.RawSyscall(syscall.SYS_FSTAT, uintptr(fd), uintptr(unsafe.Pointer(st)), 0)
	return errno
}

// sendNow writes to a socket without waiting and without a signal.
func sendNow(fd int, b []byte) int {
	n, _, errno := syscall.RawSyscall6(syscall.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)),
		syscall.MSG_DONTWAIT|syscall.MSG_NOSIGNAL, 0, 0)
	if errno != 0 {
		return 0
	}
	return int(n)
}

// writeReopened writes to a pipe or terminal without waiting: by a descriptor of its own, since the flags of the host's are shared
// with others.
func writeReopened(fd int, b []byte) int {
	path := append([]byte("/proc/self/fd/"), 0)
	path = append(appendNumber(path[:len(path)-1], uint64(fd)), 0)
	const flags = syscall.O_WRONLY | syscall.O_NONBLOCK | syscall.O_NOCTTY | syscall.O_CLOEXEC
	atCwd := -100
	own, _, errno := syscall.RawSyscall6(syscall.SYS_OPENAT, uintptr(atCwd), uintptr(unsafe.Pointer(&path[0])), flags, 0, 0, 0)
	runtime.KeepAlive(path)
	if errno != 0 {
		if !writable(fd) {
			return 0
		}
		return guarded(fd, b[:min(len(b), whole)])
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	old, pending := blockSignals()
	n, _, errno := syscall.RawSyscall(syscall.SYS_WRITE, own, uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)))
	unblockSignals(old, pending)
	_, _, _ = syscall.RawSyscall(syscall.SYS_CLOSE, own, 0, 0)
	if errno != 0 {
		return 0
	}
	return int(n)
}

// pollFD is struct pollfd.
type pollFD struct {
	fd              int32
	events, revents int16
}

const pollOut = 4

// writable tells whether a descriptor takes something now.
func writable(fd int) bool {
	p := pollFD{int32(fd), pollOut, 0}
	n, _, errno := syscall.RawSyscall(syscall.SYS_POLL, uintptr(unsafe.Pointer(&p)), 1, 0)
	return errno == 0 && n == 1 && p.revents == pollOut
}

// await waits until a descriptor takes something, or so long; it is false if it never will.
func await(fd int, patience time.Duration) bool {
	p := pollFD{int32(fd), pollOut, 0}
	n, _, errno := syscall.Syscall(syscall.SYS_POLL, uintptr(unsafe.Pointer(&p)), 1, uintptr(patience/time.Millisecond))
	return errno == syscall.EINTR || errno == 0 && (n == 0 || p.revents&^pollOut == 0)
}

// writeSignals are the signals that a write may raise.
const writeSignals uint64 = 1<<(syscall.SIGPIPE-1) | 1<<(syscall.SIGXFSZ-1)

// blockSignals keeps the signals of a write from this thread; the caller must have locked it. It gives the mask that was, and which of
// the signals were pending already.
func blockSignals() (old, pending uint64) {
	set := writeSignals
	_, _, _ = syscall.RawSyscall(syscall.SYS_RT_SIGPENDING, uintptr(unsafe.Pointer(&pending)), 8, 0)
	const block = 0
	_, _, _ = syscall.RawSyscall6(syscall.SYS_RT_SIGPROCMASK, block, uintptr(unsafe.Pointer(&set)), uintptr(unsafe.Pointer(&old)), 8, 0, 0)
	return old, pending & writeSignals
}

// unblockSignals forgets the signals that came meanwhile and puts the mask back.
func unblockSignals(old, pending uint64) {
	if set := writeSignals &^ pending; set != 0 {
		var none syscall.Timespec
		_, _, _ = syscall.RawSyscall6(syscall.SYS_RT_SIGTIMEDWAIT, uintptr(unsafe.Pointer(&set)), 0, uintptr(unsafe.Pointer(&none)), 8, 0, 0)
	}
	const setMask = 2
	_, _, _ = syscall.RawSyscall6(syscall.SYS_RT_SIGPROCMASK, setMask, uintptr(unsafe.Pointer(&old)), 0, 8, 0, 0)
}

var (
	errLink    = errors.New("it is a symbolic link of another user")
	errForeign = errors.New("the file belongs to another user")
	errKind    = errors.New("it is a directory or a socket")
)

// foreign tells whether a file belongs to somebody whom a user has no reason to trust.
func foreign(st *syscall.Stat_t, uid uint32) bool { return st.Uid != uid && st.Uid != 0 }

// lowest is the lowest descriptor that the log takes: hosts expect to get low numbers.
const lowest = 64

// open opens the log's file, for who has the lock. A file of another user is refused: it might be there to learn what is logged.
func (s *sink) open() error {
	s.fd = -1
	var limit syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_FSIZE, &limit) == nil {
		s.limited = limit.Cur != ^uint64(0)
	}
	if s.path == "" {
		return nil
	}
	const flags = syscall.O_WRONLY | syscall.O_APPEND | syscall.O_CREAT | syscall.O_CLOEXEC | syscall.O_NOCTTY | syscall.O_NONBLOCK
	uid := uint32(syscall.Geteuid())
	fd, err := syscall.Open(s.path, flags|syscall.O_NOFOLLOW, 0o600)
	if err == syscall.ELOOP {
		var st syscall.Stat_t
		if err := syscall.Lstat(s.path, &st); err != nil {
			return err
		}
		if foreign(&st, uid) {
			return errLink
		}
		fd, err = syscall.Open(s.path, flags, 0o600)
	}
	if err != nil {
		return err
	}
	var st syscall.Stat_t
	switch err = syscall.Fstat(fd, &st); {
	case err != nil:
	case st.Mode&syscall.S_IFMT == syscall.S_IFREG && foreign(&st, uid):
		err = errForeign
	case st.Mode&syscall.S_IFMT == syscall.S_IFDIR || st.Mode&syscall.S_IFMT == syscall.S_IFSOCK:
		err = errKind
	}
	if err != nil {
		_ = syscall.Close(fd)
		return err
	}
	for _, least := range [...]uintptr{lowest, 3} {
		if high, _, errno := syscall.RawSyscall(syscall.SYS_FCNTL, uintptr(fd), syscall.F_DUPFD_CLOEXEC, least); errno == 0 {
			_ = syscall.Close(fd)
			fd = int(high)
			break
		}
	}
	s.fd, s.file = fd, identity{st.Dev, st.Ino}
	s.kind.Store(st.Mode & syscall.S_IFMT)
	return nil
}
