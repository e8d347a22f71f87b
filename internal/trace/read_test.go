package trace

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

// What the logger writes.
const (
	startLine = `{"time":"2026-11-25T09:49:32.000000001Z","pid":123,"log":"p11mux","format":1,"caller":"mailer","secrets":false}`
	signLine  = `{"time":"2026-11-25T09:49:32.123456789Z","pid":123,"thread":124,"caller":"gnutls","view":3,"module":"softhsm",` +
		`"function":"C_Sign","session":5,"arguments":{"hSession":5,"pData":{"length":32}},` +
		`"output":{"pSignature":{"length":2,"value":"0aff"}},"result":"CKR_OK","duration":12.345}`
	slotsLine = `{"time":"2026-11-25T09:49:33.000000000Z","pid":123,"thread":125,"caller":"nss","view":4,"module":"softhsm",` +
		`"function":"C_GetSlotList","arguments":{},"result":"CKR_DEVICE_ERROR","duration":0.001}`
	lossLine = `{"time":"2026-11-25T09:49:34.000000000Z","pid":123,"dropped":17}`
)

// sum is what Read makes of a log, a line for each entry or problem.
func sum(log string) []string {
	var got []string
	for e, err := range Read("log", strings.NewReader(log)) {
		switch e := e.(type) {
		case *Call:
			got = append(got, fmt.Sprintf("%d %s %s", e.Line, e.Function, e.Result))
		case *Start:
			got = append(got, "start "+e.Caller)
		case *Loss:
			got = append(got, fmt.Sprintf("loss %d", e.Calls))
		case nil:
			got = append(got, err.Error())
		}
	}
	return got
}

func TestRead(t *testing.T) {
	const sign, slots = "C_Sign CKR_OK", "C_GetSlotList CKR_DEVICE_ERROR"
	swap := strings.NewReplacer
	for name, c := range map[string]struct{ log, want string }{
		"empty":            {"", ""},
		"a whole log":      {startLine + "\n" + signLine + "\n" + slotsLine + "\n" + lossLine + "\n", "start mailer|2 " + sign + "|3 " + slots + "|loss 17"},
		"no last newline":  {signLine, "1 " + sign},
		"other newlines":   {signLine + "\r\n\r\n  \n" + slotsLine, "1 " + sign + "|4 " + slots},
		"truncated":        {signLine + "\n" + signLine[:200], "1 " + sign + "|log:2: cut off in the middle of a record"},
		"truncated within": {signLine[:100] + "\n" + slotsLine + "\n", "log:1: cut off in the middle of a record|2 " + slots},
		"a dead writer": {signLine[:100] + slotsLine + "\n" + signLine,
			"log:1: column 1: cut off in the middle of a record|1 " + slots + "|2 " + sign},
		"two on a line": {signLine + slotsLine + "\n", "1 " + sign + "|1 " + slots + "|log:1: 2 records on one line"},
		"one within another": {signLine[:100] + slotsLine + "\n" + signLine[100:] + "\n",
			"log:1: column 1: cut off in the middle of a record|1 " + slots + "|log:2: not JSON at octet 10: invalid character ',' after top-level value"},
		"something behind": {signLine + ",}\n", "1 " + sign + "|log:1: column 280: something that is no record follows one"},
		"zeros before": {"\x00\x00" + signLine + "\n",
			`log:1: column 1: not JSON at octet 1: invalid character '\x00' looking for beginning of value|1 ` + sign},
		"text":             {"p11-kit: hello\n" + signLine, "log:1: not JSON at octet 1: invalid character 'p' looking for beginning of value|2 " + sign},
		"a list":           {"[1]\n", "log:1: a JSON array, not an object"},
		"a string for pid": {swap(`"pid":123`, `"pid":"123"`).Replace(signLine), `log:1: "pid" cannot be a JSON string`},
		"half a session":   {swap(`"session":5`, `"session":5.5`).Replace(signLine), `log:1: "session" cannot be a JSON number 5.5`},
		"no time":          {`{"pid":1}`, `log:1: it has no "time"`},
		"no pid":           {swap(`"pid":123,`, ``).Replace(signLine), `log:1: it has no "pid"`},
		"no function":      {swap(`"function":"C_Sign",`, ``).Replace(signLine), `log:1: it has no "function"`},
		"no result":        {swap(`"result":"CKR_OK",`, ``).Replace(signLine), `log:1: it has no "result"`},
		"no duration":      {swap(`,"duration":12.345`, ``).Replace(signLine), `log:1: it has no "duration"`},
		"negative":         {swap(`12.345`, `-1`).Replace(signLine), `log:1: a duration of -1 µs cannot be`},
		"endless":          {swap(`12.345`, `1e300`).Replace(signLine), `log:1: a duration of 1e+300 µs cannot be`},
		"another time":     {swap(`2026-11-25T`, "yesterday\\u001b[31m ").Replace(signLine), `log:1: the time "yesterday\x1b[31m 09:49:32.123456789Z" is not one of RFC 3339`},
		"another age":      {swap(`2026-`, `9999-`).Replace(signLine), `log:1: the time "9999-11-25T09:49:32.123456789Z" is not of our age`},
		"arguments":        {swap(`"arguments":{}`, `"arguments":[]`).Replace(slotsLine), `log:1: "arguments" is not a JSON object`},
		"output":           {swap(`"arguments":{}`, `"output":7`).Replace(slotsLine), `log:1: "output" is not a JSON object`},
		"null for nothing": {swap(`"arguments":{}`, `"arguments":null,"session":null`).Replace(slotsLine), "1 " + slots},
		"a new format":     {swap(`"format":1`, `"format":2`).Replace(startLine), "log:1: the log has format 2, this program knows 1: use a newer p11mux"},
		"octets":           {swap(`gnutls`, "gn\xff").Replace(signLine), "log:1: not UTF-8: the octets that are not stand as U+FFFD|1 " + sign},
		"too long":         {signLine[:20] + strings.Repeat("x", maxLine) + "\n" + signLine, "log:1: longer than 1048576 octets: left out|2 " + sign},
		"too long at last": {signLine + "\n" + strings.Repeat("x", 3*maxLine), "1 " + sign + "|log:2: longer than 1048576 octets: left out"},
	} {
		if got := strings.Join(sum(c.log), "|"); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", name, got, c.want)
		}
	}
}

func TestReadCall(t *testing.T) {
	five := uint64(5)
	want := Call{
		File: "log", Line: 1, Time: time.Date(2026, 11, 25, 9, 49, 32, 123456789, time.UTC), Duration: 12345, PID: 123, Thread: 124,
		Caller: "gnutls", View: 3, Module: "softhsm", Function: "C_Sign", Session: &five, Result: "CKR_OK",
		Arguments: json.RawMessage(`{"hSession":5,"pData":{"length":32}}`), Output: json.RawMessage(`{"pSignature":{"length":2,"value":"0aff"}}`),
	}
	for e, err := range Read("log", strings.NewReader(signLine)) {
		c, ok := e.(*Call)
		if !ok {
			t.Fatal(err)
		}
		if got, want := fmt.Sprintf("%+v", *c), fmt.Sprintf("%+v", want); *c.Session != five || cut(got) != cut(want) {
			t.Errorf("got %s\nwant %s", got, want)
		}
		if c.Failed() || !c.End().Equal(want.Time.Add(12345)) {
			t.Errorf("failed %v, end %v", c.Failed(), c.End())
		}
	}
}

// cut takes the address of the session out of a printed call.
func cut(s string) string {
	before, after, _ := strings.Cut(s, "Session:0x")
	_, after, _ = strings.Cut(after, " ")
	return before + after
}

func TestReadFailure(t *testing.T) {
	disk := errors.New("disk on fire")
	r := io.MultiReader(strings.NewReader(signLine+"\n"+slotsLine), iotest.ErrReader(disk))
	var calls int
	var last error
	for e, err := range Read("log", r) {
		if e != nil {
			calls++
		}
		last = err
	}
	if calls != 1 || !errors.Is(last, disk) || !strings.HasPrefix(last.Error(), "log: ") {
		t.Errorf("%d calls, then %v", calls, last)
	}
	if _, ok := errors.AsType[*Problem](last); ok {
		t.Error("a failure to read is taken for a problem with a line")
	}
}

// Whoever has enough of a log stops.
func TestReadStop(t *testing.T) {
	log := strings.Join([]string{signLine, "x", signLine + slotsLine, signLine + "x", signLine[:90] + slotsLine, strings.Repeat("x", 2*maxLine), "\xff"}, "\n")
	all := len(sum(log))
	for n := 1; n <= all; n++ {
		got := 0
		for range Read("log", strings.NewReader(log)) {
			if got++; got == n {
				break
			}
		}
		if got != n {
			t.Errorf("%d entries and problems, want %d", got, n)
		}
	}
}

func FuzzRead(f *testing.F) {
	for _, s := range []string{
		"", startLine + "\n" + signLine + "\n" + lossLine, signLine + slotsLine, signLine[:100] + slotsLine + signLine[100:], signLine[:200],
		"\x00{\"time\":\"" + signLine, `{"time":"`, `{"time":"{"time":"`, signLine + "\xff", "[[[[[[", `{"time":null,"pid":1e400}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, log []byte) {
		stats, page := NewStats(3), NewPage("fuzz", 10)
		var perfetto, list, text bytes.Buffer
		p, l := NewPerfetto(&perfetto), NewListing(&list)
		lines := bytes.Count(log, []byte("\n")) + 1
		for e, err := range Read("log", bytes.NewReader(log)) {
			if err != nil {
				problem, ok := errors.AsType[*Problem](err)
				if !ok || problem.Line < 1 || problem.Line > lines {
					t.Fatalf("%v", err)
				}
				checkText(t, "an error", err.Error())
				continue
			}
			for _, sink := range []interface{ Add(Entry) }{stats, page, p, l} {
				sink.Add(e)
			}
		}
		if err := errors.Join(p.Close(), l.Flush(), stats.Report().Text(&text)); err != nil {
			t.Fatal(err)
		}
		if !json.Valid(perfetto.Bytes()) {
			t.Errorf("not JSON: %s", &perfetto)
		}
		// The rest of the page is the same for all logs.
		data, err := json.Marshal(page.data())
		if err != nil || bytes.ContainsAny(data, "<>&") {
			t.Errorf("%v: %s", err, data)
		}
		checkText(t, "the tables", text.String())
		checkText(t, "the list", list.String())
	})
}

// checkText: nothing in it can move a terminal's cursor, or worse.
func checkText(t *testing.T, what, text string) {
	t.Helper()
	for _, r := range text {
		if r < ' ' && r != '\n' || r >= 0x7f && r < 0xa0 {
			t.Errorf("%s: has the control character %U: %q", what, r, text)
			return
		}
	}
}
