package calllog

import (
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/p11mux/p11mux/ck"
	"github.com/p11mux/p11mux/internal/cabi"
)

// Options say how a log is written.
type Options struct {
	JSON    bool   // one object a line, in place of p11-kit's text
	Secrets bool   // PINs, keys and plaintext are shown
	File    string // where to append; "" is standard error. %p stands for the process id, %n for the module's name
}

// A Log is one place that calls are written to, in one format. Safe for concurrent use.
type Log struct {
	options Options
	pid     int
	sink    sink
	started sync.Once
}

// logs are those of this process: what goes to one place goes through one log, whose lines are then never torn.
var logs struct {
	sync.Mutex
	open map[Options]*Log
}

// Open gives the log for a module with this name. An error says why the file cannot be written to. It may be called from any
// goroutine; logs are never closed.
func Open(o Options, module string) (*Log, error) {
	o.File = expand(o.File, module)
	logs.Lock()
	defer logs.Unlock()
	if l := logs.open[o]; l != nil {
		return l, nil
	}
	l := &Log{options: o, pid: syscall.Getpid()}
	l.sink.path, l.sink.notice = o.File, l.notice
	if err := l.sink.open(); err != nil {
		return nil, err
	}
	if logs.open == nil {
		logs.open = make(map[Options]*Log)
	}
	logs.open[o] = l
	return l, nil
}

// expand puts the process id and the module's name into a path.
func expand(path, module string) string {
	if !strings.Contains(path, "%") {
		return path
	}
	module = strings.Map(func(r rune) rune {
		if r == '/' || r < ' ' {
			return '_'
		}
		return r
	}, module)
	return strings.NewReplacer("%p", string(appendNumber(nil, uint64(syscall.Getpid()))), "%n", module, "%%", "%").Replace(path)
}

// notice is the line about records that could not be written.
func (l *Log) notice(b []byte, dropped uint64) []byte {
	if !l.options.JSON {
		b = appendNumber(append(b, "p11mux: "...), dropped)
		return append(b, " records of the log are missing here: they were not read in time\n"...)
	}
	b = l.head(b, time.Now())
	b = appendNumber(append(b, `,"dropped":`...), dropped)
	return append(b, "}\n"...)
}

// head begins a line.
func (l *Log) head(b []byte, now time.Time) []byte {
	b = now.UTC().AppendFormat(append(b, `{"time":"`...), "2006-01-02T15:04:05.000000000Z")
	return appendNumber(append(b, `","pid":`...), uint64(l.pid))
}

// start writes the first line of a process.
func (l *Log) start(caller string) {
	l.started.Do(func() {
		var r record
		switch {
		case l.options.JSON:
			r.buf = l.head(r.buf, time.Now())
			r.text(`,"log":"p11mux","format":1,"caller":`)
			r.jsonText([]byte(caller))
			r.text(`,"secrets":`)
			r.jsonBool(l.options.Secrets)
			r.text("}\n")
		case l.options.Secrets:
			r.text("p11mux: log-secrets is on: PINs, keys and plaintext are in this log\n")
		default:
			return
		}
		l.sink.write(r.buf)
	})
}

// A Caller is one caller's view of a module, whose calls are logged. Nil logs nothing.
type Caller struct {
	log  *Log
	name string
	head string // what is the same in all its records
}

// A View is what one load of modules got: all callers of one view have its number, which no other view of the process has. The zero
// value is a view that is not numbered yet. Its methods may be called from any goroutine.
type View struct {
	once   sync.Once
	number uint64
}

// views counts the views of this process.
var views atomic.Uint64

// Number is the number of the view, counted from 1. It is given when it is first asked for, so that views without a log have none.
func (v *View) Number() uint64 {
	v.once.Do(func() {
		if v.number == 0 {
			v.number = views.Add(1)
		}
	})
	return v.number
}

// AdoptView is the view that has a number since before the process was forked. New views get greater ones.
func AdoptView(number uint64) *View {
	for {
		last := views.Load()
		if last >= number || views.CompareAndSwap(last, number) {
			return &View{number: number}
		}
	}
}

// NewCaller gives a caller of a module in a view: program is what the program calls itself. It may be called from any goroutine.
func (l *Log) NewCaller(view *View, program, module string) *Caller {
	c := &Caller{log: l, name: program}
	var r record
	r.text(`,"caller":`)
	r.jsonText([]byte(program))
	r.text(`,"view":`)
	r.number(view.Number())
	r.text(`,"module":`)
	r.jsonText([]byte(module))
	r.text(`,"function":"`)
	c.head = string(r.buf)
	return c
}

// A pending call is one that has begun and not ended.
type pending struct {
	record
	busy  atomic.Bool
	start time.Time
	f     ck.Func
	_     [32]byte // two calls at once should not meet in one line of the processor's cache
}

// kept are the records that are used again and again. More calls at once than that have records of their own.
var kept [64]pending

// more has the pending calls that are not in kept, by their number.
var more struct {
	sync.Mutex
	last  uint32
	calls map[uint32]*pending
}

// take gives a record that nobody uses, and its number, which is not 0. The hint, an address on a stack, spreads the threads over the
// records.
func take(hint uint64) (*pending, uint32) {
	const golden = 0x9e3779b97f4a7c15
	first := hint >> 12 * golden >> 32
	for i := range uint64(len(kept)) {
		n := (first + i) % uint64(len(kept))
		if p := &kept[n]; !p.busy.Load() && p.busy.CompareAndSwap(false, true) {
			return p, uint32(n) + 1
		}
	}
	more.Lock()
	defer more.Unlock()
	if more.calls == nil {
		more.calls = make(map[uint32]*pending)
	}
	for {
		more.last++
		n := uint32(len(kept)) + more.last
		if n > uint32(len(kept)) && more.calls[n] == nil {
			more.calls[n] = new(pending)
			return more.calls[n], n
		}
	}
}

// find gives the record of a number, nil for one that is not pending.
func find(n uint32) *pending {
	if n == 0 {
		return nil
	}
	if n <= uint32(len(kept)) {
		if p := &kept[n-1]; p.busy.Load() {
			return p
		}
		return nil
	}
	more.Lock()
	defer more.Unlock()
	return more.calls[n]
}

// maxKept is the largest buffer that is kept for other calls.
const maxKept = 64 << 10

// give takes a record back. What it held of secrets is wiped.
func give(p *pending, n uint32, secrets bool) {
	if secrets {
		clear(p.buf[:cap(p.buf)])
	}
	if cap(p.buf) > maxKept {
		p.buf = nil
	}
	if n <= uint32(len(kept)) {
		p.busy.Store(false)
		return
	}
	more.Lock()
	delete(more.calls, n)
	more.Unlock()
}

// Begin writes down that the caller is about to call f with the words, and gives a number for [Caller.End]. The words and the memory
// that they lead to must be those of a C call. It may be called from any goroutine; for 0 there is nothing to end.
func (c *Caller) Begin(f ck.Func, w *cabi.Words) uint32 {
	if c == nil {
		return 0
	}
	l := c.log
	if f < 0 || f >= ck.NumFuncs || !l.options.JSON && !inText(f) {
		return 0
	}
	l.start(c.name)
	p, n := take(uint64(addressOf(w)))
	p.f, p.buf, p.secrets = f, p.buf[:0], l.options.Secrets
	p.begin(argumentsOf(f), w)
	if !l.options.JSON {
		p.textIn(f)
		l.sink.write(p.buf)
	} else {
		p.start = time.Now()
		p.jsonBegin(c, p.start)
	}
	p.w = nil
	return n
}

// jsonBegin begins a line, up to the arguments.
func (p *pending) jsonBegin(c *Caller, start time.Time) {
	p.buf = c.log.head(p.buf, start)
	p.text(`,"thread":`)
	p.number(uint64(syscall.Gettid()))
	p.text(c.head)
	p.buf, _ = p.f.AppendName(p.buf)
	p.text(`"`)
	if args := argumentsOf(p.f); len(args) > 0 && args[0].kind == kindSession {
		p.text(`,"session":`)
		p.number(uint64(p.w[0]))
	}
	p.text(`,"arguments":`)
	p.jsonArguments(p.f)
}

// End writes down what the call that Begin gave the number for has come to. The words must be as they were.
func (c *Caller) End(n uint32, w *cabi.Words, rv ck.RV) {
	p := find(n)
	if c == nil || p == nil {
		return
	}
	l := c.log
	p.w = w
	if l.options.JSON {
		took := time.Since(p.start)
		p.jsonOutput(p.f, rv)
		p.jsonEnd(took, rv)
	} else {
		p.buf = p.buf[:0]
		p.textOut(p.f, rv)
	}
	l.sink.write(p.buf)
	if p.f == ck.FuncFinalize {
		l.sink.finish()
	}
	p.w = nil
	give(p, n, l.options.Secrets)
}

// jsonEnd ends a line.
func (p *pending) jsonEnd(took time.Duration, rv ck.RV) {
	if p.f == ck.FuncOpenSession && rv == ck.CKR_OK && p.w[4] != 0 {
		p.text(`,"session":`)
		p.number(wordAt(p.w[4]))
	}
	p.text(`,"result":"`)
	p.buf = appendRV(p.buf, rv)
	p.text(`","duration":`)
	ns := uint64(max(took, 0))
	p.number(ns / 1000)
	p.buf = append(p.buf, '.', '0'+byte(ns/100%10), '0'+byte(ns/10%10), '0'+byte(ns%10))
	p.text("}\n")
}
