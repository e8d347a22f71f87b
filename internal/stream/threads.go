package stream

import "runtime"

// threads is how many threads can at least be in system calls and in C and go on at once when they are done.
const threads = 8

// ManyThreads has the runtime let more threads go on at once than a small machine has processors. A thread that waits in a system call
// keeps one of the runtime's processors for up to 10 ms, and others that are done with theirs wait for it.
func ManyThreads() {
	if runtime.GOMAXPROCS(0) < threads {
		runtime.GOMAXPROCS(threads)
	}
}
