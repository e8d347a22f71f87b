//go:build cgo

package engine

import (
	"context"
	"sync"
	"testing"
	"unsafe"

	"github.com/p11mux/p11mux/ck"
	"github.com/p11mux/p11mux/conf"
	"github.com/p11mux/p11mux/internal/native"
	"github.com/p11mux/p11mux/managed"
	"github.com/p11mux/p11mux/module"
	"github.com/p11mux/p11mux/registry"
)

// Handles come and go.
func TestHandles(t *testing.T) {
	h, e := newHost(t)
	h.build("m")
	a, b := h.load(e, "m"), h.load(e, "m")
	h.has("load", "m", "m")
	h.gives("C_Finalize before all", e.Finalize(a), ck.CKR_CRYPTOKI_NOT_INITIALIZED)
	h.gives("C_Initialize", e.Initialize(a, nil), ck.CKR_OK)
	h.gives("C_Initialize again", e.Initialize(a, nil), ck.CKR_CRYPTOKI_ALREADY_INITIALIZED)
	h.gives("C_Initialize with bad arguments", e.Initialize(b, &ck.InitializeArgs{LockMutex: 1}), ck.CKR_ARGUMENTS_BAD)
	h.has("C_Initialize", "m", "m on")
	h.gives("C_Initialize of the other", e.Initialize(b, nil), ck.CKR_OK)
	h.counted("two C_Initialize", "m", 1, 0)
	h.gives("C_Finalize", e.Finalize(b), ck.CKR_OK)
	h.has("C_Finalize", "m", "m on")
	h.counted("one C_Finalize", "m", 1, 0)

	// A release finalizes for a caller that forgot to (abi.md 2.6, 11.2).
	h.release(e, a)
	h.has("release", "m")
	h.counted("release", "m", 1, 1)
	e.Sweep()
	h.loaded("Sweep with a handle left", "m")

	e.Release(a) // the slower of two threads
	e.Sweep()
	h.loaded("release twice", "m")
	h.gives("C_Initialize of the other", e.Initialize(b, nil), ck.CKR_OK)
	h.counted("C_Initialize of the other", "m", 2, 1)
	h.gives("C_Finalize of the other", e.Finalize(b), ck.CKR_OK)
	h.release(e, b)
	h.loaded("release of all", "m")
	e.Sweep()
	h.loaded("Sweep")
	h.tells("all", "")
}

// A handle that is released, or none of the engine's, is as good as one that is not initialized.
func TestUnknownHandle(t *testing.T) {
	h, e := newHost(t)
	h.build("m")
	released := h.load(e, "m")
	h.gives("C_Initialize", e.Initialize(released, nil), ck.CKR_OK)
	keep := h.load(e, "m")
	h.release(e, released)
	for _, of := range []Handle{released, Handle(new(handle)), nil} {
		h.gives("C_Initialize", e.Initialize(of, nil), ck.CKR_GENERAL_ERROR)
		h.gives("C_Finalize", e.Finalize(of), ck.CKR_CRYPTOKI_NOT_INITIALIZED)
		h.gives("C_OpenSession", e.OpenSession(of, &ck.OpenSessionCall{Flags: ck.CKF_SERIAL_SESSION}), ck.CKR_CRYPTOKI_NOT_INITIALIZED)
		h.gives("C_CloseSession", e.CloseSession(of, 1), ck.CKR_CRYPTOKI_NOT_INITIALIZED)
		h.gives("C_CloseAllSessions", e.CloseAllSessions(of, 1), ck.CKR_CRYPTOKI_NOT_INITIALIZED)
		e.Release(of)
	}
	e.Sweep()
	h.loaded("all", "m")
	h.release(e, keep)
	e.ReleaseList(nil)
	e.Sweep()
	h.loaded("Sweep")
	h.tells("all", "")
}

// Sessions reach the module, and what it refuses comes back.
func TestSessions(t *testing.T) {
	h, e := newHost(t)
	h.build("m") // without functions for sessions
	m := h.load(e, "m")
	open := &ck.OpenSessionCall{Flags: ck.CKF_SERIAL_SESSION}
	h.gives("C_OpenSession before all", e.OpenSession(m, open), ck.CKR_CRYPTOKI_NOT_INITIALIZED)
	h.gives("C_Initialize", e.Initialize(m, nil), ck.CKR_OK)
	h.gives("C_OpenSession", e.OpenSession(m, open), ck.CKR_FUNCTION_NOT_SUPPORTED)
	h.gives("C_CloseSession", e.CloseSession(m, 1), ck.CKR_FUNCTION_NOT_SUPPORTED)
	h.gives("C_CloseAllSessions", e.CloseAllSessions(m, 1), ck.CKR_OK)
	h.release(e, m)
}

// ModulesLoad gives managed and unmanaged lists in order.
func TestModulesLoad(t *testing.T) {
	h, e := newHost(t)
	h.build("a")
	h.build("b", "managed: no", "trust-policy: yes")
	h.build("c", "disable-in: prog")
	lists, rv := e.ModulesLoad(0)
	if rv != ck.CKR_OK || len(lists) != 2 || h.handles[Handle(lists[0])] != "a" || lists[1] != h.modules["b"].List() {
		t.Fatalf("got %v, %v", lists, rv)
	}
	raw, rv := e.ModulesLoad(Unmanaged)
	if rv != ck.CKR_OK || len(raw) != 2 || raw[0] != h.modules["a"].List() || raw[1] != lists[1] {
		t.Errorf("unmanaged: %v, %v", raw, rv)
	}
	trusted, rv := e.ModulesLoad(Trusted)
	if rv != ck.CKR_OK || len(trusted) != 1 || trusted[0] != lists[1] {
		t.Errorf("trusted: %v, %v", trusted, rv)
	}
	e.ReleaseList(trusted[0])
	if list, rv := e.ModuleLoad("a.so", Trusted); list != nil || rv != ck.CKR_GENERAL_ERROR {
		t.Errorf("one that is not trusted: %v, %v", list, rv)
	}
	h.tells("all", "DIR/a.so: the module is not configured with trust-policy")

	// Releases of a list, however many, do not take away what others have.
	for range 5 {
		e.ReleaseList(raw[0])
		e.ReleaseList(raw[1])
	}
	e.Sweep()
	h.loaded("too many releases", "a", "b")
	h.release(e, Handle(lists[0]))
	e.Sweep()
	h.loaded("Sweep")
	h.tells("all", "")
}

// A handle that is released from inside the module's own C_Initialize leaves the module loaded: its code is at work.
func TestReleaseFromInside(t *testing.T) {
	h, e := newHost(t)
	h.build("m")
	of := h.load(e, "m")
	v, _ := e.handles.Load(of)
	m := v.(*entry).module
	watcher := managed.New(module.Func(func(ctx context.Context, call ck.Call) error {
		if _, first := call.(*ck.InitializeCall); first {
			h.release(e, of)
			e.Sweep()
			h.loaded("release from inside", "m")
		}
		return nil
	}), managed.Options{})
	e.handles.Store(of, &entry{m, watcher.NewCaller(func(on bool) { h.SetState(of, on) })})
	h.gives("C_Initialize", e.Initialize(of, nil), ck.CKR_GENERAL_ERROR)
	h.tells("release from inside", "couldn't finalize module on release: CKR_FUNCTION_FAILED")
	h.has("release from inside")
	if n := watcher.Initialized(); n != 0 {
		t.Errorf("%d callers are initialized, and nobody can finalize them", n)
	}
}

// Where there is no room for all the handles there are none, and nothing stays behind.
func TestNoRoom(t *testing.T) {
	for _, managed := range []string{"yes", "no"} {
		h, e := newHost(t)
		h.build("a", "priority: 3")
		h.build("b", "priority: 2", "managed: "+managed)
		h.build("c", "priority: 1")
		h.build("d")
		for room := range 3 {
			h.room = room
			lists, rv := e.ModulesLoad(0)
			if lists != nil || rv != ck.CKR_HOST_MEMORY {
				t.Errorf("room for %d: got %v, %v", room, lists, rv)
			}
			h.has("no room")
			h.loaded("no room")
			h.tells("no room", "no room")
		}
		h.room = 0
		if list, rv := e.ModuleLoad("a.so", 0); list != nil || rv != ck.CKR_HOST_MEMORY {
			t.Errorf("one: got %v, %v", list, rv)
		}
		h.loaded("no room")
		h.room = 4
		if lists, rv := e.ModulesLoad(0); len(lists) != 4 || rv != ck.CKR_OK {
			t.Errorf("with room, got %v, %v", lists, rv)
		}
	}
}

// A module that cannot be loaded.
func TestLoadFails(t *testing.T) {
	h, e := newHost(t)
	h.build("ok")
	h.build("bad", "-DLIST_RV=CKR_DEVICE_ERROR")
	h.build("worse", "module: missing.so", "critical: yes")
	if list, rv := e.ModuleLoad("bad.so", 0); list != nil || rv != ck.CKR_DEVICE_ERROR {
		t.Errorf("got %v, %v", list, rv)
	}
	h.tells("ModuleLoad", "call to C_GetFunctionList failed in module: DIR/bad.so: described CKR_DEVICE_ERROR")
	if lists, rv := e.ModulesLoad(0); lists != nil || rv != ck.CKR_GENERAL_ERROR {
		t.Errorf("got %v, %v", lists, rv)
	}
	h.loaded("all")
	h.has("all")
}

// Handles that a process inherits over a fork work on the modules that it inherits, and are not initialized.
func TestAdopt(t *testing.T) {
	h, parent := newHost(t)
	h.build("m")
	handle := h.load(parent, "m")
	h.gives("C_Initialize in the parent", parent.Initialize(handle, nil), ck.CKR_OK)
	h.handles[handle] = "m" // the shim counts forks, and knows that it is not any more

	m := h.modules["m"]
	child := New(h, registry.New(registry.Hooks{}))
	child.AdoptHandle(handle, m.List()) // of a module that is not there: nothing to do
	h.gives("C_Initialize of a handle without module", child.Initialize(handle, nil), ck.CKR_GENERAL_ERROR)

	child.AdoptModule(native.Adopt(m.Path(), m.DL(), m.List(), m.Bytes()), &conf.Module{Name: "m"}, unsafe.Pointer(&record{"m"}))
	child.AdoptHandle(handle, m.List())
	h.gives("C_Finalize in the child", child.Finalize(handle), ck.CKR_CRYPTOKI_NOT_INITIALIZED)
	h.gives("C_Initialize in the child", child.Initialize(handle, nil), ck.CKR_OK)
	h.counted("both", "m", 2, 0)
	h.gives("C_Finalize in the child", child.Finalize(handle), ck.CKR_OK)
	h.counted("both", "m", 2, 1)
	child.Release(handle)
	child.Sweep()
	h.gives("C_Initialize of a released handle", child.Initialize(handle, nil), ck.CKR_GENERAL_ERROR)
	h.counted("the child's Sweep leaves it loaded", "m", 2, 1)
}

// The modules of p11-kit before 0.19.
func TestRegistered(t *testing.T) {
	h, e := newHost(t)
	h.build("a")
	h.build("b")
	h.gives("finalize before all", e.FinalizeRegistered(), ck.CKR_CRYPTOKI_NOT_INITIALIZED)
	if lists, ok := e.RegisteredModules(); lists != nil || ok {
		t.Errorf("before all there are %v", lists)
	}
	h.gives("initialize", e.InitializeRegistered(), ck.CKR_OK)
	a := h.modules["a"].List()
	if lists, ok := e.RegisteredModules(); !ok || len(lists) != 2 || lists[0] != a || e.RegisteredName("a") != a || e.RegisteredName("z") != nil {
		t.Errorf("registered are %v", lists)
	}
	h.gives("initialize one", e.InitializeModule(a), ck.CKR_OK)
	list, rv := e.LoadInitializeModule("a.so")
	if list != a || rv != ck.CKR_OK {
		t.Errorf("got %v, %v", list, rv)
	}
	h.counted("three times", "a", 1, 0)
	e.ReleaseList(a) // not a load's
	h.gives("finalize", e.FinalizeRegistered(), ck.CKR_OK)
	h.gives("finalize one", e.FinalizeModule(a), ck.CKR_OK)
	h.counted("twice", "a", 1, 0)
	h.loaded("twice", "a", "b")
	h.gives("finalize one", e.FinalizeModule(a), ck.CKR_OK)
	h.loaded("finalize of all")
	h.gives("finalize once more", e.FinalizeModule(a), ck.CKR_ARGUMENTS_BAD)
	h.tells("all", "")

	h.build("bad", "-DINIT_RV=CKR_DEVICE_ERROR")
	if list, rv := e.LoadInitializeModule("bad.so"); list != nil || rv != ck.CKR_DEVICE_ERROR {
		t.Errorf("got %v, %v", list, rv)
	}
	h.tells("one that fails", "module initialization failed: described CKR_DEVICE_ERROR")
	h.loaded("one that fails")
	if list, rv := e.LoadInitializeModule("missing.so"); list != nil || rv != ck.CKR_GENERAL_ERROR {
		t.Errorf("got %v, %v", list, rv)
	}
}

// Threads that load, use, release and sweep at once.
func TestConcurrent(t *testing.T) {
	h, e := newHost(t)
	h.room = 1 << 20
	h.build("a")
	h.build("b")
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 40 {
				lists, rv := e.ModulesLoad(0)
				if len(lists) != 2 || rv != ck.CKR_OK {
					t.Errorf("got %v, %v", lists, rv)
					return
				}
				for _, list := range lists {
					h.gives("C_Initialize", e.Initialize(Handle(list), nil), ck.CKR_OK)
				}
				h.gives("C_Finalize", e.Finalize(Handle(lists[0])), ck.CKR_OK)
				for _, list := range lists {
					h.release(e, Handle(list))
				}
				e.Sweep()
			}
		})
	}
	wg.Wait()
	e.Sweep()
	h.loaded("all")
	h.tells("all", "")
}
