#!/bin/sh
# Writes a build overlay that makes Go's runtime a better guest in a C program:
# runtime-overlay.sh DIRECTORY. Six things are changed, nothing else.
#
# No signal handlers are installed. They would be noticed by the host, and a
# signal of the host's that reached one would be lost or end the process.
#
# SIGCHLD and SIGPROF stay blocked on the runtime's own threads. The runtime
# unblocks them, for the sake of programs that are all Go. In a host they are
# the host's: its handler would run on a goroutine's stack of a few kilobytes
# and overwrite what lies beyond.
#
# Freed memory is not returned to the system in the background. What does that
# sleeps by a timer, and the runtime's timers keep two descriptors; a host that
# closes all descriptors, as daemons do, would bring the runtime down. The
# engine's heap is small, and stays.
#
# The limit of open files is left as it is. The runtime's library raises it to
# the hard limit, which a host that uses select() could not bear.
#
# The host's GODEBUG, GOGC, GOMEMLIMIT, GOMAXPROCS and GOTRACEBACK, which a host
# in Go sets for itself, do not concern the engine.
#
# The processor quota of control groups is not looked up: the engine has no work
# to divide, and finding the quota is a tenth of its start.
set -eu

mkdir -p "$1"
directory=$(cd "$1" && pwd)
source=$(${GO:-go} env GOROOT)/src
entries=

# change FILE LINES SCRIPT: edits LINES lines of a file of the standard library.
change() {
	from=$source/$1
	# Not named *.go: the go command would take it for a package of ours.
	to=$directory/$(echo "$1" | tr / -).txt
	sed -E "$3" "$from" > "$to.new"
	if [ "$(diff "$from" "$to.new" | grep -c '^>')" -ne "$2" ]; then
		echo "$0: $from is not as expected, so this version of Go needs another change: $3" >&2
		exit 1
	fi
	# An unchanged file keeps its time, so that nothing is built again.
	if cmp -s "$to.new" "$to"; then
		rm "$to.new"
	else
		mv "$to.new" "$to"
	fi
	entries="$entries${entries:+, }\"$from\": \"$to\""
}

change runtime/signal_unix.go 1 '/^func initsig\(preinit bool\) \{$/a\	return'
change runtime/sigtab_linux_generic.go 2 '/"SIG(CHLD|PROF):/s/ *\+ *_SigUnblock//'
change runtime/mgc.go 1 's/^\tgo bgscavenge\(c\)$/\tc <- 1/'
change runtime/env_posix.go 1 '/^func gogetenv\(key string\) string \{$/a\	return ""'
change runtime/proc.go 2 's/^\tdefaultGOMAXPROCSInit\(\)$/\t_ = defaultGOMAXPROCSInit/
/^func getGodebugEarly\(\) \(string, bool\) \{$/a\	return "", false'
change syscall/rlimit.go 1 's/lim\.Cur < lim\.Max-1/false/'

printf '{"Replace": {%s}}\n' "$entries" > "$directory/overlay.json"
