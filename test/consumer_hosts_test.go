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
