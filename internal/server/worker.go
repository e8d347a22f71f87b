package server

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/p11mux/p11mux/ck"
	"github.com/p11mux/p11mux/internal/native"
	"github.com/p11mux/p11mux/internal/sandbox"
	"github.com/p11mux/p11mux/internal/serve"
	"github.com/p11mux/p11mux/internal/stream"
	"github.com/p11mux/p11mux/module"
	"github.com/p11mux/p11mux/rpc"
)

// control is the worker's descriptor of the socket to who listens.
const control = 3

// What the two sides say to each other, in the first octet of a message.
const (
	sayReady  = 'R' // the worker can take a client
	sayFailed = 'F' // it cannot, and why
	sayClient = 'C' // comes with a connection
	sayDrain  = 'D' // take no more calls
)

// maxMessage is the longest message between the two sides, in octets.
const maxMessage = 128 << 10

// Work is a worker: it serves one client and gives the exit status of its process. It is the whole life of a process that [Serve] has
// started, and ends it early if it has to.
func Work() int {
	Speak()
	if err := work(); err != nil {
		say(err.Error())
		return 1
	}
	return 0
}

// Speak has the process live on where nobody reads its standard output and error any more, which are pipes: Go's runtime would end it
// by SIGPIPE. Programs that it starts get the signal as ever.
func Speak() { signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE) }

// say tells people something.
func say(text string) { fmt.Fprintln(os.Stderr, "p11mux server: "+text) }

func work() error {
	if os.Getenv(sandbox.Variable) != "" {
		return errors.New("this program has been built without its sandbox")
	}
	stream.ManyThreads()
	text, _, err := receive(control)
	if errors.Is(err, syscall.EBADF) || errors.Is(err, syscall.ENOTSOCK) {
		return errors.New("this is for the server to start, not for people")
	}
	if err != nil {
		return quietly(err)
	}
	syscall.CloseOnExec(control)
	var s Service
	if err := json.Unmarshal(text, &s); err != nil {
		return err
	}
	var t teller
	m, err := s.load(t.tell)
	if err != nil {
		return tell(control, sayFailed, err.Error())
	}
	t.begin(s.Quiet)
	m = t.initializing(m, s.String(), s.Advice)
	if err := tell(control, sayReady, ""); err != nil {
		return quietly(err)
	}
	said, fd, err := receive(control)
	if err != nil || fd < 0 || len(said) == 0 || said[0] != sayClient {
		return quietly(err)
	}
	c, err := newConnection(fd, &s)
	if err != nil {
		return err
	}
	return attend(c, m, &s)
}

// quietly is the error of a socket. That the other side is gone is none: it has no more use for the worker.
func quietly(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET) {
		return nil
	}
	return err
}

// attend serves a client until it is gone. Then the process ends after some time, whatever the module is doing.
func attend(c *connection, m module.Module, s *Service) error {
	c.end = sync.OnceFunc(func() {
		time.AfterFunc(cmp.Or(s.Farewell, serve.Farewell), func() {
			say("a module is at work for a client that is gone, and is ended")
			os.Exit(1)
		})
	})
	go func() {
		serve.Gone(c.fd) // which who reads does not notice while C_Initialize or too many calls are under way
		c.end()
	}()
	go func() {
		for {
			said, _, err := receive(control)
			if err != nil {
				return
			}
			if len(said) > 0 && said[0] == sayDrain {
				c.drain()
			}
		}
	}()
	counted := module.Func(func(ctx context.Context, call ck.Call) error {
		c.calls.begin()
		defer c.calls.done()
		return m.Do(ctx, call)
	})
	err := rpc.Serve(context.Background(), counted, c, c, rpc.ServerOptions{
		Reserved: native.OneReserved(), MaxMessage: s.MaxMessage, MaxSessions: s.MaxSessions, Wait: c.wait, Pause: stream.Sleep,
	})
	_ = syscall.Close(c.fd)
	_ = m.Do(context.Background(), &ck.FinalizeCall{}) // the client may have done it
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, errIdle) {
		err = nil // it has gone, or had to, and nothing is wrong
	}
	return quietly(err)
}

// tell sends a message to the other side.
func tell(fd int, what byte, text string) error {
	message := append([]byte{what}, text[:min(len(text), maxMessage/2)]...)
	return syscall.Sendmsg(fd, message, nil, nil, syscall.MSG_NOSIGNAL)
}

// receive gets a message, and the descriptor that comes with it, -1 if there is none. io.EOF says that the other side is gone.
func receive(fd int) (message []byte, passed int, err error) {
	b := make([]byte, maxMessage)
	oob := make([]byte, syscall.CmsgSpace(4))
	for {
		n, oobn, _, _, err := syscall.Recvmsg(fd, b, oob, syscall.MSG_CMSG_CLOEXEC)
		if err == syscall.EINTR {
			continue
		}
		if err != nil {
			return nil, -1, err
		}
		if n == 0 {
			return nil, -1, io.EOF
		}
		passed, err := descriptor(oob[:oobn])
		return b[:n], passed, err
	}
}

// descriptor is the one that a control message passes, -1 if none.
func descriptor(oob []byte) (int, error) {
	if len(oob) == 0 {
		return -1, nil
	}
	messages, err := syscall.ParseSocketControlMessage(oob)
	if err != nil || len(messages) != 1 {
		return -1, errors.Join(err, errors.New("a message with a descriptor makes no sense"))
	}
	fds, err := syscall.ParseUnixRights(&messages[0])
	if err != nil || len(fds) != 1 {
		return -1, errors.Join(err, errors.New("a message does not have one descriptor"))
	}
	return fds[0], nil
}
