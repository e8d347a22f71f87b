package sandbox

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Rules are what a confined program may do. Nothing of it gives rights that the user does not have.
type Rules struct {
	// Read are files and directories that may be read, and programs and libraries there executed, with all that is below them.
	Read []string
	// Write are files and directories where moreover everything may be written, made and removed, but no device nodes.
	Write []string
	// Network is whether TCP may be used. Without it no port can be bound and none be connected to. Other protocols, and sockets
	// with a path, are not for Landlock to forbid.
	Network bool
}

// programDirs are where a system has its programs, which nothing but the package manager writes to.
var programDirs = []string{"/usr", "/boot", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"}

// Harmless are rules that break no module: everything can be used as before, but nothing is written where the system has its
// programs, and no device nodes are made.
func Harmless() Rules {
	r := Rules{Read: []string{"/"}, Network: true}
	entries, err := os.ReadDir("/")
	if err != nil {
		entries = nil // then there is nothing to write to either
	}
	for _, e := range entries {
		path, err := filepath.EvalSymlinks("/" + e.Name())
		if err != nil || slices.ContainsFunc(programDirs, func(dir string) bool { return within(path, dir) }) {
			continue
		}
		r.Write = append(r.Write, path)
	}
	return r
}

// within tells whether a path is a directory or below it.
func within(path, dir string) bool { return path == dir || strings.HasPrefix(path, dir+"/") }

// base is what a program needs to start, and what libraries expect of each system.
var base = Rules{
	Read: []string{
		"/usr", "/bin", "/sbin", "/lib", "/lib64", "/lib32", "/etc", "/proc", "/sys/devices/system/cpu", "/dev/urandom", "/dev/random",
	},
	Write: []string{"/dev/null", "/dev/zero", "/dev/full", "/dev/tty"},
}

// Named are rules by which only the given paths can be used, beside what every program needs: the system's programs, libraries and
// settings, random numbers, and /proc.
func Named(read, write []string, network bool) Rules {
	return Rules{Read: slices.Concat(base.Read, read), Write: slices.Concat(base.Write, write), Network: network}
}

// ErrUnsupported is for a kernel without Landlock, or one that has it turned off.
var ErrUnsupported = errors.New("this kernel has no Landlock")

// missing tells whether a path is not there to be used: then a program does without it.
func missing(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission)
}
