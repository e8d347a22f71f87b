// Package stream reads and writes descriptors by system calls alone: without the network poller and the timers of Go's
// runtime, which a guest in a C program must not start, and without SIGPIPE, which would end that program.
package stream
