package trace

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strconv"
	"time"
)

// DefaultPageCalls is how many calls a page has at most unless it is told otherwise: as many as browsers show without effort.
const DefaultPageCalls = 100_000

// A Page collects a log for a page that a browser shows. It may be used by one goroutine at a time.
type Page struct {
	title   string
	most    int
	calls   []*Call
	left    uint64 // calls for which there was no room
	dropped uint64
	damaged int
	secrets bool
}

// NewPage begins a page with room for a number of calls. Those that come first are shown.
func NewPage(title string, most int) *Page { return &Page{title: title, most: most} }

// Add takes an entry of a log, and keeps it.
func (p *Page) Add(e Entry) {
	switch e := e.(type) {
	case *Start:
		p.secrets = p.secrets || e.Secrets
	case *Loss:
		p.dropped += e.Calls
	case *Call:
		if len(p.calls) >= p.most {
			p.left++
			return
		}
		p.calls = append(p.calls, e)
	}
}

// Damaged says how many problems there were with lines of the log.
func (p *Page) Damaged(problems int) { p.damaged = problems }

// Left is how many calls there was no room for.
func (p *Page) Left() uint64 { return p.left }

// pageData is what the scripts of the page get. Durations and times are in ns, times counted from Start.
type pageData struct {
	Title   string     `json:"title"`
	Start   time.Time  `json:"start"`
	Notes   []string   `json:"notes"`
	Texts   []string   `json:"texts"` // each text that calls refer to by its index
	Rows    []pageRow  `json:"rows"`  // of the timeline, in the order in which they are shown
	Calls   []pageCall `json:"calls"` // in the order of their beginning
	Callers int        `json:"callers"`
}

// A pageRow is a row of the timeline: what one caller did in one session, or in none.
type pageRow struct {
	Caller  int    `json:"caller"` // number of the caller, for its colour and heading
	Name    string `json:"name"`   // the caller's, to show
	Session string `json:"session"`
	Module  string `json:"module"`
	Lanes   int    `json:"lanes"` // calls that overlap are drawn below one another
}

// A pageCall is a JSON array, since there are many.
type pageCall struct {
	start, duration                  int64
	function, result, row, lane, pid int
	thread, line, file               int
	arguments, output                string
}

// MarshalJSON writes the fields in the order that page/data.js reads.
func (c pageCall) MarshalJSON() ([]byte, error) {
	return json.Marshal([]any{c.start, c.duration, c.function, c.result, c.row, c.lane, c.pid, c.thread, c.line, c.file, c.arguments, c.output})
}

// rowKey tells rows apart.
type rowKey struct {
	callerKey
	module, session string
}

// data lays the calls out.
func (p *Page) data() *pageData {
	d := &pageData{Title: p.title, Notes: p.notes(), Texts: []string{}, Rows: []pageRow{}, Calls: []pageCall{}}
	slices.SortStableFunc(p.calls, func(a, b *Call) int { return a.Time.Compare(b.Time) })
	if len(p.calls) > 0 {
		d.Start = p.calls[0].Time.UTC()
	}
	rows := p.rows(d)
	texts := map[string]int{}
	text := func(s string) int {
		i, ok := texts[s]
		if !ok {
			i = len(d.Texts)
			texts[s] = i
			d.Texts = append(d.Texts, s)
		}
		return i
	}
	lanes := make([][]time.Time, len(d.Rows))
	for _, c := range p.calls {
		row := rows[c.row()]
		lane := freeLane(&lanes[row], c)
		d.Rows[row].Lanes = len(lanes[row])
		d.Calls = append(d.Calls, pageCall{
			start: int64(c.Time.Sub(d.Start)), duration: int64(c.Duration), function: text(c.Function), result: text(c.Result),
			row: row, lane: lane, pid: c.PID, thread: c.Thread, line: c.Line, file: text(c.File),
			arguments: string(c.Arguments), output: string(c.Output),
		})
	}
	return d
}

// row is the row of the timeline that a call belongs to.
func (c *Call) row() rowKey {
	k := rowKey{callerKey: callerKey{c.PID, c.Caller, c.View}, module: c.Module}
	if c.Session != nil {
		k.session = count(*c.Session)
	}
	return k
}

// rows makes the rows: callers in the order in which they come first, each with the calls of no session before those of sessions.
func (p *Page) rows(d *pageData) map[rowKey]int {
	callers, rows := map[callerKey]int{}, map[rowKey]int{}
	var keys []rowKey
	for _, c := range p.calls {
		k := c.row()
		if _, ok := callers[k.callerKey]; !ok {
			callers[k.callerKey] = len(callers)
		}
		if _, ok := rows[k]; !ok {
			rows[k] = 0
			keys = append(keys, k)
		}
	}
	slices.SortStableFunc(keys, func(a, b rowKey) int {
		return cmp.Or(cmp.Compare(callers[a.callerKey], callers[b.callerKey]), cmp.Compare(min(len(a.session), 1), min(len(b.session), 1)))
	})
	d.Callers = len(callers)
	for i, k := range keys {
		rows[k] = i
		name := fmt.Sprintf("%s [%d]", k.caller, k.pid)
		if k.view > 0 {
			name += " view " + strconv.Itoa(k.view)
		}
		d.Rows = append(d.Rows, pageRow{Caller: callers[k.callerKey], Name: name, Session: k.session, Module: k.module})
	}
	return rows
}

// maxLanes bounds the height of a row. Calls for which there is none share the last.
const maxLanes = 8

// freeLane finds a lane of a row that is free when a call begins. ends says until when each is taken.
func freeLane(ends *[]time.Time, c *Call) int {
	for i, end := range *ends {
		if !end.After(c.Time) {
			(*ends)[i] = c.End()
			return i
		}
	}
	if len(*ends) < maxLanes {
		*ends = append(*ends, c.End())
	}
	return len(*ends) - 1
}

// notes say what is not on the page, or should not be passed on.
func (p *Page) notes() []string {
	notes := []string{}
	if p.left > 0 {
		notes = append(notes, fmt.Sprintf("Shows the first %s of the log; %s more are not on this page.", some(uint64(len(p.calls)), "call"), count(p.left)))
	}
	if p.dropped > 0 {
		notes = append(notes, fmt.Sprintf("%s not in the log: it was not written as fast as the calls came.", some(p.dropped, "call")))
	}
	if p.damaged > 0 {
		notes = append(notes, fmt.Sprintf("%s with the log's lines.", some(uint64(p.damaged), "problem")))
	}
	if p.secrets {
		notes = append(notes, "This log has secrets in it (log-secrets: yes).")
	}
	return notes
}

//go:embed page
var pageFiles embed.FS

// pageScripts are the scripts in the order in which they are run.
var pageScripts = []string{"format.js", "data.js", "filter.js", "timeline.js", "functions.js", "list.js", "main.js"}

var pageTemplate = template.Must(template.ParseFS(pageFiles, "page/page.html"))

// asset is a file of the page and the source by which its Content-Security-Policy allows it.
func asset(names ...string) (text, source string, err error) {
	var b bytes.Buffer
	for _, name := range names {
		data, err := pageFiles.ReadFile("page/" + name)
		if err != nil {
			return "", "", err
		}
		b.Write(data)
	}
	sum := sha256.Sum256(b.Bytes())
	return b.String(), "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'", nil
}

// Write writes the page: one file, which needs no other and no network. Only its own style and scripts are allowed to it, by their
// digests, so nothing in a log can become one.
func (p *Page) Write(w io.Writer) error {
	style, styleSource, err := asset("style.css")
	if err != nil {
		return err
	}
	script, scriptSource, err := asset(pageScripts...)
	if err != nil {
		return err
	}
	// Marshal writes <, > and & as escapes, so the text cannot end the element that it is in.
	data, err := json.Marshal(p.data())
	if err != nil {
		return err
	}
	return pageTemplate.Execute(w, map[string]any{
		"Title":  p.title,
		"Policy": "default-src 'none'; base-uri 'none'; form-action 'none'; style-src " + styleSource + "; script-src " + scriptSource,
		"Style":  template.CSS(style),
		"Script": template.JS(script),
		"Data":   template.JS(data),
	})
}
