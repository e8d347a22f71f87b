package test

import (
	"bytes"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/p11mux/p11mux/ck"
	"github.com/p11mux/p11mux/internal/testkit"
)

// Kinds of clients that come and go.
var visits = []func(s *serving){
	func(s *serving) { _ = s.dial().Close() },
	visitSaying(""),
	visitSaying(wireHello),
	visitSaying(wireHello + wireHeader[:5]),
	visitSaying(wireHello + wireInitialize[:40]),
	visitSaying(wireHello + wireInitialize + "garbage that is no header of anything"),
	func(s *serving) { s.serves() },
	func(s *serving) { // gone without a word, with a session open
		c := s.dial()
		_ = say(c, wireHello+wireInitialize+wireGetInfo)
		_, _ = io.ReadFull(c, make([]byte, 24))
		_ = c.Close()
	},
}

// visitSaying is a client that says something and goes, once the server has had time to believe in him.
func visitSaying(text string) func(s *serving) {
	return func(s *serving) {
		c := s.dial()
		_ = say(c, text)
		time.Sleep(time.Millisecond)
		_ = c.Close()
	}
}

// TestServerVisits has 1,000 clients of all kinds come and go, eight at a time. After them the server has what it had after the first 100.
func TestServerVisits(t *testing.T) {
	const warm = 2
	s := served(t, serveHow{})
	visit := func(n int) belongings {
		var all sync.WaitGroup
		for i := range 8 {
			all.Go(func() {
				for j := i; j < n; j += 8 {
					visits[j/8%len(visits)](s)
				}
			})
		}
		all.Wait()
		return s.belongings(warm)
	}
	before := visit(100)
	after := visit(1000)
	t.Logf("%+v after 100, %+v after 1100", before, after)
	if after.descriptors > before.descriptors {
		t.Errorf("%d descriptors, %d before", after.descriptors, before.descriptors)
	}
	if after.threads > before.threads+4 {
		t.Errorf("%d threads, %d before", after.threads, before.threads)
	}
	// Both vary by the garbage that has not been collected yet: 2 KiB for each of the visits is more than that.
	if after.memory > before.memory+2000 {
		t.Errorf("%d KiB, %d before", after.memory, before.memory)
	}
	s.serves()
}

// TestServerCrowd has 64 clients at once, who call at the same time, twice. The second crowd leaves no more behind than the first.
func TestServerCrowd(t *testing.T) {
	s := served(t, serveHow{})
	crowd := func() belongings {
		var all, here sync.WaitGroup
		here.Add(64)
		for range 64 {
			all.Go(func() {
				v, err := s.visit()
				here.Done()
				if err != nil {
					t.Error(err)
					return
				}
				here.Wait()
				session := v.session()
				for range 50 {
					if err := v.Do(t.Context(), &ck.GenerateRandomCall{Session: session, RandomData: make([]byte, 100)}); err != nil {
						t.Error(err)
					}
				}
				v.leave()
			})
		}
		all.Wait()
		return s.belongings(2)
	}
	before := crowd()
	after := crowd()
	t.Logf("%+v, %+v", before, after)
	if after.descriptors > before.descriptors || after.threads > before.threads+8 || after.memory > before.memory+2000 {
		t.Errorf("%+v after another crowd, %+v before", after, before)
	}
	// A client costs a process, and no thread of the one that listens.
	if after.threads > 32 {
		t.Errorf("%d threads", after.threads)
	}
}

// TestServerKills kills processes in the middle of calls: a worker, and a client.
func TestServerKills(t *testing.T) {
	t.Parallel() // it takes the time that calls have whose client is gone
	s := served(t, serveHow{})
	before := s.belongings(2)
	v := s.guest()
	pid := v.worker()
	ended := v.hang()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	testkit.Finishes(t, func() {
		if err := <-ended; ck.RVOf(err) != ck.CKR_DEVICE_ERROR {
			t.Errorf("a call whose worker is killed gives %v", err)
		}
	})
	v.leave()
	s.serves()

	// The client is pkcs11-tool, which hangs in C_Initialize.
	begun := filepath.Join(t.TempDir(), "begun")
	hanging := served(t, serveHow{env: map[string]string{"OBEDIENT_INITIALIZE": "h" + begun}, args: []string{"--warm", "1"}})
	tool := exec.Command("pkcs11-tool", "--module", clientModule(t), "--list-slots")
	tool.Env = append(os.Environ(), "P11_KIT_SERVER_ADDRESS="+hanging.address)
	if err := tool.Start(); err != nil {
		t.Fatal(err)
	}
	waitForFile(t, begun)
	if err := tool.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = tool.Wait() // says that it was killed
	if after := hanging.belongings(1); after.descriptors > before.descriptors {
		t.Errorf("%+v", after)
	}
	if !strings.Contains(hanging.heard(), "client that is gone") {
		t.Errorf("it says %q", hanging.heard())
	}
	if after := s.belongings(2); after.descriptors > before.descriptors {
		t.Errorf("%+v is left, before %+v", after, before)
	}
}

// Attacks that last until the server has enough of them. The connection is closed by the end of the test.
var attacks = map[string]func(t *testing.T, s *serving, c net.Conn){
	"garbage in the middle of a call": func(t *testing.T, s *serving, c net.Conn) {
		_ = say(c, wireHello+wireInitialize+wireGetInfo[:14]+"garbage")
		_ = say(c, strings.Repeat("\xa5", 1000))
		hungUp(t, c)
	},
	"a message of 4 GiB": func(t *testing.T, s *serving, c net.Conn) {
		_ = say(c, wireHello+wireHeader+"\xff\xff\xff\xff")
		hungUp(t, c)
	},
	"options of 4 GiB": func(t *testing.T, s *serving, c net.Conn) {
		_ = say(c, wireHello+"\x00\x00\x00\x10\xff\xff\xff\xff\x00\x00\x00\x08")
		hungUp(t, c)
	},
	"blobs of 2 GiB": func(t *testing.T, s *serving, c net.Conn) {
		_ = say(c, wireHello+wireInitialize+wireHeader+"\x00\x00\x00\x16"+"\x00\x00\x00\x3f\x00\x00\x00\x03uay"+"\x00\x00\x00\x00\x00\x00\x00\x01"+"\x01\x7f\xff\xff\xfe")
		hungUp(t, c)
	},
	"an octet at a time": func(t *testing.T, s *serving, c net.Conn) {
		testkit.Finishes(t, func() {
			for i := 0; ; i++ {
				if say(c, (wireHello + wireHeader + "\x00\x01\x00\x00" + strings.Repeat("\x00", 1<<16))[i:i+1]) != nil {
					return
				}
				time.Sleep(20 * time.Millisecond)
			}
		})
	},
	"calls without end, and no answer is read": func(t *testing.T, s *serving, c net.Conn) {
		testkit.Finishes(t, func() {
			for err := say(c, wireHello+wireInitialize); err == nil; {
				err = say(c, strings.Repeat(wireGetInfo, 100))
			}
		})
	},
	"answers of 16 MiB that nobody reads": func(t *testing.T, s *serving, c net.Conn) {
		before := s.belongings(-1).memory
		_ = say(c, wireHello+wireInitialize)
		for i := range byte(64) { // each in a session of its own, so that they can be under way at the same time
			_ = say(c, wireHeader+"\x00\x00\x00\x17"+"\x00\x00\x00\x40\x00\x00\x00\x03ufy"+"\x00\x00\x00\x00\x00\x00\x00"+string([]byte{i + 1})+"\x00\xff\xff\x00")
		}
		most := 0
		meanwhile := "the client stays"
		waitFor(t, &meanwhile, func() bool {
			most = max(most, s.belongings(-1).memory)
			return hungUpNow(t, c)
		})
		if most < before+16<<10 || most > before+150<<10 {
			t.Errorf("%d KiB for one client, %d before", most, before)
		}
	},
	"waiting for an event": func(t *testing.T, s *serving, c net.Conn) {
		_ = say(c, wireHello+wireInitialize+strings.Repeat(wireWait, 9))
		b := make([]byte, 1+20+29)
		testkit.Finishes(t, func() {
			if _, err := io.ReadFull(c, b); err != nil {
				t.Error(err)
			}
		})
	},
	"sessions without end": func(t *testing.T, s *serving, c net.Conn) {
		v := s.guest()
		n := 0
		var err error
		for ; err == nil && n < 5000; n++ {
			err = v.Do(t.Context(), &ck.OpenSessionCall{Slot: 1, Flags: ck.CKF_SERIAL_SESSION})
		}
		if ck.RVOf(err) != ck.CKR_SESSION_COUNT || n != 1025 {
			t.Errorf("session %d: %v", n, err)
		}
		if v.Do(t.Context(), &ck.CloseAllSessionsCall{Slot: 1}) != nil || v.session() == 0 {
			t.Error("the client cannot go on")
		}
		v.leave()
	},
}

// hungUp waits until the server closes a connection.
func hungUp(t *testing.T, c net.Conn) {
	t.Helper()
	testkit.Finishes(t, func() {
		_, _ = io.Copy(io.Discard, c) // the end can be an error
	})
}

// hungUpNow tells whether the server has closed a connection, of which nothing is read.
func hungUpNow(t *testing.T, c net.Conn) (is bool) {
	t.Helper()
	raw, err := c.(*net.UnixConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if err := raw.Control(func(fd uintptr) {
		p := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLRDHUP}}
		_, _ = unix.Poll(p, 0) // where it is interrupted it is asked again
		is = p[0].Revents != 0
	}); err != nil {
		t.Fatal(err)
	}
	return is
}

// TestServerAttacks has clients mean harm. Others are served meanwhile, and nothing is left afterwards.
func TestServerAttacks(t *testing.T) {
	s := served(t, serveHow{args: []string{"--stall-timeout", "500ms"}})
	for range 20 {
		s.serves()
	}
	before := s.belongings(2)
	for name, attack := range attacks {
		t.Run(name, func(t *testing.T) {
			c := s.dial()
			defer c.Close()
			attack(t, s, c)
			s.serves()
		})
	}
	after := s.belongings(2)
	if after.descriptors > before.descriptors || after.memory > before.memory+3000 {
		t.Errorf("%+v is left, before %+v", after, before)
	}
}

// TestServerHalfOpen has thousands connect who say nothing. They cost no process, go by themselves, and others are served after them.
func TestServerHalfOpen(t *testing.T) {
	s := served(t, serveHow{args: []string{"--stall-timeout", "2s", "--max-clients", "5000"}})
	s.serves()
	before := s.belongings(2)
	var silent []net.Conn
	for range 3000 {
		silent = append(silent, s.dial())
	}
	s.serves() // while they are there
	if there := s.belongings(2); there.threads > before.threads+8 || there.memory > before.memory+3000*20 {
		t.Errorf("%+v, before %+v", there, before)
	} else {
		t.Logf("%+v, before %+v", there, before)
	}
	for _, c := range silent {
		hungUp(t, c)
		_ = c.Close()
	}
	if after := s.belongings(2); after.descriptors > before.descriptors {
		t.Errorf("%+v is left, before %+v", after, before)
	}
	s.serves()
}

// TestServerWarm kills workers that wait for a client.
func TestServerWarm(t *testing.T) {
	s := served(t, serveHow{})
	for range 3 {
		for _, pid := range s.workers() {
			_ = syscall.Kill(pid, syscall.SIGKILL) // it may have ended
		}
		s.serves()
	}
	s.belongings(2)
}

// TestServerModuleCrashes has the module crash where it is initialized, and where it is loaded.
func TestServerModuleCrashes(t *testing.T) {
	s := served(t, serveHow{env: map[string]string{"OBEDIENT_INITIALIZE": "c"}})
	for range 3 {
		if _, err := s.visit(); ck.RVOf(err) != ck.CKR_DEVICE_ERROR {
			t.Errorf("C_Initialize gives %v", err)
		}
	}
	s.belongings(2)
	file := filepath.Join(t.TempDir(), "file")
	s = served(t, serveHow{env: map[string]string{"OBEDIENT_LOAD": file}})
	writeFile(t, file, "")
	s.serves() // by one that is loaded already
	meanwhile := "it says nothing"
	waitFor(t, &meanwhile, func() bool {
		return strings.Contains(s.heard(), "the process that was to load the module ended")
	})
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	s.serves()
	s.belongings(2)
	writeFile(t, file, "")
	if _, err := tryServed(t, serveHow{env: map[string]string{"OBEDIENT_LOAD": file}}); err == nil || !strings.Contains(err.Error(), "the process that was to load the module ended") {
		t.Errorf("a module that crashes from the beginning: %v", err)
	}
}

// TestServerScarce has the server reach the limit of its descriptors, and that of its user's processes. It goes on when there are some again.
func TestServerScarce(t *testing.T) {
	crowd := func(t *testing.T, s *serving, limit int) {
		var here []net.Conn
		for range limit {
			c := s.dial()
			_ = say(c, wireHello+wireInitialize)
			here = append(here, c)
		}
		meanwhile := "the limit is not reached"
		waitFor(t, &meanwhile, func() bool { return s.heard() != "" })
		for _, c := range here {
			_ = c.Close()
		}
		meanwhile = "nobody is served any more"
		waitFor(t, &meanwhile, s.takes)
		s.belongings(2)
	}
	t.Run("descriptors", func(t *testing.T) {
		crowd(t, served(t, serveHow{wrap: []string{"prlimit", "--nofile=32:32"}}), 64)
	})
	t.Run("processes", func(t *testing.T) {
		const nobody = 54321 // who has no processes yet
		dir, err := os.MkdirTemp(workDir, "scarce")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(dir, 0o777); err != nil {
			t.Fatal(err)
		}
		program := filepath.Join(dir, "p11mux") // where everybody can reach it
		if err := copyFile(p11mux(t), program); err != nil {
			t.Fatal(err)
		}
		user := strconv.Itoa(nobody)
		s := served(t, serveHow{
			path: filepath.Join(dir, "socket"), program: program,
			wrap: []string{"setpriv", "--reuid=" + user, "--regid=" + user, "--clear-groups", "prlimit", "--nproc=45:45"},
		})
		s.user = nobody
		crowd(t, s, 64)
	})
}

// TestServerKilled kills the server. Who is served stays so, nothing else is left but the socket, and that is in nobody's way.
func TestServerKilled(t *testing.T) {
	s := served(t, serveHow{})
	v := s.guest()
	mine := v.worker()
	workers := s.workers()
	if err := s.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = s.cmd.Wait() // says that it was killed
	for _, pid := range workers {
		if pid != mine {
			gone(t, pid)
		}
	}
	if _, err := s.visit(); err != nil {
		t.Errorf("C_Initialize without a server gives %v", err)
	}
	again := served(t, serveHow{path: s.path})
	again.serves()
	if v.worker() != mine {
		t.Error("another worker")
	}
	v.leave()
	gone(t, mine)
}

// TestServerPath has many servers begin at one path at once, where a dead one has left its socket: one of them serves. And a path that
// goes while the server is there.
func TestServerPath(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "socket")
	for range 5 {
		l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
		if err != nil {
			t.Fatal(err)
		}
		l.SetUnlinkOnClose(false)
		_ = l.Close()
		var all sync.WaitGroup
		var mu sync.Mutex
		var winners []*serving
		for range 6 {
			all.Go(func() {
				s, err := tryServed(t, serveHow{path: path, args: []string{"--warm", "1"}})
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					winners = append(winners, s)
				} else if !strings.Contains(err.Error(), "another server listens there") {
					t.Errorf("one of those that came too late says %v", err)
				}
			})
		}
		all.Wait()
		if len(winners) != 1 {
			t.Fatalf("%d of the servers serve", len(winners))
		}
		winners[0].serves()
		winners[0].end()
	}
	s := served(t, serveHow{})
	v := s.guest()
	if err := os.Remove(s.path); err != nil {
		t.Fatal(err)
	}
	v.worker()
	v.leave()
	long := filepath.Join(dir, strings.Repeat("long", 30))
	if _, err := tryServed(t, serveHow{path: long}); err == nil || !strings.Contains(err.Error(), "107 octets") {
		t.Errorf("a path of %d octets: %v", len(long), err)
	}
}

// TestServerKillCommand ends servers that are gone already, and what was never one.
func TestServerKillCommand(t *testing.T) {
	c := newConsumer(t)
	kill := func(pid int) result {
		c.env["P11_KIT_SERVER_PID"] = strconv.Itoa(pid)
		return c.p11mux(t, "server", "--kill", "--sh").run(t)
	}
	sleep := exec.Command("sleep", "1000")
	if err := sleep.Start(); err != nil {
		t.Fatal(err)
	}
	if r := kill(sleep.Process.Pid); r.code != 1 || r.stdout != "" || !strings.Contains(r.stderr, "it is no server") {
		t.Errorf("a process that has got the number since: exit %d\n%s%s", r.code, r.stdout, r.stderr)
	}
	if err := sleep.Process.Kill(); err != nil {
		t.Errorf("it is gone: %v", err)
	}
	_ = sleep.Wait() // says that it was killed
	if r := kill(sleep.Process.Pid); r.code != 1 || r.stdout != "" || !strings.Contains(r.stderr, "no such process") {
		t.Errorf("a server that is gone: exit %d\n%s%s", r.code, r.stdout, r.stderr)
	}
	// The reference's is as good as ours.
	reference := exec.Command("p11-kit", "server", "-f", "-n", filepath.Join(c.dir, "socket"), "--provider", softhsm(t), "pkcs11:")
	if err := reference.Start(); err != nil {
		t.Fatal(err)
	}
	meanwhile := "the reference's server is not known as one"
	waitFor(t, &meanwhile, func() bool { return kill(reference.Process.Pid).code == 0 }) // before it is executed it is none
	testkit.Finishes(t, func() { _ = reference.Wait() })
}

// TestServerSpeechless has the server say what nobody hears: its standard error is a pipe without a reader, or one that is full.
func TestServerSpeechless(t *testing.T) {
	for name, reads := range map[string]bool{"closed": false, "full": true} {
		t.Run(name, func(t *testing.T) {
			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			if reads {
				if _, err := w.Write(bytes.Repeat([]byte("x"), 1<<16)); err != nil {
					t.Fatal(err)
				}
			}
			s := served(t, serveHow{args: []string{"--max-clients", "1"}, setup: func(cmd *exec.Cmd) { cmd.Stderr = w }})
			_ = w.Close()
			if !reads {
				_ = r.Close()
			}
			v := s.guest()
			for range 100 {
				if _, err := s.visit(); err == nil {
					t.Fatal("a second client is served")
				}
			}
			if err := syscall.Kill(v.worker(), syscall.SIGKILL); err != nil {
				t.Error(err)
			}
			v.leave()
			meanwhile := "nobody is served"
			waitFor(t, &meanwhile, s.takes)
		})
	}
}

// TestRemoteGone has the client of p11mux remote go while the module hangs in C_Initialize. The process ends all the same.
func TestRemoteGone(t *testing.T) {
	t.Parallel() // it takes the time that calls have whose client is gone
	begun := filepath.Join(t.TempDir(), "begun")
	remote := exec.Command(p11mux(t), "remote", obedient(t))
	remote.Env = append(os.Environ(), "OBEDIENT_INITIALIZE=h"+begun)
	in, err := remote.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	remote.Stderr = &said
	if err := remote.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(in, wireHello+wireInitialize); err != nil {
		t.Fatal(err)
	}
	waitForFile(t, begun)
	if err := in.Close(); err != nil {
		t.Fatal(err)
	}
	testkit.Finishes(t, func() { _ = remote.Wait() }) // it fails, and says why
	if remote.ProcessState == nil || remote.ProcessState.ExitCode() != 1 || !strings.Contains(said.String(), "client that is gone") {
		t.Errorf("%v, and says %q", remote.ProcessState, said.String())
	}
}
