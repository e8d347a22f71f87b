package trace

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"
)

// An Entry is what one line of a log holds: a [*Call], a [*Start] or a [*Loss]. Later formats may have others, which are left out.
type Entry interface{ entry() }

// A Call is one PKCS#11 call that has returned. It belongs to whoever got it from [Read], which keeps nothing of it.
type Call struct {
	File string // the log's name, as given to Read
	Line int    // where in it, counted from 1

	Time     time.Time     // when it began
	Duration time.Duration // until it returned
	PID      int           // the process
	Thread   int           // the kernel's id of the thread
	Caller   string        // name of the program or library that called
	View     int           // what one load of the process got, of whatever modules; 0 if the log does not say
	Module   string        // name in the configuration, or of the file
	Function string        // C_Sign
	Session  *uint64       // nil where the call is of no session
	Result   string        // CKR_OK

	// JSON objects in valid UTF-8, nil where there is nothing.
	Arguments, Output json.RawMessage
}

// Failed tells whether the module refused the call. CKR_BUFFER_TOO_SMALL counts as a refusal too: a caller that wants to know a
// length asks without room and gets CKR_OK.
func (c *Call) Failed() bool { return c.Result != "CKR_OK" }

// End is when the call returned.
func (c *Call) End() time.Time { return c.Time.Add(c.Duration) }

// A Start is the first line that a process writes into a log.
type Start struct {
	Time    time.Time
	PID     int
	Caller  string
	Secrets bool // the log has secrets in it (log-secrets: yes)
}

// A Loss says that a process had to leave out calls, because nobody read the log as fast as it wrote.
type Loss struct {
	Time  time.Time
	PID   int
	Calls uint64
}

func (*Call) entry()  {}
func (*Start) entry() {}
func (*Loss) entry()  {}

// format is the version of the lines that this package understands.
const format = 1

// A line is every kind of entry as it is written. What has to be there is a pointer, so that what is missing can be told from zero.
type line struct {
	Time      *string         `json:"time"`
	PID       *int            `json:"pid"`
	Thread    int             `json:"thread"`
	Caller    string          `json:"caller"`
	View      int             `json:"view"`
	Module    string          `json:"module"`
	Function  *string         `json:"function"`
	Session   *uint64         `json:"session"`
	Arguments json.RawMessage `json:"arguments"`
	Output    json.RawMessage `json:"output"`
	Result    *string         `json:"result"`
	Duration  *float64        `json:"duration"`

	Log     *string `json:"log"`
	Format  int     `json:"format"`
	Secrets bool    `json:"secrets"`
	Dropped *uint64 `json:"dropped"`
}

// errCut is what is wrong with a record whose end is missing.
var errCut = errors.New("cut off in the middle of a record")

// parse reads one record, which must be all of text.
func parse(text []byte) (Entry, error) {
	var l line
	if err := json.Unmarshal(text, &l); err != nil {
		return nil, explain(err, len(text))
	}
	if l.Time == nil {
		return nil, missing("time")
	}
	at, err := time.Parse(time.RFC3339Nano, *l.Time)
	if err != nil {
		return nil, fmt.Errorf("the time %s is not one of RFC 3339", quote(*l.Time))
	}
	// What is beyond does not fit into the nanoseconds that everything here counts in.
	if y := at.Year(); y < 1970 || y > 2261 {
		return nil, fmt.Errorf("the time %s is not of our age", quote(*l.Time))
	}
	if l.PID == nil {
		return nil, missing("pid")
	}
	switch {
	case l.Log != nil:
		if l.Format != format {
			return nil, fmt.Errorf("the log has format %d, this program knows %d: use a newer p11mux", l.Format, format)
		}
		return &Start{Time: at, PID: *l.PID, Caller: l.Caller, Secrets: l.Secrets}, nil
	case l.Dropped != nil:
		return &Loss{Time: at, PID: *l.PID, Calls: *l.Dropped}, nil
	}
	return l.call(at)
}

// call is a line that is neither of the other two.
func (l *line) call(at time.Time) (Entry, error) {
	switch {
	case l.Function == nil:
		return nil, missing("function")
	case l.Result == nil:
		return nil, missing("result")
	case l.Duration == nil:
		return nil, missing("duration")
	}
	ns := math.Round(*l.Duration * 1000)
	if ns < 0 || ns > float64(maxDuration) {
		return nil, fmt.Errorf("a duration of %g µs cannot be", *l.Duration)
	}
	for name, part := range map[string]*json.RawMessage{"arguments": &l.Arguments, "output": &l.Output} {
		switch {
		case string(*part) == "null":
			*part = nil
		case len(*part) > 0 && (*part)[0] != '{':
			return nil, fmt.Errorf("%q is not a JSON object", name)
		}
	}
	return &Call{
		Time: at, Duration: time.Duration(ns), PID: *l.PID, Thread: l.Thread, Caller: l.Caller, View: l.View, Module: l.Module,
		Function: *l.Function, Session: l.Session, Result: *l.Result, Arguments: l.Arguments, Output: l.Output,
	}, nil
}

// maxDuration is more than any machine has been up.
const maxDuration = 50 * 365 * 24 * time.Hour

func missing(field string) error { return fmt.Errorf("it has no %q", field) }

// explain says in our words what package json found wrong with n octets.
func explain(err error, n int) error {
	if e, ok := errors.AsType[*json.SyntaxError](err); ok {
		if e.Offset >= int64(n) {
			return errCut
		}
		return fmt.Errorf("not JSON at octet %d: %w", e.Offset, err)
	}
	if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		if e.Field == "" {
			return fmt.Errorf("a JSON %s, not an object", e.Value)
		}
		return fmt.Errorf("%q cannot be a JSON %s", e.Field, e.Value)
	}
	return err
}
