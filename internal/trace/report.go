package trace

import "time"

// A Report is what [Stats] counted. It is made for encoding/json. All durations are in µs, as in the log.
type Report struct {
	Calls     uint64     `json:"calls"`
	Failed    uint64     `json:"failed"`    // of them; see [Call.Failed]
	Total     float64    `json:"total"`     // time within calls, µs
	Dropped   uint64     `json:"dropped"`   // calls that the log says it does not have
	Secrets   bool       `json:"secrets"`   // a process says that its log has secrets in it
	Damaged   int        `json:"damaged"`   // problems with lines; whoever reads the log counts them
	Processes int        `json:"processes"` // how many
	Start     *time.Time `json:"start"`     // of the first call; nil if there is none
	End       *time.Time `json:"end"`       // of the last

	Functions []FunctionReport `json:"functions"` // by total time, the longest first
	Callers   []CallerReport   `json:"callers"`   // by process and view
	Errors    []ErrorReport    `json:"errors"`    // by count, the most frequent first
	Slowest   []CallReport     `json:"slowest"`   // the slowest first
}

// Times are how long a group of calls took, in µs. Quantiles are exact to one part in a hundred.
type Times struct {
	Count  uint64  `json:"count"`
	Failed uint64  `json:"failed"`
	Total  float64 `json:"total"`
	P50    float64 `json:"p50"`
	P90    float64 `json:"p90"`
	P99    float64 `json:"p99"`
	Max    float64 `json:"max"`
}

// A FunctionReport is about the calls of one function.
type FunctionReport struct {
	Function string `json:"function"`
	Times
}

// A CallerReport is about the calls of one caller: one view of one process.
type CallerReport struct {
	PID    int    `json:"pid"`
	Caller string `json:"caller"`
	View   int    `json:"view"`
	Times
}

// An ErrorReport says how often a function returned an error.
type ErrorReport struct {
	Function string `json:"function"`
	Result   string `json:"result"`
	Count    uint64 `json:"count"`
}

// A CallReport is one call, and where in the logs it is.
type CallReport struct {
	File     string    `json:"file"`
	Line     int       `json:"line"`
	Time     time.Time `json:"time"`
	PID      int       `json:"pid"`
	Thread   int       `json:"thread"`
	Caller   string    `json:"caller"`
	View     int       `json:"view"`
	Module   string    `json:"module"`
	Function string    `json:"function"`
	Session  *uint64   `json:"session,omitempty"`
	Result   string    `json:"result"`
	Duration float64   `json:"duration"` // µs
}

func (c *Call) report() CallReport {
	return CallReport{
		File: c.File, Line: c.Line, Time: c.Time, PID: c.PID, Thread: c.Thread, Caller: c.Caller, View: c.View, Module: c.Module,
		Function: c.Function, Session: c.Session, Result: c.Result, Duration: micros(c.Duration),
	}
}
