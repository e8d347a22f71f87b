package conf

import (
	"strconv"
	"syscall"
)

// isNull reports whether st is that of /dev/null.
func isNull(st *syscall.Stat_t) bool {
	return st.Mode&syscall.S_IFMT == syscall.S_IFCHR && st.Rdev == 1<<8|3
}

// isSecure reports whether this process was started with AT_SECURE set.
func isSecure() bool {
	if syscall.Getuid() != syscall.Geteuid() || syscall.Getgid() != syscall.Getegid() {
		return true
	}
	auxv, err := readFile("/proc/self/auxv", maxFileSize)
	if err == nil {
		if secure, ok := auxvSecure(auxv, strconv.IntSize/8); ok {
			return secure
		}
	}
	if isDenied(err) {
		// In /proc, the files of a process that gained rights belong to root.
		return true
	}
	// No /proc, as in some chroots. The kernel clears the dumpable flag of a
	// process that gains rights.
	const prGetDumpable = 3
	dumpable, _, errno := syscall.RawSyscall(syscall.SYS_PRCTL, prGetDumpable, 0, 0)
	return errno != 0 || dumpable != 1
}

// auxvSecure looks for AT_SECURE in an auxiliary vector: pairs of a type and a
// value, each a machine word of the given number of octets, in the machine's
// byte order. It returns whether AT_SECURE is set, and whether it is there.
func auxvSecure(auxv string, word int) (secure, ok bool) {
	const atSecure = 23
	for ; len(auxv) >= 2*word; auxv = auxv[2*word:] {
		// A type is a small number, so one octet of it says enough, and at
		// which end that octet stands need not be known.
		sum := 0
		for i := range word {
			sum += int(auxv[i])
		}
		if sum != atSecure || auxv[0] != atSecure && auxv[word-1] != atSecure {
			continue
		}
		for i := word; i < 2*word; i++ {
			secure = secure || auxv[i] != 0
		}
		return secure, true
	}
	return false, false
}
