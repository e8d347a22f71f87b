// Package transport makes the connections that package rpc speaks over: to a program that it starts, to a Unix socket, and to a
// socket of a virtual machine. It works in other people's processes: by system calls alone, without SIGPIPE, with descriptors that
// no program inherits, and with children that the host does not see.
package transport
