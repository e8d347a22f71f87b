package filter

import (
	"context"

	"github.com/p11mux/p11mux/ck"
)

// open is C_OpenSession.
func (f *Filter) open(ctx context.Context, call *ck.OpenSessionCall) error {
	id := call.Slot
	s, ok := f.slot(id)
	if !ok {
		return ck.CKR_SLOT_ID_INVALID
	}
	if s.readOnly && call.Flags&ck.CKF_RW_SESSION != 0 {
		return ck.CKR_TOKEN_WRITE_PROTECTED
	}
	call.Slot = s.real
	err := f.module.Do(ctx, call)
	call.Slot = id
	if err != nil {
		return err
	}
	f.mu.Lock()
	finalized := f.sessions == nil
	if !finalized {
		f.sessions[call.Session] = id
	}
	f.mu.Unlock()
	if finalized { // and the session has gone with that
		return ck.CKR_CRYPTOKI_NOT_INITIALIZED
	}
	return nil
}

// inSession passes on a call of a session that was opened here.
func (f *Filter) inSession(ctx context.Context, call ck.Call, session ck.SessionHandle) error {
	f.mu.RLock()
	id, ok := f.sessions[session]
	f.mu.RUnlock()
	if !ok {
		return ck.CKR_SESSION_HANDLE_INVALID
	}
	if _, closing := call.(*ck.CloseSessionCall); closing {
		return f.close(ctx, session)
	}
	err := f.module.Do(ctx, call)
	if info, ok := call.(*ck.GetSessionInfoCall); ok && err == nil {
		info.Info.Slot = id
	}
	return err
}

// close closes a session. It is forgotten first, since the module may give its handle to somebody else at once.
func (f *Filter) close(ctx context.Context, session ck.SessionHandle) error {
	f.mu.Lock()
	id, ok := f.sessions[session]
	delete(f.sessions, session)
	f.mu.Unlock()
	if !ok {
		return ck.CKR_SESSION_HANDLE_INVALID
	}
	err := f.module.Do(ctx, &ck.CloseSessionCall{Session: session})
	if !ck.SessionOver(err) {
		f.mu.Lock()
		if f.sessions != nil {
			f.sessions[session] = id
		}
		f.mu.Unlock()
	}
	return err
}

// closeAll is C_CloseAllSessions: of the sessions that were opened here.
func (f *Filter) closeAll(ctx context.Context, id ck.SlotID) error {
	if _, ok := f.slot(id); !ok {
		return ck.CKR_SLOT_ID_INVALID
	}
	f.mu.RLock()
	var sessions []ck.SessionHandle
	for session, slot := range f.sessions {
		if slot == id {
			sessions = append(sessions, session)
		}
	}
	f.mu.RUnlock()
	var failed error
	for _, session := range sessions {
		if err := f.close(ctx, session); !ck.SessionOver(err) {
			failed = err
		}
	}
	return failed
}
