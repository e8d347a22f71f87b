package test

import "testing"

// TestProxyHost runs a host that uses the library and the proxy module at the same time.
func TestProxyHost(t *testing.T) {
	runCases(t, program(t, "proxy"), plain)
}

// TestProxyFromGo has a Go program sign from many goroutines through the proxy, and checks the signatures.
func TestProxyFromGo(t *testing.T) {
	c := newConsumer(t)
	signatures(t, c.command(goProgram(t, "goproxy"), proxy(t), "token", c.pinFile))
}

// TestProxyFork runs hosts that fork with the proxy in use, look at its interfaces, and pass handles that are none. They are
// built with our headers: Debian's do not know of interfaces.
func TestProxyFork(t *testing.T) {
	runCases(t, program(t, "proxy_fork", "token.c", "-I../include"), withToken)
}
