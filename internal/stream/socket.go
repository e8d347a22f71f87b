package stream

import (
	"io"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// A Socket is a connected stream socket, and a connection for a client of package rpc. When a time is over it gives
// syscall.ETIMEDOUT; a negative time is for ever. Reading and writing happen at the same time, each by one goroutine at a time.
type Socket struct {
	fd     int
	closed atomic.Bool
	use    sync.RWMutex // read by who uses fd; fd is closed when it can be written
}

// NewSocket makes a Socket of a descriptor, which it owns from now on. Whether the descriptor blocks does not matter.
func NewSocket(fd int) *Socket { return &Socket{fd: fd} }

// enter keeps the descriptor open until leave.
func (s *Socket) enter() error {
	s.use.RLock()
	if s.closed.Load() {
		s.use.RUnlock()
		return syscall.EBADF
	}
	return nil
}

func (s *Socket) leave() { s.use.RUnlock() }

// Read reads at least one octet; at the end it gives io.EOF.
func (s *Socket) Read(p []byte, timeout time.Duration) (int, error) {
	if err := s.enter(); err != nil {
		return 0, err
	}
	defer s.leave()
	if err := await(s.fd, pollIn, timeout); err != nil {
		return 0, err
	}
	return read(s.fd, p)
}

// Write writes all of p. Where nobody reads any more it gives EPIPE, and the thread gets no SIGPIPE.
func (s *Socket) Write(p []byte, timeout time.Duration) error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.leave()
	deadline := time.Now().Add(timeout)
	for len(p) > 0 {
		n, err := send(s.fd, p, syscall.MSG_DONTWAIT)
		if err == syscall.EAGAIN {
			left := timeout
			if timeout >= 0 {
				left = max(time.Until(deadline), 0)
			}
			err = await(s.fd, pollOut, left)
		}
		if err != nil {
			return err
		}
		p = p[n:]
	}
	return nil
}

// Close closes the descriptor, and ends what is being read or written. Who is reading or writing is woken before the descriptor is closed, so that nobody uses the number
// when it is given to another file.
func (s *Socket) Close() error {
	if s.closed.Swap(true) {
		return syscall.EBADF
	}
	_ = syscall.Shutdown(s.fd, syscall.SHUT_RDWR) // fails where the peer is gone, and then nobody waits
	s.use.Lock()
	defer s.use.Unlock()
	return syscall.Close(s.fd)
}

// read reads at least one octet.
func read(fd int, p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for {
		switch n, err := syscall.Read(fd, p); {
		case err == syscall.EINTR:
		case err == syscall.EAGAIN:
			if err := await(fd, pollIn, forever); err != nil {
				return 0, err
			}
		case err != nil:
			return 0, err
		case n == 0:
			return 0, io.EOF
		default:
			return n, nil
		}
	}
}

// send sends to a socket without SIGPIPE.
func send(fd int, p []byte, flags int) (int, error) {
	for {
		n, err := syscall.SendmsgN(fd, p, nil, nil, flags|syscall.MSG_NOSIGNAL)
		if err != syscall.EINTR {
			return max(n, 0), err
		}
	}
}

// await waits until a descriptor is ready, or has come to its end.
func await(fd int, events int16, timeout time.Duration) error {
	ready, err := poll(fd, events, timeout)
	if err == nil && !ready {
		err = syscall.ETIMEDOUT
	}
	return err
}
