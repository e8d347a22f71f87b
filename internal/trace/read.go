package trace

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"unicode/utf8"
)

// maxLine is how long a line may be, in octets. The logger writes far shorter ones.
const maxLine = 1 << 20

// A Problem is a line of a log, or a part of one, that could not be used as it stands.
type Problem struct {
	File string
	Line int
	Err  error
}

// Error says where and what, as compilers do.
func (p *Problem) Error() string { return fmt.Sprintf("%s:%d: %v", p.File, p.Line, p.Err) }

// Unwrap gives what is wrong without the place.
func (p *Problem) Unwrap() error { return p.Err }

// Read gives the entries of a log, one after the other, in the order of its lines. name is for problems only.
//
// Instead of an entry there may be an error: a [*Problem], after which the log goes on, or an error of r, which is the last. The
// memory that is needed does not grow with the log.
func Read(name string, r io.Reader) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		in := bufio.NewReaderSize(r, 64<<10)
		var text []byte
		for n := 1; ; n++ {
			var long bool
			var err error
			text, long, err = readLine(in, text[:0])
			if err != nil && err != io.EOF {
				yield(nil, fmt.Errorf("%s: %w", name, err))
				return
			}
			place := place{name, n, yield}
			switch {
			case long:
				if !place.problem(fmt.Errorf("longer than %d octets: left out", maxLine)) {
					return
				}
			case !place.line(text):
				return
			}
			if err == io.EOF {
				return
			}
		}
	}
}

// readLine appends the next line to text, without its end. A line that is too long is skipped. At the end of the log the error is
// io.EOF; there may be a last line all the same.
func readLine(in *bufio.Reader, text []byte) (line []byte, long bool, err error) {
	for {
		part, err := in.ReadSlice('\n')
		if len(text)+len(part) > maxLine {
			long = true
		}
		if !long {
			text = append(text, part...)
		}
		if err != bufio.ErrBufferFull {
			return bytes.TrimRight(text, "\r\n"), long, err
		}
	}
}

// A place is a line of a log and whoever wants to know what is there.
type place struct {
	file  string
	n     int
	yield func(Entry, error) bool
}

func (p place) problem(err error) bool { return p.yield(nil, &Problem{p.file, p.n, err}) }

func (p place) entry(e Entry) bool {
	if c, ok := e.(*Call); ok {
		c.File, c.Line = p.file, p.n
	}
	return p.yield(e, nil)
}

// begin is how every record begins. It cannot be within the strings of another one, where its quotation marks are escaped.
var begin = []byte(`{"time":"`)

// line gives what is in a line, and tells whether more is wanted.
func (p place) line(text []byte) bool {
	if len(bytes.TrimSpace(text)) == 0 {
		return true
	}
	if !utf8.Valid(text) {
		if !p.problem(errors.New("not UTF-8: the octets that are not stand as U+FFFD")) {
			return false
		}
		text = bytes.ToValidUTF8(text, []byte("\uFFFD"))
	}
	// Few lines are damaged, so each is first taken as the one record that it should be.
	e, err := parse(text)
	if err == nil {
		return p.entry(e)
	}
	return p.pieces(text, err)
}

// pieces uses what is whole in a line that is not one record: another process, or another thread, wrote into it, or a process died
// in the middle of a record and the next one went on behind it. What is wrong with the line as a whole is wrong.
func (p place) pieces(text []byte, wrong error) bool {
	alone := bytes.LastIndex(text, begin) <= 0
	found := 0
	for at := 0; at < len(text); {
		end := len(text)
		if next := bytes.Index(text[at+1:], begin); next >= 0 {
			end = at + 1 + next
		}
		e, n, err := first(text[at:end])
		if e != nil {
			found++
			if !p.entry(e) {
				return false
			}
		}
		switch {
		case err == nil:
		case alone && e == nil:
			return p.problem(wrong)
		case !p.problem(fmt.Errorf("column %d: %w", at+n+1, err)):
			return false
		}
		at = end
	}
	if found > 1 {
		return p.problem(fmt.Errorf("%d records on one line", found))
	}
	return true
}

// first gives the record that a text begins with, if it does, and what is wrong behind n octets.
func first(text []byte) (e Entry, n int, err error) {
	var value json.RawMessage
	d := json.NewDecoder(bytes.NewReader(text))
	if d.Decode(&value) != nil {
		_, err = parse(text)
		return nil, 0, err
	}
	if e, err = parse(value); err != nil {
		return nil, 0, err
	}
	n = int(d.InputOffset())
	if len(bytes.TrimSpace(text[n:])) > 0 {
		err = errors.New("something that is no record follows one")
	}
	return e, n, err
}
