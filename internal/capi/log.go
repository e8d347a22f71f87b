package capi

/*
#include "host.h"
*/
import "C"

import (
	"unsafe"

	"github.com/p11mux/p11mux/ck"
	"github.com/p11mux/p11mux/internal/cabi"
	"github.com/p11mux/p11mux/internal/engine"
)

// newLog makes a log in the shim, nil where memory is short.
func newLog(id uint32, settings string) *C.struct_p11_log {
	p, n := chars(settings)
	return C.p11_host_log_new(C.uint32_t(id), p, n)
}

// LogHandle has the calls of a new handle logged; false where memory is short.
func (shim) LogHandle(h engine.Handle, id uint32, settings string) bool {
	log := newLog(id, settings)
	if log == nil {
		return false
	}
	C.p11_host_handle_log((*C.struct_p11_handle)(h), log)
	return true
}

// LogMember has the calls logged that an instance's stubs make of one of its modules; false where memory is short.
func (t *table) LogMember(i int, id uint32, settings string) bool {
	log := newLog(id, settings)
	if log == nil {
		return false
	}
	m := t.member(i)
	log.target = &m.record.table
	log.parallel = 1
	m.log = log
	return true
}

// adoptLog goes on with a log that the process had before it was forked, and gives its caller's id.
func adoptLog(log *C.struct_p11_log) uint32 {
	id := it.AdoptLog(C.GoStringN(log.settings, C.int(log.settings_len)))
	C.p11_host_log_renew(log, C.uint32_t(id))
	return id
}

//export p11mux_engine_log_begin
func p11mux_engine_log_begin(id C.uint32_t, function C.int, words *C.uintptr_t) (number C.uint32_t) {
	defer containLog()
	return C.uint32_t(it.Logged(uint32(id)).Begin(ck.Func(function), (*cabi.Words)(unsafe.Pointer(words))))
}

//export p11mux_engine_log_end
func p11mux_engine_log_end(id, number C.uint32_t, words *C.uintptr_t, rv C.ulong) {
	defer containLog()
	it.Logged(uint32(id)).End(uint32(number), (*cabi.Words)(unsafe.Pointer(words)), ck.RV(rv))
}

// containLog is contain for what has no return value: the call is made, and not logged.
func containLog() { _ = recover() }
