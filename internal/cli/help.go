package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/p11mux/p11mux/internal/manual"
)

// The groups of commands in the help of the program.
const (
	groupSee    = "see"
	groupChange = "change"
	groupShare  = "share"
	groupWhy    = "why"
	groupMore   = "more"
)

var groups = []*cobra.Group{
	{ID: groupSee, Title: "See what there is"},
	{ID: groupChange, Title: "Change what is on a token"},
	{ID: groupShare, Title: "Let other programs use tokens"},
	{ID: groupWhy, Title: "Find out why something does not work"},
	{ID: groupMore, Title: "More"},
}

// showHelp prints how a command is used.
func showHelp(c *cobra.Command, _ []string) {
	text := c.Long
	if text == "" {
		text = c.Short + "."
	}
	out := c.OutOrStdout()
	fmt.Fprintf(out, "Usage: %s\n\n%s\n", strings.TrimSpace(c.CommandPath()+" "+manual.Arguments(c)), strings.TrimSpace(text))
	for _, g := range c.Groups() {
		helpCommands(out, c, g.ID, g.Title)
	}
	if !c.HasParent() || c.HasAvailableSubCommands() {
		helpCommands(out, c, "", "Commands")
	}
	if c.HasAvailableLocalFlags() {
		fmt.Fprint(out, "\nOptions:\n")
		helpOptions(out, c.LocalFlags())
	}
	if c.Example != "" {
		fmt.Fprintf(out, "\nExamples:\n%s\n", strings.Trim(c.Example, "\n"))
	}
	if c.HasAvailableSubCommands() {
		fmt.Fprintf(out, "\n'%s COMMAND --help' says more about a command, and so does 'man %s-COMMAND'.\n", c.CommandPath(),
			strings.ReplaceAll(c.CommandPath(), " ", "-"))
	}
}

// helpCommands lists the commands of a group.
func helpCommands(out io.Writer, c *cobra.Command, group, title string) {
	first := true
	for _, sub := range c.Commands() {
		if !sub.IsAvailableCommand() || sub.GroupID != group {
			continue
		}
		if first {
			fmt.Fprintf(out, "\n%s:\n", title)
			first = false
		}
		fmt.Fprintf(out, "  %-*s  %s\n", sub.NamePadding(), sub.Name(), sub.Short)
	}
}

// helpOptions lists options, and what they do in a column beside them.
func helpOptions(out io.Writer, fs *pflag.FlagSet) {
	type option struct{ names, text string }
	var all []option
	width := 0
	fs.VisitAll(func(f *pflag.Flag) {
		if f.Hidden {
			return
		}
		value, text := manual.Value(f)
		names := "    --" + f.Name
		if f.Shorthand != "" {
			names = "-" + f.Shorthand + ", --" + f.Name
		}
		if value != "" {
			names += " " + value
		}
		width = max(width, len(names))
		all = append(all, option{names, text})
	})
	for _, o := range all {
		fmt.Fprintf(out, "  %-*s  %s\n", width, o.names, o.text)
	}
}
