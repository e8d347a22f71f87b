package manual

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"
)

// A Shell is one that completions can be written for.
type Shell struct {
	Name string
	// File is the path below a data directory (/usr/share) where the shell looks for the completions of a program, whose name stands
	// in place of %s.
	File string
	// Write writes the completions of a root command.
	Write func(*cobra.Command, io.Writer) error
}

// Shells are all that completions are installed for. The scripts ask the program itself what can stand in a place.
var Shells = []Shell{
	{"bash", "bash-completion/completions/%s", func(c *cobra.Command, w io.Writer) error { return c.GenBashCompletionV2(w, true) }},
	{"zsh", "zsh/site-functions/_%s", func(c *cobra.Command, w io.Writer) error { return c.GenZshCompletion(w) }},
	{"fish", "fish/vendor_completions.d/%s.fish", func(c *cobra.Command, w io.Writer) error { return c.GenFishCompletion(w, true) }},
}

// Path is the file below a data directory for the program of a name.
func (s Shell) Path(program string) string { return fmt.Sprintf(s.File, program) }
