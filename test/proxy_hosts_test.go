package test

import "testing"

// TestProxyEvents runs hosts whose slots have events, come and go, behind the proxy.
func TestProxyEvents(t *testing.T) {
	runCases(t, program(t, "proxy_events", "proxylib.c", ownHeaders), plain)
}

// TestProxyVersions runs hosts that ask for function lists in all ways.
func TestProxyVersions(t *testing.T) {
	runCases(t, program(t, "proxy_versions", "proxylib.c", ownHeaders), withToken)
}

// TestProxyChildren runs hosts that fork while they use the proxy.
func TestProxyChildren(t *testing.T) {
	runCases(t, program(t, "proxy_children", "proxylib.c", ownHeaders, "token.c"), withToken)
}

// TestProxyThreads runs many threads that share the proxy, or have one each.
func TestProxyThreads(t *testing.T) {
	runCases(t, program(t, "proxy_threads", "proxylib.c", ownHeaders, "token.c"), func(t *testing.T, c *command) {
		if c.args[0] == "sign" {
			withToken(t, c)
			// Behind the counting modules.
			writeFile(t, c.conf+"/modules/softhsm.module", "module: "+softhsm(t)+"\npriority: -1\n")
		}
	})
}
