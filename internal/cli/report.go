package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/p11mux/p11mux/internal/trace"
)

func reportCommand() *cobra.Command {
	r := reporting{}
	cmd := &cobra.Command{
		Use:   "report LOG...",
		Short: "Say what is in logs of PKCS#11 calls",
		Long: `Read logs that were written with log-format: json, or by the trace command, and
print tables: time by function and by caller, errors, and the slowest calls.
A line that is damaged is reported, and the others are used. "-" is standard
input as a log, and standard output as a FILE.`,
		Example: `  p11mux trace report calls.jsonl
  p11mux trace report --html calls.html calls.jsonl`,
		Args: someArgs(1, "log"),
		RunE: func(cmd *cobra.Command, logs []string) error { return r.run(cmd, logs) },
	}
	f := cmd.Flags()
	f.BoolVar(&r.json, "json", false, "print the report as a JSON object, with durations in µs")
	f.BoolVar(&r.calls, "calls", false, "list the calls, one on a line, instead of tables")
	f.StringVar(&r.html, "html", "", "write a page for a browser to `FILE`")
	f.StringVar(&r.perfetto, "perfetto", "", "write the trace-event format of Perfetto and Chrome to `FILE`")
	f.IntVar(&r.top, "top", 10, "how many of the slowest calls to print")
	f.IntVar(&r.most, "max-calls", trace.DefaultPageCalls, "how many calls a page shows")
	return cmd
}

// A reporting is one run of the report command.
type reporting struct {
	json, calls    bool
	html, perfetto string
	top, most      int

	cmd      *cobra.Command
	problems int
	told     int // of them
}

// maxProblems is how many problems are printed one by one. Who gives us something else than a log need not read all of it.
const maxProblems = 1000

// notLog is how many problems are printed of a file in which nothing could be used yet: it may be something else than a log. It is
// read on, since what a program says on standard error may come before the first record.
const notLog = 10

// A sink takes what is in the logs.
type sink interface{ Add(trace.Entry) }

func (r *reporting) run(cmd *cobra.Command, logs []string) error {
	if r.top < 0 || r.most < 1 {
		return usage("--top must not be negative, and --max-calls at least 1")
	}
	if r.json && r.calls {
		return usage("--json and --calls are two ways to print the same")
	}
	if r.html == "-" && r.perfetto == "-" {
		return usage("--html and --perfetto cannot both go to standard output")
	}
	if r.html != "" && filepath.Clean(r.html) == filepath.Clean(r.perfetto) {
		return usage("--html and --perfetto cannot both write %s", r.html)
	}
	r.cmd = cmd
	outputs, err := r.outputs(logs)
	defer func() {
		for _, o := range outputs {
			o.discard()
		}
	}()
	if err != nil {
		return err
	}
	if err := r.read(logs, outputs); err != nil {
		return err
	}
	for _, o := range outputs {
		if err := o.finish(); err != nil {
			return err
		}
	}
	if r.problems > r.told {
		r.say("%d more problems with lines", r.problems-r.told)
	}
	return nil
}

// An output is one of the things to make of the logs.
type output struct {
	sink
	finish  func() error // writes what is not written yet
	discard func()       // removes what is not finished
}

// outputs are what the command line asks for. Those that were begun are there with an error as well.
func (r *reporting) outputs(logs []string) ([]output, error) {
	var all []output
	for option, path := range map[string]string{"--html": r.html, "--perfetto": r.perfetto} {
		if err := r.mayWrite(option, path, logs); err != nil {
			return nil, err
		}
	}
	if r.html != "" {
		f, err := createFile(r.html, r.cmd.OutOrStdout())
		if err != nil {
			return all, err
		}
		page := trace.NewPage("PKCS#11 calls: "+names(logs), r.most)
		all = append(all, output{page, func() error { return r.page(page, f) }, f.discard})
	}
	if r.perfetto != "" {
		f, err := createFile(r.perfetto, r.cmd.OutOrStdout())
		if err != nil {
			return all, err
		}
		p := trace.NewPerfetto(f)
		finish := func() error {
			if err := p.Close(); err != nil {
				return err
			}
			return f.commit()
		}
		all = append(all, output{p, finish, f.discard})
	}
	switch out := r.cmd.OutOrStdout(); {
	case r.calls:
		list := trace.NewListing(out)
		all = append(all, output{list, list.Flush, func() {}})
	case r.json, len(all) == 0:
		stats := trace.NewStats(r.top)
		all = append(all, output{stats, func() error { return r.print(stats, out) }, func() {}})
	}
	return all, nil
}

// mayWrite refuses a file for an output that is a log: who forgets the name of the page has its place taken by that of a log.
func (r *reporting) mayWrite(option, path string, logs []string) error {
	if path == "" || path == "-" {
		return nil
	}
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() {
		return nil // createFile has the rest to say
	}
	is, err := isLog(path)
	if err != nil {
		return err
	}
	if f, ok := r.cmd.InOrStdin().(*os.File); ok && slices.Contains(logs, "-") {
		in, err := f.Stat()
		is = is || err == nil && os.SameFile(info, in)
	}
	for _, log := range logs {
		in, err := os.Stat(log)
		is = is || err == nil && os.SameFile(info, in)
	}
	if !is {
		return nil
	}
	return hinted(fmt.Errorf("%s is a log, and %s would replace it", path, option), "name the file to write behind %s, and the logs after it", option)
}

// names are the logs' names without their directories.
func names(logs []string) string {
	var all []string
	for _, l := range logs {
		all = append(all, filepath.Base(l))
	}
	return strings.Join(all, ", ")
}

// read gives all entries of all logs to the outputs, and prints what is wrong with them.
func (r *reporting) read(logs []string, outputs []output) error {
	for _, name := range logs {
		if err := r.readLog(name, outputs); err != nil {
			return err
		}
	}
	return nil
}

func (r *reporting) readLog(name string, outputs []output) error {
	in := r.cmd.InOrStdin()
	if name == "-" {
		name = "stdin"
	} else {
		f, err := os.Open(name)
		if err != nil {
			return hinted(err, "give the log that 'p11mux trace' or the option log-file has written")
		}
		defer f.Close()
		in = f
	}
	used, strange := false, 0
	for e, err := range trace.Read(name, in) {
		if err == nil {
			used = true
			for _, o := range outputs {
				o.Add(e)
			}
			continue
		}
		if _, ok := errors.AsType[*trace.Problem](err); !ok {
			return err
		}
		r.problems++
		if strange++; r.told < maxProblems && (used || strange <= notLog) {
			r.told++
			fmt.Fprintln(r.cmd.ErrOrStderr(), err)
		}
	}
	if !used && strange > 0 {
		return hinted(fmt.Errorf("%s is not a JSON log", name), "a log is written by the trace command, or with log-format: json")
	}
	return nil
}

func (r *reporting) say(format string, args ...any) {
	fmt.Fprintf(r.cmd.ErrOrStderr(), "%s: %s\n", r.cmd.CommandPath(), fmt.Sprintf(format, args...))
}

func (r *reporting) page(page *trace.Page, f *file) error {
	page.Damaged(r.problems)
	if n := page.Left(); n > 0 {
		r.say("the page shows the first %d calls, and %d are left out: --max-calls has it show more", r.most, n)
	}
	if err := page.Write(f); err != nil {
		return err
	}
	return f.commit()
}

// print prints the tables, or the same as JSON.
func (r *reporting) print(stats *trace.Stats, out io.Writer) error {
	report := stats.Report()
	report.Damaged = r.problems
	if !r.json {
		return report.Text(out)
	}
	e := json.NewEncoder(out)
	e.SetIndent("", "  ")
	return e.Encode(report)
}
