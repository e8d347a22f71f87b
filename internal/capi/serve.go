package capi

/*
#include "engine_abi.h"
*/
import "C"

import (
	"unsafe"

	"github.com/p11mux/p11mux/ck"
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

//export p11mux_engine_serve_token
func p11mux_engine_serve_token(list unsafe.Pointer, token *C.CK_TOKEN_INFO, in, out C.int) (result C.int) {
	defer containServe(&result)
	var info ck.TokenInfo
	for _, text := range [...]struct {
		to   []byte
		from unsafe.Pointer
	}{
		{info.Label[:], unsafe.Pointer(&token.label)},
		{info.ManufacturerID[:], unsafe.Pointer(&token.manufacturerID)},
		{info.Model[:], unsafe.Pointer(&token.model)},
		{info.SerialNumber[:], unsafe.Pointer(&token.serialNumber)},
	} {
		copy(text.to, unsafe.Slice((*byte)(text.from), len(text.to)))
	}
	return ended(it.ServeToken(list, &info, int(in), int(out)))
}

//export p11mux_engine_serve_tokens
func p11mux_engine_serve_tokens(uris **C.char, count C.size_t, list unsafe.Pointer, in, out C.int) (result C.int) {
	defer containServe(&result)
	var texts []string
	for _, text := range unsafe.Slice(uris, int(count)) {
		texts = append(texts, C.GoString(text))
	}
	return ended(it.ServeTokens(texts, list, int(in), int(out)))
}
