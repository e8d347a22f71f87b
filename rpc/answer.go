package rpc

import (
	"context"
	"errors"

	"github.com/p11mux/p11mux/ck"
)

// errFault is a fault of ours.
var errFault = errors.New("a reply could not be made")

// answer does a call and sends the reply.
func (s *server) answer(ctx context.Context, j *job) {
	defer func() {
		if recover() != nil {
			s.fail(errFault)
		}
	}()
	rv := s.do(ctx, j)
	x := coder{b: startFrame(""), dialect: j.dialect}
	x.encodeReply(&j.request, rv)
	finishFrame(x.b, j.code, 0)
	err := s.send(x.b, j.kept)
	wipeResults(j.call)
	if err != nil && !(j.waits && s.isOver()) {
		s.fail(err)
	}
}

// isOver tells whether there is nothing more to read. Who has waited for an event until then is answered in vain.
func (s *server) isOver() bool {
	select {
	case <-s.over:
		return true
	default:
		return false
	}
}

// send writes a frame and wipes it. While who sends it keeps the turn by number n and has read more to do, it can wait: those that come soon
// are written together.
func (s *server) send(frame []byte, n uint64) error {
	s.write.Lock()
	defer s.write.Unlock()
	defer release(frame)
	if s.out == nil {
		return nil // the client is gone
	}
	if n != 0 && s.quick.kept.Load() == n && s.in.has() && len(s.late)+len(frame) <= cap(s.late) {
		s.late = append(s.late, frame...)
		return nil
	}
	if err := s.sendLate(); err != nil {
		return err
	}
	_, err := s.out.Write(frame)
	return err
}

// sendLate writes the frames that wait. The caller has the right to write.
func (s *server) sendLate() error {
	if len(s.late) == 0 || s.out == nil {
		return nil
	}
	_, err := s.out.Write(s.late)
	clear(s.late)
	s.late = s.late[:0]
	return err
}

// flush writes the frames that wait, since nobody knows when the next one comes.
func (s *server) flush() {
	s.write.Lock()
	err := s.sendLate()
	s.write.Unlock()
	if err != nil {
		s.fail(err)
	}
}

// do does a call. A panic, which can only be a fault of ours or of a module in Go, must not end the process that serves.
func (s *server) do(ctx context.Context, j *job) (rv ck.RV) {
	defer func() {
		if recover() != nil {
			rv = ck.CKR_GENERAL_ERROR
		}
	}()
	if j.refused != nil {
		return ck.RVOf(j.refused)
	}
	if err := refuseMessages(j.call); err != nil {
		return ck.RVOf(err)
	}
	if call, ok := j.call.(*ck.InitializeCall); ok {
		call.Args = &ck.InitializeArgs{Flags: ck.CKF_OS_LOCKING_OK}
		if j.reserved != nil && s.options.Reserved != nil {
			call.Args.Reserved = s.options.Reserved(string(j.reserved))
		}
	}
	if _, ok := j.call.(*ck.OpenSessionCall); ok {
		if !s.mayOpen() {
			return ck.CKR_SESSION_COUNT
		}
		defer s.opened()
	}
	err := s.call(ctx, j)
	s.note(j.call, err)
	return ck.RVOf(err)
}

// mayOpen tells whether the client may open one more session; opened comes when it has been tried.
func (s *server) mayOpen() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if most := s.options.MaxSessions; most > 0 && len(s.open)+s.opening >= most {
		return false
	}
	s.opening++
	return true
}

func (s *server) opened() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.opening--
}

// call has the module do a call. Where the client has more room than was made ready for it, and the module needs more, the module
// is called again with more: CKR_BUFFER_TOO_SMALL leaves everything as it was (PKCS#11 3.2 §5.2).
func (s *server) call(ctx context.Context, j *job) error {
	err := s.module.Do(ctx, j.call)
	if o := resultOf(j.call); o != nil && ck.RVOf(err) == ck.CKR_BUFFER_TOO_SMALL && j.room != absent &&
		o.N > uint64(len(o.Buf)) && o.N <= uint64(j.room) {
		if o.N > maxResult {
			return refusal(ck.CKR_DEVICE_MEMORY, "a result is too long for a message")
		}
		s.hold(j, int(o.N))
		o.Buf = make([]byte, o.N)
		return s.module.Do(ctx, j.call)
	}
	find, ok := j.call.(*ck.FindObjectsCall)
	if !ok || err != nil {
		return err
	}
	// Who gets fewer objects than there is room for may take them for the last ones.
	room := min(int(j.room), MaxMessage/8-8)
	for n := len(find.Objects.Buf); n < room && find.Objects.N == uint64(n); n = len(find.Objects.Buf) {
		more := ck.FindObjectsCall{Session: find.Session, Objects: ck.Out[ck.ObjectHandle]{Buf: make([]ck.ObjectHandle, min(n, room-n))}}
		if s.module.Do(ctx, &more) != nil || more.Objects.N == 0 {
			break
		}
		find.Objects.Buf = append(find.Objects.Buf, more.Objects.Bytes()...)
		find.Objects.N = uint64(len(find.Objects.Buf))
	}
	return nil
}

// note keeps track of the sessions that the client has open.
func (s *server) note(call ck.Call, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch c := call.(type) {
	case *ck.OpenSessionCall:
		if err == nil {
			s.open[c.Session] = c.Slot
		}
	case *ck.CloseSessionCall:
		if ck.SessionOver(err) {
			delete(s.open, c.Session)
		}
	case *ck.CloseAllSessionsCall:
		if err == nil {
			for session, slot := range s.open {
				if slot == c.Slot {
					delete(s.open, session)
				}
			}
		}
	case *ck.FinalizeCall:
		if err == nil {
			clear(s.open)
		}
	}
}

// closeSessions closes what the client has left open.
func (s *server) closeSessions() {
	s.mu.Lock()
	left := s.open
	s.open = nil
	s.mu.Unlock()
	for session := range left {
		_ = s.module.Do(context.Background(), &ck.CloseSessionCall{Session: session}) // nobody is there to be told
	}
}

// wipeResults wipes what a call has brought: plaintexts and keys can be among it.
func wipeResults(call ck.Call) {
	if call == nil {
		return
	}
	if o := resultOf(call); o != nil {
		clear(o.Buf)
	}
	switch c := call.(type) {
	case *ck.GenerateRandomCall:
		clear(c.RandomData)
	case *ck.GetAttributeValueCall:
		wipeAttributes(c.Template)
	}
}

func wipeAttributes(t []ck.AttributeOut) {
	for i := range t {
		clear(t[i].Buf)
		wipeAttributes(t[i].Nested)
	}
}
