package capi

/*
#include "host.h"
*/
import "C"

import (
	"context"
	"unsafe"

	"github.com/p11mux/p11mux/ck"
	"github.com/p11mux/p11mux/internal/cabi"
	"github.com/p11mux/p11mux/internal/engine"
)

// NewProxy makes an instance of the proxy module in the shim.
func (shim) NewProxy(members []engine.ProxyMember, version ck.Version) (engine.Handle, engine.ProxyTable) {
	list := make([]C.struct_p11_member, len(members)+1) // one more, so that there is an address
	for i, m := range members {
		list[i].record = (*C.struct_p11_record)(m.Record)
		if m.Managed {
			list[i].managed = 1
		}
	}
	p := C.p11_host_proxy_new(&list[0], C.size_t(len(members)), C.int(version.Major), C.int(version.Minor))
	if p == nil {
		return nil, nil
	}
	t := &table{p: p}
	t.renew()
	return engine.Handle(p.handle), t
}

// adoptProxy takes in an instance that the process had before it was forked.
func adoptProxy(p *C.struct_p11_proxy) {
	t := &table{p: p}
	outlive(p)
	known := t.known()
	t.Clear()
	var members []engine.AdoptedMember
	for i := range int(p.count) {
		m := t.member(i)
		member := engine.AdoptedMember{List: m.record.list, Managed: m.managed != 0}
		if m.log != nil {
			member.Log = adoptLog(m.log)
		}
		members = append(members, member)
	}
	it.AdoptProxy(engine.Handle(p.handle), members, ck.Version{Major: byte(p.major), Minor: byte(p.minor)}, t, known)
}

//export p11mux_engine_proxy_load
func p11mux_engine_proxy_load(major, minor C.int, list *unsafe.Pointer) (rv C.ulong) {
	defer contain(&rv)
	loaded, result := it.ProxyLoad(ck.Version{Major: byte(major), Minor: byte(minor)})
	if result == ck.CKR_OK {
		*list = loaded
	}
	return C.ulong(result)
}

//export p11mux_engine_client_load
func p11mux_engine_client_load(address *C.char, list *unsafe.Pointer) (rv C.ulong) {
	defer contain(&rv)
	loaded, result := it.ClientLoad(C.GoString(address))
	if result == ck.CKR_OK {
		*list = loaded
	}
	return C.ulong(result)
}

//export p11mux_engine_remote_call
func p11mux_engine_remote_call(record *C.struct_p11_record, function C.int, words *C.uintptr_t) (rv C.ulong) {
	defer contain(&rv)
	m := it.Remote(unsafe.Pointer(record))
	if m == nil {
		return C.ulong(ck.CKR_CRYPTOKI_NOT_INITIALIZED)
	}
	return C.ulong(cabi.Serve(context.Background(), m, ck.Func(function), (*cabi.Words)(unsafe.Pointer(words))))
}

//export p11mux_engine_call
func p11mux_engine_call(handle *C.struct_p11_handle, function C.int, words *C.uintptr_t) (rv C.ulong) {
	defer contain(&rv)
	m := it.Module(engine.Handle(handle))
	if m == nil {
		return C.ulong(ck.CKR_CRYPTOKI_NOT_INITIALIZED)
	}
	return C.ulong(cabi.Serve(context.Background(), m, ck.Func(function), (*cabi.Words)(unsafe.Pointer(words))))
}
