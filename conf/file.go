package conf

import (
	"strconv"
	"syscall"
)

// A reason is why a file that the system would let us read is not read.
type reason string

func (r reason) Error() string { return string(r) }

// isMissing reports whether err means that a file or directory is not there.
func isMissing(err error) bool { return err == syscall.ENOENT || err == syscall.ENOTDIR }

// isDenied reports whether err means that the caller may not read a file.
func isDenied(err error) bool { return err == syscall.EACCES || err == syscall.EPERM }

// retry repeats a system call that a signal interrupted: the handlers in the
// host process need not have been installed with SA_RESTART.
func retry(call func() error) error {
	for {
		if err := call(); err != syscall.EINTR {
			return err
		}
	}
}

// readFile returns the content of a regular file of at most limit octets.
// Anything else gives an error: opening a pipe or a device may block or set
// something off, so those are found by stat and not opened. /dev/null, the
// customary stand-in for no configuration, counts as an empty file.
func readFile(path string, limit int64) (string, error) {
	var st syscall.Stat_t
	if err := retry(func() error { return syscall.Stat(path, &st) }); err != nil {
		if isMissing(err) && isSymlink(path) {
			return "", reason("dangling symbolic link")
		}
		return "", err
	}
	if isNull(&st) {
		return "", nil
	}
	if err := checkFile(&st, limit); err != nil {
		return "", err
	}
	var fd int
	err := retry(func() (err error) {
		// O_NONBLOCK is for a pipe that took the file's place since.
		fd, err = syscall.Open(path, syscall.O_RDONLY|syscall.O_NONBLOCK|syscall.O_CLOEXEC|syscall.O_NOCTTY, 0)
		return err
	})
	if err != nil {
		return "", err
	}
	defer syscall.Close(fd)
	if err := retry(func() error { return syscall.Fstat(fd, &st) }); err != nil {
		return "", err
	}
	if err := checkFile(&st, limit); err != nil {
		return "", err
	}
	return readAll(fd, st.Size, limit)
}

// checkFile refuses everything but regular files of at most limit octets.
func checkFile(st *syscall.Stat_t, limit int64) error {
	switch st.Mode & syscall.S_IFMT {
	case syscall.S_IFREG:
		if st.Size > limit {
			return tooLarge(limit)
		}
		return nil
	case syscall.S_IFDIR:
		return syscall.EISDIR
	}
	return reason("not a regular file")
}

func tooLarge(limit int64) error {
	return reason("larger than " + strconv.FormatInt(limit, 10) + " bytes")
}

// readAll reads fd to its end, which is expected after size octets.
func readAll(fd int, size, limit int64) (string, error) {
	// Files in /proc and the like have content but no size.
	buf := make([]byte, max(size, 512))
	n := 0
	for {
		if n == len(buf) {
			buf = append(buf, make([]byte, len(buf))...)
		}
		var m int
		err := retry(func() (err error) {
			m, err = syscall.Read(fd, buf[n:])
			return err
		})
		if err != nil {
			return "", err
		}
		n += max(m, 0)
		switch {
		case int64(n) > limit:
			return "", tooLarge(limit)
		case m <= 0, int64(n) == size:
			return string(buf[:n]), nil
		}
	}
}

// listDir returns the names in a directory, unsorted, without "." and "..".
func listDir(path string) ([]string, error) {
	var fd int
	err := retry(func() (err error) {
		fd, err = syscall.Open(path, syscall.O_RDONLY|syscall.O_DIRECTORY|syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
		return err
	})
	if err != nil {
		return nil, err
	}
	defer syscall.Close(fd)
	var names []string
	buf := make([]byte, 8192)
	for {
		var n int
		err := retry(func() (err error) {
			n, err = syscall.ReadDirent(fd, buf)
			return err
		})
		if err != nil {
			return nil, err
		}
		if n <= 0 {
			return names, nil
		}
		_, _, names = syscall.ParseDirent(buf[:n], -1, names)
	}
}

// isDir reports whether path is a directory or a symbolic link to one.
func isDir(path string) bool {
	var st syscall.Stat_t
	err := retry(func() error { return syscall.Stat(path, &st) })
	return err == nil && st.Mode&syscall.S_IFMT == syscall.S_IFDIR
}

// isSymlink reports whether path itself is a symbolic link.
func isSymlink(path string) bool {
	var st syscall.Stat_t
	err := retry(func() error { return syscall.Lstat(path, &st) })
	return err == nil && st.Mode&syscall.S_IFMT == syscall.S_IFLNK
}
