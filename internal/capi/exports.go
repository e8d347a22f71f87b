package capi

/*
#include <stdlib.h>
#include "host.h"

struct p11_init_args { void *functions[4]; unsigned long flags; void *reserved; };
*/
import "C"

import (
	"sync"
	"unsafe"

	"github.com/p11mux/p11mux/ck"
	"github.com/p11mux/p11mux/conf"
	"github.com/p11mux/p11mux/internal/engine"
	"github.com/p11mux/p11mux/internal/native"
	"github.com/p11mux/p11mux/internal/process"
)

// ABI marks what shim and engine of one build say to each other.
const ABI uint32 = C.P11_ENGINE_ABI

// The engine of this process; set once, before anything else is called, by whoever holds starting.
var (
	it       *engine.Engine
	starting sync.Mutex
)

// guest is whether Go is only the engine's in this process.
var guest bool

// InGuest says, before anything is called, that the process is a program in C which has Go for this engine only.
func InGuest() { guest = true }

// contain ends a panic, which can only be a fault of ours, at the C edge: the host lives on, and the call fails.
func contain(rv *C.ulong) {
	if recover() != nil {
		*rv = C.ulong(ck.CKR_GENERAL_ERROR)
	}
}

//export p11mux_engine_start
func p11mux_engine_start(host *C.struct_p11_host) C.int {
	if uint32(host.abi) != ABI {
		return C.P11_START_OTHER_BUILD
	}
	starting.Lock()
	defer starting.Unlock()
	if it != nil {
		return C.P11_START_TAKEN
	}
	C.p11_engine_host = host
	native.SetGuard(unsafe.Pointer(host.load_lock), unsafe.Pointer(host.load_unlock))
	native.SetSelf(host.own_entry)
	it = engine.New(shim{guest: guest, env: conf.Env{
		Getenv: getenv,
		Secure: host.secure != 0,
		UID:    int(host.uid),
		HomeOf: conf.HomeOf,
	}}, process.Registry())
	if it == nil {
		return C.P11_START_NO_MEMORY
	}
	adoptRecords(it)
	C.p11_host_adopt_handles()
	return 0
}

//export p11mux_engine_adopt
func p11mux_engine_adopt(handle *C.struct_p11_handle, list unsafe.Pointer, p *C.struct_p11_proxy, log *C.struct_p11_log) {
	if p != nil {
		adoptProxy(p)
	} else {
		it.AdoptHandle(engine.Handle(handle), list)
	}
	if log != nil {
		it.AdoptHandleLog(engine.Handle(handle), adoptLog(log))
		C.p11_host_handle_log(handle, log)
	}
}

// p11mux_engine_warm makes room on the goroutine that runs the calling thread's calls: a signal handler of the host that
// is not installed with SA_ONSTACK runs on it. The room stays, as the runtime is built not to shrink stacks.
//
//export p11mux_engine_warm
func p11mux_engine_warm() { growStack(false) }

// growStack has a frame of 300 KiB, and touches none of it: what a stack has in use is copied when it grows. The compiler
// puts larger arrays than these on the heap.
//
//go:noinline
func growStack(use bool) byte {
	if use {
		var a, b, c [100 << 10]byte
		return last(&a, &b, &c)
	}
	return 0
}

//go:noinline
func last(a, b, c *[100 << 10]byte) byte { return a[len(a)-1] + b[len(b)-1] + c[len(c)-1] }

// array is lists for a C caller, who frees it.
func array(lists []unsafe.Pointer) *unsafe.Pointer {
	p := C.calloc(C.size_t(len(lists)+1), C.size_t(unsafe.Sizeof(unsafe.Pointer(nil))))
	if p == nil {
		return nil
	}
	copy(unsafe.Slice((*unsafe.Pointer)(p), len(lists)), lists)
	return (*unsafe.Pointer)(p)
}

//export p11mux_engine_modules_load
func p11mux_engine_modules_load(flags C.int, lists **unsafe.Pointer) (rv C.ulong) {
	defer contain(&rv)
	loaded, result := it.ModulesLoad(engine.Flags(flags))
	if result == ck.CKR_OK {
		*lists = array(loaded)
	}
	return C.ulong(result)
}

//export p11mux_engine_module_load
func p11mux_engine_module_load(path *C.char, flags C.int, list *unsafe.Pointer) (rv C.ulong) {
	defer contain(&rv)
	loaded, result := it.ModuleLoad(C.GoString(path), engine.Flags(flags))
	if result == ck.CKR_OK {
		*list = loaded
	}
	return C.ulong(result)
}

//export p11mux_engine_release
func p11mux_engine_release(handle *C.struct_p11_handle) {
	var rv C.ulong
	defer contain(&rv)
	it.Release(engine.Handle(handle))
}

//export p11mux_engine_release_raw
func p11mux_engine_release_raw(list unsafe.Pointer) {
	var rv C.ulong
	defer contain(&rv)
	it.ReleaseList(list)
}

//export p11mux_engine_sweep
func p11mux_engine_sweep() {
	var rv C.ulong
	defer contain(&rv)
	it.Sweep()
}

//export p11mux_engine_initialize
func p11mux_engine_initialize(handle *C.struct_p11_handle, args unsafe.Pointer) (rv C.ulong) {
	defer contain(&rv)
	if args == nil {
		return C.ulong(it.Initialize(engine.Handle(handle), nil))
	}
	a := (*C.struct_p11_init_args)(args)
	return C.ulong(it.Initialize(engine.Handle(handle), &ck.InitializeArgs{
		CreateMutex:  uintptr(a.functions[0]),
		DestroyMutex: uintptr(a.functions[1]),
		LockMutex:    uintptr(a.functions[2]),
		UnlockMutex:  uintptr(a.functions[3]),
		Flags:        ck.Flags(a.flags),
		Reserved:     uintptr(a.reserved),
	}))
}

//export p11mux_engine_finalize
func p11mux_engine_finalize(handle *C.struct_p11_handle) (rv C.ulong) {
	defer contain(&rv)
	return C.ulong(it.Finalize(engine.Handle(handle)))
}

//export p11mux_engine_open_session
func p11mux_engine_open_session(handle *C.struct_p11_handle, slot, flags C.ulong, application, notify unsafe.Pointer, session *C.ulong) (rv C.ulong) {
	defer contain(&rv)
	call := ck.OpenSessionCall{
		Slot:        ck.SlotID(slot),
		Flags:       ck.Flags(flags),
		Application: uintptr(application),
		Notify:      uintptr(notify),
	}
	result := it.OpenSession(engine.Handle(handle), &call)
	if result == ck.CKR_OK {
		*session = C.ulong(call.Session)
	}
	return C.ulong(result)
}

//export p11mux_engine_close_session
func p11mux_engine_close_session(handle *C.struct_p11_handle, session C.ulong) (rv C.ulong) {
	defer contain(&rv)
	return C.ulong(it.CloseSession(engine.Handle(handle), ck.SessionHandle(session)))
}

//export p11mux_engine_close_all_sessions
func p11mux_engine_close_all_sessions(handle *C.struct_p11_handle, slot C.ulong) (rv C.ulong) {
	defer contain(&rv)
	return C.ulong(it.CloseAllSessions(engine.Handle(handle), ck.SlotID(slot)))
}

//export p11mux_engine_initialize_registered
func p11mux_engine_initialize_registered() (rv C.ulong) {
	defer contain(&rv)
	return C.ulong(it.InitializeRegistered())
}

//export p11mux_engine_finalize_registered
func p11mux_engine_finalize_registered() (rv C.ulong) {
	defer contain(&rv)
	return C.ulong(it.FinalizeRegistered())
}

//export p11mux_engine_registered_modules
func p11mux_engine_registered_modules(lists **unsafe.Pointer) (rv C.ulong) {
	defer contain(&rv)
	registered, ok := it.RegisteredModules()
	if !ok {
		return C.ulong(ck.CKR_CRYPTOKI_NOT_INITIALIZED)
	}
	*lists = array(registered)
	return C.ulong(ck.CKR_OK)
}

//export p11mux_engine_registered_name
func p11mux_engine_registered_name(name *C.char, list *unsafe.Pointer) (rv C.ulong) {
	defer contain(&rv)
	*list = it.RegisteredName(C.GoString(name))
	return C.ulong(ck.CKR_OK)
}

//export p11mux_engine_initialize_module
func p11mux_engine_initialize_module(list unsafe.Pointer) (rv C.ulong) {
	defer contain(&rv)
	return C.ulong(it.InitializeModule(list))
}

//export p11mux_engine_finalize_module
func p11mux_engine_finalize_module(list unsafe.Pointer) (rv C.ulong) {
	defer contain(&rv)
	return C.ulong(it.FinalizeModule(list))
}

//export p11mux_engine_load_initialize_module
func p11mux_engine_load_initialize_module(path *C.char, list *unsafe.Pointer) (rv C.ulong) {
	defer contain(&rv)
	loaded, result := it.LoadInitializeModule(C.GoString(path))
	if result == ck.CKR_OK {
		*list = loaded
	}
	return C.ulong(result)
}
