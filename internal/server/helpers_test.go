//go:build cgo

package server

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/p11mux/p11mux/ck"
	"github.com/p11mux/p11mux/internal/testkit"
	"github.com/p11mux/p11mux/rpc"
)

// TestMain is also the workers' main.
func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == "worker" {
		os.Exit(Work())
	}
	os.Exit(m.Run())
}

// obedient compiles the module that does what it is told.
func obedient(t testing.TB) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "module.so")
	cmd := exec.Command("gcc", "-std=gnu11", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-fvisibility=hidden",
		"-I../../include", "-I../../shim", "testdata/module.c", "-o", out)
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return out
}

// A running server is one in this process.
type running struct {
	*testing.T
	path  string // of the socket
	stop  context.CancelFunc
	hurry chan struct{}
	ended chan error

	mu   sync.Mutex
	said []string
}

// started serves with a server in this process until the test ends, and looks whether it leaves processes or descriptors behind.
func started(t *testing.T, o Options) *running {
	t.Helper()
	before := belongings(t)
	dir := t.TempDir()
	r := &running{T: t, path: filepath.Join(dir, "socket"), hurry: make(chan struct{}), ended: make(chan error, 1)}
	l, err := Listen(r.path, -1, -1)
	if err != nil {
		t.Fatal(err)
	}
	if o.Peers == (Peers{}) {
		o.Peers = Peers{User: os.Geteuid(), Group: -1}
	}
	if o.Clients == 0 {
		o.Clients = 100
	}
	o.Command = []string{"/proc/self/exe", os.Args[0], "worker"}
	o.Say = func(format string, args ...any) {
		r.mu.Lock()
		r.said = append(r.said, fmt.Sprintf(format, args...))
		r.mu.Unlock()
	}
	o.Verbose = func(string, ...any) {}
	ready := make(chan struct{})
	o.Ready = func() { close(ready) }
	ctx, stop := context.WithCancel(context.Background())
	r.stop = stop
	go func() { r.ended <- Serve(ctx, l, o, r.hurry) }()
	select {
	case <-ready:
	case err := <-r.ended:
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stop()
		testkit.Finishes(t, func() {
			if err := <-r.ended; err != nil {
				t.Error(err)
			}
		})
		if _, err := os.Lstat(r.path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("the socket is left: %v", err)
		}
		if after := belongings(t); after != before {
			t.Errorf("left behind: %v, before %v", after, before)
		}
	})
	return r
}

// heard tells whether the server has said something with a text in it.
func (r *running) heard(text string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Contains(strings.Join(r.said, "\n"), text)
}

// belongings are what a process can leave behind.
func belongings(t testing.TB) (b struct{ descriptors, children int }) {
	t.Helper()
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, fd := range fds {
		// The runtime's own come once and stay.
		if to, err := os.Readlink("/proc/self/fd/" + fd.Name()); err == nil && !strings.HasPrefix(to, "anon_inode:") {
			b.descriptors++
		}
	}
	b.children = len(children(t))
	return b
}

// children are the processes that this one has started.
func children(t testing.TB) (pids []int) {
	t.Helper()
	all, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range all {
		data, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended
		}
		fields := strings.Fields(string(data[strings.LastIndexByte(string(data), ')')+1:]))
		if len(fields) > 1 && fields[1] == strconv.Itoa(os.Getpid()) {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
			pids = append(pids, pid)
		}
	}
	return pids
}

// dial connects.
func (r *running) dial() net.Conn {
	r.Helper()
	c, err := net.Dial("unix", r.path)
	if err != nil {
		r.Fatal(err)
	}
	return c
}

// A client is one of the server's, initialized.
type client struct {
	*rpc.Client
	t    *testing.T
	conn net.Conn
}

// client connects a client.
func (r *running) client() *client {
	r.Helper()
	c, err := r.tryClient()
	if err != nil {
		r.Fatal(err)
	}
	r.Cleanup(func() { _ = c.Do(context.Background(), &ck.FinalizeCall{}) }) // the test may have done it
	return c
}

func (r *running) tryClient() (*client, error) {
	c := &client{t: r.T}
	c.Client = rpc.NewClient(rpc.Options{Dial: func(context.Context) (rpc.Conn, error) {
		s, err := net.Dial("unix", r.path)
		if err != nil {
			return nil, err
		}
		c.conn = s
		return rpc.NewConn(s.(*net.UnixConn)), nil
	}, Timeout: time.Minute})
	return c, c.Do(r.Context(), &ck.InitializeCall{})
}

// must makes a call that must succeed.
func (c *client) must(call ck.Call) {
	c.t.Helper()
	if err := c.Do(c.t.Context(), call); err != nil {
		c.t.Fatalf("%v: %v", call.Func(), err)
	}
}

// refused makes a call that must give rv.
func (c *client) refused(call ck.Call, rv ck.RV) {
	c.t.Helper()
	if err := c.Do(c.t.Context(), call); ck.RVOf(err) != rv {
		c.t.Errorf("%v gives %v, want %v", call.Func(), err, rv)
	}
}

// session opens a session on a slot.
func (c *client) session(slot ck.SlotID, flags ck.Flags) ck.SessionHandle {
	c.t.Helper()
	open := &ck.OpenSessionCall{Slot: slot, Flags: ck.CKF_SERIAL_SESSION | flags}
	c.must(open)
	return open.Session
}

// tell has the obedient module do something, in a session of its own.
func (c *client) tell(what string) error {
	c.t.Helper()
	return c.Do(c.t.Context(), &ck.SeedRandomCall{Session: c.session(1, 0), Seed: []byte(what)})
}

// hang has the obedient module begin a call that never ends, and gives what becomes of it.
func (c *client) hang() <-chan error {
	c.t.Helper()
	begun := filepath.Join(c.t.TempDir(), "begun")
	call := &ck.SeedRandomCall{Session: c.session(1, 0), Seed: []byte("h" + begun)}
	ended := make(chan error, 1)
	go func() { ended <- c.Do(context.Background(), call) }()
	eventually(c.t, "the call does not begin", func() bool {
		_, err := os.Stat(begun)
		return err == nil
	})
	return ended
}

// worker is the process that serves the client.
func (c *client) worker() int {
	c.t.Helper()
	call := &ck.GenerateRandomCall{Session: c.session(1, 0), RandomData: make([]byte, 4)}
	c.must(call)
	return int(binary.NativeEndian.Uint32(call.RandomData))
}

// slots are the slots that a client sees.
func (c *client) slots() []ck.SlotID {
	c.t.Helper()
	call := &ck.GetSlotListCall{TokenPresent: true, Slots: ck.Out[ck.SlotID]{Buf: make([]ck.SlotID, 16)}}
	c.must(call)
	return call.Slots.Bytes()
}

// eventually waits until something is so. It fails, with what is the case meanwhile, if that takes too long.
func eventually(t testing.TB, meanwhile string, so func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !so(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal(meanwhile)
		}
	}
}
