//go:build cgo

package p11mux

import "github.com/p11mux/p11mux/internal/capi"

// A C library in this process that uses modules through libp11-kit.so.0 or the proxy module uses this program's registry, or
// this program that library, whoever comes first: both share one count for each module.
func init() { capi.Offer() }
