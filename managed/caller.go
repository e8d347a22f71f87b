package managed

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/p11mux/p11mux/ck"
)

// A Caller is one caller's view of a shared module. It implements module.Module. All its methods may be called from any
// goroutine.
type Caller struct {
	m       *Module
	changed func(bool)

	// life is held for reading while the caller's sessions are opened and closed, and for writing when it is finalized:
	// then every session is either in the module's table or was never opened.
	life        sync.RWMutex
	initialized atomic.Bool // written with the module's turn and life
	closed      atomic.Bool // never unset
	reserved    atomic.Bool // takes a reserved pointer
}

// TakeReserved allows this caller to pass a reserved pointer, whatever the module's options say: one that stands for
// others, who have a configuration of their own. It must be called before the caller is used.
func (c *Caller) TakeReserved() { c.reserved.Store(true) }

// Do executes a call as this caller. Calls that concern the caller's own life and sessions are managed; all others go to
// the module, and give CKR_CRYPTOKI_NOT_INITIALIZED unless this caller is initialized.
func (c *Caller) Do(ctx context.Context, call ck.Call) error {
	switch call := call.(type) {
	case *ck.InitializeCall:
		return c.Initialize(ctx, call.Args)
	case *ck.FinalizeCall:
		if call.Reserved != 0 {
			return ck.CKR_ARGUMENTS_BAD // PKCS#11 3.2 §5.4.2
		}
		return c.Finalize(ctx)
	case *ck.OpenSessionCall:
		return c.OpenSession(ctx, call)
	case *ck.CloseSessionCall:
		return c.CloseSession(ctx, call.Session)
	case *ck.CloseAllSessionsCall:
		return c.CloseAllSessions(ctx, call.Slot)
	case *ck.GetFunctionStatusCall, *ck.CancelFunctionCall:
		return ck.CKR_FUNCTION_NOT_PARALLEL
	case *ck.GetFunctionListCall, *ck.GetInterfaceListCall, *ck.GetInterfaceCall:
		return c.m.mod.Do(ctx, call) // answered at any time (PKCS#11 3.2 §5.4)
	}
	if !c.initialized.Load() {
		return ck.CKR_CRYPTOKI_NOT_INITIALIZED
	}
	return c.m.mod.Do(ctx, call)
}

// Initialize is C_Initialize. The real one is called if no caller is initialized. CKR_CRYPTOKI_ALREADY_INITIALIZED if
// this caller is; CKR_FUNCTION_FAILED if called from inside the module's own C_Initialize or C_Finalize; otherwise the
// module's refusal.
func (c *Caller) Initialize(ctx context.Context, args *ck.InitializeArgs) error {
	if !c.m.turn.Take() {
		c.m.message("p11-kit initialization called recursively")
		return ck.CKR_FUNCTION_FAILED
	}
	defer c.m.turn.Give()
	switch {
	case c.closed.Load():
		return ck.CKR_GENERAL_ERROR
	case c.initialized.Load():
		return ck.CKR_CRYPTOKI_ALREADY_INITIALIZED
	}
	if err := c.m.validate(args, c.reserved.Load()); err != nil {
		return err
	}
	if err := c.m.start(ctx, args); err != nil {
		return err
	}
	if c.closed.Load() { // meanwhile
		c.m.stop(ctx)
		return ck.CKR_GENERAL_ERROR
	}
	c.life.Lock()
	c.set(true)
	c.life.Unlock()
	return nil
}

// Finalize is C_Finalize. The caller's sessions are closed, and the real C_Finalize is called if no other caller is
// initialized; what it answers is not passed on. CKR_CRYPTOKI_NOT_INITIALIZED if this caller is not initialized.
func (c *Caller) Finalize(ctx context.Context) error {
	if !c.m.turn.Take() {
		c.m.message("p11-kit finalization called recursively")
		return ck.CKR_FUNCTION_FAILED
	}
	defer c.m.turn.Give()
	if !c.initialized.Load() {
		return ck.CKR_CRYPTOKI_NOT_INITIALIZED
	}
	c.life.Lock()
	c.set(false)
	c.life.Unlock()
	if left := c.takeSessions(func(session) bool { return true }); len(left) > 0 {
		// The module may come back from its C_CloseSession too, and has to be known then.
		_ = c.m.turn.Call(func() error {
			c.closeAll(ctx, left)
			return nil
		})
	}
	c.m.stop(ctx)
	return nil
}

// Close ends the caller: it is finalized if it is still initialized, and can never be initialized again. Closing twice is
// harmless. CKR_FUNCTION_FAILED if called from inside the module's own C_Initialize or C_Finalize: a caller that is being
// initialized there will not be, but one that was before remains so.
func (c *Caller) Close(ctx context.Context) error {
	c.closed.Store(true)
	if err := c.Finalize(ctx); err != nil && err != error(ck.CKR_CRYPTOKI_NOT_INITIALIZED) {
		return err
	}
	return nil
}

// OpenSession is C_OpenSession; the session belongs to this caller.
func (c *Caller) OpenSession(ctx context.Context, call *ck.OpenSessionCall) error {
	c.life.RLock()
	defer c.life.RUnlock()
	if !c.initialized.Load() {
		return ck.CKR_CRYPTOKI_NOT_INITIALIZED
	}
	if err := c.m.mod.Do(ctx, call); err != nil {
		return err
	}
	c.m.mu.Lock()
	c.m.sessions[call.Session] = session{c, call.Slot}
	c.m.mu.Unlock()
	return nil
}

// CloseSession is C_CloseSession. A session of another caller is as good as none: CKR_SESSION_HANDLE_INVALID. One that no
// caller opened is the module's to judge, for somebody may use the module past us.
func (c *Caller) CloseSession(ctx context.Context, handle ck.SessionHandle) error {
	c.life.RLock()
	defer c.life.RUnlock()
	if !c.initialized.Load() {
		return ck.CKR_CRYPTOKI_NOT_INITIALIZED
	}
	c.m.mu.Lock()
	s, known := c.m.sessions[handle]
	if known && s.caller != c {
		c.m.mu.Unlock()
		return ck.CKR_SESSION_HANDLE_INVALID
	}
	// The module may give the handle to a new session the moment it closes this one, so the table forgets it first.
	delete(c.m.sessions, handle)
	c.m.mu.Unlock()
	err := c.m.mod.Do(ctx, &ck.CloseSessionCall{Session: handle})
	if known {
		c.keepIfOpen(handle, s, err)
	}
	return err
}

// CloseAllSessions is C_CloseAllSessions for the sessions that this caller opened on the slot; it never fails for an
// initialized caller.
func (c *Caller) CloseAllSessions(ctx context.Context, slot ck.SlotID) error {
	c.life.RLock()
	defer c.life.RUnlock()
	if !c.initialized.Load() {
		return ck.CKR_CRYPTOKI_NOT_INITIALIZED
	}
	c.closeAll(ctx, c.takeSessions(func(s session) bool { return s.slot == slot }))
	return nil
}

// takeSessions takes those of the caller's sessions that which picks out of the table.
func (c *Caller) takeSessions(which func(session) bool) map[ck.SessionHandle]session {
	c.m.mu.Lock()
	defer c.m.mu.Unlock()
	var taken map[ck.SessionHandle]session
	for handle, s := range c.m.sessions {
		if s.caller == c && which(s) {
			if taken == nil {
				taken = make(map[ck.SessionHandle]session)
			}
			taken[handle] = s
			delete(c.m.sessions, handle)
		}
	}
	return taken
}

// closeAll closes sessions that were taken out of the table.
func (c *Caller) closeAll(ctx context.Context, sessions map[ck.SessionHandle]session) {
	for handle, s := range sessions {
		if err := c.m.mod.Do(ctx, &ck.CloseSessionCall{Session: handle}); err != nil {
			c.m.message("couldn't close session: " + err.Error())
			c.keepIfOpen(handle, s, err)
		}
	}
}

// keepIfOpen puts a session back whose closing failed in a way that may have left it open.
func (c *Caller) keepIfOpen(handle ck.SessionHandle, s session, err error) {
	if ck.SessionOver(err) {
		return
	}
	c.m.mu.Lock()
	if _, taken := c.m.sessions[handle]; !taken && c.initialized.Load() {
		c.m.sessions[handle] = s
	}
	c.m.mu.Unlock()
}

func (c *Caller) set(initialized bool) {
	c.initialized.Store(initialized)
	if c.changed != nil {
		c.changed(initialized)
	}
}
