package cabi

import (
	"syscall"
	"testing"
	"unsafe"
)

// cMemory is an allocator of memory that is not Go's. It counts what is out.
type cMemory struct{ out map[unsafe.Pointer][]byte }

func (m *cMemory) alloc(n uintptr) unsafe.Pointer {
	b, err := syscall.Mmap(-1, 0, int(n), syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		return nil
	}
	p := unsafe.Pointer(&b[0])
	m.out[p] = b
	return p
}

func (m *cMemory) free(p unsafe.Pointer) {
	b, ok := m.out[p]
	if !ok {
		panic("freed what was not given")
	}
	delete(m.out, p)
	if err := syscall.Munmap(b); err != nil {
		panic(err)
	}
}

func newTestArena(t testing.TB) *Arena {
	m := &cMemory{out: map[unsafe.Pointer][]byte{}}
	a := NewArena(m.alloc, m.free)
	t.Cleanup(func() {
		a.Close()
		if len(m.out) != 0 {
			t.Errorf("%d blocks of memory were not freed", len(m.out))
		}
	})
	return a
}

func TestArenaWipes(t *testing.T) {
	a := newTestArena(t)
	small := a.bytes([]byte("1234"))
	c := octets(small, 4)
	if string(c) != "1234" {
		t.Fatalf("got %q", c)
	}
	big := a.bytes(make([]byte, 3*chunkSize))
	if big == 0 || len(a.large) != 1 {
		t.Fatal("a long buffer is not on its own")
	}
	a.Reset()
	if string(c) != "\x00\x00\x00\x00" {
		t.Errorf("after the call the memory holds %q", c)
	}
	if len(a.large) != 0 {
		t.Error("a long buffer is kept")
	}
	if again := a.bytes([]byte("x")); again != small {
		t.Error("the memory is not used again")
	}
	a.Reset()
}

func TestArenaAlignment(t *testing.T) {
	a := newTestArena(t)
	for n := range 100 {
		if p := uintptr(a.get(uintptr(n))); p%alignment != 0 {
			t.Fatalf("%d octets lie at %#x", n, p)
		}
	}
}

func TestArenaExhausted(t *testing.T) {
	a := NewArena(func(uintptr) unsafe.Pointer { return nil }, func(unsafe.Pointer) {})
	for _, call := range sampleCalls(t) {
		var w Words
		err := a.Encode(call, &w)
		if needsMemory(call) && err != errMemory {
			t.Errorf("%v without memory: %v", call.Func(), err)
		}
		a.Reset()
	}
	b := newTestArena(t)
	if b.get(maxOctets+1) != nil || b.err != errMemory {
		t.Error("gave what no memory has")
	}
}

func TestArenaAbandon(t *testing.T) {
	m := &cMemory{out: map[unsafe.Pointer][]byte{}}
	a := NewArena(m.alloc, m.free)
	c := octets(a.bytes([]byte("kept")), 4)
	a.Abandon()
	a.Close()
	if string(c) != "kept" || len(m.out) != 1 {
		t.Error("abandoned memory was taken back")
	}
	for p := range m.out {
		m.free(p)
	}
}
