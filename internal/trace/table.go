package trace

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// A table is lines of cells, each column as wide as its widest cell.
type table struct {
	rows [][]string
	left int // how many columns stand at the left; the others are numbers and stand at the right
}

func (t *table) row(cells ...string) { t.rows = append(t.rows, cells) }

func (t *table) write(w io.Writer) {
	var widths []int
	for _, row := range t.rows {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	for _, row := range t.rows {
		var b strings.Builder
		for i, cell := range row {
			pad := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			if i < t.left {
				b.WriteString("  " + cell + pad)
			} else {
				b.WriteString("  " + pad + cell)
			}
		}
		fmt.Fprintln(w, strings.TrimRight(b.String(), " "))
	}
}

func count(n uint64) string { return strconv.FormatUint(n, 10) }

// us shows µs.
func us(v float64) string { return span(time.Duration(v * 1000)) }

func session(s *uint64) string {
	if s == nil {
		return "-"
	}
	return count(*s)
}

var timeTitles = []string{"calls", "errors", "total", "p50", "p90", "p99", "max"}

func (t Times) cells() []string {
	return []string{count(t.Count), count(t.Failed), us(t.Total), us(t.P50), us(t.P90), us(t.P99), us(t.Max)}
}

// Text writes the report as tables for people. The texts that come from the log cannot harm a terminal.
func (r *Report) Text(w io.Writer) error {
	out := bufio.NewWriter(w)
	r.summary(out)
	if r.Calls == 0 {
		return out.Flush()
	}

	fmt.Fprint(out, "\nTime by function\n")
	functions := table{left: 1}
	functions.row(append([]string{"function"}, timeTitles...)...)
	for _, f := range r.Functions {
		functions.row(append([]string{plain(f.Function)}, f.cells()...)...)
	}
	functions.write(out)

	fmt.Fprint(out, "\nTime by caller\n")
	callers := table{left: 3}
	callers.row(append([]string{"caller", "pid", "view"}, timeTitles...)...)
	for _, c := range r.Callers {
		callers.row(append([]string{plain(c.Caller), strconv.Itoa(c.PID), strconv.Itoa(c.View)}, c.cells()...)...)
	}
	callers.write(out)

	if len(r.Errors) > 0 {
		fmt.Fprint(out, "\nErrors\n")
		errors := table{left: 2}
		errors.row("function", "result", "calls")
		for _, e := range r.Errors {
			errors.row(plain(e.Function), plain(e.Result), count(e.Count))
		}
		errors.write(out)
	}

	if len(r.Slowest) > 0 {
		fmt.Fprint(out, "\nSlowest calls\n")
		slowest := table{left: 7}
		slowest.row("function", "result", "caller", "view", "module", "session", "where", "time")
		for _, c := range r.Slowest {
			slowest.row(plain(c.Function), plain(c.Result), plain(c.Caller), strconv.Itoa(c.View), plain(c.Module), session(c.Session),
				fmt.Sprintf("%s:%d", plain(c.File), c.Line), us(c.Duration))
		}
		slowest.write(out)
	}
	return out.Flush()
}

// summary writes what is to be known before the tables.
func (r *Report) summary(w io.Writer) {
	fmt.Fprintf(w, "%s, %s, in %s of %s and %s",
		some(r.Calls, "call"), some(r.Failed, "error"), us(r.Total), some(uint64(len(r.Callers)), "caller"), some(uint64(r.Processes), "process"))
	if r.Start != nil {
		fmt.Fprintf(w, ", %s from %s", span(r.End.Sub(*r.Start)), r.Start.UTC().Format(time.RFC3339Nano))
	}
	fmt.Fprintln(w)
	if r.Dropped > 0 {
		fmt.Fprintf(w, "%s not in the log: it was not written as fast as the calls came\n", some(r.Dropped, "call"))
	}
	if r.Damaged > 0 {
		fmt.Fprintf(w, "%s with the log's lines\n", some(uint64(r.Damaged), "problem"))
	}
	if r.Secrets {
		fmt.Fprintln(w, "the log has secrets in it (log-secrets: yes)")
	}
}

// some is a number of things.
func some(n uint64, what string) string {
	switch {
	case n == 1:
	case strings.HasSuffix(what, "s"):
		what += "es"
	default:
		what += "s"
	}
	return count(n) + " " + what
}

// A Listing writes one line for each call, in the order of the log.
type Listing struct{ out *bufio.Writer }

// NewListing begins a listing, which has to be flushed.
func NewListing(w io.Writer) *Listing { return &Listing{bufio.NewWriter(w)} }

// Add writes a call; other entries are left out. An error of the writer comes from Flush.
func (l *Listing) Add(e Entry) {
	if c, ok := e.(*Call); ok {
		fmt.Fprintf(l.out, "%s %s[%d] view %d %s %s(%s) = %s %s\n", c.Time.UTC().Format("15:04:05.000000"), plain(c.Caller), c.PID, c.View,
			plain(c.Module), plain(c.Function), session(c.Session), plain(c.Result), span(c.Duration))
	}
}

// Flush writes what is left, and says whether everything could be written.
func (l *Listing) Flush() error { return l.out.Flush() }
