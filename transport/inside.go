package transport

import (
	"errors"
	"strconv"
	"strings"
	"syscall"
)

// variable is in the environment of programs that are run for a module, and of those that serve a socket: which commands have been run and
// which servers asked, the one within the other.
const variable = "P11MUX_REMOTE_INSIDE"

var (
	// errInside refuses a command that would run itself, for ever: it serves the modules of a configuration in which it is one.
	errInside = errors.New("this program is run by the same command, so it would run itself without end; " +
		"have it serve one module (--provider), or disable-in: p11-kit-remote")
	// errSelf is the same for a server.
	errSelf = errors.New("this program serves clients of the same server, so the server would be its own client without end; " +
		"have it serve one module (--provider), or disable-in: p11-kit-remote")
)

// Within gives the environment, NAME=VALUE each, of a process that does the work of a server which listens at these addresses, made of
// the environment of who starts it: in such a process, Dial does not connect to them. A Unix socket is told by its file, whose
// path may be written in many ways, so it has to be there. It may be called from any goroutine.
func Within(environment []string, addresses ...*Address) []string {
	all, rest := "", make([]string, 0, len(environment)+1)
	for _, v := range environment {
		if value, ok := strings.CutPrefix(v, variable+"="); ok {
			all = value
		} else {
			rest = append(rest, v)
		}
	}
	for _, a := range addresses {
		if id := a.identify(); id != "" {
			all = appended(all, id)
		}
	}
	return append(rest, variable+"="+all)
}

// inside gives the variable for a program that is to be asked, by a command or at a socket, or refuses one that has led to this process.
func inside(id string, refused error) (string, error) {
	all, _ := syscall.Getenv(variable)
	for before := range strings.SplitSeq(all, ",") {
		if before == id && id != "" {
			return "", refused
		}
	}
	return variable + "=" + appended(all, id), nil
}

// appended is a list with one more.
func appended(all, id string) string {
	if all == "" {
		return id
	}
	return all + "," + id
}

// identify gives an address a short name, which is empty for a socket that is not there.
func (a *Address) identify() string {
	switch {
	case a.argv != nil:
		return identify(a.argv)
	case a.vm != nil:
		return identify([]string{"vsock:", strconv.FormatUint(uint64(a.vm.cid), 10), strconv.FormatUint(uint64(a.vm.port), 10)})
	}
	var stat syscall.Stat_t
	if syscall.Stat(a.path, &stat) != nil {
		return ""
	}
	return identify([]string{"unix:", strconv.FormatUint(stat.Dev, 10), strconv.FormatUint(stat.Ino, 10)})
}

// identify gives words a short name, their FNV-1a hash in hexadecimal. The package for that would be one more in every host.
func identify(argv []string) string {
	hash := uint64(0xcbf29ce484222325)
	for _, arg := range argv {
		for _, b := range append([]byte(arg), 0) {
			hash = (hash ^ uint64(b)) * 0x100000001b3
		}
	}
	return strconv.FormatUint(hash, 16)
}
