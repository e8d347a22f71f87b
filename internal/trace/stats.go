package trace

import (
	"cmp"
	"container/heap"
	"maps"
	"slices"
	"time"
)

// maxKinds bounds how many functions, errors and callers are counted apart, so that a log made up of ever new names cannot use up the
// memory. Real logs are far below. What is beyond is counted under the name of others.
const maxKinds = 4096

const others = "(others)"

// Stats counts what is in a log. The zero value is not ready, see [NewStats]. It may be used by one goroutine at a time.
type Stats struct {
	functions map[string]*tally
	callers   map[callerKey]*tally
	errors    map[errorKey]uint64
	slowest   slowest
	top       int
	all       tally
	dropped   uint64
	secrets   bool
	processes map[int]bool
	start     time.Time
	end       time.Time
}

// A tally is what is counted of a group of calls.
type tally struct {
	spread
	failed uint64
}

func (t *tally) add(c *Call) {
	t.spread.add(c.Duration)
	if c.Failed() {
		t.failed++
	}
}

type callerKey struct {
	pid    int
	caller string
	view   int
}

type errorKey struct{ function, result string }

// NewStats begins to count; top is how many of the slowest calls are kept.
func NewStats(top int) *Stats {
	return &Stats{
		functions: map[string]*tally{}, callers: map[callerKey]*tally{}, errors: map[errorKey]uint64{}, processes: map[int]bool{},
		top: top,
	}
}

// Add counts an entry of a log.
func (s *Stats) Add(e Entry) {
	switch e := e.(type) {
	case *Call:
		s.call(e)
	case *Start:
		s.process(e.PID)
		s.secrets = s.secrets || e.Secrets
	case *Loss:
		s.process(e.PID)
		s.dropped += e.Calls
	}
}

func (s *Stats) process(pid int) {
	if len(s.processes) < maxKinds {
		s.processes[pid] = true
	}
}

func (s *Stats) call(c *Call) {
	if s.all.n == 0 || c.Time.Before(s.start) {
		s.start = c.Time
	}
	if end := c.End(); end.After(s.end) {
		s.end = end
	}
	s.process(c.PID)
	s.all.add(c)
	at(s.functions, c.Function, others).add(c)
	at(s.callers, callerKey{c.PID, c.Caller, c.View}, callerKey{caller: others}).add(c)
	if c.Failed() {
		k := errorKey{c.Function, c.Result}
		if _, ok := s.errors[k]; !ok && len(s.errors) >= maxKinds {
			k = errorKey{others, others}
		}
		s.errors[k]++
	}
	s.slowest.add(c, s.top)
}

// at is the tally of a key, or of the key rest if there are too many.
func at[K comparable](tallies map[K]*tally, key, rest K) *tally {
	t, ok := tallies[key]
	if !ok && len(tallies) >= maxKinds {
		key = rest
		t, ok = tallies[key]
	}
	if !ok {
		t = new(tally)
		tallies[key] = t
	}
	return t
}

// slowest holds the calls that took longest, as a heap whose top is the quickest of them. Of calls that took the same time, those
// that came first stay.
type slowest []*Call

func (s slowest) Len() int           { return len(s) }
func (s slowest) Less(i, j int) bool { return slower(s[i], s[j]) > 0 }
func (s slowest) Swap(i, j int)      { s[i], s[j] = s[j], s[i] }

// Push is for package heap.
func (s *slowest) Push(x any) { *s = append(*s, x.(*Call)) }

// Pop is for package heap.
func (s *slowest) Pop() any {
	last := (*s)[len(*s)-1]
	*s = (*s)[:len(*s)-1]
	return last
}

func (s *slowest) add(c *Call, most int) {
	switch {
	case len(*s) < most:
		heap.Push(s, c)
	case most > 0 && c.Duration > (*s)[0].Duration:
		(*s)[0] = c
		heap.Fix(s, 0)
	}
}

// slower orders the slowest call first.
func slower(a, b *Call) int {
	return cmp.Or(cmp.Compare(b.Duration, a.Duration), a.Time.Compare(b.Time))
}

// Report says what was counted so far.
func (s *Stats) Report() *Report {
	r := &Report{
		Calls: s.all.n, Failed: s.all.failed, Total: micros(s.all.sum), Dropped: s.dropped, Secrets: s.secrets, Processes: len(s.processes),
		Functions: []FunctionReport{}, Callers: []CallerReport{}, Errors: []ErrorReport{}, Slowest: []CallReport{},
	}
	if s.all.n > 0 {
		r.Start, r.End = &s.start, &s.end
	}
	for name, t := range s.functions {
		r.Functions = append(r.Functions, FunctionReport{name, t.times()})
	}
	slices.SortFunc(r.Functions, func(a, b FunctionReport) int {
		return cmp.Or(cmp.Compare(b.Total, a.Total), cmp.Compare(a.Function, b.Function))
	})
	keys := slices.SortedFunc(maps.Keys(s.callers), func(a, b callerKey) int {
		return cmp.Or(cmp.Compare(a.pid, b.pid), cmp.Compare(a.view, b.view), cmp.Compare(a.caller, b.caller))
	})
	for _, k := range keys {
		r.Callers = append(r.Callers, CallerReport{k.pid, k.caller, k.view, s.callers[k].times()})
	}
	for k, n := range s.errors {
		r.Errors = append(r.Errors, ErrorReport{k.function, k.result, n})
	}
	slices.SortFunc(r.Errors, func(a, b ErrorReport) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Function, b.Function), cmp.Compare(a.Result, b.Result))
	})
	for _, c := range slices.SortedFunc(slices.Values(s.slowest), slower) {
		r.Slowest = append(r.Slowest, c.report())
	}
	return r
}

func (t *tally) times() Times {
	return Times{
		Count: t.n, Failed: t.failed, Total: micros(t.sum), P50: micros(t.quantile(0.5)), P90: micros(t.quantile(0.9)),
		P99: micros(t.quantile(0.99)), Max: micros(t.max),
	}
}
