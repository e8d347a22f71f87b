package conf

import (
	"strconv"
	"strings"
)

// What one file may hold. The limits are far above any real configuration and
// keep a hostile file from costing the host process more than a moment.
const (
	maxFileSize = 1 << 20 // octets
	maxOptions  = 4096
	maxReported = 16 // bad lines; the others are only counted
)

// space is C's isspace in the C locale.
const space = " \t\n\v\f\r"

const (
	pemBegin = "-----BEGIN "
	pemEnd   = "\n-----END "
)

// parse splits the text of a configuration file into options (abi.md 3.1).
// The problems it returns are bad lines; the options are those of all the
// other lines, in the order of the file. The options share text's memory.
func parse(file, text string) (Options, []Problem) {
	p := parser{file: file, rest: strings.TrimPrefix(text, "\xef\xbb\xbf")}
	for p.rest != "" && p.next() {
	}
	if p.unreported > 0 {
		p.problems = append(p.problems, Problem{
			File:     file,
			Msg:      strconv.Itoa(p.unreported) + " more bad lines",
			Severity: Warning,
		})
	}
	return p.options, p.problems
}

// A parser is the state of one run of parse.
type parser struct {
	file       string
	rest       string // what has not been read yet
	line       int    // number of the line last taken off rest
	noPEMEnd   bool   // there is no further pemEnd in rest
	options    Options
	problems   []Problem
	unreported int
}

// next takes a line off rest, for a PEM block all its lines. It returns false
// when the rest of the file must not be read.
func (p *parser) next() bool {
	p.line++
	raw, rest, _ := strings.Cut(p.rest, "\n")
	if strings.HasPrefix(raw, pemBegin) {
		return p.pem()
	}
	p.rest = rest

	line := strings.Trim(raw, space)
	if line == "" || line[0] == '#' {
		return true
	}
	if strings.IndexByte(line, 0) >= 0 {
		p.bad("invalid line: contains a NUL byte, save the file as plain text")
		return true
	}
	if line[0] == '[' {
		if line[len(line)-1] == ']' {
			p.bad("unexpected section header")
		} else {
			p.bad("invalid section header: missing braces")
		}
		return true
	}
	key, value, ok := strings.Cut(line, ":")
	if !ok {
		p.bad("invalid field line: no colon")
		return true
	}
	if len(p.options) == maxOptions {
		p.problems = append(p.problems, Problem{
			File:     p.file,
			Line:     p.line,
			Msg:      "more than " + strconv.Itoa(maxOptions) + " options in one file",
			Severity: Warning,
		})
		return false
	}
	p.options = append(p.options, Option{
		Key:   strings.Trim(key, space),
		Value: strings.Trim(value, space),
		File:  p.file,
		Line:  p.line,
	})
	return true
}

// pem skips a PEM block as the one bad line it is: reporting each line of its
// body would bury the message that matters.
func (p *parser) pem() bool {
	end := -1
	if !p.noPEMEnd {
		end = strings.Index(p.rest, pemEnd)
	}
	if end < 0 {
		p.noPEMEnd = true
		p.bad("invalid pem block: no ending line")
		_, p.rest, _ = strings.Cut(p.rest, "\n")
		return true
	}
	p.bad("unexpected pem block")
	p.line += strings.Count(p.rest[:end+1], "\n")
	_, p.rest, _ = strings.Cut(p.rest[end+1:], "\n")
	return true
}

// bad reports the current line.
func (p *parser) bad(msg string) {
	if len(p.problems) >= maxReported {
		p.unreported++
		return
	}
	p.problems = append(p.problems, Problem{File: p.file, Line: p.line, Msg: msg, Severity: Warning})
}
