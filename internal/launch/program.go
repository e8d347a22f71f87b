package launch

import (
	"debug/elf"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"syscall"
)

// ErrSetuid means that a program runs with more rights than its caller has. Neither the environment nor the user's configuration
// counts in it then, by the rules of the linker and of the library.
var ErrSetuid = errors.New("it runs with more rights than you have (setuid, setgid or capabilities), so it cannot be traced")

// Find finds a program as a shell does, and says whether it can be traced.
func Find(name string) (path string, err error) {
	path, err = exec.LookPath(name)
	if err != nil {
		return "", err
	}
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	if privileged(path, info) {
		return "", ErrSetuid
	}
	return path, nil
}

// privileged tells whether the kernel gives a program rights that we do not have.
func privileged(path string, info fs.FileInfo) bool {
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		if info.Mode()&fs.ModeSetuid != 0 && int(s.Uid) != os.Getuid() {
			return true
		}
		if info.Mode()&fs.ModeSetgid != 0 && int(s.Gid) != os.Getgid() {
			return true
		}
	}
	// The superuser has them already.
	if os.Getuid() == 0 {
		return false
	}
	n, err := syscall.Getxattr(path, "security.capability", nil)
	return err == nil && n > 0
}

// IsStatic tells whether a program loads no libraries, so that it has no PKCS#11 modules either. What is no program of this system,
// such as a script, is not static.
func IsStatic(path string) bool {
	f, err := elf.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			return false
		}
	}
	return true
}
