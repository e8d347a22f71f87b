package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/p11mux/p11mux/internal/sandbox"
	"github.com/p11mux/p11mux/transport"
)

// startTime is how long a worker may take to get ready, or a client to be given one.
const startTime = 30 * time.Second

// Pauses after a worker could not be started.
const (
	firstPause   = 100 * time.Millisecond
	longestPause = 5 * time.Second
)

// A worker is a process that serves one client.
type worker struct {
	process *os.Process
	socket  int           // to speak with it; belongs to who has the worker
	ended   chan struct{} // closed when the process has ended and been reaped
	state   *os.ProcessState
}

// A pool has workers that are ready.
type pool struct {
	service []byte               // in JSON
	reached []*transport.Address // where clients of this machine find the server
	command []string
	sandbox *sandbox.Rules
	say     func(format string, args ...any)
	ready   chan *worker
	group   sync.WaitGroup
}

// start starts a worker and waits until it is ready.
func (p *pool) start() (*worker, error) {
	w, err := p.spawn()
	if err != nil {
		return nil, err
	}
	t := syscall.NsecToTimeval(int64(startTime))
	if err = syscall.SetsockoptTimeval(w.socket, syscall.SOL_SOCKET, syscall.SO_RCVTIMEO, &t); err == nil {
		err = syscall.Sendmsg(w.socket, p.service, nil, nil, syscall.MSG_NOSIGNAL)
	}
	var said []byte
	if err == nil {
		said, _, err = receive(w.socket)
	}
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, syscall.EPIPE), errors.Is(err, syscall.ECONNRESET):
		err = errors.New("the process that was to load the module says nothing")
		select {
		case <-w.ended:
			err = fmt.Errorf("the process that was to load the module ended: %v", w.state)
		case <-time.After(startTime):
		}
	case errors.Is(err, syscall.EAGAIN):
		err = errors.New("the module takes too long to load")
	case err == nil && (len(said) == 0 || said[0] != sayReady):
		err = errors.New(string(said[min(1, len(said)):]))
	}
	if err != nil {
		w.kill()
		return nil, err
	}
	return w, nil
}

// spawn starts the process of a worker.
func (p *pool) spawn() (*worker, error) {
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_SEQPACKET|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	theirs := os.NewFile(uintptr(fds[1]), "worker")
	defer theirs.Close()
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		_ = syscall.Close(fds[0])
		return nil, err
	}
	defer null.Close()
	w := &worker{socket: fds[0], ended: make(chan struct{})}
	life := -1
	attr := &os.ProcAttr{
		Files: []*os.File{null, os.Stderr, os.Stderr, theirs}, Env: p.environment(), Sys: &syscall.SysProcAttr{PidFD: &life},
	}
	if p.sandbox != nil {
		rules, err := sandbox.Open(*p.sandbox)
		if err != nil {
			_ = syscall.Close(fds[0])
			return nil, err
		}
		defer rules.Close()
		attr.Env = append(attr.Env, sandbox.Variable+"="+strconv.Itoa(len(attr.Files)))
		attr.Files = append(attr.Files, rules)
	}
	if w.process, err = os.StartProcess(p.command[0], p.command[1:], attr); err != nil {
		_ = syscall.Close(fds[0])
		return nil, fmt.Errorf("couldn't start a worker: %w", err)
	}
	p.group.Go(func() {
		awaitEnd(w.process.Pid, life)
		w.state, _ = w.process.Wait() // nobody else waits for it
		close(w.ended)
	})
	return w, nil
}

// environment is the workers': what systemd has said to us is not for them, and they must not be clients of their own server.
func (p *pool) environment() []string {
	env := slices.DeleteFunc(os.Environ(), func(v string) bool {
		return strings.HasPrefix(v, "LISTEN_") || strings.HasPrefix(v, "NOTIFY_SOCKET=")
	})
	return transport.Within(env, p.reached...)
}

// kill ends a worker, whatever it does.
func (w *worker) kill() {
	_ = w.process.Kill() // it may have ended
	w.leave()
}

// leave closes the socket. A worker without a client ends then.
func (w *worker) leave() { _ = syscall.Close(w.socket) }

// drain tells a worker to take no more calls.
func (w *worker) drain() { _ = tell(w.socket, sayDrain, "") } // it may have ended

// give gives a worker its client's connection.
func (w *worker) give(fd int) error {
	return syscall.Sendmsg(w.socket, []byte{sayClient}, syscall.UnixRights(fd), nil, syscall.MSG_NOSIGNAL)
}

// keep keeps one worker ready until the context ends, and then lets it go.
func (p *pool) keep(ctx context.Context, first *worker) {
	pause := firstPause
	w := first
	for ctx.Err() == nil {
		var err error
		if w == nil {
			w, err = p.start()
		}
		if err != nil {
			p.say("%v", err)
		} else {
			select {
			case p.ready <- w:
				w, pause = nil, firstPause
				continue
			case <-ctx.Done():
				w.leave()
				return
			case <-w.ended:
				p.say("a worker has ended while it had nothing to do: %v", w.state)
				w.leave()
				w = nil
			}
		}
		select {
		case <-time.After(pause):
			pause = min(2*pause, longestPause)
		case <-ctx.Done():
		}
	}
	if w != nil {
		w.leave()
	}
}

// newPool makes a pool without workers, for a listener.
func newPool(l *Listener, o *Options) (*pool, error) {
	service, err := json.Marshal(&o.Service)
	if err != nil {
		return nil, err
	}
	if len(service) > maxMessage {
		return nil, errors.New("too many tokens are named")
	}
	return &pool{service: service, reached: l.reached(), command: o.Command, sandbox: o.Sandbox, say: o.Say, ready: make(chan *worker)}, nil
}
