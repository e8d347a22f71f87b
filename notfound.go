package p11mux

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/p11mux/p11mux/ck"
)

// A searchError says why one thing that was looked for was not found. In one line, for it ends up in logs.
type searchError struct {
	kind   error // ErrNotFound, ErrIncomplete or ErrAmbiguous
	text   string
	causes []error
	hints  []string // what else may be why
}

func (e *searchError) Error() string {
	parts := []string{e.kind.Error() + ": " + e.text}
	for _, cause := range e.causes {
		parts = append(parts, cause.Error())
	}
	return strings.Join(append(parts, e.hints...), "; ")
}

// Unwrap gives what the error is, and why.
func (e *searchError) Unwrap() []error { return append([]error{e.kind}, e.causes...) }

// notFound says what is not there, and what may be the reason.
func (s *search) notFound(ctx context.Context, what string, errs []error) error {
	e := &searchError{kind: ErrNotFound, text: "no " + what + " for " + s.uri.String(), causes: errs}
	if len(errs) == 0 && s.matched == 0 && what != "token" {
		e.text = "no token for " + s.uri.String()
	}
	var private []string
	for _, t := range s.closed {
		if !t.showsPrivate(ctx) {
			private = append(private, fmt.Sprintf("%q", t.Label()))
		}
	}
	switch {
	case len(private) > 1:
		e.hints = append(e.hints, "several tokens need a login, so none was tried: name one of "+strings.Join(private, ", ")+" in the uri")
	case len(private) == 1:
		e.hints = append(e.hints, "what is private on "+private[0]+" shows after a login only: give pin-source in the uri, or WithPIN")
	}
	if len(errs) > 0 || len(private) > 0 {
		e.kind = ErrIncomplete
	}
	for _, problem := range s.problems {
		e.hints = append(e.hints, problem.Error())
	}
	return e
}

// showsPrivate tells whether a user is logged in.
func (t *Token) showsPrivate(ctx context.Context) bool {
	var info ck.SessionInfo
	err := t.With(ctx, func(s *Session) (err error) {
		info, err = s.Info(ctx)
		return err
	})
	return err == nil && (info.State == ck.CKS_RO_USER_FUNCTIONS || info.State == ck.CKS_RW_USER_FUNCTIONS)
}

// maxCandidates is how many things an error names of which one should be chosen.
const maxCandidates = 3

// ambiguous says what the URI names more than one of.
func ambiguous[T interface{ URI() string }](s *search, what string, found []T) error {
	e := &searchError{kind: ErrAmbiguous, text: s.uri.String() + " names several " + what}
	for i, one := range found {
		if i == maxCandidates {
			e.text += ", and more"
			break
		}
		e.text += [...]string{": ", ", "}[min(i, 1)] + one.URI()
	}
	return e
}

// errUnrecognized says why a URI names nothing.
func errUnrecognized(attribute string) error {
	if attribute == "" {
		return fmt.Errorf("%w: nothing can have what the uri says", ErrNotFound)
	}
	return fmt.Errorf("%w: nothing can have the uri's attribute %q, or its value", ErrNotFound, attribute)
}

// errPINForOne is for a PIN that cannot be meant for all tokens.
var errPINForOne = errors.New("the PIN in the uri can be for one token only")
