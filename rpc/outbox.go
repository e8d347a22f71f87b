package rpc

import (
	"cmp"
	"time"
)

// maxLate is how many octets of frames wait to be written together.
const maxLate = 8 << 10

// An outbox writes frames as a whole. A frame that comes while another one is being written is left to who is writing, so nobody waits
// to write; together they are one write, and the server reads them at once.
type outbox struct {
	turn   Mutex // held by who writes
	failed error // of a write; belongs to who has the turn

	mu          Mutex
	late, spare []byte // frames that are left to who writes, and room for the next ones
}

// send writes a frame, or leaves it to who is writing another one.
func (o *outbox) send(stream Conn, frame []byte, timeout time.Duration) error {
	if !o.turn.TryLock() {
		if o.leave(frame) {
			return o.flush(stream, timeout)
		}
		o.turn.Lock()
	}
	err := o.write(stream, frame, timeout)
	o.turn.Unlock()
	return cmp.Or(err, o.flush(stream, timeout))
}

// write writes frames, for who has the turn. Where a write has failed a frame may have been sent in part, and nothing is ever written behind
// that: it would be taken for the rest.
func (o *outbox) write(stream Conn, frames []byte, timeout time.Duration) error {
	if o.failed == nil {
		o.failed = stream.Write(frames, timeout)
	}
	return o.failed
}

// leave leaves a frame to who is writing. It is false where there is no room for it.
func (o *outbox) leave(frame []byte) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.late)+len(frame) > maxLate {
		return false
	}
	if o.late == nil {
		o.late = make([]byte, 0, maxLate) // all at once, for what grows leaves copies behind
	}
	o.late = append(o.late, frame...)
	return true
}

// flush writes the frames that were left, unless somebody is writing: he does it when he is done. Where nothing can be written any more
// they are only wiped.
func (o *outbox) flush(stream Conn, timeout time.Duration) (err error) {
	for o.left() && o.turn.TryLock() {
		o.mu.Lock()
		frames := o.late
		o.late, o.spare = o.spare, nil
		o.mu.Unlock()
		if len(frames) > 0 { // somebody else may have been quicker
			err = o.write(stream, frames, timeout)
		}
		clear(frames)
		o.mu.Lock()
		o.spare = frames[:0]
		o.mu.Unlock()
		o.turn.Unlock()
	}
	return err
}

// left tells whether frames were left.
func (o *outbox) left() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.late) > 0
}
