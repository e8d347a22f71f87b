package cli

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
)

// Stdio is where a command reads and writes.
type Stdio struct {
	In       io.Reader
	Out, Err io.Writer
}

// The exit statuses that are not a traced program's.
const (
	statusFailure = 1
	statusUsage   = 2
)

// Main runs the command line args, whose first is the name of the program, and gives the exit status.
func Main(args []string, stdio Stdio) int {
	name := "p11mux"
	if len(args) > 0 {
		name = filepath.Base(args[0])
		args = args[1:]
	}
	if name == kitName {
		return kitMain(args, stdio)
	}
	root := Commands(name)
	root.SetArgs(args)
	root.SetIn(stdio.In)
	root.SetOut(stdio.Out)
	root.SetErr(stdio.Err)
	cmd, err := root.ExecuteC()
	if err == nil {
		return 0
	}
	if e, ok := errors.AsType[exit](err); ok {
		return int(e)
	}
	status := statusFailure
	if _, ok := errors.AsType[*usageError](err); ok {
		status = statusUsage
	}
	// Names and texts of tokens, modules and files are in it: a terminal gets none of them as they are.
	fmt.Fprintf(stdio.Err, "%s: %s\n", cmd.CommandPath(), plain(strings.ReplaceAll(err.Error(), "\n", "; ")))
	fmt.Fprintf(stdio.Err, "hint: %s\n", plain(hintFor(err, cmd.CommandPath())))
	return status
}

// An exit is the status of a traced program, passed on as an error without a text of its own.
type exit int

// Error is for whoever prints it by mistake.
func (e exit) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

// A usageError is a wrong command line.
type usageError struct{ err error }

// Error says what is wrong with it.
func (e *usageError) Error() string { return e.err.Error() }

// Unwrap gives the cause.
func (e *usageError) Unwrap() error { return e.err }

func usage(format string, args ...any) error { return &usageError{fmt.Errorf(format, args...)} }

// A hintedError knows what can be done about it.
type hintedError struct {
	err  error
	hint string
}

// Error says what failed, without the hint.
func (e *hintedError) Error() string { return e.err.Error() }

// Unwrap gives the cause.
func (e *hintedError) Unwrap() error { return e.err }

// hinted says what to do about an error.
func hinted(err error, format string, args ...any) error {
	return &hintedError{err, fmt.Sprintf(format, args...)}
}

// someArgs wants at least n arguments, which are called what.
func someArgs(n int, what string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) < n {
			return usage("no %s is given", what)
		}
		return nil
	}
}
