package main

import (
	"hash/crc32"
	"os"
	"path/filepath"

	"github.com/p11mux/p11mux/spec"
)

// engineABI marks what the shim and the engine say to each other: halves with another mark refuse each other.
func engineABI(w *writer, _ *spec.Spec) {
	root, err := moduleRoot()
	if err != nil {
		panic(err)
	}
	text, err := os.ReadFile(filepath.Join(root, "internal/capi/engine_abi.h"))
	if err != nil {
		panic(err)
	}
	w.p("/* The checksum of engine_abi.h. */")
	w.p("#define P11_ENGINE_ABI 0x%08xu", crc32.ChecksumIEEE(text))
}
