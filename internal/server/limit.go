package server

import (
	"os"

	"golang.org/x/sys/unix"
)

// Descriptors that things need: a client, with its worker, its connection and what tells of its end; a worker that waits for a client; and
// what a start needs for a while.
const (
	clientNeeds = 4
	workerNeeds = 3
	startNeeds  = 7
)

// clientsFor is how many clients the process has descriptors for, beside what it has open and so many workers that it keeps ready: at
// least one. With more, clients could have all descriptors that a worker's start needs, and wait for it in vain.
func clientsFor(warm int) int {
	var limit unix.Rlimit
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil || unix.Getrlimit(unix.RLIMIT_NOFILE, &limit) != nil {
		return 1 << 20 // nobody knows
	}
	left := int(min(limit.Cur, 1<<24)) - len(open) - max(warm, 1)*(workerNeeds+startNeeds)
	return max(1, left/clientNeeds)
}
