package sandbox

import (
	"cmp"
	"fmt"
	"os"
	"runtime"
	"syscall"
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

// Open makes a ruleset of the rules, for [Exec] in this process or in another one that is given the file. ErrUnsupported says that the kernel
// cannot do it; one that knows some of what rules say does that.
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
	ruleset := os.NewFile(fd, "ruleset")
	var err error
	for _, path := range r.Read {
		err = cmp.Or(err, allow(int(fd), path, a.fs&(reading|unix.LANDLOCK_ACCESS_FS_IOCTL_DEV)))
	}
	for _, path := range r.Write {
		err = cmp.Or(err, allow(int(fd), path, a.fs&^devices))
	}
	if err != nil {
		_ = ruleset.Close() // nobody has it
		return nil, err
	}
	return ruleset, nil
}

// Exec executes a program in place of the process, confined by a ruleset, which is closed. The program and all that it starts are in a domain
// of their own, and can trace and signal nobody outside of it. It returns only with an error; the calling goroutine must end then, since its
// thread may be confined. (That a process begins anew is how all of its threads are confined, whoever started them. To confine a thread of
// another process before it starts this one would cost that process the thread, which it may not get again.)
func Exec(ruleset int, file string, args, env []string) error {
	runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("couldn't give up new privileges: %w", err)
	}
	if _, _, errno := unix.Syscall(unix.SYS_LANDLOCK_RESTRICT_SELF, uintptr(ruleset), 0, 0); errno != 0 {
		return fmt.Errorf("couldn't enter the sandbox: %w", errno)
	}
	unix.CloseOnExec(ruleset)
	return fmt.Errorf("couldn't begin anew in the sandbox: %w", syscall.Exec(file, args, env))
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
