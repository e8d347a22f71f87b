package server

import (
	"context"
	"errors"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/p11mux/p11mux/internal/sandbox"
)

// Options are for [Serve].
type Options struct {
	Service Service
	Peers   Peers
	// Command starts a worker: the file, and the arguments with the program's name first. The process has to call [Work].
	Command []string
	Sandbox *sandbox.Rules // for the workers; nil for none
	Warm    int            // workers that are kept ready, at least 1
	Clients int            // how many may be connected at the same time, at least 1; more are turned away
	// Unused is after how long without clients Serve ends; 0 for never.
	Unused time.Duration
	// Drain is how long clients may stay when the server is to end; then they may make no more calls. Negative is for ever.
	Drain time.Duration
	// Say is told what goes wrong, and Verbose what else happens; both from any goroutine.
	Say, Verbose func(format string, args ...any)
	// Ready is told once, when clients can be served. It may be nil.
	Ready func()
}

// lastCalls is how long calls may take that are under way when the time to drain is over.
const lastCalls = 5 * time.Second

// A server is one that listens.
type server struct {
	o        Options
	listener *Listener
	pool     *pool

	mu      sync.Mutex
	workers map[*worker]struct{} // that have clients
	coming  int                  // clients that wait for a worker
	changed chan struct{}        // has an element when workers or coming have become less
}

// Serve serves the clients of a listener, which it closes, until the context ends or nobody has been there for too long. Then it takes no
// new clients, waits for those that are there as long as it may, and gives nil. A second message from hurry has it not wait. An error says
// that it could not begin: the module cannot be loaded.
func Serve(ctx context.Context, l *Listener, o Options, hurry <-chan struct{}) error {
	reserveThreads()
	if most := clientsFor(o.Warm); most < o.Clients {
		o.Say("%d clients at most can be connected at the same time, and not %d: there are no descriptors for more (RLIMIT_NOFILE)", most, o.Clients)
		o.Clients = most
	}
	p, err := newPool(l, &o)
	if err != nil {
		return errors.Join(err, l.Close())
	}
	first, err := p.start()
	if err != nil {
		return errors.Join(err, l.Close())
	}
	s := &server{o: o, listener: l, pool: p, workers: make(map[*worker]struct{}), changed: make(chan struct{}, 1)}
	keeping, stop := context.WithCancel(context.Background())
	for range max(o.Warm, 1) {
		w := first
		p.group.Go(func() { p.keep(keeping, w) })
		first = nil
	}
	accepting := make(chan struct{})
	go func() {
		defer close(accepting)
		s.accept(keeping)
	}()
	if o.Ready != nil {
		o.Ready()
	}
	s.rest(ctx)
	err = l.Close()
	stop()
	<-accepting
	s.drain(hurry)
	p.group.Wait()
	return err
}

// rest waits until the server has nothing more to do.
func (s *server) rest(ctx context.Context) {
	if s.o.Unused <= 0 {
		<-ctx.Done()
		return
	}
	for {
		timer := time.NewTimer(s.o.Unused)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-s.changed: // somebody has been there: the time begins again
			timer.Stop()
		case <-timer.C:
			if s.clients() == 0 {
				s.o.Verbose("no client for %v", s.o.Unused)
				return
			}
			select { // until one leaves there is nothing to wait for
			case <-ctx.Done():
				return
			case <-s.changed:
			}
		}
	}
}

// clients is how many there are.
func (s *server) clients() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.workers) + s.coming
}

// accept takes clients until the listener is closed.
func (s *server) accept(ctx context.Context) {
	pause := time.Millisecond
	for {
		c, err := s.listener.accept()
		if errors.Is(err, os.ErrClosed) {
			return
		}
		if err != nil {
			// No descriptors are left, or the client has gone already.
			s.o.Say("couldn't accept a client: %v", err)
			select {
			case <-time.After(pause):
			case <-ctx.Done():
				return
			}
			pause = min(2*pause, time.Second)
			continue
		}
		pause = time.Millisecond
		s.mu.Lock()
		full := len(s.workers)+s.coming >= max(s.o.Clients, 1)
		if !full {
			s.coming++
		}
		s.mu.Unlock()
		if full {
			s.o.Say("a client is turned away: %d are connected already", max(s.o.Clients, 1))
			_ = c.Close()
			continue
		}
		s.pool.group.Go(func() { s.welcome(ctx, c) })
	}
}

// welcome gives a client a worker, and waits until it has ended. Who says nothing gets none.
func (s *server) welcome(ctx context.Context, c *os.File) {
	who, w, err := s.receive(ctx, c)
	_ = c.Close()
	s.mu.Lock()
	s.coming--
	if err == nil {
		s.workers[w] = struct{}{}
	}
	s.mu.Unlock()
	switch {
	case errors.Is(err, errGone):
		s.o.Verbose("%s has come and gone", who)
	case err != nil:
		s.o.Say("a client is turned away: %v", err)
	default:
		s.attend(w, who)
	}
	s.tellChange()
}

// attend waits until a client's worker has ended.
func (s *server) attend(w *worker, who string) {
	s.o.Verbose("%s has come, and is served by process %d", who, w.process.Pid)
	<-w.ended
	if w.state == nil || w.state.Success() {
		s.o.Verbose("%s has gone", who)
	} else {
		s.o.Say("the process that served %s has ended: %v", who, w.state)
	}
	s.mu.Lock()
	delete(s.workers, w)
	s.mu.Unlock()
	w.leave()
}

// receive looks who a client is, waits until he says something, and gives him a worker.
func (s *server) receive(ctx context.Context, c *os.File) (who string, w *worker, err error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return "", nil, err
	}
	control := func(do func(fd int) error) error {
		var failed error
		return errors.Join(raw.Control(func(fd uintptr) { failed = do(int(fd)) }), failed)
	}
	err = control(func(fd int) (err error) {
		who, err = s.o.Peers.admit(fd)
		return err
	})
	if err == nil {
		err = s.greeted(ctx, c, raw)
	}
	if err == nil {
		w, err = s.worker(ctx, func(w *worker) error { return control(w.give) })
	}
	return who, w, err
}

var (
	errGone   = errors.New("the client is gone already")
	errEnding = errors.New("the server is about to end")
)

// greeted waits until a client says something, which stays to be read. It needs no thread and no process, so those who come
// and go, or come and are silent, cost neither.
func (s *server) greeted(ctx context.Context, c *os.File, raw syscall.RawConn) error {
	if s.o.Service.Stall > 0 {
		if err := c.SetReadDeadline(time.Now().Add(s.o.Service.Stall)); err != nil {
			return err
		}
	}
	defer context.AfterFunc(ctx, func() { _ = c.SetReadDeadline(time.Unix(1, 0)) })() // fails where it is closed
	var n int
	var failed error
	err := raw.Read(func(fd uintptr) bool {
		n, _, failed = syscall.Recvfrom(int(fd), make([]byte, 1), syscall.MSG_PEEK)
		return failed != syscall.EAGAIN && failed != syscall.EINTR
	})
	switch {
	case ctx.Err() != nil:
		return errEnding
	case err != nil:
		return errors.New("it says nothing")
	case n == 0 || failed != nil:
		return errGone
	}
	return nil
}

// worker takes a worker that can be given a client.
func (s *server) worker(ctx context.Context, give func(w *worker) error) (*worker, error) {
	timer := time.NewTimer(startTime)
	defer timer.Stop()
	for {
		select {
		case w := <-s.pool.ready:
			if give(w) == nil {
				return w, nil
			}
			w.kill() // it has ended meanwhile
		case <-timer.C:
			return nil, errors.New("no worker gets ready")
		case <-ctx.Done():
			return nil, errEnding
		}
	}
}

// tellChange tells whoever waits that there is a client less.
func (s *server) tellChange() {
	select {
	case s.changed <- struct{}{}:
	default:
	}
}

// drain waits until the clients are gone, and sees to it that they go.
func (s *server) drain(hurry <-chan struct{}) {
	var late <-chan time.Time
	if s.o.Drain >= 0 {
		late = time.After(s.o.Drain)
	}
	if !s.gone(late, hurry) {
		s.each((*worker).drain)
		if !s.gone(time.After(lastCalls), hurry) {
			s.each(func(w *worker) { _ = w.process.Kill() })
		}
	}
}

// each does something to all workers with clients.
func (s *server) each(do func(w *worker)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for w := range s.workers {
		do(w)
	}
}

// gone waits for the clients to go. It is false when it is late or there is hurry.
func (s *server) gone(late <-chan time.Time, hurry <-chan struct{}) bool {
	for s.clients() > 0 {
		select {
		case <-s.changed:
		case <-late:
			return false
		case <-hurry:
			return false
		}
	}
	return true
}
