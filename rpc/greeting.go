package rpc

import (
	"errors"
	"io"
	"strconv"
	"strings"
	"syscall"
	"time"
)

var errGreeting = errors.New("the server closes the connection before it has said anything")

// A textError is that the other end prints something where the protocol begins: a shell's start-up file does, or a program that asks.
type textError struct{ text string }

// Error quotes the text.
func (e *textError) Error() string {
	return "the other end prints " + strconv.Quote(e.text) + " where the protocol should begin"
}

// The most that is quoted of a text, in octets, and how long there may be more of it to come.
const (
	maxQuoted = 64
	moreText  = 100 * time.Millisecond
)

// agree offers a version and gives the one to use. It may be any number: p11-kit's client takes those that it did not offer too.
func agree(stream Conn, offer Version, timeout time.Duration) (Version, error) {
	var b [maxQuoted]byte
	b[0] = byte(offer)
	err := stream.Write(b[:1], timeout)
	if err == nil {
		var n int
		if n, err = stream.Read(b[:1], timeout); n == 1 {
			if isText(b[0]) {
				more, _ := stream.Read(b[1:], moreText)
				text, _, _ := strings.Cut(strings.TrimSpace(string(b[:1+more])), "\n")
				return 0, &textError{text}
			}
			return min(Version(b[0]), offer), nil
		}
	}
	if err == nil || ended(err) {
		err = errGreeting
	}
	return 0, timed(err)
}

// isText tells an octet that texts begin with and no version is expected to be.
func isText(b byte) bool { return b >= ' ' || b == '\n' || b == '\r' || b == '\x1b' }

// ended tells whether it was the other end that has ended the connection. With something unread, the kernel calls that a reset.
func ended(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}
