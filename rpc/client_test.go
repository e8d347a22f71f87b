package rpc_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/p11mux/p11mux/ck"
	"github.com/p11mux/p11mux/internal/stream"
	"github.com/p11mux/p11mux/module"
	"github.com/p11mux/p11mux/rpc"
)

// A frame is a request that a server by hand has read.
type frame struct {
	code    []byte
	message []byte
}

// ok is the reply without results to a frame, with options that nobody asked for.
func (f frame) ok() []byte {
	options := bytes.Repeat([]byte("o"), 200)
	b := append(bytes.Clone(f.code), 0, 0, 0, 200, 0, 0, 0, 8)
	return append(append(append(b, options...), f.message[:4]...), 0, 0, 0, 0)
}

// id is the id of the message.
func (f frame) id() byte { return f.message[3] }

// readFrame reads a request.
func readFrame(r io.Reader) (frame, error) {
	head := make([]byte, 12)
	if _, err := io.ReadFull(r, head); err != nil {
		return frame{}, err
	}
	message := make([]byte, int(head[7])+int(head[10])<<8+int(head[11]))
	_, err := io.ReadFull(r, message)
	return frame{head[:4], message[head[7]:]}, err
}

// A server by hand gets each connection, once the version is agreed and C_Initialize is answered, and may close it.
func byServer(t testing.TB, o rpc.Options, server func(conn net.Conn)) *rpc.Client {
	t.Helper()
	var servers sync.WaitGroup
	t.Cleanup(servers.Wait)
	o.Dial = func(context.Context) (rpc.Conn, error) {
		here, there := net.Pipe()
		t.Cleanup(func() { here.Close() })
		servers.Go(func() {
			defer there.Close()
			b := make([]byte, 1)
			if _, err := io.ReadFull(there, b); err != nil {
				return
			}
			if _, err := there.Write(b); err != nil {
				return
			}
			f, err := readFrame(there)
			if err != nil || f.id() != 1 {
				t.Errorf("the client begins with %d, %v", f.id(), err)
				return
			}
			if _, err := there.Write(f.ok()); err == nil {
				server(there)
			}
		})
		return rpc.NewConn(here), nil
	}
	return rpc.NewClient(o)
}

// waits has a test of callers that wait for each other run in both ways.
func waits(t *testing.T, test func(t *testing.T, o rpc.Options)) {
	t.Run("goroutines", func(t *testing.T) { test(t, rpc.Options{}) })
	t.Run("threads", func(t *testing.T) {
		test(t, rpc.Options{
			NewWaiter: func() rpc.Waiter { return new(stream.Waiter) },
			NewMutex:  func() rpc.Mutex { return new(stream.Mutex) },
		})
	})
}

// Replies may come in any order, to many callers at once.
func TestAnyOrder(t *testing.T) { waits(t, testAnyOrder) }

func testAnyOrder(t *testing.T, o rpc.Options) {
	const callers, calls = 50, 20
	c := byServer(t, o, func(conn net.Conn) {
		requests := make(chan frame, callers)
		go func() {
			defer close(requests)
			for {
				f, err := readFrame(conn)
				if err != nil {
					return
				}
				requests <- f
			}
		}()
		var waiting []frame
		for {
			f, more := <-requests
			if !more {
				return
			}
			for waiting = append(waiting, f); len(requests) > 0 && len(waiting) < callers; {
				waiting = append(waiting, <-requests)
			}
			for len(waiting) > 0 {
				i := rand.IntN(len(waiting))
				w := waiting[i]
				reply := w.ok()
				if w.id() == 10 { // C_OpenSession gives the slot as the session
					reply = append(bytes.Clone(w.code), 0, 0, 0, 0, 0, 0, 0, 17, 0, 0, 0, 10, 0, 0, 0, 1, 'u')
					reply = append(reply, w.message[10:18]...)
				}
				if _, err := conn.Write(reply); err != nil {
					return
				}
				waiting[i] = waiting[len(waiting)-1]
				waiting = waiting[:len(waiting)-1]
			}
		}
	})
	must(t, c, &ck.InitializeCall{})
	var all sync.WaitGroup
	for i := range callers {
		all.Go(func() {
			for j := range calls {
				slot := i*calls + j
				open := &ck.OpenSessionCall{Slot: ck.SlotID(slot)}
				if must(t, c, open); open.Session != ck.SessionHandle(slot) {
					t.Errorf("the call for %d gets the reply for %d", slot, open.Session)
				}
			}
		})
	}
	all.Wait()
	must(t, c, &ck.FinalizeCall{})
}

// A server that dies, stalls or says nonsense ends all calls under way, and the next C_Initialize makes a new connection.
func TestLost(t *testing.T) { waits(t, testLost) }

func testLost(t *testing.T, with rpc.Options) {
	first := func(conn net.Conn, reply func(f frame) []byte) {
		f, err := readFrame(conn)
		if err == nil {
			_, _ = conn.Write(reply(f)) // the client may have gone
		}
	}
	for _, s := range []struct {
		name   string
		server func(conn net.Conn)
		cause  error
	}{
		{"dies", func(net.Conn) {}, nil},
		{"dies after a request", func(conn net.Conn) { first(conn, func(frame) []byte { return nil }) }, nil},
		{"dies in a header", func(conn net.Conn) { first(conn, func(f frame) []byte { return f.ok()[:7] }) }, nil},
		{"dies in a message", func(conn net.Conn) { first(conn, func(f frame) []byte { return f.ok()[:213] }) }, nil},
		{"stalls", func(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) }, rpc.ErrTimeout},
		{"stalls in a message", func(conn net.Conn) {
			first(conn, func(f frame) []byte { return f.ok()[:213] })
			_, _ = io.Copy(io.Discard, conn)
		}, rpc.ErrTimeout},
		{"does not read", nil, rpc.ErrTimeout},
		{"answers another call", func(conn net.Conn) {
			first(conn, func(f frame) []byte { f.code[0] = 0x55; return f.ok() })
			_, _ = io.Copy(io.Discard, conn)
		}, nil},
		{"answers no call", func(conn net.Conn) {
			first(conn, func(f frame) []byte { clear(f.code); return f.ok() })
			_, _ = io.Copy(io.Discard, conn)
		}, nil},
		{"announces gigabytes", func(conn net.Conn) {
			first(conn, func(f frame) []byte { return append(f.code, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff) })
			_, _ = io.Copy(io.Discard, conn)
		}, nil},
		{"announces gigabytes of options", func(conn net.Conn) {
			first(conn, func(f frame) []byte { return append(f.code, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0) })
			_, _ = io.Copy(io.Discard, conn)
		}, nil},
	} {
		t.Run(s.name, func(t *testing.T) {
			o := with
			o.Timeout, o.Name = 100*time.Millisecond, "lost"
			if s.cause == nil {
				o.Timeout = -1 // what is noticed needs no time
			}
			over := make(chan struct{})
			server := s.server
			if server == nil {
				server = func(conn net.Conn) {
					_, _ = io.ReadFull(conn, make([]byte, 4))
					<-over
				}
			}
			c := byServer(t, o, server)
			for range 2 {
				must(t, c, &ck.InitializeCall{})
				var calls sync.WaitGroup
				for range 3 {
					calls.Go(func() {
						err := c.Do(context.Background(), &ck.LogoutCall{Session: 1})
						if ck.RVOf(err) != ck.CKR_DEVICE_ERROR || s.cause != nil && !errors.Is(err, s.cause) {
							t.Errorf("C_Logout gives %v", err)
						}
					})
				}
				calls.Wait()
				refused(t, c, &ck.GetInfoCall{}, ck.CKR_DEVICE_ERROR)
				refused(t, c, &ck.CloseSessionCall{Session: 1}, ck.CKR_DEVICE_REMOVED)
				refused(t, c, &ck.CloseAllSessionsCall{Slot: 1}, ck.CKR_DEVICE_REMOVED)
				refused(t, c, &ck.InitializeCall{}, ck.CKR_CRYPTOKI_ALREADY_INITIALIZED)
				must(t, c, &ck.FinalizeCall{})
				refused(t, c, &ck.GetInfoCall{}, ck.CKR_CRYPTOKI_NOT_INITIALIZED)
			}
			close(over)
		})
	}
}

// A reply that makes no sense is an error of its call alone.
func TestOneBadReply(t *testing.T) {
	c := byServer(t, rpc.Options{}, func(conn net.Conn) {
		for i := 0; ; i++ {
			f, err := readFrame(conn)
			if err != nil {
				return
			}
			reply := f.ok()
			if i == 0 {
				reply[len(reply)-5]++ // the id
			}
			if _, err := conn.Write(reply); err != nil {
				return
			}
		}
	})
	must(t, c, &ck.InitializeCall{})
	refused(t, c, &ck.LogoutCall{}, ck.CKR_DEVICE_ERROR)
	must(t, c, &ck.LogoutCall{})
	must(t, c, &ck.FinalizeCall{})
}

// greeting is a server that does nothing but answer versions, one after the other; 255 for a connection that it closes.
func greeting(t testing.TB, answers ...byte) (dial func(context.Context) (rpc.Conn, error), offers *[]byte) {
	offers = new([]byte)
	return func(context.Context) (rpc.Conn, error) {
		here, there := net.Pipe()
		if len(answers) == 0 {
			return nil, errors.New("one dial too many")
		}
		answer := answers[0]
		answers = answers[1:]
		offered := make(chan byte, 1)
		go func() {
			defer there.Close()
			b := make([]byte, 1)
			_, _ = io.ReadFull(there, b)
			if offered <- b[0]; answer == 255 {
				return
			}
			_, _ = there.Write([]byte{answer})
			f, err := readFrame(there)
			if err == nil {
				_, _ = there.Write(f.ok())
			}
			_, _ = io.Copy(io.Discard, there)
		}()
		return &spy{rpc.NewConn(here), offered, offers}, nil
	}, offers
}

// spy notes what a connection begins with.
type spy struct {
	rpc.Conn
	offered chan byte
	offers  *[]byte
}

func (s *spy) Write(p []byte, timeout time.Duration) error {
	err := s.Conn.Write(p, timeout)
	if len(p) == 1 {
		*s.offers = append(*s.offers, <-s.offered)
	}
	return err
}

// The version is the server's choice, and a server that refuses the first offer gets another.
func TestGreeting(t *testing.T) {
	for _, c := range []struct {
		answers, offers []byte
		want            ck.RV
		version         int // that the client then speaks
	}{
		{[]byte{2}, []byte{2}, ck.CKR_OK, 2},
		{[]byte{1}, []byte{2}, ck.CKR_OK, 1},
		{[]byte{0}, []byte{2}, ck.CKR_OK, 0},
		{[]byte{9}, []byte{2}, ck.CKR_OK, 2},
		{[]byte{255, 0}, []byte{2, 0}, ck.CKR_OK, 0},
		{[]byte{255, 255}, []byte{2, 0}, ck.CKR_DEVICE_ERROR, 0},
		{nil, nil, ck.CKR_DEVICE_ERROR, 0},
	} {
		dial, offers := greeting(t, c.answers...)
		client := rpc.NewClient(rpc.Options{Dial: dial, Timeout: time.Second})
		if err := client.Do(t.Context(), &ck.InitializeCall{}); ck.RVOf(err) != c.want {
			t.Errorf("%v: %v", c.answers, err)
		}
		if !bytes.Equal(*offers, c.offers) {
			t.Errorf("%v: the client offers %v", c.answers, *offers)
		}
		if c.want != ck.CKR_OK {
			refused(t, client, &ck.GetInfoCall{}, ck.CKR_CRYPTOKI_NOT_INITIALIZED)
			continue
		}
		if err := client.Do(t.Context(), &ck.SessionCancelCall{}); c.version == 0 != (ck.RVOf(err) == ck.CKR_FUNCTION_NOT_SUPPORTED) {
			t.Errorf("%v: a call of version 1 gives %v", c.answers, err)
		}
	}
}

// What is no version is told: text, once; and an end, however the kernel calls it.
func TestNoGreeting(t *testing.T) {
	for _, c := range []struct {
		says string
		err  error // of reading, where nothing is said
		want string
	}{
		{"Welcome to host\nYou have mail\n", nil, `prints "Welcome to host" where`},
		{"\r\n\r\n  Last login: today", nil, `prints "Last login: today" where`},
		{"\x1b[2J", nil, `prints "\x1b[2J" where`},
		{"\u00c4rger", nil, "prints \"\u00c4rger\" where"},
		{"\n", nil, `prints "" where`},
		{strings.Repeat("x", 1000), nil, `prints "` + strings.Repeat("x", 64) + `" where`},
		{"", io.EOF, "before it has said anything"},
		{"", &net.OpError{Op: "read", Err: os.NewSyscallError("read", syscall.ECONNRESET)}, "before it has said anything"},
		{"", os.ErrDeadlineExceeded, "takes too long"},
	} {
		dials := 0
		client := rpc.NewClient(rpc.Options{Dial: func(context.Context) (rpc.Conn, error) {
			dials++
			return &speaker{strings.NewReader(c.says), c.err}, nil
		}})
		err := client.Do(t.Context(), &ck.InitializeCall{})
		if ck.RVOf(err) != ck.CKR_DEVICE_ERROR || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q, %v: %v", c.says, c.err, err)
		}
		if again := dials == 2; again != (c.says == "") {
			t.Errorf("%q, %v: there are %d connections", c.says, c.err, dials)
		}
	}
}

// A speaker is a connection to who says something and does not listen.
type speaker struct {
	says *strings.Reader
	err  error
}

func (s *speaker) Read(p []byte, _ time.Duration) (int, error) {
	n, err := s.says.Read(p)
	if err != nil && s.err != nil {
		err = s.err
	}
	return n, err
}

func (s *speaker) Write([]byte, time.Duration) error { return nil }

func (s *speaker) Close() error { return nil }

// Where there is no server there is a module without slots.
func TestNoServer(t *testing.T) {
	c := rpc.NewClient(rpc.Options{Dial: func(context.Context) (rpc.Conn, error) { return nil, errors.Join(rpc.ErrNoServer, io.EOF) }})
	must(t, c, &ck.InitializeCall{})
	info := &ck.GetInfoCall{}
	if must(t, c, info); info.Info.LibraryDescriptionString() != "p11-kit (no connection)" {
		t.Errorf("the module is %q", info.Info.LibraryDescriptionString())
	}
	list := &ck.GetSlotListCall{Slots: ck.Out[ck.SlotID]{Buf: make([]ck.SlotID, 3), N: 3}}
	if must(t, c, list); list.Slots.N != 0 {
		t.Errorf("there are %d slots", list.Slots.N)
	}
	refused(t, c, &ck.GetTokenInfoCall{}, ck.CKR_SLOT_ID_INVALID)
	refused(t, c, &ck.OpenSessionCall{}, ck.CKR_SLOT_ID_INVALID)
	refused(t, c, &ck.LoginCall{}, ck.CKR_SESSION_HANDLE_INVALID)
	refused(t, c, &ck.CloseSessionCall{}, ck.CKR_SESSION_HANDLE_INVALID)
	refused(t, c, &ck.WaitForSlotEventCall{}, ck.CKR_DEVICE_REMOVED)
	must(t, c, &ck.FinalizeCall{})
}

// What an application gives C_Initialize is judged before anything is sent.
func TestInitializeArgs(t *testing.T) {
	c := rpc.NewClient(rpc.Options{Dial: func(context.Context) (rpc.Conn, error) { return nil, rpc.ErrNoServer }})
	refused(t, c, &ck.InitializeCall{Args: &ck.InitializeArgs{CreateMutex: 1, Flags: ck.CKF_OS_LOCKING_OK}}, ck.CKR_ARGUMENTS_BAD)
	refused(t, c, &ck.InitializeCall{Args: &ck.InitializeArgs{}}, ck.CKR_CANT_LOCK)
	refused(t, c, &ck.InitializeCall{Args: &ck.InitializeArgs{Flags: ck.CKF_OS_LOCKING_OK, Reserved: 1}}, ck.CKR_ARGUMENTS_BAD)
	refused(t, c, &ck.FinalizeCall{}, ck.CKR_CRYPTOKI_NOT_INITIALIZED)
	refused(t, c, nil, ck.CKR_ARGUMENTS_BAD)
}

// Who waits for an event asks until there is one, until the context ends, or until the module is finalized.
func TestWaitForEvent(t *testing.T) {
	var asked atomic.Int32
	m := module.Func(func(_ context.Context, call ck.Call) error {
		wait, ok := call.(*ck.WaitForSlotEventCall)
		if !ok {
			return nil
		}
		if wait.Flags&ck.CKF_DONT_BLOCK == 0 {
			t.Error("the server is asked to wait")
		}
		if asked.Add(1) == 3 {
			wait.Slot = 7
			return nil
		}
		return ck.CKR_NO_EVENT
	})
	here, there := net.Pipe()
	var server sync.WaitGroup
	defer server.Wait()
	server.Go(func() {
		defer there.Close()
		_ = rpc.Serve(context.Background(), m, there, there, rpc.ServerOptions{}) // C_Finalize can come within a request
	})
	c := rpc.NewClient(rpc.Options{Dial: func(context.Context) (rpc.Conn, error) { return rpc.NewConn(here), nil }})
	must(t, c, &ck.InitializeCall{})
	refused(t, c, &ck.WaitForSlotEventCall{Flags: ck.CKF_DONT_BLOCK}, ck.CKR_NO_EVENT)
	wait := &ck.WaitForSlotEventCall{}
	if must(t, c, wait); wait.Slot != 7 {
		t.Errorf("an event in slot %d", wait.Slot)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := c.Do(ctx, &ck.WaitForSlotEventCall{}); ck.RVOf(err) != ck.CKR_FUNCTION_CANCELED || !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
	before := asked.Load()
	result := make(chan error)
	go func() { result <- c.Do(context.Background(), &ck.WaitForSlotEventCall{}) }()
	for asked.Load() == before {
		time.Sleep(time.Millisecond)
	}
	must(t, c, &ck.FinalizeCall{})
	if err := <-result; ck.RVOf(err) != ck.CKR_CRYPTOKI_NOT_INITIALIZED {
		t.Errorf("finalized meanwhile: %v", err)
	}
}
