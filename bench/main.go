// Command bench measures what the library costs: the module by itself, the same through this library, and the same
// through p11-kit's own ("the reference"), side by side in one run; and the Go API beside other Go bindings.
//
//	go run ./bench [-quick] [-only regexp] [-library dir] [-reference dir] [-softhsm file]
//
// It compiles the small C programs in bench/c and the Go program bench/go, runs them in turn, round by round, so that what
// else the machine does hits all alike, and prints medians, the spread from the 10th to the 90th percentile, and ratios,
// as Markdown tables. A figure that misses its target is reported, and is no failure: the exit status is 1 only if
// something does not work.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// options are what the command line says.
type options struct {
	quick     bool
	only      *regexp.Regexp
	root      string // of the source tree
	library   string // directory of this library
	reference string // directory of the reference, "" for where the dynamic linker finds it
	softhsm   string // the module's file, "" for where it usually is
	command   string // as it was typed, for the head of the report
}

// run is main without the process; the result is the exit status.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	o := options{command: strings.Join(append([]string{"go run ./bench"}, args...), " ")}
	var only string
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.BoolVar(&o.quick, "quick", false, "a few rounds only, to see that everything works; the figures mean little")
	flags.StringVar(&only, "only", "", "measure only what matches this `regexp`: "+strings.Join(keys(), ", "))
	flags.StringVar(&o.library, "library", "", "`directory` of the library (default build/lib)")
	flags.StringVar(&o.reference, "reference", "", "`directory` of the reference (default where the dynamic linker finds it)")
	flags.StringVar(&o.softhsm, "softhsm", "", "SoftHSM's module `file` (default where it is usually installed)")
	if err := flags.Parse(args); err != nil {
		if err == flag.ErrHelp {
			return 0
		}
		return 2
	}
	var err error
	if o.only, err = regexp.Compile(only); err == nil && flags.NArg() > 0 {
		err = fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	if err != nil {
		fmt.Fprintln(stderr, "bench:", err)
		return 2
	}
	if o.root, err = findRoot(); err == nil {
		err = report(ctx, o, stdout, stderr)
	}
	if err != nil {
		fmt.Fprintln(stderr, "bench:", err)
		return 1
	}
	return 0
}

// findRoot is the directory of go.mod, at or above the working directory.
func findRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for at := dir; ; at = filepath.Dir(at) {
		if _, err := os.Stat(filepath.Join(at, "go.mod")); err == nil {
			return at, nil
		}
		if at == filepath.Dir(at) {
			return "", fmt.Errorf("no go.mod at or above %s: run this in the source tree", dir)
		}
	}
}
