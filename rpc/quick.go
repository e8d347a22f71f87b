package rpc

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/p11mux/p11mux/ck"
)

// A call is quick if the last one of its function took no longer than quickCall. Who does it may keep the turn to read
// for watchPause, or a little more.
const (
	quickCall  = 40 * time.Microsecond
	watchPause = time.Millisecond
	watchIdle  = 100 // pauses without a quick call, after which nobody watches until there is one
)

// quick is what a server knows of quick calls. The turn is taken away from who keeps it by changing kept.
type quick struct {
	functions [ck.NumFuncs]atomic.Bool // whose last call was quick
	last      uint64                   // of the calls that kept the turn, counted; belongs to who has the turn
	kept      atomic.Uint64            // the one that keeps it now, 0 if none
	asleep    atomic.Bool              // nobody watches
	wake      chan struct{}            // has an element when somebody shall
}

// keep has the worker keep the turn if the call will be quick, and gives the number by which he does; 0 if not.
func (s *server) keep(j *job) uint64 {
	if s.options.Pause == nil || j.call == nil || !s.quick.functions[j.call.Func()].Load() {
		return 0
	}
	q := &s.quick
	q.last++
	n := q.last // when the turn is lost it can be another worker's
	q.kept.Store(n)
	if q.asleep.Load() {
		select {
		case q.wake <- struct{}{}:
		default:
		}
	}
	return n
}

// kept tells whether the worker has the turn still.
func (s *server) kept(n uint64) bool { return s.quick.kept.CompareAndSwap(n, 0) }

// clock is the time at which a call begins, where it matters.
func (s *server) clock() time.Time {
	if s.options.Pause == nil {
		return time.Time{}
	}
	return time.Now()
}

// took notes how long a call took.
func (s *server) took(j *job, began time.Time) {
	if j.call == nil || began.IsZero() {
		return
	}
	f := &s.quick.functions[j.call.Func()]
	if is := time.Since(began) <= quickCall; is != f.Load() {
		f.Store(is)
	}
}

// watch takes the turn from who keeps it for too long.
func (s *server) watch(ctx context.Context) {
	q := &s.quick
	var seen uint64
	for idle := 0; ; {
		select {
		case <-s.over:
			return
		default:
		}
		s.options.Pause(watchPause)
		n := q.kept.Load()
		switch {
		case n == 0:
			idle++
		case n != seen:
			seen, idle = n, 0
		case q.kept.CompareAndSwap(n, 0):
			s.pass(ctx)
		}
		if idle < watchIdle {
			continue
		}
		q.asleep.Store(true)
		if q.kept.Load() == 0 {
			select {
			case <-q.wake:
			case <-s.over:
				return
			}
		}
		q.asleep.Store(false)
		idle = 0
	}
}
