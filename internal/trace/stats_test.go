package trace

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestBuckets(t *testing.T) {
	last := -1
	for _, d := range []time.Duration{0, 1, 127, 128, 129, 255, 256, 257, 1000, 1 << 20, 1<<20 + 1<<13, maxDuration} {
		b := bucket(d)
		if b < last {
			t.Errorf("%d ns has the bucket %d, before that of a shorter one", d, b)
		}
		last = b
		if m := middle(b); math.Abs(float64(m-d)) > float64(d)/100 {
			t.Errorf("the middle of the bucket of %d ns is %d", d, m)
		}
	}
	for d := time.Duration(1); d < 100_000; d++ {
		if step := bucket(d) - bucket(d-1); step != 0 && step != 1 {
			t.Fatalf("%d buckets between %d and %d ns", step, d-1, d)
		}
	}
}

// Quantiles are those of the sorted durations, to one part in a hundred.
func TestQuantiles(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int{1, 2, 3, 10, 99, 100, 101, 5000} {
		var s spread
		var all []time.Duration
		for range n {
			d := time.Duration(math.Exp(random.Float64() * 25))
			all = append(all, d)
			s.add(d)
		}
		slices.Sort(all)
		for q, rank := range map[float64]int{0: 0, 0.5: (n+1)/2 - 1, 0.9: (n*9+9)/10 - 1, 0.99: (n*99+99)/100 - 1, 1: n - 1} {
			got, want := s.quantile(q), all[rank]
			if math.Abs(float64(got-want)) > float64(want)/100 {
				t.Errorf("of %d durations the quantile %g is %v, want %v", n, q, got, want)
			}
		}
		if s.min != all[0] || s.max != all[n-1] {
			t.Errorf("from %v to %v, want %v to %v", s.min, s.max, all[0], all[n-1])
		}
	}
	if got := new(spread).quantile(0.5); got != 0 {
		t.Errorf("the quantile of nothing is %v", got)
	}
}

// statsOf counts a log.
func statsOf(t *testing.T, log string, top int) *Report {
	t.Helper()
	s := NewStats(top)
	problems := 0
	for e, err := range Read("dir/log", strings.NewReader(log)) {
		if _, ok := errors.AsType[*Problem](err); ok {
			problems++
		} else if err != nil {
			t.Fatal(err)
		} else {
			s.Add(e)
		}
	}
	r := s.Report()
	r.Damaged = problems
	return r
}

const evilCaller = `\u001b[31m\u009b1m\nred`

// smallLog has two callers, an error, a loss, a secret and a damaged line.
var smallLog = strings.Join([]string{
	strings.Replace(startLine, "false", "true", 1), signLine, strings.Replace(signLine, "12.345", "1500", 1), slotsLine, "broken", lossLine,
	strings.Replace(strings.Replace(slotsLine, "nss", evilCaller, 1), "0.001", "2500000", 1),
}, "\n")

func TestReport(t *testing.T) {
	got, err := json.MarshalIndent(statsOf(t, smallLog, 2), "", " ")
	if err != nil {
		t.Fatal(err)
	}
	want := `{
 "calls": 4,
 "failed": 2,
 "total": 2501512.346,
 "dropped": 17,
 "secrets": true,
 "damaged": 1,
 "processes": 1,
 "start": "2026-11-25T09:49:32.123456789Z",
 "end": "2026-11-25T09:49:35.5Z",
 "functions": [
  {
   "function": "C_GetSlotList",
   "count": 2,
   "failed": 2,
   "total": 2500000.001,
   "p50": 0.001,
   "p90": 2500000,
   "p99": 2500000,
   "max": 2500000
  },
  {
   "function": "C_Sign",
   "count": 2,
   "failed": 0,
   "total": 1512.345,
   "p50": 12.345,
   "p90": 1500,
   "p99": 1500,
   "max": 1500
  }
 ],
 "callers": [
  {
   "pid": 123,
   "caller": "gnutls",
   "view": 3,
   "count": 2,
   "failed": 0,
   "total": 1512.345,
   "p50": 12.345,
   "p90": 1500,
   "p99": 1500,
   "max": 1500
  },
  {
   "pid": 123,
   "caller": "\u001b[31m` + "\u009b" + `1m\nred",
   "view": 4,
   "count": 1,
   "failed": 1,
   "total": 2500000,
   "p50": 2500000,
   "p90": 2500000,
   "p99": 2500000,
   "max": 2500000
  },
  {
   "pid": 123,
   "caller": "nss",
   "view": 4,
   "count": 1,
   "failed": 1,
   "total": 0.001,
   "p50": 0.001,
   "p90": 0.001,
   "p99": 0.001,
   "max": 0.001
  }
 ],
 "errors": [
  {
   "function": "C_GetSlotList",
   "result": "CKR_DEVICE_ERROR",
   "count": 2
  }
 ],
 "slowest": [
  {
   "file": "dir/log",
   "line": 7,
   "time": "2026-11-25T09:49:33Z",
   "pid": 123,
   "thread": 125,
   "caller": "\u001b[31m` + "\u009b" + `1m\nred",
   "view": 4,
   "module": "softhsm",
   "function": "C_GetSlotList",
   "result": "CKR_DEVICE_ERROR",
   "duration": 2500000
  },
  {
   "file": "dir/log",
   "line": 3,
   "time": "2026-11-25T09:49:32.123456789Z",
   "pid": 123,
   "thread": 124,
   "caller": "gnutls",
   "view": 3,
   "module": "softhsm",
   "function": "C_Sign",
   "session": 5,
   "result": "CKR_OK",
   "duration": 1500
  }
 ]
}`
	if string(got) != want {
		t.Errorf("got %s", got)
	}
}

func TestText(t *testing.T) {
	var got strings.Builder
	if err := statsOf(t, smallLog, 2).Text(&got); err != nil {
		t.Fatal(err)
	}
	want := `4 calls, 2 errors, in 2.50 s of 3 callers and 1 process, 3.38 s from 2026-11-25T09:49:32.123456789Z
17 calls not in the log: it was not written as fast as the calls came
1 problem with the log's lines
the log has secrets in it (log-secrets: yes)

Time by function
  function       calls  errors    total      p50      p90      p99      max
  C_GetSlotList      2       2   2.50 s     1 ns   2.50 s   2.50 s   2.50 s
  C_Sign             2       0  1.51 ms  12.3 µs  1.50 ms  1.50 ms  1.50 ms

Time by caller
  caller                 pid  view  calls  errors    total      p50      p90      p99      max
  gnutls                 123  3         2       0  1.51 ms  12.3 µs  1.50 ms  1.50 ms  1.50 ms
  \x1b[31m\u009b1m\nred  123  4         1       1   2.50 s   2.50 s   2.50 s   2.50 s   2.50 s
  nss                    123  4         1       1     1 ns     1 ns     1 ns     1 ns     1 ns

Errors
  function       result            calls
  C_GetSlotList  CKR_DEVICE_ERROR      2

Slowest calls
  function       result            caller                 view  module   session  where         time
  C_GetSlotList  CKR_DEVICE_ERROR  \x1b[31m\u009b1m\nred  4     softhsm  -        dir/log:7   2.50 s
  C_Sign         CKR_OK            gnutls                 3     softhsm  5        dir/log:3  1.50 ms
`
	if got.String() != want {
		t.Errorf("got\n%s", &got)
	}
}

func TestTextOfNothing(t *testing.T) {
	var got strings.Builder
	if err := statsOf(t, "", 5).Text(&got); err != nil {
		t.Fatal(err)
	}
	if want := "0 calls, 0 errors, in 0 ns of 0 callers and 0 processes\n"; got.String() != want {
		t.Errorf("got %q", &got)
	}
}

func TestSpan(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0 ns", 999: "999 ns", 1000: "1.00 µs", 9994: "9.99 µs", 9996: "10.0 µs", 99949: "99.9 µs", 99960: "100 µs",
		2500 * time.Millisecond: "2.50 s", 2 * time.Hour: "7200 s",
	} {
		if got := span(d); got != want {
			t.Errorf("%d ns: %s, want %s", d, got, want)
		}
	}
}

// A log of nothing but new names does not use up the memory; what is beyond the limit is counted together.
func TestTooManyKinds(t *testing.T) {
	const n = maxKinds + 100
	s := NewStats(1)
	for i := range n {
		s.Add(&Call{PID: i, Function: fmt.Sprint("C_", i), Result: fmt.Sprint("CKR_", i), Time: time.Unix(int64(i), 0), Duration: 1})
	}
	r := s.Report()
	if r.Calls != n || r.Processes != maxKinds {
		t.Errorf("%d calls, %d processes", r.Calls, r.Processes)
	}
	for what, length := range map[string]int{"functions": len(r.Functions), "callers": len(r.Callers), "errors": len(r.Errors)} {
		if length != maxKinds+1 {
			t.Errorf("%d %s", length, what)
		}
	}
	if r.Functions[0].Function != others || r.Functions[0].Count != 100 || r.Errors[0] != (ErrorReport{others, others, 100}) {
		t.Errorf("got %+v, %+v", r.Functions[0], r.Errors[0])
	}
}

func TestSlowest(t *testing.T) {
	var s slowest
	for i, d := range []time.Duration{3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5} {
		s.add(&Call{Duration: d, Line: i}, 4)
	}
	var got []int
	for _, c := range slices.SortedStableFunc(slices.Values(s), func(a, b *Call) int { return int(b.Duration - a.Duration) }) {
		got = append(got, int(c.Duration))
	}
	if !slices.Equal(got, []int{9, 6, 5, 5}) {
		t.Errorf("got %v", got)
	}
	s = nil
	if s.add(&Call{Duration: 1}, 0); len(s) != 0 {
		t.Error("keeps a call where none is wanted")
	}
}

func TestListing(t *testing.T) {
	var got strings.Builder
	l := NewListing(&got)
	for e := range Read("log", strings.NewReader(startLine+"\n"+signLine+"\n"+strings.Replace(slotsLine, "nss", evilCaller, 1))) {
		l.Add(e)
	}
	if err := l.Flush(); err != nil {
		t.Fatal(err)
	}
	want := `09:49:32.123456 gnutls[123] view 3 softhsm C_Sign(5) = CKR_OK 12.3 µs
09:49:33.000000 \x1b[31m\u009b1m\nred[123] view 4 softhsm C_GetSlotList(-) = CKR_DEVICE_ERROR 1 ns
`
	if got.String() != want {
		t.Errorf("got\n%s", &got)
	}
}

func TestPerfetto(t *testing.T) {
	var out strings.Builder
	p := NewPerfetto(&out)
	for e := range Read("log", strings.NewReader(smallLog)) {
		if e != nil {
			p.Add(e)
		}
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	var got struct {
		Unit   string            `json:"displayTimeUnit"`
		Events []json.RawMessage `json:"traceEvents"`
		Other  map[string]string `json:"otherData"`
	}
	if err := json.Unmarshal([]byte(out.String()), &got); err != nil {
		t.Fatalf("%v: %s", err, &out)
	}
	want := []string{
		`{"name":"process_name","ph":"M","pid":123,"tid":123,"args":{"name":"mailer"}}`,
		`{"name":"thread_name","ph":"M","pid":123,"tid":124,"args":{"name":"thread 124"}}`,
		`{"name":"C_Sign","cat":"softhsm","ph":"X","ts":121772123456.789,"dur":12.345,"pid":123,"tid":124,"args":{"caller":"gnutls","view":3,"module":"softhsm","session":"5","result":"CKR_OK","arguments":{"hSession":5,"pData":{"length":32}},"output":{"pSignature":{"length":2,"value":"0aff"}}}}`,
		`{"name":"C_Sign","cat":"softhsm","ph":"X","ts":121772123456.789,"dur":1500.000,"pid":123,"tid":124,"args":{"caller":"gnutls","view":3,"module":"softhsm","session":"5","result":"CKR_OK","arguments":{"hSession":5,"pData":{"length":32}},"output":{"pSignature":{"length":2,"value":"0aff"}}}}`,
		`{"name":"thread_name","ph":"M","pid":123,"tid":125,"args":{"name":"thread 125"}}`,
		`{"name":"C_GetSlotList","cat":"softhsm,error","ph":"X","ts":121773000000.000,"dur":0.001,"pid":123,"tid":125,"args":{"caller":"nss","view":4,"module":"softhsm","result":"CKR_DEVICE_ERROR","arguments":{}}}`,
		`{"name":"17 calls are not in the log","ph":"i","ts":121774000000.000,"pid":123,"tid":123,"s":"p"}`,
	}
	for i, w := range want {
		if i >= len(got.Events) || string(got.Events[i]) != w {
			t.Errorf("event %d: want %s in\n%s", i, w, &out)
		}
	}
	if len(got.Events) != len(want)+1 || got.Unit != "ns" || got.Other["zero"] != "2026-11-24T00:00:00Z" {
		t.Errorf("%d events, unit %q, zero %q", len(got.Events), got.Unit, got.Other["zero"])
	}
}

func TestPerfettoOfNothing(t *testing.T) {
	var out strings.Builder
	if err := NewPerfetto(&out).Close(); err != nil || !json.Valid([]byte(out.String())) {
		t.Errorf("%v: %s", err, &out)
	}
}
