package sandbox

import (
	"errors"
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// What the versions of Landlock know, by bits (landlock(7)).
const (
	fsV1 = 1<<13 - 1 // up to LANDLOCK_ACCESS_FS_MAKE_SYM
	fsV2 = fsV1 | unix.LANDLOCK_ACCESS_FS_REFER
	fsV3 = fsV2 | unix.LANDLOCK_ACCESS_FS_TRUNCATE
	fsV5 = fsV3 | unix.LANDLOCK_ACCESS_FS_IOCTL_DEV

	reading = unix.LANDLOCK_ACCESS_FS_EXECUTE | unix.LANDLOCK_ACCESS_FS_READ_FILE | unix.LANDLOCK_ACCESS_FS_READ_DIR
	devices = unix.LANDLOCK_ACCESS_FS_MAKE_CHAR | unix.LANDLOCK_ACCESS_FS_MAKE_BLOCK
	// ofFiles are the rights that a rule for a file can have.
	ofFiles = unix.LANDLOCK_ACCESS_FS_EXECUTE | unix.LANDLOCK_ACCESS_FS_READ_FILE | unix.LANDLOCK_ACCESS_FS_WRITE_FILE |
		unix.LANDLOCK_ACCESS_FS_TRUNCATE | unix.LANDLOCK_ACCESS_FS_IOCTL_DEV

	netTCP      = unix.LANDLOCK_ACCESS_NET_BIND_TCP | unix.LANDLOCK_ACCESS_NET_CONNECT_TCP
	scopeSignal = unix.LANDLOCK_SCOPE_SIGNAL
)

// Version is the version of Landlock that the kernel has, 0 if none.
func Version() int {
	v, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	if errno != 0 {
		return 0
	}
	return int(v)
}

// attr is struct landlock_ruleset_attr, which a kernel knows a beginning of.
type attr struct{ fs, net, scoped uint64 }

// attrFor is what can be handled by a version, and how much of it is told to the kernel.
func attrFor(version int, r Rules) (a attr, octets uintptr) {
	switch {
	case version >= 5:
		a.fs = fsV5
	case version >= 3:
		a.fs = fsV3
	case version == 2:
		a.fs = fsV2
	default:
		a.fs = fsV1
	}
	octets = unsafe.Offsetof(a.net)
	if version >= 4 {
		octets = unsafe.Offsetof(a.scoped)
		if !r.Network {
			a.net = netTCP
		}
	}
	if version >= 6 {
		octets = unsafe.Sizeof(a)
		a.scoped = scopeSignal
	}
	return a, octets
}

// Variable is the environment variable that names the descriptor of the rules that a process is to begin with. A program that has this
// package in it enters a Landlock domain before anything of Go runs, and removes the variable: where it is still there the process is not confined.
const Variable = "P11MUX_SANDBOX"

// Open makes rules to be inherited by processes that are to be confined, with all that they start. Each enters a domain of its own, so it can
// trace and signal no other one either. ErrUnsupported says that the kernel cannot do it. A kernel that knows some of what rules say does that.
// The file is the caller's.
func Open(r Rules) (*os.File, error) {
	version := Version()
	if version == 0 {
		return nil, ErrUnsupported
	}
	a, octets := attrFor(version, r)
	fd, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, uintptr(unsafe.Pointer(&a)), octets, 0)
	if errno != 0 {
		return nil, fmt.Errorf("couldn't make a sandbox: %w", errno)
	}
	f := os.NewFile(fd, "sandbox")
	for _, path := range r.Read {
		if err := allow(int(fd), path, a.fs&(reading|unix.LANDLOCK_ACCESS_FS_IOCTL_DEV)); err != nil {
			return nil, errors.Join(err, f.Close())
		}
	}
	for _, path := range r.Write {
		if err := allow(int(fd), path, a.fs&^devices); err != nil {
			return nil, errors.Join(err, f.Close())
		}
	}
	return f, nil
}

// allow adds a rule. A path that is not there is left out.
func allow(ruleset int, path string, access uint64) error {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if missing(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	defer unix.Close(fd)
	var stat unix.Stat_t
	if err := unix.Fstat(fd, &stat); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if stat.Mode&unix.S_IFMT != unix.S_IFDIR {
		access &= ofFiles
	}
	rule := unix.LandlockPathBeneathAttr{Allowed_access: access, Parent_fd: int32(fd)}
	if _, _, errno := unix.Syscall6(unix.SYS_LANDLOCK_ADD_RULE, uintptr(ruleset), unix.LANDLOCK_RULE_PATH_BENEATH,
		uintptr(unsafe.Pointer(&rule)), 0, 0, 0); errno != 0 {
		return fmt.Errorf("%s cannot be allowed in a sandbox: %w", path, errno)
	}
	return nil
}
