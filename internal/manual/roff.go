package manual

import (
	"fmt"
	"strings"
)

// A page is a text for man, in the language of man(7).
type page struct{ strings.Builder }

// escape keeps text from being taken for markup. Hyphens stay what can be copied from a page and pasted into a shell.
func escape(text string) string {
	return strings.NewReplacer(`\`, `\e`, "-", `\-`, "'", `\(aq`, "`", `\(ga`, "^", `\(ha`, "~", `\(ti`).Replace(text)
}

// macro writes a line of markup. Arguments are text.
func (p *page) macro(name string, args ...string) {
	p.WriteString("." + name)
	for _, arg := range args {
		fmt.Fprintf(p, ` "%s"`, strings.ReplaceAll(escape(arg), `"`, `\(dq`))
	}
	p.WriteString("\n")
}

// line writes a line of what macro and escape have made.
func (p *page) line(text string) {
	if strings.HasPrefix(text, ".") {
		text = `\&` + text
	}
	p.WriteString(text + "\n")
}

// text writes paragraphs, which empty lines divide.
func (p *page) text(text string) {
	for i, paragraph := range strings.Split(strings.TrimSpace(text), "\n\n") {
		if i > 0 {
			p.macro("PP")
		}
		p.fill(strings.Fields(paragraph))
	}
}

// fill writes words on lines that are as short as tools for pages want them; how long they are when they are read is man's affair.
func (p *page) fill(words []string) {
	line := ""
	for _, word := range words {
		if word = escape(word); line != "" && len(line)+1+len(word) > 78 {
			p.line(line)
			line = word
		} else {
			line = strings.TrimPrefix(line+" "+word, " ")
		}
	}
	p.line(line)
}

// code writes lines as they are.
func (p *page) code(text string) {
	p.macro("EX")
	for line := range strings.SplitSeq(strings.Trim(text, "\n"), "\n") {
		p.line(escape(line))
	}
	p.macro("EE")
}

// term writes what something is called, in bold, and what it is.
func (p *page) term(name, text string) {
	p.macro("TP")
	p.line(bold(name))
	p.text(text)
}

func bold(text string) string   { return `\fB` + escape(text) + `\fR` }
func italic(text string) string { return `\fI` + escape(text) + `\fR` }
