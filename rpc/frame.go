package rpc

import (
	"errors"
	"io"
)

// headerSize is how many octets come before the options and the message of a frame.
const headerSize = 12

var (
	errLongOptions = errors.New("the peer announces options that are too long")
	errLongMessage = errors.New("the peer announces a message that is too long")
)

// A header is the beginning of a frame.
type header struct {
	code    uint32 // of the call; the reply has that of its request
	options int
	message int
}

// readHeader reads the beginning of a frame. io.EOF says that there is none any more.
func readHeader(r io.Reader) (h header, err error) {
	var b [headerSize]byte
	if _, err := io.ReadFull(r, b[:]); err != nil {
		if errors.Is(err, io.ErrUnexpectedEOF) {
			err = io.EOF
		}
		return h, err
	}
	options, message := be32(b[4:]), be32(b[8:])
	switch {
	case options > maxOptions:
		return h, errLongOptions
	case message > MaxMessage:
		return h, errLongMessage
	}
	return header{be32(b[:]), int(options), int(message)}, nil
}

// readMessage reads the message of a frame, of which the beginning has been read. Memory is taken as the message arrives. The
// caller releases what it gets.
func readMessage(r io.Reader, h header) ([]byte, error) {
	if err := skip(r, h.options); err != nil {
		return nil, err
	}
	b := take(min(h.message, 4<<10))
	for got := 0; ; {
		n, err := io.ReadFull(r, b[got:])
		if got += n; err != nil {
			release(b)
			return nil, cut(err)
		}
		if got == h.message {
			return b, nil
		}
		grown := make([]byte, min(4*len(b), h.message))
		copy(grown, b)
		release(b)
		b = grown
	}
}

// skip reads octets that nobody looks at.
func skip(r io.Reader, octets int) error {
	if octets == 0 {
		return nil
	}
	b := take(min(octets, len(piece{})))
	defer release(b)
	for n := octets; n > 0; n -= min(n, len(b)) {
		if _, err := io.ReadFull(r, b[:min(n, len(b))]); err != nil {
			return cut(err)
		}
	}
	return nil
}

// cut gives the error for a frame that ends too early.
func cut(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// startFrame makes room for the beginning of a frame, with the options behind it. The message is written behind that. Who is done with the
// frame releases it.
func startFrame(options string) []byte {
	return append(take(headerSize), options...)
}

// finishFrame fills in the beginning of a frame.
func finishFrame(b []byte, code uint32, options int) {
	put := func(at int, v uint32) {
		b[at], b[at+1], b[at+2], b[at+3] = byte(v>>24), byte(v>>16), byte(v>>8), byte(v)
	}
	put(0, code)
	put(4, uint32(options))
	put(8, uint32(len(b)-headerSize-options))
}
