package rpc_test

import (
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"sync"
	"testing"

	"github.com/p11mux/p11mux/ck"
	"github.com/p11mux/p11mux/module"
	"github.com/p11mux/p11mux/rpc"
)

// started gives a client of a module that is served at the current version, initialized.
func started(t testing.TB, m module.Module) *rpc.Client {
	t.Helper()
	c := rpc.NewClient(rpc.Options{Dial: serve(t, m, rpc.MaxVersion)})
	must(t, c, &ck.InitializeCall{})
	t.Cleanup(func() { _ = c.Do(context.Background(), &ck.FinalizeCall{}) }) // the test may have done it
	return c
}

// must makes a call that must succeed.
func must(t testing.TB, m module.Module, call ck.Call) {
	t.Helper()
	if err := m.Do(t.Context(), call); err != nil {
		t.Fatalf("%v: %v", call.Func(), err)
	}
}

// refused makes a call that must give rv.
func refused(t testing.TB, m module.Module, call ck.Call, rv ck.RV) {
	t.Helper()
	if err := m.Do(t.Context(), call); ck.RVOf(err) != rv || !errors.Is(err, rv) {
		t.Errorf("%v gives %v, want %v", call.Func(), err, rv)
	}
}

// Calls of different sessions are at work at the same time, and so are calls without one.
func TestParallel(t *testing.T) {
	const n = 20
	var together sync.WaitGroup // ends when all are inside the module
	together.Add(n + 1)
	c := started(t, module.Func(func(_ context.Context, call ck.Call) error {
		switch call.(type) {
		case *ck.DigestUpdateCall, *ck.GetInfoCall:
			together.Done()
			together.Wait()
		}
		return nil
	}))
	var calls sync.WaitGroup
	for i := range n {
		calls.Go(func() { must(t, c, &ck.DigestUpdateCall{Session: ck.SessionHandle(i)}) })
	}
	calls.Go(func() { must(t, c, &ck.GetInfoCall{}) })
	calls.Wait()
}

// A client by hand writes requests and reads replies.
type hand struct {
	t testing.TB
	net.Conn
}

// byHand begins a conversation with a server of a module.
func byHand(t testing.TB, m module.Module) (h hand, ended func() error) {
	t.Helper()
	here, there := net.Pipe()
	end := make(chan error, 1)
	go func() { end <- rpc.Serve(context.Background(), m, there, there, rpc.ServerOptions{}) }()
	h = hand{t, here}
	h.write([]byte{2})
	h.read(1)
	return h, func() error {
		here.Close()
		return <-end
	}
}

func (h hand) write(b []byte) {
	h.t.Helper()
	if _, err := h.Write(b); err != nil {
		h.t.Fatal(err)
	}
}

func (h hand) read(n int) []byte {
	h.t.Helper()
	b := make([]byte, n)
	if _, err := io.ReadFull(h, b); err != nil {
		h.t.Fatal(err)
	}
	return b
}

// ask writes a request with a code.
func (h hand) ask(code byte, message ...byte) {
	h.t.Helper()
	h.write(append([]byte{0, 0, 0, code, 0, 0, 0, 0, 0, 0, 0, byte(len(message))}, message...))
}

// answer reads a reply and gives its code, and the code of the error in it.
func (h hand) answer() (code byte, rv ck.RV) {
	h.t.Helper()
	head := h.read(12)
	message := h.read(int(head[11]))
	if message[3] == 0 {
		rv = ck.RV(message[len(message)-2])<<8 | ck.RV(message[len(message)-1])
	}
	return head[3], rv
}

// logout is C_Logout of a session.
func logout(session byte) []byte {
	return []byte{0, 0, 0, 19, 0, 0, 0, 1, 'u', 0, 0, 0, 0, 0, 0, 0, session}
}

// Calls of one session are done one after the other, as they came, whatever others do meanwhile.
func TestOrder(t *testing.T) {
	const n = 30
	release := make(chan struct{})
	var mu sync.Mutex
	var order []byte
	inside := 0
	h, ended := byHand(t, module.Func(func(_ context.Context, call ck.Call) error {
		login, ok := call.(*ck.SeedRandomCall)
		if !ok {
			return nil
		}
		mu.Lock()
		order = append(order, login.Seed[0])
		if inside++; inside > 1 {
			t.Error("two calls of a session at the same time")
		}
		mu.Unlock()
		<-release
		mu.Lock()
		inside--
		mu.Unlock()
		return nil
	}))
	go func() {
		for i := range byte(n) {
			h.ask(i+1, 0, 0, 0, 63, 0, 0, 0, 3, 'u', 'a', 'y', 0, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0, 0, 1, i)
		}
		h.ask(n+1, logout(2)...)
	}()
	if code, _ := h.answer(); code != n+1 {
		t.Errorf("first %d is answered, want the call of the other session", code)
	}
	close(release)
	for i := range byte(n) {
		if code, _ := h.answer(); code != i+1 {
			t.Errorf("%d is answered, want %d", code, i+1)
		}
	}
	if err := ended(); err != nil || !slices.IsSorted(order) || len(order) != n {
		t.Errorf("%v, order %v", err, order)
	}
}

// Who waits for an event keeps nobody from being served, and the server from ending: not even those who are too many.
func TestWaiting(t *testing.T) {
	over := make(chan struct{})
	h, ended := byHand(t, module.Func(func(ctx context.Context, call ck.Call) error {
		if _, ok := call.(*ck.WaitForSlotEventCall); ok {
			<-over // a module that does not heed the context
		}
		return nil
	}))
	defer close(over)
	for i := range byte(8) {
		h.ask(i+1, 0, 0, 0, 65, 0, 0, 0, 1, 'u', 0, 0, 0, 0, 0, 0, 0, 0)
	}
	h.ask(9, 0, 0, 0, 65, 0, 0, 0, 1, 'u', 0, 0, 0, 0, 0, 0, 0, 0)
	if code, rv := h.answer(); code != 9 || rv != ck.CKR_FUNCTION_FAILED {
		t.Errorf("one more is answered as %d with %v", code, rv)
	}
	h.ask(10, logout(1)...)
	if code, rv := h.answer(); code != 10 || rv != ck.CKR_OK {
		t.Errorf("%d is answered with %v", code, rv)
	}
	h.ask(11, 0, 0, 0, 2, 0, 0, 0, 0)
	if code, rv := h.answer(); code != 11 || rv != ck.CKR_OK {
		t.Errorf("C_Finalize: %d is answered with %v", code, rv)
	}
	if err := ended(); err != nil {
		t.Error(err)
	}
}

// A call that waits is woken by the end of the connection, where the module heeds it.
func TestWaitingHeeds(t *testing.T) {
	woken := make(chan struct{})
	h, ended := byHand(t, module.Func(func(ctx context.Context, call ck.Call) error {
		<-ctx.Done()
		close(woken)
		return ck.CKR_FUNCTION_CANCELED
	}))
	h.ask(1, 0, 0, 0, 65, 0, 0, 0, 1, 'u', 0, 0, 0, 0, 0, 0, 0, 0)
	if err := ended(); err != nil {
		t.Error(err)
	}
	<-woken
}

// What the client leaves open is closed, what it has closed is not, and the module stays initialized.
func TestLeftOpen(t *testing.T) {
	var mu sync.Mutex
	var closed []ck.SessionHandle
	var last ck.SessionHandle
	h, ended := byHand(t, module.Func(func(_ context.Context, call ck.Call) error {
		mu.Lock()
		defer mu.Unlock()
		switch c := call.(type) {
		case *ck.OpenSessionCall:
			last++
			c.Session = last
		case *ck.CloseSessionCall:
			closed = append(closed, c.Session)
		case *ck.FinalizeCall:
			t.Error("the module is finalized")
		}
		return nil
	}))
	open := func(slot byte) []byte {
		return []byte{0, 0, 0, 10, 0, 0, 0, 2, 'u', 'u', 0, 0, 0, 0, 0, 0, 0, slot, 0, 0, 0, 0, 0, 0, 0, 4}
	}
	for _, message := range [][]byte{
		open(1), open(1), open(2), open(2), {0, 0, 0, 11, 0, 0, 0, 1, 'u', 0, 0, 0, 0, 0, 0, 0, 3}, {0, 0, 0, 12, 0, 0, 0, 1, 'u', 0, 0, 0, 0, 0, 0, 0, 1},
	} {
		h.ask(1, message...)
		h.answer()
	}
	if err := ended(); err != nil {
		t.Error(err)
	}
	if want := []ck.SessionHandle{3, 4}; !slices.Equal(closed, want) {
		t.Errorf("closed were %v, want %v", closed, want)
	}
}

// A module that panics does not end its server.
func TestPanic(t *testing.T) {
	c := started(t, module.Func(func(_ context.Context, call ck.Call) error {
		if _, ok := call.(*ck.LogoutCall); ok {
			panic("a fault")
		}
		return nil
	}))
	refused(t, c, &ck.LogoutCall{}, ck.CKR_GENERAL_ERROR)
	must(t, c, &ck.GetInfoCall{})
}

// Where the client has much room, and the module needs it, it gets it.
func TestMuchRoom(t *testing.T) {
	const size, objects = 5 << 20, 300_000
	calls := 0
	next := 0
	c := started(t, module.Func(func(_ context.Context, call ck.Call) error {
		switch c := call.(type) {
		case *ck.DecryptFinalCall:
			calls++
			if c.LastPart.N = size; len(c.LastPart.Buf) < size {
				return ck.CKR_BUFFER_TOO_SMALL
			}
			c.LastPart.Buf[size-1] = 7
		case *ck.SignCall: // more than a message can have
			if c.Signature.N = 17 << 20; len(c.Signature.Buf) < 17<<20 {
				return ck.CKR_BUFFER_TOO_SMALL
			}
		case *ck.FindObjectsCall:
			c.Objects.N = uint64(min(len(c.Objects.Buf), objects-next))
			for i := range c.Objects.Bytes() {
				c.Objects.Buf[i] = ck.ObjectHandle(next)
				next++
			}
		}
		return nil
	}))
	final := &ck.DecryptFinalCall{LastPart: ck.Out[byte]{Buf: make([]byte, 6<<20)}}
	must(t, c, final)
	if final.LastPart.N != size || final.LastPart.Buf[size-1] != 7 || calls != 2 {
		t.Errorf("%d octets, by %d calls", final.LastPart.N, calls)
	}
	refused(t, c, &ck.SignCall{Signature: ck.Out[byte]{Buf: make([]byte, 17<<20)}}, ck.CKR_HOST_MEMORY)
	find := &ck.FindObjectsCall{Objects: ck.Out[ck.ObjectHandle]{Buf: make([]ck.ObjectHandle, 2*objects)}}
	must(t, c, find)
	if find.Objects.N != objects || find.Objects.Buf[objects-1] != objects-1 {
		t.Errorf("%d objects, the last %d", find.Objects.N, find.Objects.Buf[objects-1])
	}
}

// The text for C_Initialize comes to who makes an address of it.
func TestReserved(t *testing.T) {
	var got uintptr
	m := module.Func(func(_ context.Context, call ck.Call) error {
		if c, ok := call.(*ck.InitializeCall); ok {
			got = c.Args.Reserved
		}
		return nil
	})
	here, there := net.Pipe()
	var server sync.WaitGroup
	server.Go(func() {
		_ = rpc.Serve(context.Background(), m, there, there, rpc.ServerOptions{Reserved: func(text string) uintptr { return uintptr(len(text)) }})
	})
	c := rpc.NewClient(rpc.Options{
		Dial:     func(context.Context) (rpc.Conn, error) { return rpc.NewConn(here), nil },
		Reserved: func(address uintptr) (string, bool) { return "configdir=/x", address == 77 },
	})
	refused(t, c, &ck.InitializeCall{Args: &ck.InitializeArgs{Flags: ck.CKF_OS_LOCKING_OK, Reserved: 78}}, ck.CKR_ARGUMENTS_BAD)
	must(t, c, &ck.InitializeCall{Args: &ck.InitializeArgs{Flags: ck.CKF_OS_LOCKING_OK, Reserved: 77}})
	must(t, c, &ck.FinalizeCall{})
	server.Wait()
	if got != uintptr(len("configdir=/x")) {
		t.Errorf("the module gets %d", got)
	}
}

// What a connection ends with is the result.
func TestServeEnds(t *testing.T) {
	m := module.Func(func(context.Context, ck.Call) error { return nil })
	for _, c := range []struct {
		name string
		sent []byte
		ok   bool
	}{
		{"nothing", nil, false},
		{"a version", []byte{9}, true},
		{"part of a header", []byte{2, 0, 0, 0}, true},
		{"part of a message", []byte{2, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 8, 0}, false},
		{"an unknown message", []byte{2, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 99}, false},
		{"a long message", []byte{2, 0, 0, 0, 1, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff}, false},
		{"long options", []byte{2, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0}, false},
	} {
		in, out := net.Pipe()
		go func() {
			_, _ = in.Write(c.sent)
			in.Close()
		}()
		if err := rpc.Serve(t.Context(), m, out, io.Discard, rpc.ServerOptions{}); (err == nil) != c.ok {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	// A client that does not take the answers.
	in, out := net.Pipe()
	broken := errors.New("nobody reads")
	go func() {
		_, _ = in.Write([]byte{2})
		_, _ = in.Write(append([]byte{0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 17}, logout(1)...))
		in.Close()
	}()
	if err := rpc.Serve(t.Context(), m, out, &brittle{left: 1, err: broken}, rpc.ServerOptions{}); !errors.Is(err, broken) {
		t.Errorf("without a reader: %v", err)
	}
}

// brittle is a writer that breaks after so many writes.
type brittle struct {
	left int
	err  error
}

func (b *brittle) Write(p []byte) (int, error) {
	if b.left--; b.left < 0 {
		return 0, b.err
	}
	return len(p), nil
}
