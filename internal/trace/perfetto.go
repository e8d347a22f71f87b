package trace

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"time"
)

// A Perfetto writes a log in the trace-event format, which Perfetto (ui.perfetto.dev) and Chrome (chrome://tracing) show. What it
// writes is complete after Close only. It may be used by one goroutine at a time.
type Perfetto struct {
	out       *bufio.Writer
	base      time.Time
	events    int
	processes map[int]bool
	threads   map[[2]int]bool
	err       error
}

// NewPerfetto begins a trace.
func NewPerfetto(w io.Writer) *Perfetto {
	return &Perfetto{out: bufio.NewWriter(w), processes: map[int]bool{}, threads: map[[2]int]bool{}}
}

// An event is one of the format's. Only the fields that its phase needs are written.
type event struct {
	Name     string      `json:"name"`
	Category string      `json:"cat,omitempty"`
	Phase    string      `json:"ph"`
	Time     json.Number `json:"ts,omitempty"`  // µs
	Duration json.Number `json:"dur,omitempty"` // µs
	PID      int         `json:"pid"`
	TID      int         `json:"tid"`
	Scope    string      `json:"s,omitempty"`
	Args     any         `json:"args,omitempty"`
}

// callArgs are what a viewer shows of a call that is chosen.
type callArgs struct {
	Caller    string          `json:"caller"`
	View      int             `json:"view"`
	Module    string          `json:"module"`
	Session   string          `json:"session,omitempty"` // in decimal: viewers read numbers as floating point
	Result    string          `json:"result"`
	Arguments json.RawMessage `json:"arguments,omitempty"`
	Output    json.RawMessage `json:"output,omitempty"`
}

// Add writes an entry. An error of the writer comes from Close.
func (p *Perfetto) Add(e Entry) {
	switch e := e.(type) {
	case *Start:
		p.process(e.PID, e.Caller, e.Time)
	case *Loss:
		p.start(e.Time)
		p.event(event{Name: fmt.Sprintf("%d calls are not in the log", e.Calls), Phase: "i", Scope: "p", Time: p.since(e.Time), PID: e.PID, TID: e.PID})
	case *Call:
		p.process(e.PID, e.Caller, e.Time)
		if k := [2]int{e.PID, e.Thread}; !p.threads[k] && len(p.threads) < maxKinds {
			p.threads[k] = true
			p.name("thread_name", e.PID, e.Thread, "thread "+strconv.Itoa(e.Thread))
		}
		args := callArgs{Caller: e.Caller, View: e.View, Module: e.Module, Result: e.Result, Arguments: e.Arguments, Output: e.Output}
		if e.Session != nil {
			args.Session = count(*e.Session)
		}
		category := e.Module
		if e.Failed() {
			category += ",error"
		}
		p.event(event{Name: e.Function, Category: category, Phase: "X", Time: p.since(e.Time), Duration: exact(e.Duration), PID: e.PID, TID: e.Thread, Args: args})
	}
}

// process names a process when it is first seen.
func (p *Perfetto) process(pid int, caller string, seen time.Time) {
	p.start(seen)
	if !p.processes[pid] && len(p.processes) < maxKinds {
		p.processes[pid] = true
		p.name("process_name", pid, pid, caller)
	}
}

func (p *Perfetto) name(what string, pid, tid int, name string) {
	p.event(event{Name: what, Phase: "M", PID: pid, TID: tid, Args: map[string]string{"name": name}})
}

// start fixes the time that all others are counted from. Viewers read them as floating point, which has not enough digits to count
// from 1970. A day has room for every call that began before the one that is first in the log.
func (p *Perfetto) start(seen time.Time) {
	if p.base.IsZero() {
		p.base = seen.UTC().Truncate(24*time.Hour).AddDate(0, 0, -1)
	}
}

func (p *Perfetto) since(t time.Time) json.Number { return exact(t.Sub(p.base)) }

// exact is a duration in µs with all its digits.
func exact(d time.Duration) json.Number {
	return json.Number(strconv.FormatFloat(float64(d)/1000, 'f', 3, 64))
}

func (p *Perfetto) event(e event) {
	begin := ",\n"
	if p.events == 0 {
		begin = `{"displayTimeUnit":"ns","traceEvents":[` + "\n"
	}
	p.events++
	text, err := json.Marshal(e)
	if err != nil {
		// Nothing that Read has given can be the cause.
		p.err = err
		return
	}
	p.out.WriteString(begin)
	p.out.Write(text)
}

// Close ends the trace and says whether everything could be written. It does not close the writer.
func (p *Perfetto) Close() error {
	if p.events == 0 {
		p.out.WriteString(`{"displayTimeUnit":"ns","traceEvents":[`)
	}
	start := ""
	if !p.base.IsZero() {
		start = p.base.Format(time.RFC3339)
	}
	fmt.Fprintf(p.out, "\n],\"otherData\":{\"zero\":%q}}\n", start)
	if err := p.out.Flush(); err != nil {
		return err
	}
	return p.err
}
