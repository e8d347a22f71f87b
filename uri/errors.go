package uri

import "strconv"

// A Code is a kind of error, with the number that the C library has for it
// (abi.md 1.3). Errors of this package wrap one: errors.Is(err, ErrBadSyntax).
type Code int8

const (
	// ErrUnexpected: a name or value that can be in no URI.
	ErrUnexpected Code = -1
	// ErrBadScheme: the text does not begin with "pkcs11:".
	ErrBadScheme Code = -2
	// ErrBadEncoding: a '%' without two hexadecimal digits after it, or a NUL.
	ErrBadEncoding Code = -3
	// ErrBadSyntax: an attribute that is not NAME=VALUE, or a bad slot-id.
	ErrBadSyntax Code = -4
	// ErrBadVersion: a library-version that is not two numbers.
	ErrBadVersion Code = -5
	// ErrNotFound: an attribute that URIs do not have.
	ErrNotFound Code = -6
)

// Error describes the kind of error.
func (c Code) Error() string {
	switch c {
	case ErrUnexpected:
		return "not possible in a uri"
	case ErrBadScheme:
		return "not a pkcs11 uri"
	case ErrBadEncoding:
		return "bad percent-encoding"
	case ErrBadSyntax:
		return "bad syntax"
	case ErrBadVersion:
		return "bad version number"
	case ErrNotFound:
		return "no attribute of uris"
	}
	return "unknown uri error " + strconv.Itoa(int(c))
}

// An Error says what is wrong, and where. It quotes nothing of the URI but the
// name of an attribute that the package knows: what stands in the wrong place
// may be a PIN.
type Error struct {
	Code Code
	Part string // "path" or "query"; empty if the error is in neither
	N    int    // the attribute within the part, counted from 1
	Name string // the attribute's name if it is known, else empty
	Msg  string // what is wrong with it
}

// Error returns "pkcs11 uri: PART attribute N (NAME): MSG".
func (e *Error) Error() string {
	s := "pkcs11 uri: "
	switch {
	case e.Part != "":
		s += e.Part + " attribute " + strconv.Itoa(e.N)
		if e.Name != "" {
			s += " (" + e.Name + ")"
		}
		s += ": "
	case e.Name != "":
		s += e.Name + ": "
	}
	return s + e.Msg
}

// Unwrap returns the code, for errors.Is.
func (e *Error) Unwrap() error { return e.Code }
