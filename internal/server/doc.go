// Package server serves tokens to other programs by the protocol of package rpc, each client by a process of its own.
//
// There are two sides. [Serve] is in the process that listens. It never loads a module: it keeps some workers ready, which have, gives
// each connection to one of them, and starts another one in its place. [Work] is in the workers. A worker serves one client and ends with
// it, so nothing of a client reaches another one, and what a module has come to is forgotten with the process.
//
// The two speak over a socket that the worker has as descriptor 3. The listening side sends what to do ([Service]), then a connection,
// and perhaps that the work is to come to its end; the worker says that it is ready, or why it cannot be. When the socket is closed a worker
// ends if it has no client.
package server
