//go:build cgo

package server

import (
	"errors"
	"io"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/p11mux/p11mux/internal/testkit"
)

// connected gives a connection with a time for messages, and the descriptor of the client's end.
func connected(t *testing.T, stall time.Duration) (c *connection, client int) {
	t.Helper()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = syscall.Close(fds[0])
		_ = syscall.Close(fds[1])
	})
	if c, err = newConnection(fds[0], &Service{Stall: stall}); err != nil {
		t.Fatal(err)
	}
	c.end = func() {}
	return c, fds[1]
}

// The time in which nobody reads is none of the client's; that in which a message is waited for is.
func TestStallIsReading(t *testing.T) {
	c, client := connected(t, 300*time.Millisecond)
	b := make([]byte, 1)
	for range 3 {
		if _, err := syscall.Write(client, b); err != nil {
			t.Fatal(err)
		}
		c.wait(true)
		if _, err := c.Read(b); err != nil {
			t.Fatal(err)
		}
		time.Sleep(200 * time.Millisecond)
	}
	c.wait(true)
	testkit.Finishes(t, func() {
		if _, err := c.Read(b); !errors.Is(err, errSlow) {
			t.Errorf("a message that does not come on gives %v", err)
		}
	})
}

// A client that takes an answer by small pieces, each in time, is too slow all the same.
func TestSlowTaker(t *testing.T) {
	c, client := connected(t, 200*time.Millisecond)
	go func() {
		b := make([]byte, 4<<10)
		for {
			if n, err := syscall.Read(client, b); n <= 0 || err != nil {
				return
			}
			time.Sleep(5 * time.Millisecond)
		}
	}()
	testkit.Finishes(t, func() {
		if n, err := c.Write(make([]byte, 16<<20)); !errors.Is(err, errSlow) {
			t.Errorf("%d octets, %v", n, err)
		}
	})
}

// Each message has its own time, also where it begins in the same piece as the one before it ends in.
func TestPiecesOfMessages(t *testing.T) {
	r := started(t, Options{Service: Service{Provider: obedient(t), Stall: time.Second}})
	c := r.dial()
	defer c.Close()
	const info = "\x00\x00\x00\x12" + "\x00\x00\x00\x00" + "\x00\x00\x00\x08" + "\x00\x00\x00\x03" + "\x00\x00\x00\x00"
	const n = 16
	calls := "\x02" + strings.Repeat(info, n+1)
	testkit.Finishes(t, func() {
		for i := 11; i < len(calls); i += len(info) { // always in the middle of one
			if _, err := io.WriteString(c, calls[max(0, i-len(info)):i]); err != nil {
				t.Error(err)
				return
			}
			time.Sleep(100 * time.Millisecond)
		}
		if _, err := io.ReadFull(c, make([]byte, 1+n*29)); err != nil { // each is refused: nothing is initialized
			t.Error(err)
		}
	})
}
