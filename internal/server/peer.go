package server

import (
	"fmt"
	"slices"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A Peers is who may connect.
type Peers struct {
	User  int // the only user, by number; negative for any
	Group int // the group that he has to be in, by number; negative for any
}

// admit tells who is at the other end of a socket, and whether he may be: the error says why not. Who comes by a network of machines has
// no user; he may come, since somebody has named that network.
func (p Peers) admit(fd int) (who string, err error) {
	domain, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_DOMAIN)
	if err != nil {
		return "", err
	}
	if domain != unix.AF_UNIX {
		return "another machine", nil
	}
	cred, err := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
	if err != nil {
		return "", fmt.Errorf("couldn't find out who connects: %w", err)
	}
	who = fmt.Sprintf("process %d of user %d", cred.Pid, cred.Uid)
	if p.User >= 0 && int(cred.Uid) != p.User {
		return who, fmt.Errorf("%s is not user %d", who, p.User)
	}
	if p.Group >= 0 && int(cred.Gid) != p.Group {
		groups, err := peerGroups(fd)
		if err != nil {
			return who, fmt.Errorf("couldn't find out which groups %s is in: %w", who, err)
		}
		if !slices.Contains(groups, uint32(p.Group)) {
			return who, fmt.Errorf("%s is not in group %d", who, p.Group)
		}
	}
	return who, nil
}

// peerGroups are the supplementary groups of a peer.
func peerGroups(fd int) ([]uint32, error) {
	groups := make([]uint32, 64)
	for {
		octets := uint32(4 * len(groups))
		_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(fd), unix.SOL_SOCKET, unix.SO_PEERGROUPS,
			uintptr(unsafe.Pointer(&groups[0])), uintptr(unsafe.Pointer(&octets)), 0)
		switch {
		case errno == 0:
			return groups[:octets/4], nil
		case errno == unix.ERANGE && int(octets) > 4*len(groups):
			groups = make([]uint32, octets/4)
		default:
			return nil, errno
		}
	}
}
