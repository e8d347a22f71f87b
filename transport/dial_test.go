package transport

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/p11mux/p11mux/rpc"
)

// address is Parse for what must be an address.
func address(t *testing.T, text string) *Address {
	t.Helper()
	a, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// descriptors counts those that the process has.
func descriptors(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

// echo checks that what is sent comes back.
func echo(t *testing.T, c rpc.Conn) {
	t.Helper()
	sent := bytes.Repeat([]byte("octets"), 20000) // more than a socket holds
	done := make(chan error)
	go func() { done <- c.Write(sent, time.Minute) }()
	got := make([]byte, len(sent))
	for n := 0; n < len(got); {
		k, err := c.Read(got[n:], time.Minute)
		if n += k; err != nil {
			t.Fatalf("after %d octets: %v", n, err)
		}
	}
	if err := <-done; err != nil || !bytes.Equal(got, sent) {
		t.Errorf("what came back is not what was sent: %v", err)
	}
}

// silent is a listening socket whose queue has room for this many, and nobody accepts.
func silent(t *testing.T, path string, room int) int {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err == nil {
		err = syscall.Bind(fd, &syscall.SockaddrUnix{Name: path})
	}
	if err == nil && room >= 0 {
		err = syscall.Listen(fd, room)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Close(fd) })
	return fd
}

func TestDialSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "socket")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	done := make(chan error)
	go func() {
		c, err := l.Accept()
		if err == nil {
			_, err = io.Copy(c, c)
			c.Close()
		}
		done <- err
	}()
	var told []int
	before := descriptors(t)
	c, err := address(t, EncodePath(path)).Dial(t.Context(), time.Minute, func(connection, process int) { told = append(told, connection, process) })
	if err != nil {
		t.Fatal(err)
	}
	echo(t, c)
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if len(told) != 4 || told[0] <= 2 || told[1] != -1 || told[2] != -1 || told[3] != -1 {
		t.Errorf("descriptors %d", told)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	if n := descriptors(t); n != before {
		t.Errorf("%d descriptors, there were %d", n, before)
	}
	if err := c.Close(); err == nil {
		t.Error("closed twice")
	}
}

// Nobody is there: no such file, no socket, a socket that nobody listens on, a directory that must not be entered, a virtual machine
// that there is none of.
func TestNobody(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	silent(t, filepath.Join(dir, "deaf"), -1)
	before := descriptors(t)
	for _, text := range []string{
		"unix:path=" + dir + "/none", "unix:path=" + dir + "/file", "unix:path=" + dir + "/deaf", "unix:path=" + dir + "/file/none",
		"vsock:cid=1;port=1", "vsock:cid=77777;port=1",
	} {
		if c, err := address(t, text).Dial(t.Context(), time.Second, nil); c != nil || !errors.Is(err, rpc.ErrNoServer) ||
			!strings.HasPrefix(err.Error(), "no server is reached at "+strings.TrimPrefix(text, "unix:path=")+": ") {
			t.Errorf("%s: %v, %v", text, c, err)
		}
	}
	if n := descriptors(t); n != before {
		t.Errorf("%d descriptors, there were %d", n, before)
	}
}

// A server whose queue is full is not nobody, and is asked until the time is over or the context ends.
func TestFullQueue(t *testing.T) {
	path := filepath.Join(t.TempDir(), "socket")
	server := silent(t, path, 0)
	a := address(t, "unix:path="+path)
	first, err := a.Dial(t.Context(), time.Minute, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	if c, err := a.Dial(t.Context(), 50*time.Millisecond, nil); c != nil || !errors.Is(err, syscall.ETIMEDOUT) || errors.Is(err, rpc.ErrNoServer) {
		t.Errorf("%v, %v", c, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if c, err := a.Dial(ctx, time.Minute, nil); c != nil || !errors.Is(err, context.Canceled) {
		t.Errorf("%v, %v", c, err)
	}
	done := make(chan error)
	go func() {
		c, err := a.Dial(t.Context(), time.Minute, nil)
		if err == nil {
			err = c.Close()
		}
		done <- err
	}()
	for range 2 {
		fd, _, err := syscall.Accept(server)
		if err != nil {
			t.Fatal(err)
		}
		syscall.Close(fd)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// A process that works for a server does not connect to it, by whichever path, and connects to others.
func TestDialWithin(t *testing.T) {
	dir := t.TempDir()
	path, link, other := filepath.Join(dir, "socket"), filepath.Join(dir, "link"), filepath.Join(dir, "other")
	silent(t, path, 1)
	silent(t, other, 1)
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	env := Within([]string{"A=1", variable + "=1234"}, address(t, "unix:path="+link), address(t, "vsock:cid=1;port=7"), address(t, "unix:path=/none"))
	value, ok := strings.CutPrefix(env[len(env)-1], variable+"=1234,")
	if len(env) != 2 || env[0] != "A=1" || !ok || strings.Count(value, ",") != 1 {
		t.Fatalf("%q", env)
	}
	t.Setenv(variable, "1234,"+value)
	before := descriptors(t)
	for _, text := range []string{"unix:path=" + path, "unix:path=" + link, "unix:path=" + dir + "/./socket", "vsock:port=7;cid=0x1"} {
		var failed *DialError
		if c, err := address(t, text).Dial(t.Context(), time.Minute, nil); c != nil || !errors.As(err, &failed) || !errors.Is(err, errSelf) {
			t.Errorf("%s: %v, %v", text, c, err)
		}
	}
	if n := descriptors(t); n != before {
		t.Errorf("%d descriptors, there were %d", n, before)
	}
	c, err := address(t, "unix:path="+other).Dial(t.Context(), time.Minute, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}
