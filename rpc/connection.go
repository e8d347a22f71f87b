package rpc

import (
	"errors"
	"time"
)

// A connection is one connection of a client. Whoever waits for a reply can be the one who reads: he hands out what is for
// others, until his own reply is there, and then another one reads on. So there is no thread that only reads.
type connection struct {
	stream  Conn  // nil where there is no server
	absent  error // why there is none
	dialect dialect
	options *Options
	over    chan struct{} // closed by C_Finalize

	out outbox
	in  buffer // belongs to who reads

	closing Mutex // held by who closes the stream

	mu      Mutex
	code    uint32              // of the call before
	pending map[uint32]*pending // calls that are not answered, by their code
	led     bool                // somebody reads, or has been told to
	err     error               // why the connection is over, or nil
}

// pending is a call that waits for its reply. All but the deadline belongs to who holds the connection's lock.
type pending struct {
	waiter   Waiter    // nil until it is needed
	deadline time.Time // zero for none
	message  []byte    // the reply, nil if there is none
	done     bool      // there is a reply, or will be none
	leads    bool      // it is this one's turn to read
	asleep   bool      // in Wait, or about to be
}

// wake has a call go on that sleeps.
func (p *pending) wake() {
	if p.asleep {
		p.asleep = false
		p.waiter.Wake()
	}
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
	return &connection{
		stream: stream, dialect: dialectFor(version), options: o, over: make(chan struct{}),
		out:     outbox{turn: o.NewMutex(), mu: o.NewMutex()},
		closing: o.NewMutex(), mu: o.NewMutex(), code: firstCode, pending: make(map[uint32]*pending),
	}
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
	defer func() { release(x.b) }()
	if err := x.encodeRequest(r); err != nil {
		return err
	}
	code, p, err := c.expect(timeout)
	if err != nil {
		return err
	}
	finishFrame(x.b, code, len(c.options.Name))
	if err := c.out.send(c.stream, x.b, timeout); err != nil {
		c.end(err)
	}
	message, err := c.await(p)
	if err != nil {
		return err
	}
	defer release(message)
	return decodeReply(message, r, c.dialect)
}

// expect gives a code for a call, whose reply is awaited from now on.
func (c *connection) expect(timeout time.Duration) (uint32, *pending, error) {
	p := new(pending)
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
	c.mu.Lock()
	defer c.mu.Unlock()
	for !p.done {
		if c.led && !p.leads {
			c.sleep(p)
			continue
		}
		c.led, p.leads = true, true
		c.readUnlocked()
	}
	if p.leads {
		for c.err == nil && c.in.complete() {
			c.readUnlocked() // one who is woken now need not be woken to read, and then another one by him
		}
		c.pass()
	}
	if p.message == nil {
		return nil, c.err
	}
	return p.message, nil
}

// sleep waits until the reply is there or it is time to read. The lock is held, but not meanwhile.
func (c *connection) sleep(p *pending) {
	if p.waiter == nil {
		p.waiter = c.options.NewWaiter()
	}
	p.asleep = true
	c.mu.Unlock()
	p.waiter.Wait()
	c.mu.Lock()
}

// readUnlocked reads one reply without the lock, which is held before and after.
func (c *connection) readUnlocked() {
	c.mu.Unlock()
	if err := c.read(); err != nil {
		c.end(err)
	}
	c.mu.Lock()
}

// pass has another call read that sleeps, the last one that was sent: it is likely to be answered last. Where none sleeps, the next that
// would reads. The lock is held.
func (c *connection) pass() {
	var next *pending
	var last uint32
	for code, p := range c.pending {
		if p.asleep && (next == nil || int32(code-last) > 0) { // codes begin anew some day
			next, last = p, code
		}
	}
	if c.led = next != nil; c.led {
		next.leads = true
		next.wake()
	}
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
		p.done = true
		p.wake()
		delete(c.pending, code)
	}
	c.closing.Lock() // nobody else has it: there is one end
	c.mu.Unlock()
	_ = c.stream.Close() // it is over in any case; this may take a while
	c.closing.Unlock()
}

// close ends the connection, and waits until the stream is closed, whoever does that.
func (c *connection) close(cause error) {
	c.end(cause)
	c.closing.Lock()
	defer c.closing.Unlock()
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
		release(message)
		return errNotSent // and somebody waits in vain for the answer that this was meant to be
	}
	delete(c.pending, h.code)
	p.message, p.done = message, true
	p.wake()
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
		for {
			timeout, ok := c.remaining()
			if !ok {
				return 0, ErrTimeout
			}
			if timeout < 0 || timeout > farewell {
				timeout = farewell // for a C_Finalize that comes meanwhile, and has no more time than that
			}
			if n, err := c.stream.Read(p, timeout); n > 0 || timed(err) != ErrTimeout {
				return n, err
			}
		}
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
