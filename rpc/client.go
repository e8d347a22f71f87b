package rpc

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/p11mux/p11mux/ck"
)

// A Conn is a connection to a server: a stream of octets in both directions that keeps to times. Reading and writing happen at
// the same time, and Close may come meanwhile; each of the three is done by one goroutine at a time.
type Conn interface {
	// Read reads at least one octet. An error is the end of the connection; it is io.EOF where the server has ended it. That
	// there is nothing for so long is an error with a method Timeout that says so; a negative time is for ever.
	Read(p []byte, timeout time.Duration) (int, error)
	// Write writes all of p, or gives an error in the same way.
	Write(p []byte, timeout time.Duration) error
	// Close ends the connection, and what is being read or written with an error.
	Close() error
}

var (
	// ErrTimeout is the cause of the error of a call that took too long, and of all others on its connection.
	ErrTimeout = errors.New("the server takes too long")
	// ErrNoServer is for [Options.Dial]: there is no server, which is none of the errors. Such a module can be initialized
	// and has no slots.
	ErrNoServer = errors.New("there is no server")
)

// Times that a server is given, and what it is told.
const (
	// DefaultTimeout is how long a call may take where nothing else is said: longer than people and smart cards do.
	DefaultTimeout = 5 * time.Minute

	maxName      = 255              // octets of Options.Name that are sent
	farewell     = 10 * time.Second // for C_Finalize
	firstPause   = 10 * time.Millisecond
	longestPause = 250 * time.Millisecond
)

// Options make a [Client]. Only Dial is needed.
type Options struct {
	// Dial makes a connection, for each C_Initialize. A server that does not like the version of the protocol is dialed
	// again. An error that is ErrNoServer gives a module without slots; every other one is the error of C_Initialize, which
	// wraps it and gives CKR_DEVICE_ERROR.
	Dial func(ctx context.Context) (Conn, error)
	// Name says to the server who calls, in up to 255 octets. p11-kit's servers do not look at it.
	Name string
	// Timeout is how long a call may take, 0 for DefaultTimeout, negative for ever. A call that takes longer ends the
	// connection: what has become of it cannot be known.
	Timeout time.Duration
	// Reserved gives the text at the address that C_Initialize got in pReserved. Without it an address is CKR_ARGUMENTS_BAD.
	Reserved func(address uintptr) (text string, ok bool)
	// Address tells whether a number is an address in this process. The parameter of a mechanism that nothing is known of is
	// not sent if it has such a number in it. Without it every such parameter is sent.
	Address func(number uint64) bool
	// Pause waits for a while, or less if done is closed or the context ends; nil for one with a timer.
	Pause func(ctx context.Context, done <-chan struct{}, d time.Duration)
	// NewWaiter and NewMutex make what callers wait for each other by; nil for what a Go program waits by. In a program in C a goroutine
	// belongs to the thread that has called, and to have that sleep and go on takes the runtime several changes of threads: there
	// threads better wait by themselves.
	NewWaiter func() Waiter
	NewMutex  func() Mutex
}

// A Client is a module at the other end of a connection. It implements module.Module; all its methods may be called from any
// goroutine, and calls are under way at the same time.
//
// C_Initialize makes the connection and C_Finalize ends it. When the connection is lost, or the server does not answer in
// time, or says what makes no sense, calls give CKR_DEVICE_ERROR, and those that close sessions CKR_DEVICE_REMOVED, until
// C_Finalize; after that C_Initialize makes a new connection. What the protocol cannot carry is refused without asking the
// server: functions of PKCS#11 3.2 with CKR_FUNCTION_NOT_SUPPORTED, parameters of mechanisms with addresses in them with
// CKR_MECHANISM_PARAM_INVALID.
//
// A C_WaitForSlotEvent that waits asks the server again and again, since many servers do nothing else meanwhile. It heeds
// the context; other calls do not, once they are sent.
type Client struct {
	o    Options
	life sync.Mutex                 // held by C_Initialize and C_Finalize
	now  atomic.Pointer[connection] // nil unless initialized
}

// NewClient makes a client, which is not connected.
func NewClient(o Options) *Client {
	if o.Timeout == 0 {
		o.Timeout = DefaultTimeout
	}
	o.Name = o.Name[:min(len(o.Name), maxName)]
	if o.Pause == nil {
		o.Pause = pause
	}
	if o.NewWaiter == nil {
		o.NewWaiter = newChannel
	}
	if o.NewMutex == nil {
		o.NewMutex = newMutex
	}
	return &Client{o: o}
}

// Do executes a call.
func (c *Client) Do(ctx context.Context, call ck.Call) error {
	switch call := call.(type) {
	case nil:
		return ck.CKR_ARGUMENTS_BAD
	case *ck.InitializeCall:
		return c.initialize(ctx, call.Args)
	case *ck.FinalizeCall:
		return c.finalize(call)
	case *ck.GetFunctionStatusCall, *ck.CancelFunctionCall:
		return ck.CKR_FUNCTION_NOT_PARALLEL
	case *ck.GetFunctionListCall, *ck.GetInterfaceListCall, *ck.GetInterfaceCall:
		return ck.CKR_FUNCTION_NOT_SUPPORTED // function lists do not travel
	}
	conn := c.now.Load()
	if conn == nil {
		return ck.CKR_CRYPTOKI_NOT_INITIALIZED
	}
	if wait, ok := call.(*ck.WaitForSlotEventCall); ok {
		return c.wait(ctx, conn, wait)
	}
	return c.do(conn, &request{call: call}, c.o.Timeout)
}

// do does a call on a connection, and says in an error of ours which it was.
func (c *Client) do(conn *connection, r *request, timeout time.Duration) error {
	if conn.stream == nil {
		return nobody(r.call)
	}
	err := conn.do(r, timeout)
	var rv ck.RV
	switch e := err.(type) {
	case nil, ck.RV:
		return err
	case *ck.CallError:
		rv, err = e.RV, e.Err
	default:
		rv = ck.CKR_DEVICE_ERROR
		if _, lost := errors.AsType[*lostError](err); lost {
			switch r.call.(type) {
			case *ck.CloseSessionCall, *ck.CloseAllSessionsCall:
				rv = ck.CKR_DEVICE_REMOVED // there are no sessions left
			}
		}
	}
	return &ck.CallError{Module: c.o.Name, Call: r.call.Func().String(), RV: rv, Err: err}
}

// initialize is C_Initialize (PKCS#11 3.2 §5.4).
func (c *Client) initialize(ctx context.Context, args *ck.InitializeArgs) error {
	r := &request{call: &ck.InitializeCall{}}
	if args != nil {
		if !args.Complete() {
			return ck.CKR_ARGUMENTS_BAD
		}
		if args.Flags&ck.CKF_OS_LOCKING_OK == 0 {
			return ck.CKR_CANT_LOCK
		}
		if args.Reserved != 0 {
			text, ok := "", false
			if c.o.Reserved != nil {
				text, ok = c.o.Reserved(args.Reserved)
			}
			if !ok {
				return ck.CKR_ARGUMENTS_BAD
			}
			r.reserved = []byte(text)
		}
	}
	c.life.Lock()
	defer c.life.Unlock()
	if c.now.Load() != nil {
		return ck.CKR_CRYPTOKI_ALREADY_INITIALIZED
	}
	conn, err := c.connect(ctx)
	if err == nil && conn.stream != nil {
		if err = c.do(conn, r, c.o.Timeout); err != nil {
			conn.end(errFinalized)
		}
	}
	if err != nil {
		return err
	}
	c.now.Store(conn)
	return nil
}

// connect makes a connection and agrees on a version.
func (c *Client) connect(ctx context.Context) (*connection, error) {
	var err error
	for _, offer := range [...]Version{MaxVersion, 0} {
		var stream Conn
		if stream, err = c.o.Dial(ctx); errors.Is(err, ErrNoServer) {
			conn := newConnection(nil, 0, &c.o)
			conn.absent = err
			return conn, nil
		} else if err != nil {
			break
		}
		var version Version
		if version, err = agree(stream, offer, c.o.Timeout); err == nil {
			return newConnection(stream, version, &c.o), nil
		}
		_ = stream.Close() // it is of no use
		if _, text := errors.AsType[*textError](err); text {
			break // and another offer has it print the same
		}
	}
	return nil, &ck.CallError{Module: c.o.Name, Call: "C_Initialize", RV: ck.CKR_DEVICE_ERROR, Err: err}
}

// Absent says why there is no server, as Dial has said it: an error that is ErrNoServer. It is nil where there is one, and before C_Initialize
// and after C_Finalize, when nothing is known. It may be called from any goroutine.
func (c *Client) Absent() error {
	if conn := c.now.Load(); conn != nil {
		return conn.absent
	}
	return nil
}

var errFinalized = errors.New("the module is finalized")

// finalize is C_Finalize. It succeeds also where the server cannot be reached any more.
func (c *Client) finalize(call *ck.FinalizeCall) error {
	c.life.Lock()
	defer c.life.Unlock()
	conn := c.now.Load()
	switch {
	case conn == nil:
		return ck.CKR_CRYPTOKI_NOT_INITIALIZED
	case call.Reserved != 0:
		return ck.CKR_ARGUMENTS_BAD // PKCS#11 3.2 §5.4.2
	}
	c.now.Store(nil)
	close(conn.over)
	if conn.stream != nil {
		timeout := c.o.Timeout
		if timeout < 0 || timeout > farewell {
			timeout = farewell
		}
		_ = c.do(conn, &request{call: &ck.FinalizeCall{}}, timeout) // the server ends with the connection anyway
		conn.close(errFinalized)                                    // then nothing of it is left that could get in the way of the next one
	}
	return nil
}

// wait is C_WaitForSlotEvent (PKCS#11 3.2 §5.5).
func (c *Client) wait(ctx context.Context, conn *connection, call *ck.WaitForSlotEventCall) error {
	if call.Reserved != 0 {
		return ck.CKR_ARGUMENTS_BAD
	}
	one := &ck.WaitForSlotEventCall{Flags: call.Flags | ck.CKF_DONT_BLOCK}
	for d := firstPause; ; d = min(2*d, longestPause) {
		err := c.do(conn, &request{call: one}, c.o.Timeout)
		if err == nil {
			call.Slot = one.Slot
			return nil
		}
		if conn.finalized() {
			return ck.CKR_CRYPTOKI_NOT_INITIALIZED
		}
		if call.Flags&ck.CKF_DONT_BLOCK != 0 || ck.RVOf(err) != ck.CKR_NO_EVENT {
			return err
		}
		if ctx.Err() != nil {
			return &ck.CallError{Module: c.o.Name, Call: "C_WaitForSlotEvent", RV: ck.CKR_FUNCTION_CANCELED, Err: context.Cause(ctx)}
		}
		c.o.Pause(ctx, conn.over, d)
	}
}

// pause is Options.Pause with a timer.
func pause(ctx context.Context, done <-chan struct{}, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-done:
	case <-ctx.Done():
	}
}

// nobody answers calls where there is no server.
func nobody(call ck.Call) error {
	switch c := call.(type) {
	case *ck.GetInfoCall:
		c.Info = ck.Info{CryptokiVersion: ck.Version{Major: 3, Minor: 2}, LibraryVersion: ck.Version{Major: 1, Minor: 1}}
		ck.Pad(c.Info.ManufacturerID[:], "p11-kit")
		ck.Pad(c.Info.LibraryDescription[:], "p11-kit (no connection)")
		return nil
	case *ck.GetSlotListCall:
		c.Slots.N = 0
		return nil
	case *ck.WaitForSlotEventCall:
		return ck.CKR_DEVICE_REMOVED
	}
	switch {
	case ck.SessionOf(call) != nil:
		return ck.CKR_SESSION_HANDLE_INVALID
	case ck.SlotOf(call) != nil:
		return ck.CKR_SLOT_ID_INVALID
	}
	return ck.CKR_FUNCTION_NOT_SUPPORTED
}
