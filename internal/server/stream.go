package server

import (
	"errors"
	"io"
	"sync/atomic"
	"syscall"
	"time"
)

// A connection is the worker's end of a client's socket. Reads and writes block in the kernel, which knows how long they may take: a
// client that calls and waits is so served without a poller in between.
type connection struct {
	fd    int
	idle  time.Duration // so long may there be nothing to do; 0 for ever
	stall time.Duration // so long may a message take; 0 for ever
	calls gauge
	end   func() // told when there is nothing more to read

	rest     bool          // what is read next is the rest of something
	left     time.Duration // so long may the rest be waited for still, where there is a limit
	patience time.Duration
}

// maxWrite is how many octets are written at once: a client's time is looked at in between.
const maxWrite = 64 << 10

func newConnection(fd int, s *Service) (*connection, error) {
	c := &connection{fd: fd, idle: s.Idle, stall: s.Stall}
	if err := syscall.SetNonblock(fd, false); err != nil {
		return nil, err
	}
	if c.stall > 0 {
		if err := c.setTime(syscall.SO_SNDTIMEO, c.stall); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// setTime says how long the kernel waits for one read or write, 0 for ever.
func (c *connection) setTime(option int, d time.Duration) error {
	t := syscall.NsecToTimeval(int64(d))
	if d > 0 && t.Sec == 0 && t.Usec == 0 {
		t.Usec = 1
	}
	return syscall.SetsockoptTimeval(c.fd, syscall.SOL_SOCKET, option, &t)
}

// wait is told before a read what is to come. The time for the rest is what is spent in reading it: a client is not to blame for
// that in which nobody reads.
func (c *connection) wait(rest bool) {
	if rest && !c.rest {
		c.left = c.stall
	}
	c.rest = rest
}

var (
	errIdle = errors.New("the client has not called for too long")
	errSlow = errors.New("the client is too slow")
)

// Read implements io.Reader. A client that is silent for too long gives errIdle, and one that is too slow errSlow.
func (c *connection) Read(p []byte) (int, error) {
	for {
		if err := c.arm(); err != nil {
			c.end()
			return 0, err
		}
		timed := c.rest && c.stall > 0
		var began time.Time
		if timed {
			began = time.Now()
		}
		n, err := syscall.Read(c.fd, p)
		if timed {
			c.left -= time.Since(began)
		}
		switch {
		case err == syscall.EINTR:
		case err == syscall.EAGAIN:
			if !c.rest && c.calls.busyFor(c.idle) {
				continue // it waits for an answer
			}
			c.end()
			if c.rest {
				return 0, errSlow
			}
			return 0, errIdle
		case err != nil:
			c.end()
			return 0, err
		case n == 0:
			c.end()
			return 0, io.EOF
		default:
			return n, nil
		}
	}
}

// arm has the kernel wait as long as it may.
func (c *connection) arm() error {
	patience := c.idle
	if c.rest {
		if patience = c.left; c.stall > 0 && patience <= 0 {
			return errSlow
		}
	}
	if patience == c.patience {
		return nil
	}
	c.patience = patience
	return c.setTime(syscall.SO_RCVTIMEO, patience)
}

// Write implements io.Writer. A client that does not read gives errSlow, and one that is gone EPIPE but no signal.
func (c *connection) Write(p []byte) (int, error) {
	var late time.Time
	if c.stall > 0 {
		late = time.Now().Add(c.stall)
	}
	done := 0
	for done < len(p) {
		n, err := syscall.Write(c.fd, p[done:min(len(p), done+maxWrite)]) // the runtime makes nothing of SIGPIPE
		n = max(n, 0)
		switch {
		case err == syscall.EINTR:
			continue
		case err == syscall.EAGAIN, err == nil && done+n < len(p) && !late.IsZero() && time.Now().After(late):
			err = errSlow
		}
		if err != nil {
			_ = syscall.Shutdown(c.fd, syscall.SHUT_RDWR) // who reads shall not wait for a client like that
			return done, err
		}
		done += n
	}
	return done, nil
}

// drain ends what is read: the calls that are under way are answered, and no other ones are taken.
func (c *connection) drain() { _ = syscall.Shutdown(c.fd, syscall.SHUT_RD) }

// A gauge counts the calls that are under way.
type gauge struct {
	n     atomic.Int64
	ended atomic.Int64 // when the last one did, in nanoseconds of Unix
}

func (g *gauge) begin() { g.n.Add(1) }

func (g *gauge) done() {
	g.ended.Store(time.Now().UnixNano())
	g.n.Add(-1)
}

// busyFor tells whether a call is under way, or was less than a time ago.
func (g *gauge) busyFor(d time.Duration) bool {
	return g.n.Load() > 0 || time.Since(time.Unix(0, g.ended.Load())) < d
}
