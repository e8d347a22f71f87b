package conf

import (
	"strconv"
	"strings"
	"syscall"
)

// Env is what the configuration depends on besides the files: everything that
// is read from the process. A caller that has better means than Go's, such as
// the C library's environment, fills it in itself.
type Env struct {
	// Getenv returns an environment variable and whether it is set. Nil means
	// that none is. It is not called when Secure is set.
	Getenv func(name string) (value string, ok bool)

	// Secure says that the process runs with more rights than its caller has
	// (AT_SECURE: set-user-id, set-group-id, capabilities). The environment
	// and the user's configuration are then not used.
	Secure bool

	// UID is the real user id. For 0 the user's configuration is not used.
	UID int

	// HomeOf returns a user's home directory and whether there is one. It is
	// asked when HOME is unset or empty. Nil means that no user has one.
	HomeOf func(uid int) (dir string, ok bool)
}

// ProcessEnv returns the Env of this process, by means of Go's copy of the
// environment and, for home directories, /etc/passwd.
func ProcessEnv() Env {
	return Env{Getenv: syscall.Getenv, Secure: isSecure(), UID: syscall.Getuid(), HomeOf: HomeOf}
}

// getenv is secure_getenv.
func (e Env) getenv(name string) (string, bool) {
	if e.Secure || e.Getenv == nil {
		return "", false
	}
	return e.Getenv(name)
}

// expand replaces a leading "~" by the user's home directory, and a leading
// "~/.config" by XDG_CONFIG_HOME if that is set (abi.md 3.3). It returns
// false if the user has no home directory.
func (e Env) expand(path string) (string, bool) {
	rest, ok := strings.CutPrefix(path, "~")
	if !ok || rest != "" && rest[0] != '/' {
		return path, true
	}
	if below, ok := strings.CutPrefix(rest, "/.config"); ok && (below == "" || below[0] == '/') {
		if dir, _ := e.getenv("XDG_CONFIG_HOME"); dir != "" {
			return dir + below, true
		}
	}
	dir, _ := e.getenv("HOME")
	if dir == "" && e.HomeOf != nil {
		if home, ok := e.HomeOf(e.UID); ok {
			dir = home
		}
	}
	if dir == "" {
		return "", false
	}
	return dir + rest, true
}

// maxPasswd bounds the part of the host's memory that HomeOf takes for a
// moment; no local user database comes near it.
const maxPasswd = 16 << 20

// HomeOf returns the home directory that /etc/passwd gives for a user id, and
// whether it gives one. Other user databases (LDAP, systemd) are not asked.
func HomeOf(uid int) (dir string, ok bool) { return homeIn("/etc/passwd", uid) }

// homeIn is HomeOf for the given file in the format of passwd(5).
func homeIn(path string, uid int) (string, bool) {
	text, err := readFile(path, maxPasswd)
	if err != nil {
		return "", false
	}
	for line := range strings.Lines(text) {
		_, line, _ = strings.Cut(line, ":") // name
		_, line, _ = strings.Cut(line, ":") // password
		id, line, _ := strings.Cut(line, ":")
		if n, err := strconv.ParseUint(id, 10, 32); err != nil || int(n) != uid {
			continue
		}
		_, line, _ = strings.Cut(line, ":") // group
		_, line, _ = strings.Cut(line, ":") // full name
		if dir, _, ok := strings.Cut(line, ":"); ok {
			return dir, dir != ""
		}
	}
	return "", false
}
