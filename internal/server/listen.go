package server

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/p11mux/p11mux/transport"
)

// maxPath is the longest path of a socket, in octets; the kernel wants an end behind it.
const maxPath = 107

// A Listener is a socket that clients connect to.
type Listener struct {
	file    *os.File
	address string
	anyPort uint32 // of vsock, where it listens by whichever number this machine has; 0 for none
	path    string // of the file that is removed at the end; empty for none
	inode   uint64
	once    sync.Once
}

// Address is the listener's address, as clients take it.
func (l *Listener) Address() string { return l.address }

// reached are the addresses by which programs on this machine reach the listener.
func (l *Listener) reached() []*transport.Address {
	texts := []string{l.address}
	if l.anyPort != 0 {
		texts = append(texts, localAddress(l.anyPort))
	}
	var all []*transport.Address
	for _, text := range texts {
		if a, err := transport.Parse(text); err == nil { // else clients cannot name it either
			all = append(all, a)
		}
	}
	return all
}

// File is the socket, which belongs to the listener.
func (l *Listener) File() *os.File { return l.file }

// Close ends the listener, and removes the file of its socket unless somebody else has put another one in its place.
func (l *Listener) Close() error {
	err := os.ErrClosed
	l.once.Do(func() {
		if l.path != "" && inode(l.path) == l.inode {
			err = os.Remove(l.path)
		} else {
			err = nil
		}
		err = errors.Join(err, l.file.Close())
	})
	return err
}

// inode is the number of a file, 0 if it is not there.
func inode(path string) uint64 {
	var stat unix.Stat_t
	if unix.Lstat(path, &stat) != nil {
		return 0
	}
	return stat.Ino
}

// accept waits for a client and gives his connection, which does not block. The error is os.ErrClosed when the listener is.
func (l *Listener) accept() (*os.File, error) {
	raw, err := l.file.SyscallConn()
	if err != nil {
		return nil, err
	}
	var fd int
	var failed error
	err = raw.Read(func(listening uintptr) bool {
		fd, _, failed = unix.Accept4(int(listening), unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK)
		return failed != unix.EAGAIN && failed != unix.EINTR
	})
	if err != nil {
		return nil, os.ErrClosed // the one reason for which it does not wait
	}
	if failed != nil {
		return nil, failed
	}
	return os.NewFile(uintptr(fd), "client"), nil
}

// Listen makes a socket at a name: a path, unix:path=PATH, or vsock:[cid=N;]port=N. A file of a socket that nobody listens to any more is
// replaced. Only the user and members of the group can connect to a file; both are numbers, or negative: then it is the user who
// calls, and no group.
func Listen(name string, user, group int) (*Listener, error) {
	if text, ok := strings.CutPrefix(name, "vsock:"); ok {
		return listenVsock(text)
	}
	path := strings.TrimPrefix(name, "unix:path=")
	if path == "" {
		return nil, errors.New("the socket has no name")
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	if len(path) > maxPath {
		return nil, fmt.Errorf("%s: the path of a socket can have %d octets", path, maxPath)
	}
	defer lockDirectory(filepath.Dir(path))()
	if err := makeRoom(path); err != nil {
		return nil, err
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	mode := fs.FileMode(0o600)
	if group >= 0 {
		mode = 0o660
	}
	before := unix.Umask(0o177) // nobody else connects before it is settled who may
	err = unix.Bind(fd, &unix.SockaddrUnix{Name: path})
	unix.Umask(before)
	if err != nil {
		_ = unix.Close(fd)
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	l := &Listener{file: os.NewFile(uintptr(fd), path), address: transport.EncodePath(path), path: path, inode: inode(path)}
	if user >= 0 || group >= 0 {
		err = own(path, user, group, mode)
	}
	if err == nil {
		err = unix.Listen(fd, unix.SOMAXCONN)
	}
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// own gives the file of a socket to a user and a group, by a descriptor: where others can write to the directory it may not be the file any
// more that was made, and what a symbolic link leads to must not be changed.
func own(path string, user, group int, mode fs.FileMode) error {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	defer unix.Close(fd)
	var stat unix.Stat_t
	if err = unix.Fstat(fd, &stat); err == nil && stat.Mode&unix.S_IFMT != unix.S_IFSOCK {
		err = errors.New("somebody else has put something in the place of the socket")
	}
	if err == nil {
		err = unix.Fchownat(fd, "", user, group, unix.AT_EMPTY_PATH)
	}
	if err == nil {
		err = unix.Chmod("/proc/self/fd/"+strconv.Itoa(fd), uint32(mode.Perm()))
	}
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// lockTime is how long others are waited for who make sockets in the same directory.
const lockTime = 5 * time.Second

// lockDirectory keeps other servers from making sockets in a directory until what it gives is called: of two that find a dead
// socket at one path, the slower one would remove what the faster one has made. Nothing is left of the lock when a process
// ends. Where it cannot be had, the directory is in strange hands, and it is done without.
func lockDirectory(dir string) (unlock func()) {
	fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return func() {}
	}
	for end := time.Now().Add(lockTime); ; time.Sleep(5 * time.Millisecond) {
		err := unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB)
		if err != nil && err != unix.EWOULDBLOCK && err != unix.EINTR || err == nil || time.Now().After(end) {
			return func() { _ = unix.Close(fd) } // and with it the lock
		}
	}
}

// makeRoom removes the file of a socket that nobody listens to.
func makeRoom(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Mode().Type() != fs.ModeSocket {
		return fmt.Errorf("%s is there, and is not a socket", path)
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	switch err := unix.Connect(fd, &unix.SockaddrUnix{Name: path}); err {
	case unix.ECONNREFUSED:
		return os.Remove(path)
	case nil, unix.EAGAIN, unix.EINPROGRESS:
		return fmt.Errorf("%s: another server listens there", path)
	default:
		return fmt.Errorf("%s is somebody's socket: %w", path, err)
	}
}

// listenVsock makes a socket of virtual machines.
func listenVsock(text string) (*Listener, error) {
	cid, port := uint64(unix.VMADDR_CID_ANY), uint64(1<<32)
	for part := range strings.SplitSeq(strings.TrimSuffix(text, ";"), ";") {
		key, value, _ := strings.Cut(part, "=")
		n, err := strconv.ParseUint(value, 0, 32)
		switch {
		case err != nil || key != "cid" && key != "port":
			return nil, fmt.Errorf("vsock:%s is no address: write vsock:port=N or vsock:cid=N;port=N", text)
		case key == "cid":
			cid = n
		default:
			port = n
		}
	}
	if port == 1<<32 {
		return nil, fmt.Errorf("vsock:%s has no port", text)
	}
	fd, err := unix.Socket(unix.AF_VSOCK, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("vsock: %w", err)
	}
	if err = unix.Bind(fd, &unix.SockaddrVM{CID: uint32(cid), Port: uint32(port)}); err == nil {
		err = unix.Listen(fd, unix.SOMAXCONN)
	}
	if err != nil {
		_ = unix.Close(fd)
		return nil, fmt.Errorf("vsock:%s: %w", text, err)
	}
	l := &Listener{file: os.NewFile(uintptr(fd), "vsock")}
	l.at(uint32(cid), uint32(port))
	return l, nil
}

// getLocalCID is IOCTL_VM_SOCKETS_GET_LOCAL_CID of linux/vm_sockets.h.
const getLocalCID = 0x7b9

// at notes where a socket of virtual machines listens.
func (l *Listener) at(cid, port uint32) {
	l.address = vsockAddress(cid, port)
	if cid == unix.VMADDR_CID_ANY {
		l.anyPort = port
	}
}

// localAddress is the address of a port at which a machine reaches itself, whatever its number is.
func localAddress(port uint32) string {
	return "vsock:cid=" + strconv.Itoa(unix.VMADDR_CID_LOCAL) + ";port=" + strconv.FormatUint(uint64(port), 10)
}

// vsockAddress is the address of a socket, as clients take it: they want the number of this machine. Where it has none yet, the address is only
// that of the port.
func vsockAddress(cid, port uint32) string {
	if cid == unix.VMADDR_CID_ANY {
		if device, err := os.Open("/dev/vsock"); err == nil {
			if local, err := unix.IoctlGetUint32(int(device.Fd()), getLocalCID); err == nil {
				cid = local
			}
			_ = device.Close()
		}
	}
	address := "port=" + strconv.FormatUint(uint64(port), 10)
	if cid != unix.VMADDR_CID_ANY {
		address = "cid=" + strconv.FormatUint(uint64(cid), 10) + ";" + address
	}
	return "vsock:" + address
}

// Inherited is a socket that somebody else listens with: another process of ours, or systemd (sd_listen_fds(3)). It takes the descriptor. If
// remove, the file of the socket is removed at the end.
func Inherited(fd int, remove bool) (*Listener, error) {
	address, err := unix.Getsockname(fd)
	if err != nil {
		return nil, fmt.Errorf("descriptor %d: %w", fd, err)
	}
	listening, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ACCEPTCONN)
	if err != nil || listening == 0 {
		return nil, fmt.Errorf("descriptor %d is not a socket that listens", fd)
	}
	if err := syscall.SetNonblock(fd, true); err != nil {
		return nil, err
	}
	unix.CloseOnExec(fd)
	l := &Listener{file: os.NewFile(uintptr(fd), "inherited")}
	switch a := address.(type) {
	case *unix.SockaddrUnix:
		l.address = transport.EncodePath(a.Name)
		if remove {
			l.path, l.inode = a.Name, inode(a.Name)
		}
	case *unix.SockaddrVM:
		l.at(a.CID, a.Port)
	default:
		return nil, errors.Join(fmt.Errorf("descriptor %d is neither a Unix nor a vsock socket", fd), l.Close())
	}
	return l, nil
}
