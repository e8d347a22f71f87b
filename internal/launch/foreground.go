package launch

import (
	"os"
	"strconv"
	"strings"
	"syscall"
)

// inForeground tells whether this process's group is the one that its terminal sends signals to, as /proc knows it: asking the
// terminal itself could stop a process in the background.
func inForeground() bool {
	data, err := os.ReadFile("/proc/self/stat")
	if err != nil {
		return false
	}
	// The name may hold anything; it ends with the last parenthesis. Behind it come the state, parent, group, session, terminal, and
	// the terminal's group in the foreground.
	_, rest, ok := strings.Cut(string(data[max(strings.LastIndexByte(string(data), ')'), 0):]), " ")
	fields := strings.Fields(rest)
	return ok && len(fields) > 5 && fields[5] == strconv.Itoa(syscall.Getpgrp())
}
