package rpc_test

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/p11mux/p11mux/ck"
	"github.com/p11mux/p11mux/rpc"
)

// A C_Finalize of a server that says nothing any more has its own time, however long a call may take that is under way.
func TestFinalizeWhileACallHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := byServer(t, rpc.Options{Timeout: -1}, func(conn net.Conn) {
			_, _ = io.Copy(io.Discard, conn) // until the client gives up
		})
		must(t, c, &ck.InitializeCall{})
		var hangs sync.WaitGroup
		hangs.Go(func() { refused(t, c, &ck.GetInfoCall{}, ck.CKR_DEVICE_ERROR) })
		synctest.Wait()
		began := time.Now()
		must(t, c, &ck.FinalizeCall{})
		if took := time.Since(began); took > time.Minute {
			t.Errorf("it takes %v", took)
		}
		hangs.Wait()
	})
}

// A call may take as long as Timeout says, however often it is looked whether it is over.
func TestLongCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := byServer(t, rpc.Options{Timeout: time.Hour}, func(conn net.Conn) {
			for range 2 { // C_CloseSession twice
				f, err := readFrame(conn)
				if err != nil {
					t.Error(err)
					return
				}
				time.Sleep(time.Hour - time.Second)
				if _, err := conn.Write(f.ok()); err != nil {
					t.Error(err)
				}
			}
			_, _ = io.Copy(io.Discard, conn)
		})
		must(t, c, &ck.InitializeCall{})
		must(t, c, &ck.CloseSessionCall{})
		must(t, c, &ck.CloseSessionCall{})
		began := time.Now()
		err := c.Do(t.Context(), &ck.GetInfoCall{})
		if took := time.Since(began); !errors.Is(err, rpc.ErrTimeout) || took != time.Hour {
			t.Errorf("%v after %v", err, took)
		}
		must(t, c, &ck.FinalizeCall{})
	})
}

// A closing is a connection that takes its time to close.
type closing struct {
	rpc.Conn
	begun, let chan struct{}
}

func (c *closing) Close() error {
	close(c.begun)
	<-c.let
	return c.Conn.Close()
}

// A turnstile is a Mutex that synctest can tell is waited for.
type turnstile chan struct{}

func (t turnstile) Lock()   { t <- struct{}{} }
func (t turnstile) Unlock() { <-t }

func (t turnstile) TryLock() bool {
	select {
	case t <- struct{}{}:
		return true
	default:
		return false
	}
}

// When C_Finalize is over nothing is left of the connection, also where a call that was under way has ended it.
func TestFinalizeWaitsForClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := &closing{begun: make(chan struct{}), let: make(chan struct{})}
		here, there := net.Pipe()
		slow.Conn = rpc.NewConn(here)
		c := rpc.NewClient(rpc.Options{
			Dial:     func(context.Context) (rpc.Conn, error) { return slow, nil },
			NewMutex: func() rpc.Mutex { return make(turnstile, 1) },
		})
		go func() {
			b := make([]byte, 1)
			_, err := io.ReadFull(there, b)
			_, err2 := there.Write(b)
			f, err3 := readFrame(there)
			_, err4 := there.Write(f.ok())
			_, err5 := readFrame(there)
			if err := errors.Join(err, err2, err3, err4, err5, there.Close()); err != nil {
				t.Error(err)
			}
		}()
		must(t, c, &ck.InitializeCall{})
		var all sync.WaitGroup
		all.Go(func() { refused(t, c, &ck.GetInfoCall{}, ck.CKR_DEVICE_ERROR) })
		<-slow.begun
		finalized := make(chan error, 1)
		all.Go(func() { finalized <- c.Do(t.Context(), &ck.FinalizeCall{}) })
		synctest.Wait()
		if len(finalized) > 0 {
			t.Error("C_Finalize comes back while the connection is being closed")
		}
		close(slow.let)
		if err := <-finalized; err != nil {
			t.Error(err)
		}
		all.Wait()
	})
}
