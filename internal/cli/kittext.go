package cli

import (
	"bufio"
	"fmt"
	"io"
	"strings"
)

// A kitText writes what p11-kit writes about modules, tokens and objects: sections of named values, each level indented by four
// columns, and lists of words below their name.
type kitText struct {
	out   *bufio.Writer
	c     colours
	clean func(string) string
}

func newKitText(w io.Writer) *kitText {
	k := &kitText{out: bufio.NewWriter(w), c: coloursFor(w), clean: func(s string) string { return s }}
	if isTerminal(w) {
		k.clean = plain
	}
	return k
}

// section begins a section: what belongs to it has a greater depth.
func (k *kitText) section(depth int, name, value string) {
	colour := k.c.heading
	if depth > 0 {
		colour = k.c.inner
	}
	k.line(depth, colour, name, value)
}

func (k *kitText) value(depth int, name, value string) { k.line(depth, k.c.name, name, value) }

func (k *kitText) line(depth int, colour, name, value string) {
	fmt.Fprintf(k.out, "%s%s: %s\n", indent(depth), k.c.in(colour, name), k.clean(value))
}

// words writes a list, and nothing if it is empty.
func (k *kitText) words(depth int, name string, words []string) {
	if len(words) == 0 {
		return
	}
	fmt.Fprintf(k.out, "%s%s:\n", indent(depth), k.c.in(k.c.name, name))
	for _, w := range words {
		fmt.Fprintf(k.out, "%s  %s\n", indent(depth+1), w)
	}
}

func (k *kitText) flush() error { return k.out.Flush() }

func indent(depth int) string { return strings.Repeat("    ", depth) }
