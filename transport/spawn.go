package transport

// #cgo CFLAGS: -std=gnu11 -Wall -Wextra -Werror
// #include "spawn.h"
import "C"

import (
	"runtime"
	"syscall"
	"unsafe"
)

// spawn starts a program on a socket, which stays the caller's to close, with a variable in its environment, NAME=VALUE. process is a descriptor of the process, -1 if there is none.
func spawn(argv []string, variable string, socket int) (process int, err error) {
	var pins runtime.Pinner
	defer pins.Unpin()
	text := func(s string) *C.char {
		b := append([]byte(s), 0)
		pins.Pin(&b[0])
		return (*C.char)(unsafe.Pointer(&b[0]))
	}
	words := make([]*C.char, len(argv)+1)
	for i, arg := range argv {
		words[i] = text(arg)
	}
	fd := C.int(-1)
	if errno := C.p11_transport_spawn(&words[0], text(variable), C.int(socket), &fd); errno != 0 {
		return -1, syscall.Errno(errno)
	}
	return int(fd), nil
}
