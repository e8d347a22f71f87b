package rpc

import (
	"errors"
	"sync"
	"time"
)

// A connection is one connection of a client. Whoever waits for a reply can be the one who reads: he hands out what is for
// others, until his own reply is there, and then another one reads on. So there is no thread that only reads.
type connection struct {
	stream  Conn // nil where there is no server
	dialect dialect
	options *Options
	over    chan struct{} // closed by C_Finalize

	write sync.Mutex    // a frame is written as a whole
	lead  chan struct{} // has one element, the right to read
	in    buffer        // belongs to who reads

	mu      sync.Mutex
	code    uint32              // of the call before
	pending map[uint32]*pending // calls that are not answered, by their code
	err     error               // why the connection is over, or nil
}

// pending is a call that waits for its reply.
type pending struct {
	reply    chan []byte // the message, or nothing where it is closed
	deadline time.Time   // zero for none
}

// A lostError is the end of a connection, for the calls that it takes with it and all that come later.
type lostError struct{ cause error }

// Error says why the connection is over.
func (e *lostError) Error() string { return "the connection is lost: " + e.cause.Error() }

// Unwrap gives the cause.
func (e *lostError) Unwrap() error { return e.cause }

// firstCode is the code of the first call less one. p11-kit begins there too.
const firstCode = 15

func newConnection(stream Conn, version Version, o *Options) *connection {
	c := &connection{
		stream: stream, dialect: dialectFor(version), options: o, over: make(chan struct{}),
		lead: make(chan struct{}, 1), code: firstCode, pending: make(map[uint32]*pending),
	}
	c.lead <- struct{}{}
	return c
}

// finalized tells whether C_Finalize has come.
func (c *connection) finalized() bool {
	select {
	case <-c.over:
		return true
	default:
		return false
	}
}

// do sends a call and waits for the reply.
func (c *connection) do(r *request, timeout time.Duration) error {
	x := coder{b: startFrame(c.options.Name), dialect: c.dialect, address: c.options.Address}
	defer func() { clear(x.b) }()
	if err := x.encodeRequest(r); err != nil {
		return err
	}
	code, p, err := c.expect(timeout)
	if err != nil {
		return err
	}
	finishFrame(x.b, code, len(c.options.Name))
	c.write.Lock()
	err = c.stream.Write(x.b, timeout)
	c.write.Unlock()
	if err != nil {
		c.end(err)
	}
	message, err := c.await(p)
	if err != nil {
		return err
	}
	defer clear(message)
	return decodeReply(message, r, c.dialect)
}

// expect gives a code for a call, whose reply is awaited from now on.
func (c *connection) expect(timeout time.Duration) (uint32, *pending, error) {
	p := &pending{reply: make(chan []byte, 1)}
	if timeout >= 0 {
		p.deadline = time.Now().Add(timeout)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return 0, nil, c.err
	}
	for {
		c.code++
		if c.code != 0 && c.code != absent && c.pending[c.code] == nil {
			c.pending[c.code] = p
			return c.code, p, nil
		}
	}
}

// await waits for a reply, and reads while nobody else does.
func (c *connection) await(p *pending) ([]byte, error) {
	for {
		select {
		case message, ok := <-p.reply:
			return c.received(message, ok)
		case <-c.lead:
		}
		for len(p.reply) == 0 && c.lost() == nil {
			if err := c.read(); err != nil {
				c.end(err)
			}
		}
		c.lead <- struct{}{}
	}
}

// received gives a reply, or why there is none.
func (c *connection) received(message []byte, ok bool) ([]byte, error) {
	if !ok {
		return nil, c.lost()
	}
	return message, nil
}

// lost gives why the connection is over, nil while it is not.
func (c *connection) lost() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// end ends the connection, and with it all calls that are under way.
func (c *connection) end(cause error) {
	c.mu.Lock()
	if c.err != nil {
		c.mu.Unlock()
		return
	}
	if ended(cause) {
		cause = errClosed
	}
	cause = timed(cause)
	c.err = &lostError{cause}
	for code, p := range c.pending {
		close(p.reply)
		delete(c.pending, code)
	}
	c.mu.Unlock()
	_ = c.stream.Close() // it is over in any case; this may take a while
}

var (
	errClosed  = errors.New("the server has closed it")
	errNotSent = errors.New("the server answers a call that was not sent")
)

// read reads one reply and gives it to whom it is for.
func (c *connection) read() error {
	h, err := readHeader((*source)(c))
	if err != nil {
		return err
	}
	message, err := readMessage((*source)(c), h)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.pending[h.code]
	if p == nil {
		clear(message)
		return errNotSent // and somebody waits in vain for the answer that this was meant to be
	}
	delete(c.pending, h.code)
	p.reply <- message
	return nil
}

// remaining is how long the call that has waited longest may still take; negative for ever. It is false where its time is
// over.
func (c *connection) remaining() (time.Duration, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var first time.Time
	for _, p := range c.pending {
		if !p.deadline.IsZero() && (first.IsZero() || p.deadline.Before(first)) {
			first = p.deadline
		}
	}
	if first.IsZero() {
		return -1, true
	}
	d := time.Until(first)
	return d, d > 0
}

// A source is a connection as it is read from.
type source connection

// Read implements io.Reader. It keeps to the times of the calls that are under way.
func (s *source) Read(p []byte) (int, error) {
	c := (*connection)(s)
	return c.in.read(p, func(p []byte) (int, error) {
		timeout, ok := c.remaining()
		if !ok {
			return 0, ErrTimeout
		}
		return c.stream.Read(p, timeout)
	})
}

// timed gives the error of a stream, ErrTimeout where its time was over.
func timed(err error) error {
	if e, ok := errors.AsType[interface {
		error
		Timeout() bool
	}](err); ok && e.Timeout() {
		return ErrTimeout
	}
	return err
}
