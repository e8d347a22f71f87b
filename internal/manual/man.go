package manual

import (
	"iter"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// A Note is a section or an entry of a page, whose text is paragraphs with empty lines between them.
type Note struct{ Name, Text string }

// About is what the pages say besides what the commands know of themselves.
type About struct {
	Description string // of the program as a whole
	Status      []Note // exit statuses
	Environment []Note // variables
	Files       []Note
	More        []Note // sections of the program's own page
}

// Pages gives the names and contents of the pages of section 1: one for the program, whose root command is given, and one for each
// command that is shown to users. The same commands give the same octets; nothing in them depends on the time or the machine.
func Pages(root *cobra.Command, about About) iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		if !yield(file(root), program(root, about)) {
			return
		}
		for c := range commands(root) {
			if !yield(file(c), command(c, about)) {
				return
			}
		}
	}
}

// commands are all commands below one that a user may call.
func commands(c *cobra.Command) iter.Seq[*cobra.Command] {
	return func(yield func(*cobra.Command) bool) {
		for _, sub := range c.Commands() {
			if sub.Hidden || sub.Name() == "help" {
				continue
			}
			if !yield(sub) {
				return
			}
			if sub.Name() == "completion" {
				continue // the shells', which are installed already
			}
			for below := range commands(sub) {
				if !yield(below) {
					return
				}
			}
		}
	}
}

// title is the name of a command's page.
func title(c *cobra.Command) string { return strings.ReplaceAll(c.CommandPath(), " ", "-") }

func file(c *cobra.Command) string { return title(c) + ".1" }

// begin starts the page of a command.
func begin(c *cobra.Command) *page {
	p := new(page)
	p.WriteString(`.\" Made by make from the commands of ` + c.Root().Name() + ".\n")
	p.macro("TH", strings.ToUpper(title(c)), "1", "", c.Root().Name(), "User Commands")
	p.macro("SH", "NAME")
	p.line(escape(title(c)) + ` \- ` + escape(lower(c.Short)))
	p.macro("SH", "SYNOPSIS")
	return p
}

// lower makes a sentence's first letter small, as is the custom in lists of pages.
func lower(text string) string {
	if text == "" {
		return ""
	}
	return strings.ToLower(text[:1]) + text[1:]
}

func program(root *cobra.Command, about About) string {
	p := begin(root)
	p.line(bold(root.Name()) + " " + italic("COMMAND") + " [" + italic("OPTION") + "...] [" + italic("ARGUMENT") + "...]")
	p.macro("SH", "DESCRIPTION")
	p.text(about.Description)
	p.macro("SH", "COMMANDS")
	for c := range commands(root) {
		if c.Parent() == root {
			p.term(c.Name(), c.Short+". See "+title(c)+"(1).")
		}
	}
	for _, n := range about.More {
		p.macro("SH", n.Name)
		p.text(n.Text)
	}
	p.notes("EXIT STATUS", about.Status)
	p.notes("ENVIRONMENT", about.Environment)
	p.notes("FILES", about.Files)
	p.seeAlso(root)
	return p.String()
}

func command(c *cobra.Command, about About) string {
	p := begin(c)
	synopsis(p, c)
	p.macro("SH", "DESCRIPTION")
	text := c.Long
	if text == "" {
		text = c.Short + "."
	}
	p.text(text)
	if c.HasAvailableLocalFlags() {
		p.macro("SH", "OPTIONS")
		c.LocalFlags().VisitAll(func(f *pflag.Flag) { option(p, f) })
	}
	if c.Example != "" {
		p.macro("SH", "EXAMPLES")
		p.code(c.Example)
	}
	p.notes("EXIT STATUS", about.Status)
	p.seeAlso(c)
	return p.String()
}

// Arguments is what a usage line has behind the name of a command. Words in capitals stand for something.
func Arguments(c *cobra.Command) string {
	_, rest, _ := strings.Cut(c.Use, " ")
	if c.HasAvailableLocalFlags() && !strings.Contains(rest, "[-") && !strings.Contains(rest, "[OPTION") {
		rest = strings.TrimSpace(anyOption + " " + rest)
	}
	return rest
}

const anyOption = "[OPTION...]"

// synopsis writes how the command is called.
func synopsis(p *page, c *cobra.Command) {
	rest := strings.Replace(escape(Arguments(c)), anyOption, "["+italic("OPTION")+"...]", 1)
	p.line(strings.TrimSpace(bold(c.CommandPath()) + " " + rest))
}

// Value is the word that stands for an option's value, empty if it has none, and what the option does, with its default.
func Value(f *pflag.Flag) (word, text string) {
	word, text = pflag.UnquoteUsage(f)
	switch word {
	case "string":
		word = f.Name
	case "uint", "int":
		word = "n"
	case "duration":
		word = "time"
	}
	switch f.DefValue {
	case "", "false", "0", "0s", "[]":
	default:
		text += "; " + f.DefValue + " if it is not given"
	}
	return strings.ToUpper(word), text
}

// option writes an option and what it does.
func option(p *page, f *pflag.Flag) {
	if f.Hidden {
		return
	}
	value, text := Value(f)
	name := bold("--" + f.Name)
	if f.Shorthand != "" {
		name = bold("-"+f.Shorthand) + ", " + name
	}
	if value != "" {
		name += " " + italic(value)
	}
	p.macro("TP")
	p.line(name)
	p.text(text)
}

// notes writes a section with an entry for each note.
func (p *page) notes(section string, notes []Note) {
	if len(notes) == 0 {
		return
	}
	p.macro("SH", section)
	for _, n := range notes {
		p.term(n.Name, n.Text)
	}
}

// seeAlso writes which other pages there are: of the program's all commands, and of a command those that it belongs to or has.
func (p *page) seeAlso(c *cobra.Command) {
	var titles []string
	if c.HasParent() {
		titles = append(titles, title(c.Parent()))
	}
	for sub := range commands(c) {
		titles = append(titles, title(sub))
	}
	p.macro("SH", "SEE ALSO")
	for i, t := range titles {
		comma := ","
		if i == len(titles)-1 {
			comma = ""
		}
		p.line(bold(t) + "(1)" + comma)
	}
}
