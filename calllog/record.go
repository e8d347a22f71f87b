package calllog

import (
	"github.com/p11mux/p11mux/ck"
	"github.com/p11mux/p11mux/internal/cabi"
)

// A record is what is written of one call. Its memory is used again for other calls.
type record struct {
	buf     []byte
	w       *cabi.Words
	rooms   []uint64 // what the caller's buffers held before the call, in the order of the arguments
	next    int      // the first of rooms that has not been used
	secrets bool     // secrets are shown
}

// begin makes the record one of a call that is about to be made, and notes how much room the caller's buffers have: a module that
// tells of more afterwards must not make us read beyond them.
func (r *record) begin(args []argument, w *cabi.Words) {
	r.w, r.rooms, r.next = w, r.rooms[:0], 0
	for i := range args {
		switch a := &args[i]; a.kind {
		case kindOutBytes, kindOutList, kindOutInterfaces:
			room := uint64(0)
			if count := w[a.at+1]; count != 0 {
				room = wordAt(count)
			}
			r.rooms = append(r.rooms, room)
		case kindOutTemplate:
			for _, c := range r.attributes(a) {
				r.rooms = append(r.rooms, c.length)
			}
		}
	}
}

// room gives the next of the rooms.
func (r *record) room() uint64 {
	if r.next >= len(r.rooms) {
		return 0
	}
	r.next++
	return r.rooms[r.next-1]
}

// maxElements is how many elements of an array are looked at. No caller has that many.
const maxElements = 1 << 16

// attributes gives the template of an argument, nothing for one that there cannot be.
func (r *record) attributes(a *argument) []cAttribute {
	addr, n := r.w[a.at], uint64(r.w[a.at+1])
	if addr == 0 || n > maxElements {
		return nil
	}
	return templateAt(addr, n)
}

func (r *record) text(s string) { r.buf = append(r.buf, s...) }

func (r *record) number(v uint64) { r.buf = appendNumber(r.buf, v) }

// word appends a word of a kind, as text.
func (r *record) word(k kind, v uint64) {
	switch k {
	case kindSlot:
		r.text("SL")
	case kindSession:
		r.text("S")
	case kindObject:
		r.text("H")
	case kindMechanismType:
		r.buf = appendMechanism(r.buf, v)
		return
	case kindUser:
		r.buf = appendUser(r.buf, v)
		return
	}
	r.number(v)
}

// result tells whether an argument's result is there to be read: that of a call that succeeded, and the length of a buffer that was
// too small.
func (a *argument) result(rv ck.RV) bool {
	switch a.kind {
	case kindOutBytes, kindOutList, kindOutMax, kindOutTemplate, kindOutInterfaces, kindFill:
		return rv == ck.CKR_OK || rv == ck.CKR_BUFFER_TOO_SMALL
	}
	return rv == ck.CKR_OK
}
