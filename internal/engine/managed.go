package engine

import (
	"context"

	"github.com/p11mux/p11mux/ck"
)

// The managed functions of a handle. One that has been released meanwhile is as good as one that is not initialized.

// Initialize is C_Initialize.
func (e *Engine) Initialize(h Handle, args *ck.InitializeArgs) ck.RV {
	caller := e.caller(h)
	if caller == nil {
		return ck.CKR_GENERAL_ERROR
	}
	return ck.RVOf(caller.Initialize(context.Background(), args))
}

// Finalize is C_Finalize.
func (e *Engine) Finalize(h Handle) ck.RV {
	caller := e.caller(h)
	if caller == nil {
		return ck.CKR_CRYPTOKI_NOT_INITIALIZED
	}
	return ck.RVOf(caller.Finalize(context.Background()))
}

// OpenSession is C_OpenSession.
func (e *Engine) OpenSession(h Handle, call *ck.OpenSessionCall) ck.RV {
	caller := e.caller(h)
	if caller == nil {
		return ck.CKR_CRYPTOKI_NOT_INITIALIZED
	}
	return ck.RVOf(caller.OpenSession(context.Background(), call))
}

// CloseSession is C_CloseSession.
func (e *Engine) CloseSession(h Handle, session ck.SessionHandle) ck.RV {
	caller := e.caller(h)
	if caller == nil {
		return ck.CKR_CRYPTOKI_NOT_INITIALIZED
	}
	return ck.RVOf(caller.CloseSession(context.Background(), session))
}

// CloseAllSessions is C_CloseAllSessions.
func (e *Engine) CloseAllSessions(h Handle, slot ck.SlotID) ck.RV {
	caller := e.caller(h)
	if caller == nil {
		return ck.CKR_CRYPTOKI_NOT_INITIALIZED
	}
	return ck.RVOf(caller.CloseAllSessions(context.Background(), slot))
}
