package cli

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/term"
)

// isTerminal tells whether a person reads what is written to w.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// colours are the sequences that set off parts of the output; empty where it is no terminal, or one that has no colours, or whose
// user wants none (NO_COLOR).
type colours struct{ heading, inner, name, good, bad, warn, off string }

func coloursFor(w io.Writer) colours {
	if !isTerminal(w) || os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb" {
		return colours{}
	}
	return colours{heading: "\x1b[34;1m", inner: "\x1b[32;1m", name: "\x1b[0;1m", good: "\x1b[32m", bad: "\x1b[31;1m", warn: "\x1b[33m", off: "\x1b[0m"}
}

// in gives a text in a colour.
func (c colours) in(colour, text string) string {
	if colour == "" {
		return text
	}
	return colour + text + c.off
}

// writeJSON writes a value for programs. Characters that mean something to a terminal are written as escapes, for people look at it too.
func writeJSON(w io.Writer, v any) error {
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return err
	}
	out := bufio.NewWriter(w)
	for _, r := range text.String() {
		switch {
		case r == '\n' || unicode.IsPrint(r):
			out.WriteRune(r)
		case r <= 0xffff:
			fmt.Fprintf(out, `\u%04x`, r)
		default:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(out, `\u%04x\u%04x`, high, low)
		}
	}
	return out.Flush()
}

// printLines writes a line for each thing.
func printLines[T any](w io.Writer, all []T, line func(T) string) error {
	out := bufio.NewWriter(w)
	for _, v := range all {
		fmt.Fprintln(out, line(v))
	}
	return out.Flush()
}

// plain gives a text that comes from a token or a file, without what could harm a terminal.
func plain(s string) string {
	if utf8.ValidString(s) && strings.IndexFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) < 0 {
		return s
	}
	q := strconv.Quote(s)
	return strings.ReplaceAll(q[1:len(q)-1], `\"`, `"`)
}

// A table is rows of cells for people, each column as wide as its widest cell.
type table struct {
	head []string
	rows [][]string
}

func (t *table) row(cells ...string) {
	for i := range cells {
		cells[i] = plain(cells[i])
		if cells[i] == "" {
			cells[i] = "-"
		}
	}
	t.rows = append(t.rows, cells)
}

// write writes the table, and nothing at all if it has no rows.
func (t *table) write(w io.Writer) error {
	if len(t.rows) == 0 {
		return nil
	}
	widths := make([]int, len(t.head))
	for _, row := range append([][]string{t.head}, t.rows...) {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	out := bufio.NewWriter(w)
	c := coloursFor(w)
	fmt.Fprintln(out, c.in(c.name, t.line(t.head, widths)))
	for _, row := range t.rows {
		fmt.Fprintln(out, t.line(row, widths))
	}
	return out.Flush()
}

func (t *table) line(row []string, widths []int) string {
	var b strings.Builder
	for i, cell := range row {
		b.WriteString(cell)
		b.WriteString(strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)+2))
	}
	return strings.TrimRight(b.String(), " ")
}
