package rpc

import "io"

// A buffer has what has been read of a stream and not been used.
type buffer struct {
	b         [4 << 10]byte
	from, end int
}

// read gives at least one octet. It reads more of the stream where there is none, and leaves nothing behind of what has been
// used: messages hold secrets.
func (in *buffer) read(p []byte, more func(p []byte) (int, error)) (int, error) {
	if in.from == in.end {
		if len(p) >= len(in.b) {
			return more(p)
		}
		n, err := more(in.b[:])
		if in.from, in.end = 0, n; n == 0 {
			return 0, err
		}
	}
	n := copy(p, in.b[in.from:in.end])
	clear(in.b[in.from : in.from+n])
	in.from += n
	return n, nil
}

// complete tells whether a whole frame has been read and not been used.
func (in *buffer) complete() bool {
	b := in.b[in.from:in.end]
	return len(b) >= headerSize && uint64(len(b)) >= headerSize+uint64(be32(b[4:]))+uint64(be32(b[8:]))
}

// has tells whether something has been read and not been used.
func (in *buffer) has() bool { return in.from < in.end }

// A buffered stream is read in large pieces.
type buffered struct {
	buffer
	r     io.Reader
	wait  func(rest bool) // told before r is read; may be nil
	begun bool            // what is read next is the rest of something
	next  bool            // it is the rest of something of which wait has not been told yet
}

// message says that what is read next is the beginning of a message, which may have been read before with the end of the one before it.
func (b *buffered) message() { b.begun, b.next = false, true }

// Read implements io.Reader.
func (b *buffered) Read(p []byte) (int, error) {
	n, err := b.read(p, b.more)
	b.begun = b.begun || n > 0
	return n, err
}

func (b *buffered) more(p []byte) (int, error) {
	if b.wait != nil {
		if b.next && b.begun {
			b.wait(false)
		}
		b.next = false
		b.wait(b.begun)
	}
	return b.r.Read(p)
}
