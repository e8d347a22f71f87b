package proxy

import (
	"context"

	"github.com/p11mux/p11mux/ck"
)

// OpenSession is C_OpenSession; the session belongs to this instance. CKR_SESSION_COUNT if the table has no room.
func (p *Proxy) OpenSession(ctx context.Context, call *ck.OpenSessionCall) error {
	r, err := p.enter()
	if err != nil {
		return err
	}
	defer r.leave()
	id, before := call.Slot, call.Session
	i, real, ok := p.slot(r, id)
	if !ok {
		return ck.CKR_SLOT_ID_INVALID
	}
	m := p.o.Members[i].Module
	call.Slot = real
	err = m.Do(ctx, call)
	call.Slot = id
	if err != nil {
		call.Session = before
		return err
	}
	handle, ok := p.o.Table.Open(i, call.Session, id)
	if !ok {
		_ = m.Do(ctx, &ck.CloseSessionCall{Session: call.Session})
		call.Session = before
		return ck.CKR_SESSION_COUNT
	}
	call.Session = handle
	return nil
}

// CloseSession is C_CloseSession. A session of another instance is as good as none: CKR_SESSION_HANDLE_INVALID.
func (p *Proxy) CloseSession(ctx context.Context, handle ck.SessionHandle) error {
	r, err := p.enter()
	if err != nil {
		return err
	}
	defer r.leave()
	return p.close(ctx, handle)
}

// close closes a session. The table forgets it first: a call that comes meanwhile must not reach the session that the
// module may give the same handle to.
func (p *Proxy) close(ctx context.Context, handle ck.SessionHandle) error {
	i, real, _, ok := p.o.Table.Lookup(handle)
	if !ok || !p.o.Table.Hide(handle) {
		return ck.CKR_SESSION_HANDLE_INVALID
	}
	err := p.o.Members[i].Module.Do(ctx, &ck.CloseSessionCall{Session: real})
	if ck.SessionOver(err) {
		p.o.Table.Drop(handle)
	} else {
		p.o.Table.Restore(handle)
	}
	return err
}

// CloseAllSessions is C_CloseAllSessions for the sessions that this instance opened on the slot. CKR_SLOT_ID_INVALID for an
// unknown slot; that a session could not be closed is a message.
func (p *Proxy) CloseAllSessions(ctx context.Context, id ck.SlotID) error {
	r, err := p.enter()
	if err != nil {
		return err
	}
	defer r.leave()
	if _, _, ok := p.slot(r, id); !ok {
		return ck.CKR_SLOT_ID_INVALID
	}
	p.closeAll(ctx, id)
	return nil
}

// closeAll closes the sessions on a slot. One that another thread closes meanwhile is that thread's.
func (p *Proxy) closeAll(ctx context.Context, id ck.SlotID) {
	p.o.Table.Sessions(id, func(handle ck.SessionHandle) {
		if err := p.close(ctx, handle); !ck.SessionOver(err) {
			p.o.Message("couldn't close session: " + p.o.Describe(ck.RVOf(err)))
		}
	})
}
