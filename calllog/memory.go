package calllog

import (
	"unsafe"

	"github.com/p11mux/p11mux/ck"
)

// at gives the memory at an address, which is C memory or that of an arena.
func at[T any](addr uintptr) *T {
	// The address is memory that does not move; the detour says so to the compiler's checks.
	return (*T)(*(*unsafe.Pointer)(unsafe.Pointer(&addr)))
}

// octets gives memory as a slice.
func octets(addr uintptr, n int) []byte { return unsafe.Slice(at[byte](addr), n) }

// wordAt gives the number at an address.
func wordAt(addr uintptr) uint64 { return *at[uint64](addr) }

// unavailable is a length that says there is none, and also what many negative numbers become.
const unavailable = ck.CK_UNAVAILABLE_INFORMATION

// The parts of C structures that are looked at; internal/native asserts their layout in C.
type (
	cAttribute struct {
		typ    uint64
		value  uintptr
		length uint64
	}
	cMechanism struct {
		typ    uint64
		param  uintptr
		length uint64
	}
	cInitArgs struct {
		functions [4]uintptr
		flags     uint64
		reserved  uintptr
	}
	cInterface struct {
		name, list uintptr
		flags      uint64
	}
	cInfo struct {
		cryptoki     ck.Version
		manufacturer [32]byte
		flags        uint64
		description  [32]byte
		library      ck.Version
	}
	cSlotInfo struct {
		description        [64]byte
		manufacturer       [32]byte
		flags              uint64
		hardware, firmware ck.Version
	}
	cTokenInfo struct {
		label, manufacturer       [32]byte
		model, serial             [16]byte
		flags                     uint64
		maxSessions, sessions     uint64
		maxRWSessions, rwSessions uint64
		maxPIN, minPIN            uint64
		totalPublic, freePublic   uint64
		totalPrivate, freePrivate uint64
		hardware, firmware        ck.Version
		utcTime                   [16]byte
	}
	cSessionInfo struct {
		slot, state, flags, deviceError uint64
	}
	cMechanismInfo struct {
		minKey, maxKey, flags uint64
	}
	cAsyncData struct {
		version            uint64
		value              uintptr
		length             uint64
		object, additional uint64
	}
)

const attributeSize = uint64(unsafe.Sizeof(cAttribute{}))

// The layouts are those that the mirrors of package cabi have.
const (
	_ uintptr = -(unsafe.Sizeof(cInitArgs{}) ^ 48)
	_ uintptr = -(unsafe.Sizeof(cInterface{}) ^ 24)
	_ uintptr = -(unsafe.Sizeof(cInfo{}) ^ 88)
	_ uintptr = -(unsafe.Sizeof(cSlotInfo{}) ^ 112)
	_ uintptr = -(unsafe.Sizeof(cTokenInfo{}) ^ 208)
	_ uintptr = -(unsafe.Sizeof(cAsyncData{}) ^ 40)
)

func templateAt(addr uintptr, n uint64) []cAttribute {
	return unsafe.Slice(at[cAttribute](addr), int(n))
}

// wordsAt gives an array of numbers.
func wordsAt(addr uintptr, n uint64) []uint64 { return unsafe.Slice(at[uint64](addr), int(n)) }

// terminated gives the length of NUL-terminated text, or limit where no end is found before.
func terminated(addr uintptr, limit int) int {
	for n := range limit {
		if *at[byte](addr + uintptr(n)) == 0 {
			return n
		}
	}
	return limit
}

// addressOf gives the address of memory.
func addressOf[T any](p *T) uintptr { return uintptr(unsafe.Pointer(p)) }
