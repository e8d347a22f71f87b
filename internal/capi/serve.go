package capi

/*
#include "engine_abi.h"
*/
import "C"

import (
	"unsafe"

	"github.com/p11mux/p11mux/internal/engine"
)

// ended gives the result of serving.
func ended(ok bool) C.int {
	if ok {
		return 0
	}
	return 1
}

// containServe is contain for functions that serve.
func containServe(result *C.int) {
	if recover() != nil {
		*result = 1
	}
}

//export p11mux_engine_serve_module
func p11mux_engine_serve_module(list unsafe.Pointer, in, out C.int) (result C.int) {
	defer containServe(&result)
	return ended(it.ServeModule(list, int(in), int(out)))
}

// servedTokens are tokens that are to be served, for the engine.
func servedTokens(tokens *C.struct_p11_served, count int) []engine.ServedToken {
	var served []engine.ServedToken
	for _, from := range unsafe.Slice(tokens, count) {
		to := engine.ServedToken{ReadOnly: from.read_only != 0}
		for _, text := range [...]struct {
			to   []byte
			from unsafe.Pointer
		}{
			{to.Like.Label[:], unsafe.Pointer(&from.token.label)},
			{to.Like.ManufacturerID[:], unsafe.Pointer(&from.token.manufacturerID)},
			{to.Like.Model[:], unsafe.Pointer(&from.token.model)},
			{to.Like.SerialNumber[:], unsafe.Pointer(&from.token.serialNumber)},
		} {
			copy(text.to, unsafe.Slice((*byte)(text.from), len(text.to)))
		}
		served = append(served, to)
	}
	return served
}

//export p11mux_engine_serve_token
func p11mux_engine_serve_token(list unsafe.Pointer, token *C.struct_p11_served, in, out C.int) (result C.int) {
	defer containServe(&result)
	return ended(it.ServeToken(list, servedTokens(token, 1)[0], int(in), int(out)))
}

//export p11mux_engine_serve_tokens
func p11mux_engine_serve_tokens(tokens *C.struct_p11_served, count C.size_t, list unsafe.Pointer, in, out C.int) (result C.int) {
	defer containServe(&result)
	return ended(it.ServeTokens(servedTokens(tokens, int(count)), list, int(in), int(out)))
}
