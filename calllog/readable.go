package calllog

import (
	"syscall"
	"unsafe"
)

// readable tells whether n octets at an address can be read. JSON shows what pointers within pointers lead to before the module has
// said whether they mean anything. The system call changes nothing: its first argument is wrong, which the kernel says only after it
// has read the set of signals.
func readable(addr uintptr, n uint64) bool {
	const page, wrong = 4096, 99
	if addr+uintptr(n) < addr {
		return false
	}
	for at := addr &^ 7; at < addr+uintptr(n); at = (at + page) &^ (page - 1) {
		_, _, errno := syscall.RawSyscall6(syscall.SYS_RT_SIGPROCMASK, wrong, at, 0, unsafe.Sizeof(uint64(0)), 0, 0)
		if errno != syscall.EINVAL {
			return false
		}
	}
	return true
}
