package p11mux

import (
	"context"
	"errors"

	"github.com/p11mux/p11mux/ck"
)

var (
	// ErrClosed is what a module, a token or a session gives after it was closed. Such an error also is the return value
	// that PKCS#11 has for the case, CKR_CRYPTOKI_NOT_INITIALIZED or CKR_SESSION_HANDLE_INVALID.
	ErrClosed = errors.New("used after Close")
	// ErrNotFound: nothing matches the URI or the template, and all that may have it was searched. If Load had to leave out
	// modules, the error says so, see [Modules.Problems].
	ErrNotFound = errors.New("not found")
	// ErrIncomplete: what was looked for may be there all the same, for a module or a token could not be searched, or a
	// token shows what is private after a login only. The reasons are errors of the search too:
	// errors.Is(err, ck.CKR_PIN_INCORRECT).
	ErrIncomplete = errors.New("not everything could be searched")
	// ErrAmbiguous: more than one thing matches where one was asked for.
	ErrAmbiguous = errors.New("ambiguous")
	// ErrUnsupported: the key, the certificate or the options are of a kind that package crypto has no type for.
	ErrUnsupported = errors.New("not supported")
)

// failed is an error of a call with the module's and the function's name, which every error of this package has.
func (m *Module) failed(f ck.Func, err error) error {
	switch err := err.(type) {
	case nil:
		return nil
	case ck.RV:
		return &ck.CallError{Module: m.name, Call: f.String(), RV: err}
	case *ck.CallError:
		if err.Module != "" {
			return err
		}
		named := *err // the layers below do not know the name
		named.Module = m.name
		return &named
	}
	return &ck.CallError{Module: m.name, Call: f.String(), RV: ck.RVOf(err), Err: err}
}

// refused is an error that is found before the module is asked.
func (m *Module) refused(f ck.Func, rv ck.RV, reason error) error {
	return &ck.CallError{Module: m.name, Call: f.String(), RV: rv, Err: reason}
}

// canceled is the error of a call that was not begun because the context is over.
func (m *Module) canceled(f ck.Func, ctx context.Context) error {
	return m.refused(f, ck.CKR_FUNCTION_CANCELED, context.Cause(ctx))
}

// isLost tells whether an answer says that the session, and with it all of the token's sessions, are gone.
func isLost(rv ck.RV) bool {
	switch rv {
	case ck.CKR_SESSION_HANDLE_INVALID, ck.CKR_SESSION_CLOSED, ck.CKR_DEVICE_REMOVED, ck.CKR_TOKEN_NOT_PRESENT,
		ck.CKR_TOKEN_NOT_RECOGNIZED, ck.CKR_CRYPTOKI_NOT_INITIALIZED:
		return true
	}
	return false
}
