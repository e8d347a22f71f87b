package testkit

import (
	"net"
	"testing"
)

// Listen makes a Unix socket at a path, and has serve serve each client that comes until the test is over, many at the same time. The
// connection is closed when serve returns.
func Listen(t testing.TB, path string, serve func(c net.Conn)) {
	t.Helper()
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				serve(c)
			}()
		}
	}()
}
