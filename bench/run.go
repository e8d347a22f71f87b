package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// samples are figures by name, in the order they were printed.
type samples map[string][]float64

// add gives s with those of other behind its own.
func (s samples) add(other samples) samples {
	if s == nil {
		s = samples{}
	}
	for name, values := range other {
		s[name] = append(s[name], values...)
	}
	return s
}

// parseSamples reads lines of the form "name value".
func parseSamples(text []byte) (samples, error) {
	s := samples{}
	lines := bufio.NewScanner(bytes.NewReader(text))
	for lines.Scan() {
		name, value, found := strings.Cut(lines.Text(), " ")
		v, err := strconv.ParseFloat(value, 64)
		if !found || name == "" || err != nil {
			return nil, fmt.Errorf("the line %q is not a name and a figure", lines.Text())
		}
		s[name] = append(s[name], v)
	}
	return s, lines.Err()
}

// environment is what the measured programs see: as little as possible, and nothing of the user's configuration.
func (b *bench) environment() []string {
	return []string{"PATH=/usr/bin:/bin", "LC_ALL=C", "HOME=" + b.dir, "SOFTHSM2_CONF=" + filepath.Join(b.dir, "softhsm2.conf")}
}

// command runs a command and gives what it printed; extra is added to its environment. One that does not end is broken.
func (b *bench) command(extra []string, name string, arguments ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(b.ctx, 3*time.Minute)
	defer cancel()
	var stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, name, arguments...)
	cmd.Env = append(b.environment(), extra...)
	cmd.Stderr = &stderr
	cmd.WaitDelay = time.Second
	out, err := cmd.Output()
	if cmd.ProcessState != nil {
		b.used += cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	}
	if err != nil {
		if ctx.Err() != nil {
			err = errors.Join(ctx.Err(), err)
		}
		return nil, fmt.Errorf("%s: %w: %s", cmd, err, strings.TrimSpace(stderr.String()))
	}
	return out, nil
}

// run runs one of our programs and gives the samples that it printed.
func (b *bench) run(extra []string, program string, arguments ...string) (samples, error) {
	out, err := b.command(extra, b.path(program), arguments...)
	if err != nil {
		return nil, err
	}
	s, err := parseSamples(out)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", program, err)
	}
	return s, nil
}

// path is where something is in the temporary directory.
func (b *bench) path(elements ...string) string {
	return filepath.Join(append([]string{b.dir}, elements...)...)
}

// write makes a file in the temporary directory, and the directories above it.
func (b *bench) write(content string, elements ...string) error {
	path := b.path(elements...)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(content), 0o644)
}
