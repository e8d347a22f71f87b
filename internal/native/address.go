package native

import (
	"syscall"
	"unsafe"
)

// IsAddress tells whether a number is the address of memory in this process.
func IsAddress(number uint64) bool {
	page := uint64(syscall.Getpagesize())
	if number < page {
		return false
	}
	var resident [1]byte
	_, _, errno := syscall.RawSyscall(syscall.SYS_MINCORE, uintptr(number&^(page-1)), 1, uintptr(unsafe.Pointer(&resident)))
	return errno == 0
}
