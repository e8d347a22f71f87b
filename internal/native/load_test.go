//go:build cgo

package native

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"unsafe"

	"github.com/p11mux/p11mux/ck"
	"github.com/p11mux/p11mux/internal/cabi"
)

// What cannot be loaded is told with its path and the reason, and wraps what a C caller should see.
func TestLoadError(t *testing.T) {
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	if err := os.WriteFile(in("text.so"), []byte("this is no library\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(in("fifo.so"), 0o644); err != nil {
		t.Fatal(err)
	}
	module, err := os.ReadFile(openTestModule(t).Path())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(in("short.so"), module[:len(module)/3], 0o644); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ path, text string }{
		{in("missing.so"), "couldn't load module: " + in("missing.so") + ": "},
		{in("text.so"), "couldn't load module: " + in("text.so") + ": "},
		{in("fifo.so"), "couldn't load module: " + in("fifo.so") + ": not a regular file"},
		{in("short.so"), "couldn't load module: " + in("short.so") + ": the file is cut short"},
		{dir, "couldn't load module: " + dir + ": not a regular file"},
		{"/dev/null", "couldn't load module: /dev/null: not a regular file"},
		{in(strings.Repeat("long", 60)), "couldn't load module: " + dir},
	} {
		m, err := Open(test.path)
		if m != nil || !errors.Is(err, ck.CKR_GENERAL_ERROR) || ck.RVOf(err) != ck.CKR_GENERAL_ERROR {
			t.Fatalf("%s: got %v, %v", test.path, m, err)
		}
		e, ok := errors.AsType[*LoadError](err)
		if !ok || e.Refused || e.Error() != e.Text || !strings.HasPrefix(e.Text, test.text) || len(e.Text) < len(test.text) {
			t.Errorf("%s: %q", test.path, err)
		}
	}

	e := &LoadError{RV: ck.CKR_DEVICE_ERROR, Text: "call to C_GetFunctionList failed in module: /m.so", Refused: true}
	if got, want := e.Error(), "call to C_GetFunctionList failed in module: /m.so: CKR_DEVICE_ERROR"; got != want || ck.RVOf(e) != ck.CKR_DEVICE_ERROR {
		t.Errorf("got %q, %v", got, ck.RVOf(e))
	}
}

// One file is one module, by whatever name; a copy is another.
func TestSame(t *testing.T) {
	a := openTestModule(t)
	dir := t.TempDir()
	link, copied := filepath.Join(dir, "link.so"), filepath.Join(dir, "copy.so")
	if err := os.Symlink(a.Path(), link); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(a.Path())
	if err == nil {
		err = os.WriteFile(copied, text, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	open := func(path string) *Module {
		m, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(m.Close)
		return m
	}
	other := open(copied)
	for _, test := range []struct {
		name string
		m    *Module
		want bool
	}{
		{"itself", a, true},
		{"the same path", open(a.Path()), true},
		{"a link", open(link), true},
		{"a copy", other, false},
		{"its list alone", Adopt("", nil, a.List(), a.Bytes()), true},
		{"the copy's list alone", Adopt("", nil, other.List(), other.Bytes()), false},
		{"the file with another list", Adopt("", a.DL(), other.List(), other.Bytes()), true},
	} {
		if a.Same(test.m) != test.want || test.m.Same(a) != test.want {
			t.Errorf("%s: the same is %v and %v, want %v", test.name, a.Same(test.m), test.m.Same(a), test.want)
		}
	}
	if x, y := Adopt("", nil, a.List(), 552), Adopt("", nil, other.List(), 552); x.Same(y) {
		t.Error("two modules without a file are the same")
	}
}

// A module that is closed twice is unloaded once: others who loaded it keep it.
func TestCloseTwice(t *testing.T) {
	a := openTestModule(t)
	b, err := Open(a.Path())
	if err != nil {
		t.Fatal(err)
	}
	b.Close()
	b.Close()
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(maps), a.Path()) {
		t.Fatal("it is unloaded")
	}
}

// callC calls a C function, by its address, with C addresses.
func callC(function uintptr, arg uintptr) ck.RV {
	w := cabi.Words{}
	w[0] = arg
	return ck.RV(invoke(at(function), &w))
}

// at is a C address as a pointer.
func at(address uintptr) unsafe.Pointer { return *(*unsafe.Pointer)(unsafe.Pointer(&address)) }

// The mutex functions that modules get (PKCS#11 3.2 §3.7).
func TestMutexes(t *testing.T) {
	runtime.LockOSThread() // whose the mutex is
	defer runtime.UnlockOSThread()
	args := InitializeArgs()
	if args.Flags != ck.CKF_OS_LOCKING_OK || args.Reserved != 0 {
		t.Errorf("flags %#x, reserved %#x", uint64(args.Flags), args.Reserved)
	}
	if rv := callC(args.CreateMutex, 0); rv != ck.CKR_ARGUMENTS_BAD {
		t.Errorf("creating without room for it gives %v", rv)
	}
	for name, function := range map[string]uintptr{"destroying": args.DestroyMutex, "locking": args.LockMutex, "unlocking": args.UnlockMutex} {
		if rv := callC(function, 0); rv != ck.CKR_MUTEX_BAD {
			t.Errorf("%s nothing gives %v", name, rv)
		}
	}
	room := ReservedString("room for a pointer")
	for range 3 {
		if rv := callC(args.CreateMutex, room); rv != ck.CKR_OK {
			t.Fatalf("creating gives %v", rv)
		}
		mutex := *(*uintptr)(at(room))
		for i, step := range []struct {
			name     string
			function uintptr
			want     ck.RV
		}{
			{"unlocking", args.UnlockMutex, ck.CKR_MUTEX_NOT_LOCKED},
			{"locking", args.LockMutex, ck.CKR_OK},
			{"locking", args.LockMutex, ck.CKR_MUTEX_BAD}, // would be for ever
			{"destroying", args.DestroyMutex, ck.CKR_MUTEX_BAD},
			{"unlocking", args.UnlockMutex, ck.CKR_OK},
			{"unlocking", args.UnlockMutex, ck.CKR_MUTEX_NOT_LOCKED},
			{"locking", args.LockMutex, ck.CKR_OK},
			{"unlocking", args.UnlockMutex, ck.CKR_OK},
		} {
			if rv := callC(step.function, mutex); rv != step.want {
				t.Errorf("step %d: %s gives %v, want %v", i, step.name, rv, step.want)
			}
		}
		exclude(t, args, mutex)
		if rv := callC(args.DestroyMutex, mutex); rv != ck.CKR_OK {
			t.Errorf("destroying gives %v", rv)
		}
	}
}

// exclude checks that a mutex lets one thread in at a time.
func exclude(t *testing.T, args ck.InitializeArgs, mutex uintptr) {
	t.Helper()
	var inside, visits atomic.Int64
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			for range 200 {
				if rv := callC(args.LockMutex, mutex); rv != ck.CKR_OK {
					t.Errorf("locking gives %v", rv)
					return
				}
				if n := inside.Add(1); n != 1 {
					t.Errorf("%d threads have the mutex", n)
				}
				visits.Add(1)
				runtime.Gosched()
				inside.Add(-1)
				if rv := callC(args.UnlockMutex, mutex); rv != ck.CKR_OK {
					t.Errorf("unlocking gives %v", rv)
				}
			}
		})
	}
	wg.Wait()
	if n := visits.Load(); n != 800 {
		t.Errorf("there were %d visits, want 800", n)
	}
}
