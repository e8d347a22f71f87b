package calllog

import (
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// A sink is where a log goes. It never waits for a reader: what a pipe or terminal does not take at once waits in a queue, and what that
// has no room for is dropped and counted. The descriptor of standard error is the host's, and so are its flags.
type sink struct {
	path   string // "" for standard error
	notice func(b []byte, dropped uint64) []byte

	kind    atomic.Uint32 // what the descriptor was last seen to be, S_IFREG and so on; 0: not known
	limited bool          // the process has a limit on the size of files

	// Writers of short records go side by side: the kernel takes a record whole. One that could be torn, and all while something is in
	// disorder, go one after the other.
	slow   atomic.Bool
	beside atomic.Int32

	mu       sync.Mutex
	fd       int // of path; guarded by mu, and by beside
	file     identity
	queue    []byte // what has not been taken, in whole lines but for the first
	dropped  uint64 // records since
	emptying bool   // somebody waits for the reader, to empty the queue
}

// identity tells one open file from another: a host may close a descriptor that it does not know, and use its number for something else.
type identity struct{ dev, ino uint64 }

// olderKernel tells that the kernel does not know how to write without waiting and without signals.
var olderKernel atomic.Bool

// whole is how much a pipe takes at once or not at all (PIPE_BUF).
const whole = 4096

// write writes one record, or counts it as dropped.
func (s *sink) write(b []byte) {
	if len(b) <= whole && !s.slow.Load() {
		s.beside.Add(1)
		if !s.slow.Load() {
			n := s.put(b)
			s.beside.Add(-1)
			if n == len(b) {
				return
			}
			if n > 0 {
				s.lock()
				s.keep(b, n)
				s.settle()
				s.mu.Unlock()
				return
			}
		} else {
			s.beside.Add(-1)
		}
	}
	s.lock()
	defer s.mu.Unlock()
	if s.flush() {
		s.keep(b, s.put(b))
	} else {
		s.keep(b, 0)
	}
	s.settle()
}

// lock takes the lock and waits for those who write beside it.
func (s *sink) lock() {
	s.mu.Lock()
	s.slow.Store(true)
	for s.beside.Load() != 0 {
		_, _, _ = syscall.RawSyscall(syscall.SYS_SCHED_YIELD, 0, 0, 0)
	}
}

// settle ends the disorder if there is none left, and else has somebody wait for the reader. The lock must be held.
func (s *sink) settle() {
	waiting := len(s.queue) > 0 || s.dropped > 0
	s.slow.Store(waiting)
	if waiting && !s.emptying && len(s.queue) > 0 {
		s.emptying = true
		go s.empty()
	}
}

// maxQueue is how much waits for a reader, in octets.
const maxQueue = 256 << 10

// keep puts a record of which n octets were taken into the queue, or counts it as dropped. The lock must be held.
func (s *sink) keep(b []byte, n int) {
	switch {
	case n == len(b):
	case n > 0, s.dropped == 0 && len(s.queue)+len(b) <= maxQueue:
		s.queue = append(s.queue, b[n:]...)
	default:
		s.dropped++
	}
}

// flush writes what waits; it tells whether all is out. The lock must be held.
func (s *sink) flush() bool {
	if len(s.queue) > 0 {
		n := s.put(s.queue)
		s.queue = append(s.queue[:0], s.queue[n:]...)
	}
	if s.dropped > 0 && len(s.queue) < maxQueue/2 {
		s.queue = s.notice(s.queue, s.dropped)
		s.dropped = 0
		n := s.put(s.queue)
		s.queue = append(s.queue[:0], s.queue[n:]...)
	}
	if len(s.queue) > 0 || s.dropped > 0 {
		return false
	}
	if cap(s.queue) > maxKept {
		s.queue = nil
	}
	return true
}

// empty waits for the reader until the queue is empty, or there is no reader any more.
func (s *sink) empty() {
	for s.emptyOnce(time.Minute) {
	}
}

// emptyOnce waits a while for the reader and flushes; it tells whether there is more to do.
func (s *sink) emptyOnce(patience time.Duration) bool {
	reader := await(s.target(), patience)
	s.lock()
	defer s.mu.Unlock()
	if !reader {
		s.queue = nil
	}
	more := !s.flush() && reader && len(s.queue) > 0
	if !more {
		s.emptying = false
	}
	s.slow.Store(len(s.queue) > 0 || s.dropped > 0)
	return more
}

// grace is how long a caller that finalizes waits at most for the log to be read: the process may end then, and the queue with it.
const grace = 200 * time.Millisecond

// finish gives the reader a moment to take what waits for it.
func (s *sink) finish() {
	for end := time.Now().Add(grace); s.slow.Load(); {
		left := time.Until(end)
		if left <= 0 {
			return
		}
		if !await(s.target(), min(left, grace/10)) {
			return
		}
		s.lock()
		s.flush()
		s.slow.Store(len(s.queue) > 0 || s.dropped > 0)
		s.mu.Unlock()
	}
}

// target is the descriptor that the log goes to.
func (s *sink) target() int {
	if s.path == "" {
		return 2
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.fd
}

// put writes as much as goes at once, and tells how much that was.
func (s *sink) put(b []byte) int {
	fd, ok := s.descriptor()
	if !ok {
		return 0
	}
	// A descriptor that is not known to be a file is asked to take all it can at once, which newer kernels do for most kinds.
	tried := false
	if s.kind.Load() != syscall.S_IFREG && !olderKernel.Load() {
		tried = true
		n, errno := writeNow(fd, b)
		switch errno {
		case 0:
			return n
		case syscall.EOPNOTSUPP, syscall.EINVAL, syscall.ENOSYS:
		default:
			return 0
		}
	}
	var st syscall.Stat_t
	if errno := fstat(fd, &st); errno != 0 {
		return 0
	}
	kind := st.Mode & syscall.S_IFMT
	s.kind.Store(kind)
	if isNull := kind == syscall.S_IFCHR && st.Rdev>>8 == 1; tried && (isNull || kind == syscall.S_IFIFO || kind == syscall.S_IFSOCK) {
		olderKernel.Store(true) // these could have done it
	}
	switch kind {
	case syscall.S_IFREG:
		if s.limited {
			return guarded(fd, b)
		}
		return writeAll(fd, b)
	case syscall.S_IFSOCK:
		return sendNow(fd, b)
	case syscall.S_IFCHR:
		if st.Rdev>>8 == 1 { // memory devices: /dev/null and its kin
			return writeAll(fd, b)
		}
	}
	return writeReopened(fd, b)
}

// descriptor gives where to write. The log's own file is looked at each time, and opened again if the host has closed it.
func (s *sink) descriptor() (int, bool) {
	if s.path == "" {
		return 2, true
	}
	var st syscall.Stat_t
	if fd := s.fd; fd >= 0 && fstat(fd, &st) == 0 && s.file == (identity{st.Dev, st.Ino}) {
		return fd, true
	}
	if !s.slow.Load() {
		return -1, false // comes back with the lock
	}
	if s.open() != nil {
		return -1, false
	}
	return s.fd, true
}

// writeAll writes to what takes everything sooner or later.
func writeAll(fd int, b []byte) int {
	done := 0
	for done < len(b) {
		n, err := syscall.Write(fd, b[done:])
		if err == syscall.EINTR {
			continue
		}
		if err != nil || n <= 0 {
			break
		}
		done += n
	}
	return done
}

// guarded writes while the signals that a write can bring about are kept from the host.
func guarded(fd int, b []byte) int {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	old, pending := blockSignals()
	n := writeAll(fd, b)
	unblockSignals(old, pending)
	return n
}
