package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/p11mux/p11mux/internal/doctor"
)

// defaultPatience is how long a module may take to be loaded and initialized: smart cards may take seconds.
const defaultPatience = 30 * time.Second

// probeDescriptor is where the answer about one module goes.
const probeDescriptor = 3

func doctorVerb() *verb {
	var program, probe string
	patience := defaultPatience
	return &verb{
		name: "doctor", group: groupWhy,
		short: "Find out why modules are not used as they should be",
		long: `Read the configuration as a program does that uses the library, try each module in
a process of its own, and look at the library, the proxy module, NSS databases
and OpenSSL. Each finding comes with what to do about it. Nothing is changed.
The exit status is 1 if there is a warning or an error.`,
		example: `  p11mux doctor
  p11mux doctor --as firefox --json`,
		options: withJSON | withoutKit,
		flags: func(fs *pflag.FlagSet) {
			fs.StringVar(&program, "as", "p11mux", "whose modules: the name of a `PROGRAM`, for enable-in and disable-in")
			timeVar(fs, &patience, "timeout", "", "how long a module may take to answer, in seconds or with its unit")
			fs.StringVar(&probe, "probe", "", "try one module, and write what it says to descriptor 3")
			if err := fs.MarkHidden("probe"); err != nil {
				panic(err) // it is there
			}
		},
		run: func(j *job) error {
			if probe != "" {
				out := os.NewFile(probeDescriptor, "answer")
				return errors.Join(doctor.Probe(context.Background(), probe, program, out), out.Close())
			}
			return j.doctor(program, patience)
		},
	}
}

func (j *job) doctor(program string, patience time.Duration) error {
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	if real, err := filepath.EvalSymlinks(exe); err == nil {
		exe = real
	}
	p := j.progress("examining")
	report := doctor.Run(context.Background(), doctor.Options{
		Program:    program,
		Executable: exe,
		Patience:   patience,
		Probe: func(module string) (string, []string) {
			return exe, []string{"doctor", "--as", program, "--probe", module}
		},
		Step: func(string) { p.step() },
	})
	p.done()
	if j.json {
		err = writeJSON(j.out, report)
	} else {
		err = j.writeReport(report)
	}
	if err == nil && !report.Healthy {
		err = exit(statusFailure)
	}
	return err
}

// areaTitles are the headings of what was looked at.
var areaTitles = map[doctor.Area]string{
	doctor.Configuration: "Configuration",
	doctor.Modules:       "Modules",
	doctor.Library:       "Library",
	doctor.Proxy:         "Proxy module",
	doctor.NSS:           "NSS",
	doctor.OpenSSL:       "OpenSSL",
}

func (j *job) writeReport(r *doctor.Report) error {
	c := coloursFor(j.out)
	colour := map[doctor.Status]string{doctor.OK: c.good, doctor.Warning: c.warn, doctor.Error: c.bad}
	var lines []string
	var area doctor.Area
	counts := map[doctor.Status]int{}
	for _, f := range r.Findings {
		counts[f.Status]++
		if f.Area != area {
			if area != "" {
				lines = append(lines, "")
			}
			area = f.Area
			lines = append(lines, c.in(c.name, areaTitles[area]))
		}
		status := c.in(colour[f.Status], fmt.Sprintf("%-8s", f.Status))
		lines = append(lines, fmt.Sprintf("  %s %s: %s", status, plain(f.Name), plain(f.Text)))
		for _, s := range f.Settings {
			lines = append(lines, fmt.Sprintf("           %s: %s  # %s:%d", plain(s.Key), plain(s.Value), plain(s.File), s.Line))
		}
		if f.Fix != "" && (f.Status != doctor.OK) {
			lines = append(lines, "           fix: "+plain(f.Fix))
		}
	}
	summary := "everything is as it should be"
	if !r.Healthy {
		summary = strings.Join([]string{plural(counts[doctor.Error], "error"), plural(counts[doctor.Warning], "warning")}, ", ")
	}
	lines = append(lines, "", summary)
	return printLines(j.out, lines, func(l string) string { return l })
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
