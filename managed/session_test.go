package managed

import (
	"slices"
	"strings"
	"testing"

	"github.com/p11mux/p11mux/ck"
)

// closing gives the answers of a module that has others for C_CloseSession.
func closing(answer func(ck.SessionHandle) error) func(ck.Call) error {
	return func(call ck.Call) error {
		if c, ok := call.(*ck.CloseSessionCall); ok {
			return answer(c.Session)
		}
		return nil
	}
}

// A session is its opener's, and nobody else can close it.
func TestSessionOwner(t *testing.T) {
	f := new(fake)
	shared := share(f, new(told))
	a, b := initialized(t, shared), initialized(t, shared)
	s := opened(t, a, 1)
	f.took()
	gives(t, "C_CloseSession by another caller", b.CloseSession(t.Context(), s), ck.CKR_SESSION_HANDLE_INVALID)
	takes(t, f, "C_CloseSession by another caller", "")
	gives(t, "C_CloseSession", a.CloseSession(t.Context(), s), ck.CKR_OK)
	takes(t, f, "C_CloseSession", "C_CloseSession 1")
	gives(t, "C_CloseSession again", a.CloseSession(t.Context(), s), ck.CKR_SESSION_HANDLE_INVALID)
	gives(t, "C_CloseSession of what is none", a.CloseSession(t.Context(), 4711), ck.CKR_SESSION_HANDLE_INVALID)
	takes(t, f, "both", "C_CloseSession 1, C_CloseSession 4711")

	// Somebody has opened a session past us: whoever closes it, the module knows.
	f.mu.Lock()
	f.open[99] = 1
	f.mu.Unlock()
	gives(t, "C_CloseSession of a session opened past us", b.CloseSession(t.Context(), 99), ck.CKR_OK)
	if left := f.sessions(); left != nil {
		t.Errorf("sessions %v are left", left)
	}
	f.verify(t)
}

// Callers that are not initialized have no part in the sessions of others (abi.md 11.1).
func TestSessionUninitialized(t *testing.T) {
	f := new(fake)
	shared := share(f, new(told))
	a, b := initialized(t, shared), shared.NewCaller(nil)
	s := opened(t, a, 1)
	f.took()
	for _, when := range []string{"before C_Initialize", "after C_Finalize"} {
		gives(t, "C_OpenSession "+when, b.Do(t.Context(), &ck.OpenSessionCall{Slot: 1, Flags: ck.CKF_SERIAL_SESSION}), ck.CKR_CRYPTOKI_NOT_INITIALIZED)
		gives(t, "C_CloseSession "+when, b.Do(t.Context(), &ck.CloseSessionCall{Session: s}), ck.CKR_CRYPTOKI_NOT_INITIALIZED)
		gives(t, "C_CloseAllSessions "+when, b.Do(t.Context(), &ck.CloseAllSessionsCall{Slot: 1}), ck.CKR_CRYPTOKI_NOT_INITIALIZED)
		gives(t, "C_GetSessionInfo "+when, b.Do(t.Context(), &ck.GetSessionInfoCall{Session: s}), ck.CKR_CRYPTOKI_NOT_INITIALIZED)
		takes(t, f, when, "")
		_ = b.Initialize(t.Context(), nil)
		_ = b.Finalize(t.Context())
	}
	if left := f.sessions(); !slices.Equal(left, []ck.SessionHandle{s}) {
		t.Errorf("sessions %v are left, want %d", left, s)
	}
}

// A session that the module refuses is nobody's.
func TestOpenRefused(t *testing.T) {
	f := new(fake)
	f.hook = func(call ck.Call) error {
		if c, ok := call.(*ck.OpenSessionCall); ok {
			c.Session = 5
			return ck.CKR_SESSION_COUNT
		}
		return nil
	}
	shared := share(f, new(told))
	c := initialized(t, shared)
	gives(t, "C_OpenSession", c.Do(t.Context(), &ck.OpenSessionCall{Flags: ck.CKF_SERIAL_SESSION}), ck.CKR_SESSION_COUNT)
	f.took()
	gives(t, "C_Finalize", c.Finalize(t.Context()), ck.CKR_OK)
	takes(t, f, "C_Finalize", "C_Finalize")
}

// C_CloseAllSessions closes what the caller has on the slot; C_Finalize what it has.
func TestCloseAll(t *testing.T) {
	f := new(fake)
	shared := share(f, new(told))
	a, b := initialized(t, shared), initialized(t, shared)
	a1, a2, b1, b2 := opened(t, a, 1), opened(t, a, 2), opened(t, b, 1), opened(t, b, 2)
	more := opened(t, a, 1)
	f.took()
	left := func(what string, want ...ck.SessionHandle) {
		t.Helper()
		if got := f.sessions(); !slices.Equal(got, want) {
			t.Errorf("after %s the sessions are %v, want %v", what, got, want)
		}
	}
	gives(t, "C_CloseAllSessions", a.CloseAllSessions(t.Context(), 1), ck.CKR_OK)
	left("C_CloseAllSessions", a2, b1, b2)
	gives(t, "C_CloseSession", a.CloseSession(t.Context(), a1), ck.CKR_SESSION_HANDLE_INVALID)
	gives(t, "C_CloseSession", a.CloseSession(t.Context(), more), ck.CKR_SESSION_HANDLE_INVALID)
	f.took()
	gives(t, "C_CloseAllSessions of a slot that is none", a.CloseAllSessions(t.Context(), 77), ck.CKR_OK)
	takes(t, f, "C_CloseAllSessions of a slot that is none", "")
	gives(t, "C_Finalize", a.Finalize(t.Context()), ck.CKR_OK)
	takes(t, f, "C_Finalize", "C_CloseSession 2")
	left("C_Finalize", b1, b2)
	gives(t, "C_Finalize of the last", b.Finalize(t.Context()), ck.CKR_OK)
	left("C_Finalize of the last")
	f.verify(t)
}

// A session whose closing fails is the caller's until it is closed, unless the answer says that there is none.
func TestCloseRefused(t *testing.T) {
	for _, test := range []struct {
		answer ck.RV
		kept   bool
	}{
		{ck.CKR_GENERAL_ERROR, true}, {ck.CKR_DEVICE_ERROR, true}, {ck.CKR_HOST_MEMORY, true}, {ck.CKR_FUNCTION_FAILED, true},
		{ck.CKR_SESSION_HANDLE_INVALID, false}, {ck.CKR_SESSION_CLOSED, false}, {ck.CKR_DEVICE_REMOVED, false},
		{ck.CKR_CRYPTOKI_NOT_INITIALIZED, false},
	} {
		t.Run(test.answer.Error(), func(t *testing.T) {
			f, m := new(fake), new(told)
			refuse := true
			f.hook = closing(func(ck.SessionHandle) error {
				if refuse {
					return test.answer
				}
				return nil
			})
			shared := share(f, m)
			a, b := initialized(t, shared), initialized(t, shared)
			s := opened(t, a, 1)
			gives(t, "C_CloseSession", a.CloseSession(t.Context(), s), test.answer)
			f.took()
			refuse = false
			if !test.kept {
				gives(t, "C_CloseAllSessions", a.CloseAllSessions(t.Context(), 1), ck.CKR_OK)
				takes(t, f, "C_CloseAllSessions", "")
				return
			}
			gives(t, "C_CloseSession by another caller", b.CloseSession(t.Context(), s), ck.CKR_SESSION_HANDLE_INVALID)
			takes(t, f, "C_CloseSession by another caller", "")

			refuse = true
			gives(t, "C_CloseAllSessions", a.CloseAllSessions(t.Context(), 1), ck.CKR_OK)
			if text := m.took(); !strings.Contains(text, "couldn't close session") || !strings.Contains(text, test.answer.Error()) {
				t.Errorf("the message is %q", text)
			}
			takes(t, f, "C_CloseAllSessions", "C_CloseSession 1")
			refuse = false
			gives(t, "C_CloseAllSessions", a.CloseAllSessions(t.Context(), 1), ck.CKR_OK)
			takes(t, f, "C_CloseAllSessions", "C_CloseSession 1")
			f.verify(t)
		})
	}
}

// C_Finalize is not held up by a session that does not close, and has forgotten it.
func TestFinalizeCloseRefused(t *testing.T) {
	f, m := new(fake), new(told)
	refuse := true
	f.hook = closing(func(ck.SessionHandle) error {
		if refuse {
			return ck.CKR_DEVICE_ERROR
		}
		return nil
	})
	shared := share(f, m)
	a, keeper := initialized(t, shared), initialized(t, shared)
	s := opened(t, a, 1)
	gives(t, "C_Finalize", a.Finalize(t.Context()), ck.CKR_OK)
	if text := m.took(); !strings.Contains(text, "couldn't close session") {
		t.Errorf("the message is %q", text)
	}
	refuse = false
	// It is as good as one that was opened past us.
	gives(t, "C_CloseSession by another caller", keeper.CloseSession(t.Context(), s), ck.CKR_OK)
	f.verify(t)
}

// A module may give a handle away again the moment a session is closed: it is the next one's then.
func TestHandleReused(t *testing.T) {
	for _, answer := range []error{nil, ck.CKR_DEVICE_ERROR} {
		f := &fake{reuse: true}
		shared := share(f, new(told))
		var a, b *Caller
		var stolen ck.SessionHandle
		f.hook = closing(func(s ck.SessionHandle) error {
			if stolen != 0 {
				return nil
			}
			f.mu.Lock()
			f.drop(s)
			f.mu.Unlock()
			stolen = opened(t, b, 2) // while C_CloseSession by a is not over
			if answer == nil {
				return errDone
			}
			return answer
		})
		a, b = initialized(t, shared), initialized(t, shared)
		s := opened(t, a, 1)
		err := a.CloseSession(t.Context(), s)
		if err != answer && err != errDone {
			t.Errorf("C_CloseSession gives %v, want %v", err, answer)
		}
		if stolen != s {
			t.Fatalf("the module gave %d away, not %d", stolen, s)
		}
		gives(t, "C_CloseSession", a.CloseSession(t.Context(), s), ck.CKR_SESSION_HANDLE_INVALID)
		gives(t, "C_CloseAllSessions", a.CloseAllSessions(t.Context(), 2), ck.CKR_OK)
		gives(t, "C_Finalize", a.Finalize(t.Context()), ck.CKR_OK)
		if left := f.sessions(); !slices.Equal(left, []ck.SessionHandle{stolen}) {
			t.Errorf("answer %v: sessions %v are left, want %d", answer, left, stolen)
		}
		gives(t, "C_CloseSession by the new owner", b.CloseSession(t.Context(), stolen), ck.CKR_OK)
		f.verify(t)
	}
}

// errDone is an answer that says that there is no session any more, as CKR_OK would, but that the fake gives at once.
const errDone = ck.CKR_SESSION_CLOSED
