package rpc_test

import (
	"context"
	"sync"
	"syscall"
	"testing"

	"github.com/p11mux/p11mux/ck"
	"github.com/p11mux/p11mux/internal/stream"
	"github.com/p11mux/p11mux/module"
	"github.com/p11mux/p11mux/rpc"
)

// overSocket gives a client of a module that is served over a socket, initialized.
func overSocket(b *testing.B, m module.Module) *rpc.Client {
	b.Helper()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		b.Fatal(err)
	}
	var server sync.WaitGroup
	server.Go(func() {
		d := stream.Descriptor(fds[1])
		if err := rpc.Serve(context.Background(), m, d, d, rpc.ServerOptions{}); err != nil {
			b.Error(err)
		}
		_ = syscall.Close(fds[1])
	})
	c := rpc.NewClient(rpc.Options{Dial: func(context.Context) (rpc.Conn, error) { return stream.NewSocket(fds[0]), nil }})
	must(b, c, &ck.InitializeCall{})
	b.Cleanup(func() {
		must(b, c, &ck.FinalizeCall{})
		server.Wait()
	})
	return c
}

// signer is a module that signs at once.
var signer = module.Func(func(_ context.Context, call ck.Call) error {
	if c, ok := call.(*ck.SignCall); ok {
		c.Signature.N = uint64(copy(c.Signature.Buf, c.Data))
	}
	return nil
})

// BenchmarkCall is a call there and back, over a socket in one process.
func BenchmarkCall(b *testing.B) {
	c := overSocket(b, signer)
	b.ReportAllocs()
	call := &ck.SignCall{Session: 1, Data: make([]byte, 32), Signature: ck.Out[byte]{Buf: make([]byte, 64)}}
	for b.Loop() {
		if err := c.Do(b.Context(), call); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkCalls is the same from many callers, each with a session of its own.
func BenchmarkCalls(b *testing.B) {
	c := overSocket(b, signer)
	var sessions sync.Map
	b.SetParallelism(8)
	b.RunParallel(func(p *testing.PB) {
		call := &ck.SignCall{Data: make([]byte, 32), Signature: ck.Out[byte]{Buf: make([]byte, 64)}}
		call.Session = 1
		for taken := true; taken; call.Session++ {
			_, taken = sessions.LoadOrStore(call.Session, nil)
		}
		for p.Next() {
			if err := c.Do(context.Background(), call); err != nil {
				b.Error(err)
				return
			}
		}
	})
}
