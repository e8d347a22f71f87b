package native

import (
	"testing"
	"unsafe"
)

// Memory of the process has addresses, and small numbers, errors and what the kernel keeps for itself are none.
func TestIsAddress(t *testing.T) {
	here := new(uint64)
	for number, want := range map[uint64]bool{
		uint64(uintptr(unsafe.Pointer(here))): true, uint64(uintptr(unsafe.Pointer(here))) + 1: true,
		0: false, 1: false, 32: false, 4095: false, 1<<64 - 1: false, 1 << 63: false, 1 << 47: false,
	} {
		if got := IsAddress(number); got != want {
			t.Errorf("%#x: %v, want %v", number, got, want)
		}
	}
}
