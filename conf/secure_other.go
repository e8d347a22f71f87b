//go:build unix && !linux

package conf

import "syscall"

// isNull reports whether st is that of /dev/null.
func isNull(st *syscall.Stat_t) bool {
	var null syscall.Stat_t
	return st.Mode&syscall.S_IFMT == syscall.S_IFCHR && syscall.Stat("/dev/null", &null) == nil && st.Rdev == null.Rdev
}

// isSecure reports whether this process has other rights than its caller.
func isSecure() bool {
	return syscall.Getuid() != syscall.Geteuid() || syscall.Getgid() != syscall.Getegid()
}
