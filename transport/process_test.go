//go:build cgo

package transport

import (
	"errors"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/p11mux/p11mux/internal/stream"
	"github.com/p11mux/p11mux/rpc"
)

// run dials a command, and gives another descriptor of its process too.
func run(t *testing.T, command string) (rpc.Conn, int) {
	t.Helper()
	fd := -1
	c, err := address(t, "|"+command).Dial(t.Context(), time.Minute, func(_, process int) {
		if process >= 0 {
			fd, _ = syscall.Dup(process)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if fd < 0 {
		t.Fatal("there is no descriptor of the process")
	}
	t.Cleanup(func() { syscall.Close(fd) })
	return c, fd
}

// text reads to the end.
func text(t *testing.T, c rpc.Conn) string {
	t.Helper()
	var all []byte
	for b := make([]byte, 4096); ; {
		n, err := c.Read(b, time.Minute)
		if all = append(all, b[:n]...); err != nil {
			if err != io.EOF {
				t.Error(err)
			}
			return string(all)
		}
	}
}

func TestCommand(t *testing.T) {
	before := descriptors(t)
	c, fd := run(t, "cat")
	echo(t, c)
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if !stream.Ended(fd, 0) {
		t.Error("the program goes on after Close")
	}
	if n := descriptors(t); n != before+1 { // the copy
		t.Errorf("%d descriptors, there were %d", n, before)
	}
}

// The program is nobody's child that the host could notice, and begins with three descriptors and no signal blocked.
func TestSurroundings(t *testing.T) {
	told := make(chan os.Signal, 1)
	signal.Notify(told, syscall.SIGCHLD)
	defer signal.Stop(told)
	file, err := os.Open("/dev/null")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if _, _, errno := syscall.Syscall(syscall.SYS_FCNTL, file.Fd(), syscall.F_SETFD, 0); errno != 0 {
		t.Fatal(errno)
	}
	c, _ := run(t, "sh -c 'grep -e SigBlk -e PPid /proc/self/status; readlink /proc/$$/fd/*; echo \"$1\"' sh 'one word'")
	got := text(t, c)
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	lines := strings.Split(strings.TrimSpace(got), "\n")
	if len(lines) != 6 || !strings.HasPrefix(lines[2], "socket:") || lines[3] != lines[2] || lines[5] != "one word" ||
		strings.Trim(strings.TrimPrefix(lines[1], "SigBlk:\t"), "0") != "" {
		t.Errorf("the program says\n%s", got)
	}
	if _, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil); err != syscall.ECHILD {
		t.Errorf("the host has a child: %v", err)
	}
	select {
	case s := <-told:
		t.Errorf("the host was told %v", s)
	default:
	}
}

// A program knows which command has run it, and does not run the same one again.
func TestInside(t *testing.T) {
	c, _ := run(t, "printenv "+variable)
	outer := strings.TrimSpace(text(t, c))
	if err := c.Close(); err != nil || outer == "" {
		t.Fatalf("the variable is %q; %v", outer, err)
	}
	t.Setenv(variable, outer)
	_, err := address(t, "|printenv "+variable).Dial(t.Context(), time.Minute, nil)
	if e, ok := errors.AsType[*DialError](err); !ok || e.What != "cannot run printenv" || e.Err != errInside {
		t.Errorf("the same command again: %v", err)
	}
	c, _ = run(t, "env")
	var all []string
	for line := range strings.Lines(text(t, c)) {
		if strings.HasPrefix(line, variable+"=") {
			all = append(all, strings.TrimSpace(line))
		}
	}
	if len(all) != 1 || !strings.HasPrefix(all[0], variable+"="+outer+",") || len(all[0]) < len(variable)+2*len(outer) {
		t.Errorf("another command within has %q", all)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}

// What cannot be executed is an error that says so, and leaves nothing.
func TestNoProgram(t *testing.T) {
	before := descriptors(t)
	for command, want := range map[string]error{
		"/nonexistent/program": syscall.ENOENT,
		"p11mux-nonexistent":   syscall.ENOENT,
		"/dev/null":            syscall.EACCES,
	} {
		c, err := address(t, "|"+command).Dial(t.Context(), time.Minute, nil)
		if c != nil || !errors.Is(err, want) || !strings.HasPrefix(err.Error(), "cannot run "+command) {
			t.Errorf("%q: %v, %v", command, c, err)
		}
	}
	if n := descriptors(t); n != before {
		t.Errorf("%d descriptors, there were %d", n, before)
	}
}

// A program that answers nobody and hears no signal is ended all the same.
func TestStuck(t *testing.T) {
	c, fd := run(t, "sh -c 'trap \"\" TERM HUP INT; echo; while :; do sleep 1; done'")
	b := make([]byte, 1)
	if _, err := c.Read(b, time.Minute); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Read(b, time.Millisecond); err != syscall.ETIMEDOUT {
		t.Errorf("it said something: %v", err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if !stream.Ended(fd, time.Minute) {
		t.Error("the program goes on after Close")
	}
}

// A program that was slow once and has answered since may end by itself: what it does at its end is done.
func TestSlow(t *testing.T) {
	file := filepath.Join(t.TempDir(), "ended")
	c, _ := run(t, "sh -c 'read line; echo; cat; sleep 0.2; echo > \"$1\"' sh "+file)
	b := make([]byte, 1)
	if _, err := c.Read(b, time.Millisecond); err != syscall.ETIMEDOUT {
		t.Errorf("it said something: %v", err)
	}
	if err := c.Write([]byte("\n"), time.Minute); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Read(b, time.Minute); err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(file); err != nil {
		t.Errorf("the program could not end by itself: %v", err)
	}
}

// One that ends is noticed, and neither reading nor writing harms the host.
func TestProgramEnds(t *testing.T) {
	c, fd := run(t, "true")
	if !stream.Ended(fd, time.Minute) {
		t.Fatal("it does not end")
	}
	if n, err := c.Read(make([]byte, 1), time.Minute); n != 0 || err != io.EOF {
		t.Errorf("read %d, %v", n, err)
	}
	if err := c.Write([]byte("octets"), time.Minute); err != syscall.EPIPE {
		t.Errorf("written: %v", err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}

// Many threads start programs at once, and all of them end.
func TestManyCommands(t *testing.T) {
	before := descriptors(t)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for k := range 5 {
				a := &Address{argv: []string{"echo", strconv.Itoa(i), strconv.Itoa(k)}}
				c, err := a.Dial(t.Context(), time.Minute, nil)
				if err != nil {
					t.Error(err)
					return
				}
				if got, want := text(t, c), strconv.Itoa(i)+" "+strconv.Itoa(k)+"\n"; got != want {
					t.Errorf("%q, want %q", got, want)
				}
				if err := c.Close(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if n := descriptors(t); n != before {
		t.Errorf("%d descriptors, there were %d", n, before)
	}
}

// A blank after the bar is an empty word, which the error says.
func TestRunNothing(t *testing.T) {
	for _, text := range []string{"| true", "|'' true"} {
		c, err := address(t, text).Dial(t.Context(), time.Minute, nil)
		if c != nil || err == nil || err.Error() != "cannot run the command: its first word is empty: the program's name has to follow the bar without a blank" {
			t.Errorf("%q: %v, %v", text, c, err)
		}
	}
}
