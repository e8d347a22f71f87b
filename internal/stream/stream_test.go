package stream

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/signal"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"
)

// pair gives the two ends of a socket.
func pair(t *testing.T, flags int) (a, b int) {
	t.Helper()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|flags, 0)
	if err != nil {
		t.Fatal(err)
	}
	return fds[0], fds[1]
}

// What is written comes out at the other end, in both directions at once, whether the descriptors block or not.
func TestSocket(t *testing.T) {
	for _, flags := range []int{0, syscall.SOCK_NONBLOCK} {
		x, y := pair(t, flags)
		a, b := NewSocket(x), NewSocket(y)
		data := bytes.Repeat([]byte("0123456789abcdef"), 1<<16) // more than a socket holds
		var all sync.WaitGroup
		for _, way := range [][2]*Socket{{a, b}, {b, a}} {
			all.Go(func() {
				if err := way[0].Write(data, 10*time.Second); err != nil {
					t.Error(err)
				}
			})
			all.Go(func() {
				got := make([]byte, 0, len(data))
				for len(got) < len(data) {
					n, err := way[1].Read(got[len(got):cap(got)], 10*time.Second)
					if err != nil {
						t.Error(err)
						return
					}
					got = got[:len(got)+n]
				}
				if !bytes.Equal(got, data) {
					t.Error("other octets come out")
				}
			})
		}
		all.Wait()
		if err := a.Close(); err != nil {
			t.Error(err)
		}
		if n, err := b.Read(make([]byte, 1), -1); n != 0 || err != io.EOF {
			t.Errorf("at the end: %d, %v", n, err)
		}
		if err := b.Write([]byte("x"), -1); err != syscall.EPIPE {
			t.Errorf("to nobody: %v", err)
		}
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	}
}

// When the time is over there is an error that says so.
func TestSocketTimeout(t *testing.T) {
	x, y := pair(t, 0)
	a, b := NewSocket(x), NewSocket(y)
	defer b.Close()
	defer a.Close()
	if _, err := a.Read(make([]byte, 1), 0); err != syscall.ETIMEDOUT {
		t.Errorf("reading: %v", err)
	}
	if err := a.Write(make([]byte, 8<<20), time.Millisecond); err != syscall.ETIMEDOUT {
		t.Errorf("writing: %v", err)
	}
}

// Close ends what is being read and written, and leaves no descriptor to be used by chance.
func TestSocketClose(t *testing.T) {
	x, y := pair(t, 0)
	a, b := NewSocket(x), NewSocket(y)
	defer b.Close()
	ended := make(chan error, 2)
	go func() {
		_, err := a.Read(make([]byte, 1), -1)
		ended <- err
	}()
	go func() { ended <- a.Write(make([]byte, 8<<20), -1) }()
	// One octet says that the writer is at work.
	if _, err := b.Read(make([]byte, 1), -1); err != nil {
		t.Fatal(err)
	}
	if err := a.Close(); err != nil {
		t.Error(err)
	}
	for range 2 {
		if err := <-ended; err == nil {
			t.Error("reading or writing goes on after Close")
		}
	}
	if _, err := a.Read(make([]byte, 1), -1); err != syscall.EBADF {
		t.Errorf("after Close: %v", err)
	}
	if err := a.Write([]byte("x"), -1); err != syscall.EBADF {
		t.Errorf("after Close: %v", err)
	}
	if err := a.Close(); err != syscall.EBADF {
		t.Errorf("closing twice: %v", err)
	}
}

// A pipe is read and written like a socket, whether it blocks or not.
func TestPipe(t *testing.T) {
	for _, flags := range []int{0, syscall.O_NONBLOCK} {
		var fds [2]int
		if err := syscall.Pipe2(fds[:], flags); err != nil {
			t.Fatal(err)
		}
		data := bytes.Repeat([]byte("0123456789abcdef"), 1<<14) // more than a pipe holds
		written := make(chan error, 1)
		go func() {
			_, err := Descriptor(fds[1]).Write(data)
			written <- errors.Join(err, syscall.Close(fds[1]))
		}()
		got, err := io.ReadAll(Descriptor(fds[0]))
		if err != nil || !bytes.Equal(got, data) {
			t.Errorf("%d octets, %v", len(got), err)
		}
		if err := <-written; err != nil {
			t.Error(err)
		}
		_ = syscall.Close(fds[0])
	}
}

// Writing to a pipe that nobody reads is an error and no signal.
func TestBrokenPipe(t *testing.T) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGPIPE)
	defer signal.Stop(signals)
	var fds [2]int
	if err := syscall.Pipe(fds[:]); err != nil {
		t.Fatal(err)
	}
	_ = syscall.Close(fds[0])
	defer syscall.Close(fds[1])
	for range 3 {
		if n, err := Descriptor(fds[1]).Write([]byte("x")); n != 0 || err != syscall.EPIPE {
			t.Errorf("%d, %v", n, err)
		}
	}
	x, y := pair(t, 0)
	_ = syscall.Close(y)
	defer syscall.Close(x)
	if n, err := Descriptor(x).Write([]byte("x")); n != 0 || err != syscall.EPIPE {
		t.Errorf("a socket: %d, %v", n, err)
	}
	// A signal that had been sent would come before this one, which is sent to make sure that signals come at all.
	signal.Notify(signals, syscall.SIGUSR1)
	if err := syscall.Kill(syscall.Getpid(), syscall.SIGUSR1); err != nil {
		t.Fatal(err)
	}
	if s := <-signals; s != syscall.SIGUSR1 {
		t.Errorf("the process gets %v", s)
	}
}

// The thread's mask is as it was, and no signal waits for it.
func TestMaskStays(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var before, after sigset
	sigmask(sigBlock, nil, &before)
	TestBrokenPipe(t)
	sigmask(sigBlock, nil, &after)
	if before != after {
		t.Errorf("the mask is %x, was %x", after, before)
	}
	if pending() {
		t.Error("a SIGPIPE waits")
	}
}

// One that waits is woken, and a wake that comes first is not lost.
func TestWaiter(t *testing.T) {
	const turns = 10_000
	var there, back Waiter
	var all sync.WaitGroup
	n := 0 // belongs to whose turn it is
	all.Go(func() {
		for range turns {
			there.Wait()
			n++
			back.Wake()
		}
	})
	for i := range turns {
		there.Wake()
		if back.Wait(); n != i+1 {
			t.Fatalf("turn %d begins after %d", i+1, n)
		}
	}
	all.Wait()
}

// A locked mutex keeps others away, also those that have come to sleep.
func TestMutex(t *testing.T) {
	const threads, turns = 8, 2000
	var m Mutex
	n := 0
	var all sync.WaitGroup
	m.Lock()
	if m.TryLock() {
		t.Error("a locked mutex is locked again")
	}
	for range threads {
		all.Go(func() {
			for i := range turns {
				m.Lock()
				n++
				if i%100 == 0 {
					Sleep(100 * time.Microsecond) // long enough for others to fall asleep
				}
				m.Unlock()
			}
		})
	}
	Sleep(10 * time.Millisecond)
	if n != 0 {
		t.Error("a locked mutex is locked by others")
	}
	m.Unlock()
	all.Wait()
	if n != threads*turns {
		t.Errorf("%d turns of %d", n, threads*turns)
	}
	if !m.TryLock() {
		t.Error("the mutex is not free in the end")
	}
}
