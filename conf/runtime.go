package conf

import "strconv"

// Variable returns an environment variable, "" where it is not set or, because the process runs with more rights than its caller
// has, must not be used.
func (e Env) Variable(name string) string {
	value, _ := e.getenv(name)
	return value
}

// RuntimeDir returns the directory under which a user's servers have their sockets (abi.md 7.8), and whether there is one. It looks
// at the file system.
func (e Env) RuntimeDir() (dir string, ok bool) {
	if dir := e.Variable("XDG_RUNTIME_DIR"); dir != "" {
		return dir, true
	}
	for _, dir := range []string{"/run/user/", "/var/run/user/"} {
		if dir += strconv.Itoa(e.UID); isDir(dir) {
			return dir, true
		}
	}
	if dir := e.Variable("XDG_CACHE_HOME"); dir != "" {
		return dir, true
	}
	if e.HomeOf == nil {
		return "", false
	}
	home, ok := e.HomeOf(e.UID)
	return home + "/.cache", ok
}
