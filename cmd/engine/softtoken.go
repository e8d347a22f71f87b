//go:build softtoken

package main

/*
#include <stdint.h>
*/
import "C"

import (
	"context"
	"unsafe"

	"github.com/p11mux/p11mux/ck"
	"github.com/p11mux/p11mux/internal/cabi"
	"github.com/p11mux/p11mux/internal/capi"
	"github.com/p11mux/p11mux/internal/softtoken"
)

// The bundled token, in an engine of its own: the engine that every host loads should not have to carry a token's
// cryptography.
var token = softtoken.New()

//export p11mux_engine_token_start
func p11mux_engine_token_start(abi C.uint32_t) C.int {
	if uint32(abi) != capi.ABI {
		return -1
	}
	return 0
}

//export p11mux_engine_token_call
func p11mux_engine_token_call(function C.int, words *C.uintptr_t) (rv C.ulong) {
	defer func() {
		if recover() != nil {
			rv = C.ulong(ck.CKR_GENERAL_ERROR)
		}
	}()
	return C.ulong(cabi.Serve(context.Background(), token, ck.Func(function), (*cabi.Words)(unsafe.Pointer(words))))
}
