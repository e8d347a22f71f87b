// Command engine is the Go half of libp11-kit.so.0, built with -buildmode=c-shared as lib/p11mux/engine.so. Only the C
// half, the shim, loads it; internal/capi is what it finds there.
//
// It lives in other people's processes: it never prints, installs no signal handler that stays, and links little.
package main

import _ "github.com/p11mux/p11mux/internal/capi"

func main() {}
