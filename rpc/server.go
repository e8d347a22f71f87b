package rpc

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/p11mux/p11mux/ck"
	"github.com/p11mux/p11mux/module"
)

// Limits of what one connection can have under way.
const (
	maxCalls  = 64             // calls that have been read and not been answered
	maxWaits  = 8              // of those, C_WaitForSlotEvent without end
	maxOctets = 2 * MaxMessage // of their messages, with the room that they need for results
)

// ServerOptions are for [Serve]. All may be left out.
type ServerOptions struct {
	// Reserved gives the C address of text, which the client's configuration has for the module's C_Initialize. Without it
	// the module gets none.
	Reserved func(text string) uintptr
	// MaxMessage is the longest message that the client may send, in octets; 0 for [MaxMessage], which it cannot exceed. A longer
	// one ends the connection.
	MaxMessage int
	// MaxSessions is how many sessions the client may have open; 0 for as many as the module has. One more is CKR_SESSION_COUNT.
	MaxSessions int
	// Wait is told each time before in is read, from one goroutine at a time: whether what is to come is the rest of
	// something that has begun, a message or the greeting. Where a message has begun in what was read before, it is told first
	// that there is none, and then of the rest. It may be nil.
	Wait func(rest bool)
	// Pause waits for a while, by any means. With it a call that was quick the last time is done by who has read it before anybody reads on,
	// which spares a change of threads; it is called from a goroutine that notices when such a call takes long. Without it
	// there is always somebody who reads.
	Pause func(d time.Duration)
}

// Serve does the calls that a client sends by in, and sends the answers by out. It returns when in is over: nil where it ends
// between two calls, and else an error. An error of out ends it with the next call. Neither in nor out is closed, but
// more of in may have been read than there were calls.
//
// Calls of different sessions are done at the same time, those of one session in the order in which they came, and a
// C_WaitForSlotEvent that waits keeps nobody else from being served. C_Initialize and C_Finalize are done alone. Serve waits for
// all calls but C_WaitForSlotEvent; to have that return too, finalize the module or let it heed the context.
//
// When the client is gone its sessions are closed, but the module is not finalized: it belongs to who calls Serve.
func Serve(ctx context.Context, m module.Module, in io.Reader, out io.Writer, o ServerOptions) error {
	if o.MaxMessage <= 0 || o.MaxMessage > MaxMessage {
		o.MaxMessage = MaxMessage
	}
	stream := &buffered{r: in, wait: o.Wait, begun: true}
	version, err := greet(stream, out)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	s := &server{
		module: m, in: stream, out: out, options: o, dialect: dialectFor(version),
		turn: make(chan struct{}, 1), over: make(chan struct{}),
		lines: make(map[ck.SessionHandle]*line), open: make(map[ck.SessionHandle]ck.SlotID),
	}
	s.changed.L = &s.mu
	s.quick.wake = make(chan struct{}, 1)
	s.turn <- struct{}{}
	if o.Pause != nil {
		s.late = make([]byte, 0, maxLate)
		stream.wait = func(rest bool) {
			s.flush()
			if o.Wait != nil {
				o.Wait(rest)
			}
		}
		go s.watch(ctx)
	}
	s.work(ctx)
	cancel()
	s.mu.Lock()
	for s.active > 0 {
		s.changed.Wait()
	}
	s.mu.Unlock()
	s.closeSessions()
	return s.end()
}

// end gives why the connection is over, and keeps a call that waits for an event from writing to what may not be out any more.
func (s *server) end() error {
	s.write.Lock()
	s.out = nil
	s.write.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// greet agrees on a version.
func greet(in io.Reader, out io.Writer) (Version, error) {
	var b [1]byte
	if _, err := io.ReadFull(in, b[:]); err != nil {
		return 0, cut(err)
	}
	b[0] = min(b[0], byte(MaxVersion))
	_, err := out.Write(b[:])
	return Version(b[0]), err
}

// A server serves one connection. Its workers take turns at reading: who has read a call does it and answers it, while another
// worker reads on. So a client that sends one call at a time is served without a change of threads on the way.
type server struct {
	module  module.Module
	options ServerOptions
	in      *buffered
	dialect dialect       // of the client, as far as is known; whose turn it is
	turn    chan struct{} // has one element, the turn to read
	over    chan struct{} // closed when there is nothing more to read

	quick quick

	write sync.Mutex
	out   io.Writer // nil at the end
	late  []byte    // frames that have not been written yet

	mu      sync.Mutex
	changed sync.Cond // active or octets became less
	active  int       // calls under way, but not those that wait for an event
	octets  int       // that they hold
	waits   int       // calls that wait for an event
	idle    int       // workers that wait for their turn
	lines   map[ck.SessionHandle]*line
	open    map[ck.SessionHandle]ck.SlotID // sessions that the client has opened
	opening int                            // calls that may bring another one
	err     error                          // why there is nothing more to read
}

// A line has the calls of a session that wait for the one that is under way.
type line struct{ jobs []*job }

// A job is a request that is to be answered.
type job struct {
	request
	code    uint32
	message []byte
	results int // octets that are held for results and the answer
	dialect dialect
	refused error  // why the call is not to be done at all
	waits   bool   // for an event
	kept    uint64 // the number by which who does it keeps the turn, 0 if he does not
}

// work reads calls and does them until there are none any more.
func (s *server) work(ctx context.Context) {
	for kept := false; kept || s.await(); {
		j := s.next(ctx)
		if j == nil {
			close(s.over)
			return
		}
		if j.kept = s.keep(j); j.kept == 0 {
			s.pass(ctx)
		}
		n := j.kept
		s.finish(ctx, j)
		kept = n != 0 && s.kept(n)
	}
}

// await waits for the turn to read. It is false where there is nothing more to read.
func (s *server) await() bool {
	s.mu.Lock()
	s.idle++
	s.mu.Unlock()
	select {
	case <-s.turn:
	case <-s.over:
		return false
	}
	s.mu.Lock()
	s.idle--
	s.mu.Unlock()
	return true
}

// pass gives the turn to another worker, and makes one where there is none.
func (s *server) pass(ctx context.Context) {
	s.flush()
	s.mu.Lock()
	lonely := s.idle == 0
	s.mu.Unlock()
	s.turn <- struct{}{}
	if lonely {
		go s.work(ctx)
	}
}

// next reads calls up to one that the worker has to do. It is nil at the end.
func (s *server) next(ctx context.Context) *job {
	for {
		j, err := s.read()
		if err != nil {
			if !errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
				s.fail(err)
			}
			return nil
		}
		switch call := j.call.(type) {
		case *ck.InitializeCall, *ck.FinalizeCall:
			s.alone()
			s.answer(ctx, j)
			s.done(j)
		case *ck.WaitForSlotEventCall:
			if call.Flags&ck.CKF_DONT_BLOCK != 0 {
				return j
			}
			s.wait(ctx, j)
		default:
			if s.queue(j) {
				return j
			}
		}
		if s.failed() {
			return nil
		}
	}
}

// read reads a call, once there is room for it among those that are under way.
func (s *server) read() (*job, error) {
	s.in.message()
	h, err := readHeader(s.in)
	if err == nil && h.message > s.options.MaxMessage {
		err = errLongMessage
	}
	if err != nil {
		return nil, err
	}
	s.admit(h.message)
	j := &job{code: h.code}
	if j.message, err = readMessage(s.in, h); err == nil {
		j.request, err = decodeRequest(j.message, &s.dialect)
		j.dialect = s.dialect
		if err != nil && !isFatal(err) {
			j.refused, err = err, nil
		}
	}
	if err != nil {
		s.mu.Lock()
		s.octets -= h.message - len(j.message) // done subtracts what has been read
		s.mu.Unlock()
		s.done(j)
		return nil, err
	}
	s.hold(j, j.held)
	return j, nil
}

// admit waits until there is room for a call with a message of so many octets, and counts it among those that are under way.
func (s *server) admit(octets int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for flushed := false; s.active >= maxCalls || s.active > 0 && s.octets+octets > maxOctets; {
		if flushed {
			s.changed.Wait()
			continue
		}
		s.mu.Unlock()
		s.flush()
		flushed = true
		s.mu.Lock()
	}
	s.active++
	s.octets += octets
}

// hold notes that a call has so many octets for its results. The answer needs as many again. So there can be more than maxOctets, but
// nothing more is read then.
func (s *server) hold(j *job, octets int) {
	if octets == 0 {
		return
	}
	s.mu.Lock()
	s.octets += 2 * octets
	s.mu.Unlock()
	j.results += 2 * octets
}

// done takes a call off those that are under way.
func (s *server) done(j *job) {
	release(j.message)
	s.mu.Lock()
	s.active--
	s.octets -= len(j.message) + j.results
	s.mu.Unlock()
	s.changed.Broadcast()
}

// alone waits until no call is under way but the one that was read.
func (s *server) alone() {
	s.flush()
	s.mu.Lock()
	for s.active > 1 {
		s.changed.Wait()
	}
	s.mu.Unlock()
}

// queue tells whether a call can be done now, and lines it up where another one of its session is under way.
func (s *server) queue(j *job) bool {
	session := sessionOf(j.call)
	if session == nil {
		return true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if l := s.lines[*session]; l != nil {
		l.jobs = append(l.jobs, j)
		return false
	}
	s.lines[*session] = new(line)
	return true
}

// sessionOf gives the session whose calls a call has to wait for, nil if there is none.
func sessionOf(call ck.Call) *ck.SessionHandle {
	if call == nil {
		return nil
	}
	return ck.SessionOf(call)
}

// finish does a call, and those of its session that have come meanwhile.
func (s *server) finish(ctx context.Context, j *job) {
	session := sessionOf(j.call)
	var handle ck.SessionHandle
	if session != nil {
		handle = *session
	}
	for j != nil {
		began := s.clock()
		s.answer(ctx, j)
		s.took(j, began)
		s.done(j)
		if session == nil {
			return
		}
		s.mu.Lock()
		if l := s.lines[handle]; len(l.jobs) > 0 {
			j, l.jobs = l.jobs[0], l.jobs[1:]
		} else {
			delete(s.lines, handle)
			j = nil
		}
		s.mu.Unlock()
	}
}

// wait does a C_WaitForSlotEvent that may take for ever. It is not counted among the calls under way: nothing waits for it.
func (s *server) wait(ctx context.Context, j *job) {
	s.mu.Lock()
	if s.waits == maxWaits {
		j.refused = refusal(ck.CKR_FUNCTION_FAILED, "too many calls wait for an event already")
	} else {
		s.waits++
	}
	s.mu.Unlock()
	s.done(j)
	if j.refused != nil {
		s.answer(ctx, j)
		return
	}
	j.waits = true
	go func() {
		s.answer(ctx, j)
		s.mu.Lock()
		s.waits--
		s.mu.Unlock()
	}()
}

// fail notes why the connection ends.
func (s *server) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		s.err = err
	}
}

func (s *server) failed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err != nil
}
