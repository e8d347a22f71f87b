package cabi

import (
	"unsafe"
)

// Words are the arguments of a C function as they lie in registers and on the stack. No function has more.
type Words [10]uintptr

// maxOctets is the longest buffer that can be meant: more does not fit into the address space of a process.
const maxOctets = 1 << 46

// A uword is a CK_ULONG or a pointer; all types of package ck for them have its layout.
type uword interface{ ~uint64 | ~uintptr }

// at gives the C memory at an address.
func at[T any](addr uintptr) *T {
	// The address is C memory, which does not move; the detour says so to the compiler's checks.
	return (*T)(*(*unsafe.Pointer)(unsafe.Pointer(&addr)))
}

// addrOf gives the address of C memory.
func addrOf[T any](p *T) uintptr { return uintptr(unsafe.Pointer(p)) }

// flag gives a CK_BBOOL.
func flag(b bool) byte {
	if b {
		return 1
	}
	return 0
}

// octets gives C memory as a slice.
func octets(addr uintptr, n int) []byte { return unsafe.Slice(at[byte](addr), n) }

// copyBack copies C memory into a buffer where the two differ. What is equal is not written: C callers may have put input
// into memory that cannot be written.
func copyBack(b []byte, addr uintptr) {
	if addr == 0 || len(b) == 0 {
		return
	}
	if c := octets(addr, len(b)); string(c) != string(b) {
		copy(b, c)
	}
}

// terminated gives the length of NUL-terminated text, -1 where no end is found within reason.
func terminated(addr uintptr) int {
	const limit = 1 << 20
	for n := range limit {
		if *at[byte](addr + uintptr(n)) == 0 {
			return n
		}
	}
	return -1
}

// sizeOf gives the size of what v is.
func sizeOf[T any](v T) uintptr { return unsafe.Sizeof(v) }

// attributeSize is the size of a CK_ATTRIBUTE.
const attributeSize = uint64(unsafe.Sizeof(cAttribute{}))

// Ulong gives the CK_ULONG that 8 octets of memory are.
func Ulong(memory []byte) (v uint64) {
	copy((*[8]byte)(unsafe.Pointer(&v))[:], memory[:8])
	return v
}

// PutUlong puts a CK_ULONG into 8 octets of memory.
func PutUlong(memory []byte, v uint64) { copy(memory[:8], (*[8]byte)(unsafe.Pointer(&v))[:]) }

// Text gives the NUL-terminated text at an address of C memory, which must be readable. It is false for NULL, and where no end is
// found within a megabyte.
func Text(addr uintptr) (string, bool) {
	if addr == 0 {
		return "", false
	}
	n := terminated(addr)
	if n < 0 {
		return "", false
	}
	return string(octets(addr, n)), true
}
