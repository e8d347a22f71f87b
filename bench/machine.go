package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// head prints what the figures depend on.
func (b *bench) head(w io.Writer) error {
	kernel := firstLine(os.ReadFile("/proc/sys/kernel/osrelease"))
	load := firstLine(os.ReadFile("/proc/loadavg"))
	_, err := fmt.Fprintf(w, `# Measured

- Command: %s
- Date: %s
- Machine: %s, %d CPUs, load at the start %s
- System: %s, Linux %s, %s
- Compilers: %s; %s
- Ours: %s
- Reference: %s
- SoftHSM: %s

Figures are medians, with the 10th and the 90th percentile in brackets. All ways are measured in turn, round by round.
`,
		"`"+b.options.command+"`", time.Now().UTC().Format("2006-01-02 15:04 UTC"),
		fileField("/proc/cpuinfo", "model name", ":"), runtime.NumCPU(), strings.Join(strings.Fields(load)[:1], ""),
		fileField("/etc/os-release", "PRETTY_NAME", "="), kernel, b.says("getconf", "GNU_LIBC_VERSION"),
		b.says("gcc", "--version"), runtime.Version(),
		b.revision(), b.installedVersion(b.libraries[reference]), b.installedVersion(b.softhsm))
	return err
}

// watchOthers begins to watch what the rest of the machine does, for figures from a busy machine say little about
// threads. The result ends it and gives a sentence for the report; none if the time was too short or the system does not
// tell.
func (b *bench) watchOthers() func() string {
	start, used, busy := time.Now(), b.used, busyTime()
	return func() string {
		took := time.Since(start)
		if took < time.Second || busy < 0 {
			return ""
		}
		others := max(0, busyTime()-busy-(b.used-used))
		return " Meanwhile other programs used " + figure(others.Seconds()/took.Seconds()) + " of the CPUs."
	}
}

// busyTime is how long the processors have worked since the system was started, all together; -1 if it is not known.
func busyTime() time.Duration {
	const tick = time.Second / 100 // of /proc/stat, whatever the kernel's own is
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return -1
	}
	// cpu user nice system idle iowait irq softirq steal ...
	fields := strings.Fields(firstLine(text, nil))
	if len(fields) < 9 {
		return -1
	}
	var ticks int64
	for i, field := range fields[1:9] {
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return -1
		}
		if i != 3 && i != 4 {
			ticks += n
		}
	}
	return time.Duration(ticks) * tick
}

// says is the first line that a command prints; "unknown" if it fails.
func (b *bench) says(name string, arguments ...string) string {
	return firstLine(b.command(nil, name, arguments...))
}

func firstLine(text []byte, err error) string {
	line, _, _ := strings.Cut(string(text), "\n")
	if line = strings.TrimSpace(line); err != nil || line == "" {
		return "unknown"
	}
	return line
}

// fileField is what stands after a name and a separator in a file of such lines.
func fileField(path, name, separator string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return "unknown"
	}
	for _, line := range strings.Split(string(text), "\n") {
		key, value, found := strings.Cut(line, separator)
		if found && strings.TrimSpace(key) == name {
			return strings.Trim(strings.TrimSpace(value), `"`)
		}
	}
	return "unknown"
}

// revision is this library's commit.
func (b *bench) revision() string {
	cmd := exec.CommandContext(b.ctx, "git", "-C", b.options.root, "describe", "--always", "--dirty", "--tags")
	return "p11mux " + firstLine(cmd.Output())
}

// installedVersion is an installed file and the version of the package that it belongs to.
func (b *bench) installedVersion(path string) string {
	if path == "" {
		return notInstalled
	}
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return path
	}
	if owner, err := b.command(nil, "dpkg-query", "-S", real); err == nil {
		if name, _, found := strings.Cut(string(owner), ": "); found {
			return real + ", package " + b.says("dpkg-query", "-W", "-f", "${Package} ${Version}", name)
		}
	}
	if name := firstLine(b.command(nil, "rpm", "-qf", real)); name != "unknown" {
		return real + ", package " + name
	}
	return real
}
