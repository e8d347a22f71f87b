package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// connected is how many clients a server has while its memory is measured.
const connected = 32

// serverMemory measures the memory of each server with clients.
func (b *bench) serverMemory() (table, error) {
	t := table{
		title: "Servers: memory",
		note: fmt.Sprintf("Proportional set size of the server and all processes that it has started, without clients and with %d, each of "+
			"which has a session.", connected),
		first: "clients", unit: "MB",
	}
	var without, with results
	err := b.serveAll(b.path("null.so"), func(by [numWays]servedModule) error {
		for range b.pick(5, 1) {
			for _, w := range []way{ours, reference} {
				idle, busy, err := b.memoryOf(by[w])
				if err != nil {
					return fmt.Errorf("%s: %w", w, err)
				}
				without[w] = without[w].add(samples{"memory": {idle}})
				with[w] = with[w].add(samples{"memory": {busy}})
			}
		}
		return nil
	})
	if err != nil {
		return t, err
	}
	t.rows = append(t.rows, without.row(b, "none", "memory", kB), with.row(b, strconv.Itoa(connected), "memory", kB))
	return t, nil
}

// memoryOf gives the kB that a server has without clients, and with some.
func (b *bench) memoryOf(served servedModule) (idle, busy float64, err error) {
	if idle, err = memoryOfTree(served.server); err != nil {
		return 0, 0, err
	}
	cmd := exec.CommandContext(b.ctx, b.path("clients"), served.module, strconv.Itoa(connected), "0")
	cmd.Env = append(b.environment(), served.env...)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return 0, 0, err
	}
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return 0, 0, err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err == nil && line != "ready\n" {
		err = fmt.Errorf("clients says %q", line)
	}
	if err == nil {
		busy, err = memoryOfTree(served.server)
	}
	return idle, busy, errors.Join(err, in.Close(), cmd.Wait())
}

// memoryOfTree is the proportional set size of a process and all that it has started, in kB.
func memoryOfTree(pid int) (float64, error) {
	dir := filepath.Join("/proc", strconv.Itoa(pid))
	text, err := os.ReadFile(filepath.Join(dir, "smaps_rollup"))
	if err != nil {
		return 0, err
	}
	_, after, _ := strings.Cut(string(text), "\nPss:")
	word, _, _ := strings.Cut(strings.TrimSpace(after), " ")
	size, err := strconv.ParseFloat(word, 64)
	if err != nil {
		return 0, fmt.Errorf("%s/smaps_rollup: %w", dir, err)
	}
	tasks, err := filepath.Glob(filepath.Join(dir, "task", "*", "children"))
	if err != nil {
		return 0, err
	}
	for _, task := range tasks {
		children, err := os.ReadFile(task)
		if err != nil {
			continue // the thread has ended
		}
		for _, child := range strings.Fields(string(children)) {
			n, err := strconv.Atoi(child)
			if err != nil {
				return 0, err
			}
			more, err := memoryOfTree(n)
			if errors.Is(err, os.ErrNotExist) {
				continue // it has ended
			}
			if err != nil {
				return 0, err
			}
			size += more
		}
	}
	return size, nil
}
