package cabi

import (
	"runtime"
	"unsafe"

	"github.com/p11mux/p11mux/ck"
)

// Flat gives the parameter of a mechanism as the memory that C has for it. It is for what carries parameters out of this
// process: false for a parameter that has addresses in it, and for plain memory where the mechanism's parameter is known to
// have some. Whether memory for a mechanism that nothing is known of has addresses in it cannot be told; it is given as it
// is. No parameter gives nil.
func Flat(t ck.MechanismType, p ck.MechanismParam) (memory ck.RawParam, ok bool) {
	switch p := p.(type) {
	case nil:
		return nil, true
	case ck.RawParam:
		return p, len(p) == 0 || !hasAddresses(t)
	}
	if !isFlat(p) {
		return nil, false
	}
	a := NewArena(goMemory, func(unsafe.Pointer) {})
	if addr, n := a.param(p); a.err == nil && addr != 0 {
		memory = append(ck.RawParam{}, octets(addr, int(n))...)
	}
	a.Reset()
	runtime.KeepAlive(a)
	return memory, true
}

// Structured is the way back: the parameter that memory is, a structure where the mechanism takes one of that size. It is
// false where the memory would have addresses in it, which are not those of this process. What it gives shares no memory
// with what it got.
func Structured(t ck.MechanismType, memory ck.RawParam) (p ck.MechanismParam, ok bool) {
	if len(memory) == 0 {
		return nil, true
	}
	if hasAddresses(t) {
		return nil, false
	}
	c := unsafe.Slice((*byte)(goMemory(uintptr(len(memory)))), len(memory))
	copy(c, memory)
	var d decoder
	if p := d.layout(t, addrOf(&c[0]), uintptr(len(c))); p != nil {
		return p, true
	}
	return ck.RawParam(c), true
}

// goMemory gives zeroed memory that is aligned for everything.
func goMemory(n uintptr) unsafe.Pointer {
	return unsafe.Pointer(unsafe.SliceData(make([][2]uint64, (n+alignment-1)/alignment)))
}
