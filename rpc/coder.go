package rpc

import (
	"errors"

	"github.com/p11mux/p11mux/ck"
)

// A coder reads or writes the fields of one message. Each method has a pointer to a value and does, by the direction, one or
// the other. The first error stays, and ends all reading and writing.
//
// What is read shares the memory of the message.
type coder struct {
	b       []byte // the message, or what has been written of it
	off     int    // how much of b has been read
	reading bool
	isReply bool
	err     error

	dialect
	id         uint32        // of the message
	mech       *ck.Mechanism // that of the request, which an update in the reply is relative to
	rv         ck.RV         // what the call gives, where that is part of the reply
	small      bool          // a result did not fit the caller's buffer
	lacking    bool          // a result cannot be had from this server
	room32     uint32        // what a request has room for, which can be more than was made ready
	attributes int           // read so far
	readied    int           // octets made ready for attributes so far
	held       int           // octets made ready for results of all kinds so far
	address    func(word uint64) bool
}

// errShort is a message that ends before its last field: the peer speaks something else.
var errShort = deviceError("the message ends too early")

// deviceError is an error in what the peer has sent.
func deviceError(text string) error {
	return &ck.CallError{RV: ck.CKR_DEVICE_ERROR, Err: errors.New(text)}
}

// refusal is an error in what shall be sent.
func refusal(rv ck.RV, text string) error { return &ck.CallError{RV: rv, Err: errors.New(text)} }

// fail keeps the first error.
func (x *coder) fail(err error) {
	if x.err == nil {
		x.err = err
	}
}

// left is how many octets there are still to be read.
func (x *coder) left() int { return len(x.b) - x.off }

// take reads n octets, nil and an error where there are fewer.
func (x *coder) take(n int) []byte {
	if x.err != nil {
		return nil
	}
	if n > x.left() {
		x.fail(errShort)
		return nil
	}
	p := x.b[x.off : x.off+n : x.off+n]
	x.off += n
	return p
}

// put writes octets. A message that has to grow leaves nothing behind in its former place.
func (x *coder) put(p ...byte) {
	if x.err != nil {
		return
	}
	if len(x.b)+len(p) > MaxMessage {
		x.fail(refusal(ck.CKR_HOST_MEMORY, "the call is too long for a message of the remote protocol"))
		return
	}
	if need := len(x.b) + len(p); need > cap(x.b) {
		grown := make([]byte, len(x.b), max(2*cap(x.b), need, 256))
		copy(grown, x.b)
		clear(x.b)
		x.b = grown
	}
	x.b = append(x.b, p...)
}

// octet codes a byte.
func (x *coder) octet(v *byte) {
	if !x.reading {
		x.put(*v)
	} else if p := x.take(1); p != nil {
		*v = p[0]
	}
}

// flag codes a truth value. Every octet but 0 is true.
func (x *coder) flag(v *bool) {
	var b byte
	if *v {
		b = 1
	}
	x.octet(&b)
	*v = b != 0
}

// u32 codes 32 bits.
func (x *coder) u32(v *uint32) {
	if !x.reading {
		x.put(byte(*v>>24), byte(*v>>16), byte(*v>>8), byte(*v))
	} else if p := x.take(4); p != nil {
		*v = be32(p)
	}
}

// be32 reads 32 bits from memory.
func be32(p []byte) uint32 {
	return uint32(p[0])<<24 | uint32(p[1])<<16 | uint32(p[2])<<8 | uint32(p[3])
}

// ulong codes a CK_ULONG of any type.
func ulong[T ~uint64](x *coder, v *T) {
	hi, lo := uint32(*v>>32), uint32(*v&0xffffffff)
	x.u32(&hi)
	x.u32(&lo)
	if x.reading && x.err == nil {
		*v = T(hi)<<32 | T(lo)
	}
}

// count codes the number of elements of which each has at least so many octets.
func (x *coder) count(n *int, octets int) {
	c := uint32(*n)
	x.u32(&c)
	if !x.reading {
		return
	}
	*n = 0
	if x.err == nil {
		if int64(c) > int64(x.left()/octets) {
			x.fail(errShort)
			return
		}
		*n = int(c)
	}
}

// blob codes octets that may be absent, which is nil.
func (x *coder) blob(v *[]byte) {
	n := uint32(absent)
	if !x.reading {
		if len(*v) >= maxBlob {
			x.fail(refusal(ck.CKR_HOST_MEMORY, "a value is too long for the remote protocol"))
			return
		}
		if *v != nil {
			n = uint32(len(*v))
		}
		x.u32(&n)
		x.put(*v...)
		return
	}
	*v = nil
	x.u32(&n)
	switch {
	case x.err != nil || n == absent:
	case n >= maxBlob:
		x.fail(errShort)
	default:
		*v = x.take(int(n))
	}
}

// array codes octets of a fixed number.
func (x *coder) array(field []byte) {
	v := field
	x.blob(&v)
	if x.reading && x.err == nil {
		if len(v) != len(field) {
			x.fail(refusal(ck.CKR_MECHANISM_PARAM_INVALID, "a member of a mechanism's parameter has the wrong length"))
			return
		}
		copy(field, v)
	}
}

// code codes the return value where it is part of a reply.
func (x *coder) code() { ulong(x, &x.rv) }
