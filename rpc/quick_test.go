package rpc_test

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/p11mux/p11mux/ck"
	"github.com/p11mux/p11mux/internal/testkit"
	"github.com/p11mux/p11mux/module"
	"github.com/p11mux/p11mux/rpc"
)

// Calls that have been quick may take long all the same: others are done meanwhile.
func TestQuickCallsThatAreSlow(t *testing.T) {
	const n = 5
	var mu sync.Mutex
	calls := 0
	var together sync.WaitGroup
	together.Add(n)
	m := module.Func(func(_ context.Context, call ck.Call) error {
		if call, ok := call.(*ck.DigestUpdateCall); ok && len(call.Part) > 0 {
			mu.Lock()
			calls++
			mu.Unlock()
			together.Done()
			together.Wait()
		}
		return nil
	})
	c := rpc.NewClient(rpc.Options{Dial: serveWith(t, m, rpc.MaxVersion, rpc.ServerOptions{Pause: time.Sleep})})
	must(t, c, &ck.InitializeCall{})
	for i := range 100 {
		must(t, c, &ck.DigestUpdateCall{Session: ck.SessionHandle(i)})
	}
	testkit.Finishes(t, func() {
		var all sync.WaitGroup
		for i := range n {
			all.Go(func() {
				if err := c.Do(context.Background(), &ck.DigestUpdateCall{Session: ck.SessionHandle(i), Part: []byte("x")}); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
	})
	if calls != n {
		t.Errorf("%d calls", calls)
	}
	must(t, c, &ck.FinalizeCall{})
}

// Answers that could be written together with a later one are not kept back when that takes long.
func TestAnswersAreNotKeptBack(t *testing.T) {
	// C_GetInfo, which is quick until seen is asked for.
	const request = "\x00\x00\x00\x12" + "\x00\x00\x00\x00" + "\x00\x00\x00\x08" + "\x00\x00\x00\x03" + "\x00\x00\x00\x00"
	const learned = 50
	calls, seen := 0, make(chan struct{})
	m := module.Func(func(context.Context, ck.Call) error {
		if calls++; calls == learned+3 {
			<-seen
		}
		return ck.CKR_DEVICE_ERROR // a short answer
	})
	here, there := net.Pipe()
	ended := make(chan error, 1)
	go func() { ended <- rpc.Serve(t.Context(), m, there, there, rpc.ServerOptions{Pause: time.Sleep}) }()
	answers := make([]byte, 12+17)
	testkit.Finishes(t, func() {
		send := func(text string) {
			if _, err := here.Write([]byte(text)); err != nil {
				t.Error(err)
			}
		}
		receive := func(n int) {
			if _, err := io.ReadFull(here, answers[:n]); err != nil {
				t.Error(err)
			}
		}
		send("\x02")
		receive(1)
		for range learned {
			send(request)
			receive(len(answers))
		}
		send(strings.Repeat(request, 3))
		receive(len(answers))
		receive(len(answers))
		close(seen)
		receive(len(answers))
		_ = here.Close()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// Nor are they while C_Finalize waits for a call that takes long, which may be waiting for who gets the answer.
func TestAnswersAreNotKeptBackByFinalize(t *testing.T) {
	// C_GetInfo, which is quick; C_GetSlotInfo, which waits until the answer to the last C_GetInfo is seen; C_Finalize.
	const (
		info     = "\x00\x00\x00\x12" + "\x00\x00\x00\x00" + "\x00\x00\x00\x08" + "\x00\x00\x00\x03" + "\x00\x00\x00\x00"
		slotInfo = "\x00\x00\x00\x13" + "\x00\x00\x00\x00" + "\x00\x00\x00\x11" + "\x00\x00\x00\x05" + "\x00\x00\x00\x01u" + "\x00\x00\x00\x00\x00\x00\x00\x00"
		finalize = "\x00\x00\x00\x14" + "\x00\x00\x00\x00" + "\x00\x00\x00\x08" + "\x00\x00\x00\x02" + "\x00\x00\x00\x00"
		learned  = 50
	)
	seen := make(chan struct{})
	m := module.Func(func(_ context.Context, call ck.Call) error {
		if _, long := call.(*ck.GetSlotInfoCall); long {
			<-seen
		}
		return ck.CKR_DEVICE_ERROR // a short answer
	})
	here, there := net.Pipe()
	ended := make(chan error, 1)
	go func() { ended <- rpc.Serve(t.Context(), m, there, there, rpc.ServerOptions{Pause: time.Sleep}) }()
	testkit.Finishes(t, func() {
		defer here.Close()
		send := func(text string) {
			if _, err := here.Write([]byte(text)); err != nil {
				t.Error(err)
			}
		}
		receive := func(want byte) {
			answer := make([]byte, 12+17)
			if _, err := io.ReadFull(here, answer); err != nil || answer[3] != want {
				t.Errorf("the answer is to %#x, not to %#x: %v", answer[3], want, err)
			}
		}
		send("\x02")
		if _, err := io.ReadFull(here, make([]byte, 1)); err != nil {
			t.Error(err)
		}
		for range learned {
			send(info)
			receive(0x12)
		}
		send(slotInfo + info + finalize)
		receive(0x12)
		close(seen)
		receive(0x13)
		receive(0x14)
		_ = here.Close()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// A client has no more sessions than it may have, and gets one again for each that is closed.
func TestMaxSessions(t *testing.T) {
	next := ck.SessionHandle(0)
	m := module.Func(func(_ context.Context, call ck.Call) error {
		if call, ok := call.(*ck.OpenSessionCall); ok {
			if call.Slot == 9 {
				return ck.CKR_TOKEN_NOT_PRESENT
			}
			next++
			call.Session = next
		}
		return nil
	})
	c := rpc.NewClient(rpc.Options{Dial: serveWith(t, m, rpc.MaxVersion, rpc.ServerOptions{MaxSessions: 2})})
	must(t, c, &ck.InitializeCall{})
	for _, again := range []ck.Call{&ck.CloseAllSessionsCall{Slot: 1}, &ck.CloseAllSessionsCall{Slot: 1}} {
		refused(t, c, &ck.OpenSessionCall{Slot: 9}, ck.CKR_TOKEN_NOT_PRESENT)
		must(t, c, &ck.OpenSessionCall{Slot: 1})
		one := &ck.OpenSessionCall{Slot: 1}
		must(t, c, one)
		refused(t, c, &ck.OpenSessionCall{Slot: 1}, ck.CKR_SESSION_COUNT)
		must(t, c, &ck.CloseSessionCall{Session: one.Session})
		must(t, c, &ck.OpenSessionCall{Slot: 1})
		must(t, c, again)
	}
	must(t, c, &ck.FinalizeCall{})
}

// A message that is longer than it may be ends the connection.
func TestMaxMessage(t *testing.T) {
	here, there := net.Pipe()
	ended := make(chan error, 1)
	waits := 0
	go func() {
		ended <- rpc.Serve(t.Context(), module.Func(func(context.Context, ck.Call) error { return nil }), there, there,
			rpc.ServerOptions{MaxMessage: 100, Wait: func(rest bool) {
				if waits++; rest != (waits == 1) { // the greeting, and then a message that has not begun
					t.Errorf("wait %d is for the rest: %v", waits, rest)
				}
			}})
	}()
	testkit.Finishes(t, func() {
		for _, text := range []string{"\x02", "\x00\x00\x00\x12" + "\x00\x00\x00\x00" + "\x00\x00\x00\x65"} {
			if _, err := here.Write([]byte(text)); err != nil {
				t.Error(err)
			}
			if text == "\x02" {
				if _, err := here.Read(make([]byte, 1)); err != nil {
					t.Error(err)
				}
			}
		}
		if err := <-ended; err == nil || errors.Is(err, io.EOF) || !strings.Contains(err.Error(), "too long") {
			t.Errorf("it ends with %v", err)
		}
	})
	if waits != 2 {
		t.Errorf("%d waits", waits)
	}
}
