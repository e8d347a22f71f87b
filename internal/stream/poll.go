package stream

import (
	"syscall"
	"time"
	"unsafe"
)

// Events of poll(2).
const (
	pollIn  = 1
	pollOut = 4
)

// forever is a time that is never over.
const forever time.Duration = -1

// poll waits until a descriptor is ready for one of the events or has come to its end. It is false when the time is over.
func poll(fd int, events int16, timeout time.Duration) (bool, error) {
	deadline := time.Now().Add(timeout)
	for {
		p := struct {
			fd              int32
			events, revents int16
		}{fd: int32(fd), events: events}
		var t syscall.Timespec
		var limit *syscall.Timespec
		if timeout >= 0 {
			t = syscall.NsecToTimespec(int64(max(time.Until(deadline), 0)))
			limit = &t
		}
		n, _, errno := syscall.Syscall6(syscall.SYS_PPOLL, uintptr(unsafe.Pointer(&p)), 1, uintptr(unsafe.Pointer(limit)), 0, 0, 0)
		switch errno {
		case 0:
			return n > 0, nil
		case syscall.EINTR:
		default:
			return false, errno
		}
	}
}
