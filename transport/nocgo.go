//go:build !cgo

package transport

import "errors"

// spawn refuses: a program is started by C code, which does not disturb the host.
func spawn(argv []string, variable string, socket int) (process int, err error) {
	return -1, errors.New("built without cgo: build with CGO_ENABLED=1 and a C compiler")
}
