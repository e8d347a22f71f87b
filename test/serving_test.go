package test

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/p11mux/p11mux/ck"
	"github.com/p11mux/p11mux/internal/testkit"
	"github.com/p11mux/p11mux/rpc"
	"github.com/p11mux/p11mux/transport"
)

// obedient builds the module that does what it is told: testdata/module.c of internal/server.
func obedient(t testing.TB) string {
	t.Helper()
	return once(t, "obedient", func() string {
		return cc(t, "modules/obedient.so", "-shared", "-fPIC", "-fvisibility=hidden", "-I../include", "-I../shim", "../internal/server/testdata/module.c")
	})
}

// A serving is a process of p11mux server in the foreground.
type serving struct {
	*testing.T
	cmd     *exec.Cmd
	path    string // of the socket
	address string
	said    string // the file with what it says
	user    int    // the number of who connects, 0 for the test's own
}

// How a server is started.
type serveHow struct {
	args    []string          // beside those that it always gets
	env     map[string]string // beside the test's
	wrap    []string          // the program that starts it, and its arguments
	setup   func(cmd *exec.Cmd)
	path    string // of the socket; one is made if it is empty
	program string // the file of p11mux, that of the build if it is empty
}

// served starts a server of the obedient module, which is to live until the test ends.
func served(t *testing.T, how serveHow) *serving {
	t.Helper()
	s, err := tryServed(t, how)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// tryServed is served, with an error where the server does not serve.
func tryServed(t *testing.T, how serveHow) (*serving, error) {
	t.Helper()
	dir := t.TempDir()
	s := &serving{T: t, path: how.path, said: filepath.Join(dir, "said")}
	if s.path == "" {
		s.path = filepath.Join(dir, "socket")
	}
	words := append(append(how.wrap, cmp.Or(how.program, p11mux(t)), "server", "--sh", "--foreground", "--name", s.path), how.args...)
	s.cmd = exec.Command(words[0], append(words[1:], obedient(t))...)
	s.cmd.Env = append(os.Environ(), assignments(how.env)...)
	said, err := os.Create(s.said)
	if err != nil {
		return nil, err
	}
	defer said.Close()
	s.cmd.Stderr = said
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if how.setup != nil {
		how.setup(s.cmd)
	}
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		_ = s.cmd.Wait() // what it says is more
		return nil, errors.New(s.heard())
	}
	s.address, _, _ = strings.Cut(strings.TrimPrefix(line, "P11_KIT_SERVER_ADDRESS="), ";")
	t.Cleanup(s.end)
	return s, nil
}

// end ends the server, unless the test has. It must not have died before, nor leave its socket or a worker behind.
func (s *serving) end() {
	s.Helper()
	if s.cmd.ProcessState != nil {
		return
	}
	workers := s.workers()
	_ = s.cmd.Process.Signal(syscall.SIGTERM) // Wait says if it had ended
	for range 2 {                             // nobody who is left matters
		_ = s.cmd.Process.Signal(syscall.SIGTERM)
	}
	testkit.Finishes(s, func() {
		if err := s.cmd.Wait(); err != nil {
			s.Errorf("the server: %v\n%s", err, s.heard())
		}
	})
	for _, pid := range workers {
		gone(s, pid)
	}
	if _, err := os.Lstat(s.path); err == nil {
		s.Error("the socket is left")
	}
}

// heard is what the server has said.
func (s *serving) heard() string {
	s.Helper()
	text, err := os.ReadFile(s.said)
	if err != nil {
		s.Fatal(err)
	}
	return string(text)
}

// pid is the process that listens.
func (s *serving) pid() int { return s.cmd.Process.Pid }

// workers are the processes that the server has started.
func (s *serving) workers() (pids []int) {
	s.Helper()
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		s.Fatal(err)
	}
	for _, path := range stats {
		data, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended
		}
		fields := strings.Fields(string(data[bytes.LastIndexByte(data, ')')+1:]))
		if len(fields) > 1 && fields[1] == strconv.Itoa(s.pid()) {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
			pids = append(pids, pid)
		}
	}
	return pids
}

// belongings are what a server has, with its workers.
type belongings struct {
	workers, descriptors, threads int
	memory                        int // of the processes' own, in KiB
}

// settled is how often in a row the server has to be found with the same descriptors.
const settled = 20

// belongings counts what the server has once it has so many workers and no longer opens or closes anything, or now if warm is negative.
func (s *serving) belongings(warm int) (b belongings) {
	s.Helper()
	meanwhile := ""
	same, last := 0, 0
	waitFor(s, &meanwhile, func() bool {
		all := s.workers()
		fds, err := os.ReadDir("/proc/" + strconv.Itoa(s.pid()) + "/fd")
		if err != nil {
			s.Fatalf("the server is gone: %s", s.heard())
		}
		b = belongings{workers: len(all), descriptors: len(fds), threads: s.number(s.pid(), "status", "Threads:")}
		for _, pid := range append(all, s.pid()) {
			b.memory += s.number(pid, "smaps_rollup", "Anonymous:")
		}
		meanwhile = "there are " + strconv.Itoa(len(all)) + " workers"
		if same++; len(all) != warm || b.descriptors != last {
			same = 0
		}
		last = b.descriptors
		return warm < 0 || same == settled
	})
	return b
}

// number is one of those that the kernel tells about a process; 0 if it has ended.
func (s *serving) number(pid int, file, name string) int {
	data, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), file))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(data)) {
		if text, ok := strings.CutPrefix(line, name); ok {
			n, _ := strconv.Atoi(strings.Fields(text)[0])
			return n
		}
	}
	return 0
}

// waitFor waits until something is so. It fails, with what is the case meanwhile, if that takes too long.
func waitFor(t testing.TB, meanwhile *string, so func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !so(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal(*meanwhile)
		}
	}
}

// A visitor is a client of the server, by the connections of the engine.
type visitor struct {
	*rpc.Client
	s *serving
}

// visit connects a client. The error is that of C_Initialize.
func (s *serving) visit() (*visitor, error) {
	a, err := transport.Parse(s.address)
	if err != nil {
		s.Fatal(err)
	}
	v := &visitor{rpc.NewClient(rpc.Options{
		Dial:    func(ctx context.Context) (rpc.Conn, error) { return a.Dial(ctx, time.Minute, nil) },
		Timeout: time.Minute,
	}), s}
	as(s, s.user, func() { err = v.Do(context.Background(), &ck.InitializeCall{}) })
	if err != nil {
		return nil, err
	}
	return v, nil
}

// guest connects a client, which must be served.
func (s *serving) guest() *visitor {
	s.Helper()
	v, err := s.visit()
	if err != nil {
		s.Fatalf("%v\n%s", err, s.heard())
	}
	return v
}

// serves makes sure that the server serves who comes, and goes on.
func (s *serving) serves() {
	s.Helper()
	v := s.guest()
	if pid := v.worker(); pid == s.pid() {
		s.Error("the process that listens serves")
	}
	v.leave()
}

// takes tells whether a client is served, and not turned away.
func (s *serving) takes() bool {
	v, err := s.visit()
	if err == nil {
		v.worker()
		v.leave()
	}
	return err == nil
}

// session opens a session.
func (v *visitor) session() ck.SessionHandle {
	v.s.Helper()
	open := &ck.OpenSessionCall{Slot: 1, Flags: ck.CKF_SERIAL_SESSION}
	if err := v.Do(context.Background(), open); err != nil {
		v.s.Errorf("%v\n%s", err, v.s.heard())
	}
	return open.Session
}

// worker is the process that serves the client.
func (v *visitor) worker() int {
	v.s.Helper()
	call := &ck.GenerateRandomCall{Session: v.session(), RandomData: make([]byte, 4)}
	if err := v.Do(context.Background(), call); err != nil {
		v.s.Errorf("%v\n%s", err, v.s.heard())
	}
	return int(uint32(call.RandomData[0]) | uint32(call.RandomData[1])<<8 | uint32(call.RandomData[2])<<16 | uint32(call.RandomData[3])<<24)
}

// tell has the module do something.
func (v *visitor) tell(what string) error {
	return v.Do(context.Background(), &ck.SeedRandomCall{Session: v.session(), Seed: []byte(what)})
}

// leave finalizes the client.
func (v *visitor) leave() {
	v.s.Helper()
	if err := v.Do(context.Background(), &ck.FinalizeCall{}); err != nil {
		v.s.Error(err)
	}
}

// hang begins a call that never ends, and gives what becomes of it.
func (v *visitor) hang() <-chan error {
	v.s.Helper()
	begun := filepath.Join(v.s.TempDir(), "begun")
	ended := make(chan error, 1)
	go func() { ended <- v.tell("h" + begun) }()
	waitForFile(v.s, begun)
	return ended
}

// waitForFile waits until a file is there.
func waitForFile(t testing.TB, path string) {
	t.Helper()
	meanwhile := path + " does not appear"
	waitFor(t, &meanwhile, func() bool {
		_, err := os.Stat(path)
		return err == nil
	})
}

// dial connects without a word.
func (s *serving) dial() net.Conn {
	s.Helper()
	var c net.Conn
	var err error
	as(s, s.user, func() { c, err = net.Dial("unix", s.path) })
	if err != nil {
		s.Fatalf("%v\n%s", err, s.heard())
	}
	return c
}

// as does something by a thread that belongs to another user, or to the same one if it is 0.
func as(t testing.TB, user int, do func()) {
	t.Helper()
	if user == 0 {
		do()
		return
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	become := func(user int) {
		// Package syscall would have all threads do it.
		if _, _, errno := syscall.RawSyscall(syscall.SYS_SETRESUID, ^uintptr(0), uintptr(user), ^uintptr(0)); errno != 0 {
			t.Fatal(errno)
		}
	}
	before := os.Geteuid()
	become(user)
	defer become(before)
	do()
}

// Requests as they are on the wire, of version 2, with code 16.
const (
	wireHello      = "\x02"
	wireHeader     = "\x00\x00\x00\x10" + "\x00\x00\x00\x00"
	wireInitialize = wireHeader + "\x00\x00\x00\x42" + "\x00\x00\x00\x01" + "\x00\x00\x00\x05ayyay" +
		"\x01\x00\x00\x00\x29PRIVATE-GNOME-KEYRING-PKCS11-PROTOCOL-V-1" + "\x00" + "\x01\x00\x00\x00\x01\x00"
	wireGetInfo = wireHeader + "\x00\x00\x00\x08" + "\x00\x00\x00\x03" + "\x00\x00\x00\x00"
	wireWait    = wireHeader + "\x00\x00\x00\x11" + "\x00\x00\x00\x41" + "\x00\x00\x00\x01u" + "\x00\x00\x00\x00\x00\x00\x00\x00"
)

// say sends something to the server, which may have hung up.
func say(c net.Conn, text string) error {
	_, err := c.Write([]byte(text))
	return err
}
