package transport

import (
	"errors"
	"strconv"
	"strings"
	"syscall"
)

// variable is in the environment of programs that are run for a module: which commands have been run, the one within the other.
const variable = "P11MUX_REMOTE_INSIDE"

// errInside refuses a command that would run itself, for ever: it serves the modules of a configuration in which it is one.
var errInside = errors.New("this program is run by the same command, so it would run itself without end; " +
	"have it serve one module (--provider), or disable-in: p11-kit-remote")

// inside gives the variable for a command that is to be run, or refuses one that has led to this process.
func inside(argv []string) (string, error) {
	id := identify(argv)
	all, _ := syscall.Getenv(variable)
	for before := range strings.SplitSeq(all, ",") {
		if before == id {
			return "", errInside
		}
	}
	if all != "" {
		id = all + "," + id
	}
	return variable + "=" + id, nil
}

// identify gives a command a short name, its FNV-1a hash in hexadecimal. The package for that would be one more in every host.
func identify(argv []string) string {
	hash := uint64(0xcbf29ce484222325)
	for _, arg := range argv {
		for _, b := range append([]byte(arg), 0) {
			hash = (hash ^ uint64(b)) * 0x100000001b3
		}
	}
	return strconv.FormatUint(hash, 16)
}
