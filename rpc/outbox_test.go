package rpc

import (
	"bytes"
	"errors"
	"sync"
	"testing"
	"time"
)

// A slow is a connection that writes nothing until it is let, and notes what it writes.
type slow struct {
	Conn
	begun, let chan struct{}
	written    [][]byte
	err        error // of the write with this number and all later ones, if it is not 0
	fails      int
}

func (s *slow) Write(p []byte, _ time.Duration) error {
	s.begun <- struct{}{}
	<-s.let
	s.written = append(s.written, bytes.Clone(p))
	if s.fails != 0 && len(s.written) >= s.fails {
		return s.err
	}
	return nil
}

func newOutbox() *outbox { return &outbox{turn: newMutex(), mu: newMutex()} }

// Frames that come while one is written are written together, and their senders do not wait.
func TestOutboxTogether(t *testing.T) {
	s := &slow{begun: make(chan struct{}, 2), let: make(chan struct{}, 2)}
	o := newOutbox()
	var first sync.WaitGroup
	first.Go(func() {
		if err := o.send(s, []byte("one"), 0); err != nil {
			t.Error(err)
		}
	})
	<-s.begun
	for _, text := range []string{"two", "three"} {
		if err := o.send(s, []byte(text), 0); err != nil { // comes back although nobody can write
			t.Fatal(err)
		}
	}
	frames := o.late
	close(s.let)
	first.Wait()
	if got := bytes.Join(s.written, []byte("|")); string(got) != "one|twothree" {
		t.Errorf("%q is written", got)
	}
	if !bytes.Equal(frames, make([]byte, len("twothree"))) {
		t.Errorf("%q is left in memory", frames)
	}
	if err := o.send(s, []byte("four"), 0); err != nil || string(s.written[2]) != "four" {
		t.Errorf("then %q, %v", s.written[2], err)
	}
}

// A frame that there is no room for is written by who sends it.
func TestOutboxFull(t *testing.T) {
	s := &slow{begun: make(chan struct{}, 4), let: make(chan struct{}, 4)}
	o := newOutbox()
	var all sync.WaitGroup
	all.Go(func() {
		if err := o.send(s, []byte("a"), 0); err != nil {
			t.Error(err)
		}
	})
	<-s.begun
	most, more := bytes.Repeat([]byte("b"), maxLate-1), []byte("cc")
	if err := o.send(s, most, 0); err != nil {
		t.Fatal(err)
	}
	all.Go(func() {
		if err := o.send(s, more, 0); err != nil {
			t.Error(err)
		}
	})
	for range 3 {
		s.let <- struct{}{}
	}
	all.Wait()
	if n := len(bytes.Join(s.written, nil)); len(s.written) != 3 || n != 1+len(most)+len(more) {
		t.Errorf("%d writes of %d octets", len(s.written), n)
	}
}

// Who writes for others is told what is wrong with that.
func TestOutboxFails(t *testing.T) {
	s := &slow{begun: make(chan struct{}, 2), let: make(chan struct{}, 2), fails: 2, err: errors.New("gone")}
	o := newOutbox()
	result := make(chan error, 1)
	go func() { result <- o.send(s, []byte("one"), 0) }()
	<-s.begun
	if err := o.send(s, []byte("two"), 0); err != nil {
		t.Fatal(err)
	}
	close(s.let)
	if err := <-result; err != s.err {
		t.Errorf("the error is %v", err)
	}
	if !o.turn.TryLock() {
		t.Error("nobody can write any more")
	}
}

// Nothing is written behind a frame that may have been sent in part, and of what was to be nothing is left in memory.
func TestOutboxFailed(t *testing.T) {
	s := &slow{begun: make(chan struct{}, 4), let: make(chan struct{}, 4), fails: 1, err: errors.New("gone")}
	o := newOutbox()
	var first sync.WaitGroup
	first.Go(func() {
		if err := o.send(s, []byte("one"), 0); err != s.err {
			t.Errorf("the error is %v", err)
		}
	})
	<-s.begun
	if err := o.send(s, []byte("two"), 0); err != nil {
		t.Fatal(err)
	}
	frames := o.late
	close(s.let)
	first.Wait()
	if !bytes.Equal(frames, make([]byte, len("two"))) {
		t.Errorf("%q is left in memory", frames)
	}
	if err := o.send(s, []byte("three"), 0); err != s.err {
		t.Errorf("the next error is %v", err)
	}
	if got := bytes.Join(s.written, []byte("|")); string(got) != "one" {
		t.Errorf("%q is written", got)
	}
}
