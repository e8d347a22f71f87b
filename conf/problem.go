package conf

import (
	"strconv"
	"strings"
)

// Severity says what a [Problem] cost.
type Severity uint8

const (
	// Note: a file that is no configuration was ignored. Nothing is lost.
	Note Severity = iota
	// Warning: a line was skipped or a value replaced by its default.
	Warning
	// Error: a file or a directory could not be used.
	Error
)

// A Problem is something in the configuration that could not be used as it
// stands. Problems never keep the rest of the configuration from being used.
//
// The text never quotes a line or the value of an option whose content is not
// known to be harmless, since options such as x-init-reserved may hold secrets.
type Problem struct {
	File     string   // the path that was read
	Line     int      // counted from 1; 0 means the file as a whole
	Msg      string   // what is wrong, and what was done about it
	Severity Severity // what it cost
}

// Error returns "FILE:LINE: MSG", or "FILE: MSG" when no line is to blame.
// Control characters, which a file name may contain, are escaped, so that the
// text is always a single line and safe to print on a terminal.
func (p Problem) Error() string {
	where := p.File
	if p.Line > 0 {
		where += ":" + strconv.Itoa(p.Line)
	}
	if where == "" {
		return printable(p.Msg)
	}
	return printable(where + ": " + p.Msg)
}

// printable replaces control characters by \xNN escapes.
func printable(s string) string {
	n := 0
	for i := 0; i < len(s); i++ {
		if isControl(s[i]) {
			n++
		}
	}
	if n == 0 {
		return s
	}
	const hex = "0123456789abcdef"
	var b strings.Builder
	b.Grow(len(s) + 3*n)
	for i := 0; i < len(s); i++ {
		if c := s[i]; isControl(c) {
			b.WriteString(`\x`)
			b.WriteByte(hex[c>>4])
			b.WriteByte(hex[c&15])
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

func isControl(c byte) bool { return c < 0x20 || c == 0x7f }

// maxQuoted is how many octets of a bad value a message repeats.
const maxQuoted = 64

// quoted returns a bad value for use in a message: in single quotes, as
// p11-kit writes it, and cut when long.
func quoted(s string) string {
	if len(s) > maxQuoted {
		return "'" + s[:maxQuoted] + "...'"
	}
	return "'" + s + "'"
}
