package rpc

import (
	"io"
	"time"
)

// A Stream is a stream with deadlines, as those of package net and the pipes of package os are.
type Stream interface {
	io.ReadWriteCloser
	SetReadDeadline(t time.Time) error
	SetWriteDeadline(t time.Time) error
}

// NewConn makes a [Conn] of a stream, which must not be used otherwise any more. It is for programs in Go: deadlines start
// parts of Go's runtime that a guest in a C program must not have.
func NewConn(s Stream) Conn { return &conn{s} }

type conn struct{ s Stream }

// until gives the time at which a timeout is over, the zero time for never.
func until(timeout time.Duration) (t time.Time) {
	if timeout >= 0 {
		t = time.Now().Add(timeout)
	}
	return t
}

func (c *conn) Read(p []byte, timeout time.Duration) (int, error) {
	if err := c.s.SetReadDeadline(until(timeout)); err != nil {
		return 0, err
	}
	return c.s.Read(p)
}

func (c *conn) Write(p []byte, timeout time.Duration) error {
	if err := c.s.SetWriteDeadline(until(timeout)); err != nil {
		return err
	}
	_, err := c.s.Write(p)
	return err
}

func (c *conn) Close() error { return c.s.Close() }
