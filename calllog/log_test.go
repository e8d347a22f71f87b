package calllog

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/p11mux/p11mux/ck"
	"github.com/p11mux/p11mux/module"
)

// openLog opens a log in a new directory, and gives the path that it is to have.
func openLog(t *testing.T, o Options, name, module, want string) (*Log, string) {
	t.Helper()
	dir := t.TempDir()
	o.File = filepath.Join(dir, name)
	l, err := Open(o, module)
	if err != nil {
		t.Fatal(err)
	}
	return l, filepath.Join(dir, want)
}

// say logs a call of C_GetSessionInfo.
func (c *Caller) say(f ck.Func) {
	s := newSample(f, ways[0])
	n := c.Begin(f, &s.w)
	s.do()
	c.End(n, &s.w, ck.CKR_OK)
}

func lines(t *testing.T, path string) []string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return strings.SplitAfter(strings.TrimSuffix(string(b), "\n"), "\n")
}

func TestFile(t *testing.T) {
	l, path := openLog(t, Options{JSON: true}, "%n-%p-%%.log", "a/b", fmt.Sprintf("a_b-%d-%%.log", os.Getpid()))
	l.NewCaller(new(View), "program", "a/b").say(ck.FuncGetInfo)
	st, err := os.Stat(path)
	if err != nil || st.Mode() != 0o600 {
		t.Errorf("%v, %v", st.Mode(), err)
	}
	if got := lines(t, path); len(got) != 2 || !strings.Contains(got[0], `"log":"p11mux","format":1,"caller":"program","secrets":false}`) {
		t.Errorf("lines %q", got)
	}
	flags, _, errno := syscall.RawSyscall(syscall.SYS_FCNTL, uintptr(l.sink.fd), syscall.F_GETFD, 0)
	if errno != 0 || flags&syscall.FD_CLOEXEC == 0 || l.sink.fd < lowest {
		t.Errorf("descriptor %d has flags %#x, %v", l.sink.fd, flags, errno)
	}
	again, err := Open(Options{JSON: true, File: path}, "other")
	if err != nil || again != l {
		t.Errorf("the same file is another log: %v", err)
	}
}

// A log is appended to, whatever else writes to it.
func TestAppend(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	if err := os.WriteFile(path, []byte("before\n"), 0o640); err != nil {
		t.Fatal(err)
	}
	l, err := Open(Options{File: path, Secrets: true}, "m")
	if err != nil {
		t.Fatal(err)
	}
	c := l.NewCaller(new(View), "p", "m")
	c.say(ck.FuncLogout)
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString("between\n"); err != nil {
		t.Fatal(err)
	}
	c.say(ck.FuncLogout)
	want := "before\np11mux: log-secrets is on: PINs, keys and plaintext are in this log\n" +
		"C_Logout\n  IN: hSession = S42\nC_Logout = CKR_OK\nbetween\nC_Logout\n  IN: hSession = S42\nC_Logout = CKR_OK"
	if got := strings.Join(lines(t, path), ""); got != want {
		t.Errorf("got %q", got)
	}
}

// A host that closes all descriptors, and uses their numbers for something else, does not get the log into that.
func TestClosedDescriptor(t *testing.T) {
	l, path := openLog(t, Options{}, "log", "m", "log")
	c := l.NewCaller(new(View), "p", "m")
	c.say(ck.FuncLogout)
	other, err := os.Create(filepath.Join(t.TempDir(), "other"))
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Dup3(int(other.Fd()), l.sink.fd, syscall.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	taken := l.sink.fd
	c.say(ck.FuncLogout)
	c.say(ck.FuncLogout)
	if got := lines(t, other.Name()); got[0] != "" {
		t.Errorf("the other file has %q", got)
	}
	if got := lines(t, path); len(got) != 9 {
		t.Errorf("the log has %q", got)
	}
	if l.sink.fd == taken {
		t.Error("the log has the descriptor that is not its own")
	}
}

func TestRefusedFiles(t *testing.T) {
	dir := t.TempDir()
	for name, path := range map[string]string{"a directory": dir, "a missing directory": filepath.Join(dir, "no", "log")} {
		if _, err := Open(Options{File: path}, "m"); err == nil {
			t.Errorf("%s is opened", name)
		}
	}
	link := filepath.Join(dir, "link")
	if err := os.Symlink(filepath.Join(dir, "target"), link); err != nil {
		t.Fatal(err)
	}
	l, err := Open(Options{File: link}, "m")
	if err != nil {
		t.Fatalf("a link of our own: %v", err)
	}
	l.NewCaller(new(View), "p", "m").say(ck.FuncLogout)
	if got := lines(t, filepath.Join(dir, "target")); len(got) != 3 {
		t.Errorf("the target has %q", got)
	}
	for _, c := range []struct {
		owner, user uint32
		want        bool
	}{{1, 1, false}, {0, 1, false}, {2, 1, true}, {2, 0, true}} {
		if foreign(&syscall.Stat_t{Uid: c.owner}, c.user) != c.want {
			t.Errorf("what %d has is foreign to %d: %v", c.owner, c.user, !c.want)
		}
	}
}

// Many threads log at once: no line is torn, and none is lost.
func TestThreads(t *testing.T) {
	for _, format := range []bool{true, false} {
		l, path := openLog(t, Options{JSON: format}, "log", "m", "log")
		const threads, calls = 8, 300
		// More calls at once than there are records that are kept.
		var held []func()
		holder := l.NewCaller(new(View), "holder", "m")
		for range len(kept) + 3 {
			s := newSample(ck.FuncLogout, ways[0])
			n := holder.Begin(ck.FuncLogout, &s.w)
			held = append(held, func() { holder.End(n, &s.w, ck.CKR_OK) })
		}
		var wg sync.WaitGroup
		for i := range threads {
			c := l.NewCaller(new(View), fmt.Sprint("program ", i), "m")
			wg.Go(func() {
				for range calls {
					c.say(ck.FuncGetTokenInfo)
					c.say(ck.FuncGetMechanismList)
				}
			})
		}
		wg.Wait()
		for _, end := range held {
			end()
		}
		got := lines(t, path)
		if !format {
			if n := strings.Count(strings.Join(got, ""), "C_GetTokenInfo = CKR_OK\n"); n != threads*calls {
				t.Errorf("%d calls of C_GetTokenInfo in text", n)
			}
			continue
		}
		if want := 1 + len(held) + 2*threads*calls; len(got) != want {
			t.Errorf("%d lines, want %d", len(got), want)
		}
		views := map[float64]string{}
		for _, line := range got[1:] {
			var v map[string]any
			if err := json.Unmarshal([]byte(line), &v); err != nil {
				t.Fatalf("%v: %s", err, line)
			}
			view, caller := v["view"].(float64), v["caller"].(string)
			if views[view] == "" {
				views[view] = caller
			}
			if views[view] != caller || v["pid"] != float64(os.Getpid()) || v["thread"] == 0.0 || v["duration"].(float64) < 0 {
				t.Fatalf("line %s", line)
			}
		}
		if len(views) != threads+1 {
			t.Errorf("%d views", len(views))
		}
	}
	if len(more.calls) != 0 {
		t.Errorf("%d calls are pending", len(more.calls))
	}
	for i := range kept {
		if kept[i].busy.Load() {
			t.Errorf("record %d is busy", i)
		}
	}
}

// A pipe that nobody reads does not stop anybody. When it is read again, the log says what it lacks, and no line is torn.
func TestSlowReader(t *testing.T) { eachKernel(t, slowReader) }

// eachKernel tests with what the kernel has, and with what older ones had.
func eachKernel(t *testing.T, f func(*testing.T)) {
	t.Run("this kernel", f)
	was := olderKernel.Swap(true)
	defer olderKernel.Store(was)
	t.Run("an older kernel", f)
}

func slowReader(t *testing.T) {
	r, c := openPipe(t, Options{JSON: true})
	const calls = 2000 // far more than a pipe holds
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range calls / 4 {
				c.say(ck.FuncGetTokenInfo)
				c.say(ck.FuncCreateObject)
			}
		})
	}
	wg.Wait()
	var read bytes.Buffer
	drained := make(chan error)
	go func() { // the pipe is emptied, and stays open
		buf := make([]byte, 1<<16)
		for seen := false; !seen || !bytes.HasSuffix(read.Bytes(), []byte("\n")); {
			n, err := r.Read(buf)
			seen = seen || bytes.Contains(buf[:n], []byte(`"C_Logout"`))
			if err != nil {
				drained <- err
				return
			}
			read.Write(buf[:n])
		}
		drained <- nil
	}()
	for done := false; !done; time.Sleep(time.Millisecond) {
		c.say(ck.FuncLogout)
		select {
		case err := <-drained:
			if err != nil {
				t.Fatal(err)
			}
			done = true
		default:
		}
	}
	var dropped, got float64
	for line := range strings.Lines(read.String()) {
		var v map[string]any
		if err := json.Unmarshal([]byte(line), &v); err != nil {
			t.Fatalf("%v: %q", err, line)
		}
		if n, ok := v["dropped"].(float64); ok {
			dropped += n
		} else if v["function"] == "C_GetTokenInfo" || v["function"] == "C_CreateObject" {
			got++
		}
	}
	if dropped == 0 || got == 0 || got+dropped < 2*calls {
		t.Errorf("%v calls are logged, and %v dropped, of %d and more", got, dropped, 2*calls)
	}
}

// A pipe whose reader is gone is no signal to the host, and no error.
func TestBrokenPipe(t *testing.T) { eachKernel(t, brokenPipe) }

func brokenPipe(t *testing.T) {
	r, c := openPipe(t, Options{})
	c.say(ck.FuncLogout)
	r.Close()
	for range 3 {
		c.say(ck.FuncLogout)
		c.log.sink.empty()
	}
	c.log.sink.mu.Lock()
	if queue := c.log.sink.queue; queue != nil {
		t.Errorf("the queue for nobody has %q", queue)
	}
	c.log.sink.mu.Unlock()
	// The way of older kernels.
	if n := writeReopened(c.log.sink.fd, []byte("x")); n != 0 {
		t.Errorf("%d octets went into a pipe without a reader", n)
	}
}

// openPipe logs into a pipe.
func openPipe(t *testing.T, o Options) (*os.File, *Caller) {
	t.Helper()
	o.File = filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(o.File, 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := os.OpenFile(o.File, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	l, err := Open(o, "m")
	if err != nil {
		t.Fatal(err)
	}
	return r, l.NewCaller(new(View), "p", "m")
}

// Ways of writing that newer kernels do without.
func TestOlderKernels(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	big := bytes.Repeat([]byte("x"), 1<<20)
	total := 0
	for n := -1; n != 0; total += n {
		n = writeReopened(int(w.Fd()), big)
	}
	if total == 0 || total == len(big) || writable(int(w.Fd())) {
		t.Errorf("%d octets went into a pipe", total)
	}
	pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	total = 0
	for n := -1; n != 0; total += n {
		n = sendNow(pair[0], big)
	}
	if total == 0 {
		t.Error("nothing went into a socket")
	}
	syscall.Close(pair[1])
	if n := sendNow(pair[0], big); n != 0 {
		t.Errorf("%d octets went to nobody", n)
	}
	syscall.Close(pair[0])
	null, err := os.OpenFile("/dev/null", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	if n := guarded(int(null.Fd()), big); n != len(big) || !writable(int(null.Fd())) {
		t.Errorf("%d octets went into /dev/null", n)
	}
}

// Go code's calls are logged as those of C, and go on as they were.
func TestModule(t *testing.T) {
	l, path := openLog(t, Options{}, "log", "m", "log")
	wrapped := l.NewCaller(new(View), "p", "m").Module(module.Func(func(_ context.Context, call ck.Call) error {
		switch c := call.(type) {
		case *ck.SignCall:
			if c.Signature.N = 3; len(c.Signature.Buf) < 3 {
				return ck.CKR_BUFFER_TOO_SMALL
			}
			copy(c.Signature.Buf, "sig")
			return nil
		case *ck.GetAttributeValueCall:
			c.Template[0].N = uint64(copy(c.Template[0].Buf, "name"))
			c.Template[1].N = ck.CK_UNAVAILABLE_INFORMATION
			return nil
		case *ck.LoginCall:
			return &ck.CallError{Call: "C_Login", RV: ck.CKR_PIN_INCORRECT}
		}
		return nil
	}))
	ctx := context.Background()
	sign := &ck.SignCall{Session: 1, Data: []byte("the data")}
	if err := wrapped.Do(ctx, sign); err != ck.CKR_BUFFER_TOO_SMALL || sign.Signature.N != 3 {
		t.Errorf("%v, %d", err, sign.Signature.N)
	}
	sign.Signature.Buf = make([]byte, 5)
	if err := wrapped.Do(ctx, sign); err != nil || string(sign.Signature.Bytes()) != "sig" {
		t.Errorf("%v, %q", err, sign.Signature.Bytes())
	}
	get := &ck.GetAttributeValueCall{Session: 1, Object: 2, Template: []ck.AttributeOut{
		{Type: ck.CKA_LABEL, Out: ck.Out[byte]{Buf: make([]byte, 9)}}, {Type: ck.CKA_VALUE, Out: ck.Out[byte]{Buf: make([]byte, 9)}},
	}}
	if err := wrapped.Do(ctx, get); err != nil || get.Template[0].N != 4 {
		t.Errorf("%v, %+v", err, get.Template)
	}
	if err := wrapped.Do(ctx, &ck.LoginCall{Session: 1, UserType: ck.CKU_USER, PIN: []byte("1234")}); ck.RVOf(err) != ck.CKR_PIN_INCORRECT || err == error(ck.CKR_PIN_INCORRECT) {
		t.Errorf("the error is not the module's: %v", err)
	}
	if err := wrapped.Do(ctx, &ck.InitTokenCall{Label: make([]byte, 99)}); err != nil {
		t.Errorf("a call that C does not have: %v", err)
	}
	want := `C_Sign
  IN: hSession = S1
  IN: pData = (8) NOT-PRINTED
 OUT: pSignature = (3) NOTHING
C_Sign = CKR_BUFFER_TOO_SMALL
C_Sign
  IN: hSession = S1
  IN: pData = (8) NOT-PRINTED
 OUT: pSignature = (3) "sig"
C_Sign = CKR_OK
C_GetAttributeValue
  IN: hSession = S1
  IN: hObject = H2
  IN: pTemplate = (2) [ CKA_LABEL, CKA_VALUE ]
 OUT: pTemplate = (2) [ { CKA_LABEL = (4) "name" }, { CKA_VALUE = (-1) INVALID } ]
C_GetAttributeValue = CKR_OK
C_Login
  IN: hSession = S1
  IN: userType = CKU_USER
  IN: pPin = (4) NOT-PRINTED
C_Login = CKR_PIN_INCORRECT`
	if got := strings.Join(lines(t, path), ""); got != want {
		t.Errorf("got\n%s", got)
	}
}

// A module that tells of more than it was given room for does not make the log read beyond.
func TestBoast(t *testing.T) {
	l, path := openLog(t, Options{JSON: true}, "log", "m", "log")
	c := l.NewCaller(new(View), "p", "m")
	s := &sample{}
	buf, count := s.octets([]byte("0123456789SECRET")), put(s, uint64(10))
	s.w = [10]uintptr{1, 0, 0, buf, count}
	n := c.Begin(ck.FuncSign, &s.w)
	*at[uint64](count) = 1 << 40
	c.End(n, &s.w, ck.CKR_OK)
	if got := lines(t, path)[1]; !strings.Contains(got, `"pSignature":{"length":1099511627776,"value":"30313233343536373839"}`) {
		t.Errorf("got %s", got)
	}
	attr := put(s, cAttribute{uint64(ck.CKA_LABEL), buf, 4})
	s.w = [10]uintptr{1, 2, attr, 1}
	n = c.Begin(ck.FuncGetAttributeValue, &s.w)
	at[cAttribute](attr).length = 16
	c.End(n, &s.w, ck.CKR_OK)
	if got := lines(t, path)[2]; strings.Contains(got, "SECRET") || !strings.Contains(got, `{"type":"CKA_LABEL","length":16}`) {
		t.Errorf("got %s", got)
	}
}

// Numbers that were not given, and functions that are none, do no harm.
func TestStrayNumbers(t *testing.T) {
	l, _ := openLog(t, Options{}, "log", "m", "log")
	c := l.NewCaller(new(View), "p", "m")
	s := newSample(ck.FuncLogout, ways[0])
	for _, n := range []uint32{0, 1, uint32(len(kept)), uint32(len(kept)) + 1, ^uint32(0)} {
		c.End(n, &s.w, ck.CKR_OK)
	}
	for _, f := range []ck.Func{-1, ck.NumFuncs, 1 << 30} {
		if n := c.Begin(f, &s.w); n != 0 {
			t.Errorf("%v gets %d", f, n)
		}
	}
	var none *Caller
	none.End(none.Begin(ck.FuncLogout, &s.w), &s.w, ck.CKR_OK)
}

// Logging in text allocates nothing.
func TestAllocations(t *testing.T) {
	l, err := Open(Options{File: "/dev/null"}, "m")
	if err != nil {
		t.Fatal(err)
	}
	c := l.NewCaller(new(View), "p", "m")
	for _, f := range []ck.Func{ck.FuncGetSessionInfo, ck.FuncSign, ck.FuncGetAttributeValue, ck.FuncGetTokenInfo} {
		s := newSample(f, ways[0])
		once := func() {
			n := c.Begin(f, &s.w)
			s.do()
			c.End(n, &s.w, ck.CKR_OK)
		}
		once()
		if n := testing.AllocsPerRun(100, once); n != 0 {
			t.Errorf("%v: %v allocations", f, n)
		}
	}
}

func BenchmarkText(b *testing.B) {
	l, err := Open(Options{File: "/dev/null"}, "m")
	if err != nil {
		b.Fatal(err)
	}
	c := l.NewCaller(new(View), "p", "m")
	s := newSample(ck.FuncGetSessionInfo, ways[0])
	for b.Loop() {
		c.End(c.Begin(ck.FuncGetSessionInfo, &s.w), &s.w, ck.CKR_OK)
	}
}
