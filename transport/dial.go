package transport

import (
	"context"
	"errors"
	"strconv"
	"syscall"
	"time"
	"unsafe"

	"github.com/p11mux/p11mux/internal/stream"
	"github.com/p11mux/p11mux/rpc"
)

// A DialError says which server could not be reached.
type DialError struct {
	What string // "cannot run PROGRAM", "cannot connect to SOCKET"
	Err  error
}

// Error names the server and the reason.
func (e *DialError) Error() string { return e.What + ": " + e.Err.Error() }

// Unwrap gives the reason.
func (e *DialError) Unwrap() error { return e.Err }

// Dial connects to the server at the address, for at most this long; negative is for ever. The connection is the caller's, and
// keeps to what [rpc.Conn] says. opened is told the descriptors that it has, or -1, before anything can be sent, and again with -1
// before they are closed; it may be nil.
//
// Where nobody listens at the address of a socket, whatever the reason, the error is rpc.ErrNoServer and the reason. A program that cannot be
// started is an error that names it, and so is a command or a server that this process works for. Dial may be called from any goroutine.
func (a *Address) Dial(ctx context.Context, timeout time.Duration, opened func(connection, process int)) (rpc.Conn, error) {
	if opened == nil {
		opened = func(int, int) {}
	}
	if a.argv != nil {
		return a.run(opened)
	}
	if _, err := inside(a.identify(), errSelf); err != nil {
		return nil, &DialError{"cannot connect to " + a.where(), err}
	}
	fd, err := a.connect(ctx, timeout)
	if err != nil {
		return nil, err
	}
	opened(fd, -1)
	return &process{Socket: stream.NewSocket(fd), fd: -1, close: func() { opened(-1, -1) }}, nil
}

// errNoProgram is a blank after the bar, which begins a second word as in p11-kit (abi.md 2.9).
var errNoProgram = errors.New("its first word is empty: the program's name has to follow the bar without a blank")

// run starts the program.
func (a *Address) run(opened func(connection, process int)) (rpc.Conn, error) {
	if a.argv[0] == "" {
		return nil, &DialError{"cannot run the command", errNoProgram}
	}
	running, err := inside(identify(a.argv), errInside)
	if err != nil {
		return nil, &DialError{"cannot run " + a.argv[0], err}
	}
	pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, &DialError{"cannot run " + a.argv[0], err}
	}
	fd, err := spawn(a.argv, running, pair[1])
	_ = syscall.Close(pair[1])
	if err != nil {
		_ = syscall.Close(pair[0])
		return nil, &DialError{"cannot run " + a.argv[0], err}
	}
	opened(pair[0], fd)
	return &process{Socket: stream.NewSocket(pair[0]), fd: fd, close: func() { opened(-1, -1) }}, nil
}

// connect connects a socket.
func (a *Address) connect(ctx context.Context, timeout time.Duration) (int, error) {
	family := syscall.AF_UNIX
	if a.vm != nil {
		family = afVsock
	}
	fd, err := syscall.Socket(family, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC|syscall.SOCK_NONBLOCK, 0)
	if err == nil {
		if err = a.connectSocket(ctx, fd, timeout); err == nil {
			return fd, nil
		}
		_ = syscall.Close(fd)
	}
	if errors.Is(err, syscall.ETIMEDOUT) && a.vm == nil || ctx.Err() != nil {
		return -1, &DialError{"cannot connect to " + a.where(), err}
	}
	return -1, &absent{a.where(), err}
}

// absent is a server that is not there.
type absent struct {
	where string
	err   error
}

func (e *absent) Error() string   { return "no server is reached at " + e.where + ": " + e.err.Error() }
func (e *absent) Unwrap() []error { return []error{rpc.ErrNoServer, e.err} }

// where names the socket, for people.
func (a *Address) where() string {
	if a.vm != nil {
		return "vsock:cid=" + strconv.FormatUint(uint64(a.vm.cid), 10) + ";port=" + strconv.FormatUint(uint64(a.vm.port), 10)
	}
	return a.path
}

// How often a server that has no room for another connection is asked again.
const retry = 20 * time.Millisecond

// connectSocket connects a socket that does not block.
func (a *Address) connectSocket(ctx context.Context, fd int, timeout time.Duration) error {
	for begin := time.Now(); ; {
		err := a.connectOnce(fd)
		switch {
		case err == syscall.EINPROGRESS:
			if !stream.Writable(fd, timeout) {
				return syscall.ETIMEDOUT
			}
			if n, err := syscall.GetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_ERROR); err != nil || n != 0 {
				return errors.Join(err, syscall.Errno(n))
			}
			return nil
		case err == syscall.EINTR:
		case err != syscall.EAGAIN: // which a Unix socket gives while its queue is full
			return err
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case timeout >= 0 && time.Since(begin) >= timeout:
			return syscall.ETIMEDOUT
		default:
			stream.Pause(ctx, nil, retry)
		}
	}
}

// afVsock is AF_VSOCK of linux/vm_sockets.h, and sockaddrVM its struct sockaddr_vm.
const afVsock = 40

type sockaddrVM struct {
	family, reserved uint16
	port, cid        uint32
	flags            uint8
	zero             [3]byte
}

func (a *Address) connectOnce(fd int) error {
	if a.vm == nil {
		return syscall.Connect(fd, &syscall.SockaddrUnix{Name: a.path})
	}
	address := sockaddrVM{family: afVsock, port: a.vm.port, cid: a.vm.cid}
	_, _, errno := syscall.Syscall(syscall.SYS_CONNECT, uintptr(fd), uintptr(unsafe.Pointer(&address)), unsafe.Sizeof(address))
	if errno != 0 {
		return errno
	}
	return nil
}
