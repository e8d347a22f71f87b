package uri

import (
	"bytes"
	"math"
	"slices"
	"strings"

	"github.com/p11mux/p11mux/ck"
)

// Parse reads a URI that is for t. Errors are of type *[Error] and wrap a [Code].
// A URI without error may still be [URI.Unrecognized]. See [URI.Parse] for texts
// whose memory is to be wiped.
func Parse(text string, t Type) (*URI, error) {
	u := new(URI)
	if err := u.parse([]byte(text), t); err != nil {
		u.Reset()
		return nil, err
	}
	return u, nil
}

// Parse replaces the URI by what text says (abi.md 4.1). The text is not changed
// or kept, and no copy of it is left in memory but in the URI. If it does not begin
// with "pkcs11:" or has a NUL in it, the URI is left as it was; with other errors
// it has the attributes that stand before the error, and is not to be used.
func (u *URI) Parse(text []byte, t Type) error { return u.parse(bytes.Clone(text), t) }

// parse is Parse for memory that it may change; it wipes it.
func (u *URI) parse(text []byte, t Type) error {
	defer clear(text)
	if bytes.IndexByte(text, 0) >= 0 {
		return &Error{Code: ErrBadEncoding, Msg: "contains a NUL, write it as %00"}
	}
	s := removeSpace(text)
	i := bytes.IndexByte(s, ':')
	if i < 0 || !isScheme(s[:i]) {
		return &Error{Code: ErrBadScheme, Msg: `does not begin with "pkcs11:"`}
	}
	u.Reset()
	query, err := u.parsePath(s[i+1:], t)
	if err != nil {
		return err
	}
	return u.parseQuery(query)
}

// removeSpace takes the characters out that do not count, in place.
func removeSpace(text []byte) []byte {
	n := 0
	for _, c := range text {
		switch c {
		case ' ', '\n', '\r', '\v':
		default:
			text[n] = c
			n++
		}
	}
	return text[:n]
}

// isScheme compares without regard to case, of ASCII only: bytes.EqualFold would
// take U+212A, the Kelvin sign, for a k.
func isScheme(s []byte) bool {
	if len(s) != len(scheme) {
		return false
	}
	for i, c := range s {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != scheme[i] {
			return false
		}
	}
	return true
}

// parsePath reads what follows the scheme and returns what is the query. An empty
// component ends the path as a question mark does.
func (u *URI) parsePath(s []byte, t Type) (query []byte, err error) {
	for n := 1; ; n++ {
		end := 0
		for end < len(s) && s[end] != ';' && s[end] != '?' {
			end++
		}
		part, rest := s[:end], s[min(end+1, len(s)):]
		if end == 0 {
			return rest, nil
		}
		name, value, err := cut(part)
		if err == nil {
			err = u.pathAttribute(name, value, t)
			if u.unrecognized && u.strange == "" {
				u.strange = string(name[:min(len(name), 64)])
			}
		}
		if err != nil {
			return nil, located(err, "path", n)
		}
		if end == len(s) || s[end] == '?' {
			return rest, nil
		}
		s = rest
	}
}

// parseQuery reads what follows the question mark.
func (u *URI) parseQuery(s []byte) error {
	// Names are looked up by bisection, also when an error ends the query.
	defer func() {
		slices.SortStableFunc(u.vendor, func(a, b query) int { return strings.Compare(a.name, b.name) })
	}()
	for n := 1; len(s) > 0; n++ {
		part, rest, _ := bytes.Cut(s, []byte{'&'})
		name, value, err := cut(part)
		if err == nil {
			err = u.queryAttribute(name, value)
		}
		if err != nil {
			return located(err, "query", n)
		}
		s = rest
	}
	return nil
}

// located adds to an error where it is.
func located(err *Error, part string, n int) *Error {
	err.Part, err.N = part, n
	return err
}

// cut divides an attribute into name and value.
func cut(attr []byte) (name, value []byte, err *Error) {
	name, value, ok := bytes.Cut(attr, []byte{'='})
	if !ok || len(name) == 0 {
		return nil, nil, &Error{Code: ErrBadSyntax, Msg: "is not of the form name=value"}
	}
	return name, value, nil
}

// pathAttribute takes over an attribute of the path. The value may be changed.
func (u *URI) pathAttribute(name, value []byte, t Type) *Error {
	if f := pathField(name); f != noField {
		if !t.has(f.needs()) {
			u.unrecognized = true
			return nil
		}
		return u.parseText(f, value)
	}
	switch string(name) {
	case "id":
		if t.has(ForObject) {
			return u.parseAttribute("id", ck.CKA_ID, value)
		}
	case "object":
		if t.has(ForObject) {
			return u.parseAttribute("object", ck.CKA_LABEL, value)
		}
	case "type", "object-type", "objecttype":
		// Neither a bad class nor an escape in a good one is an error.
		if class, ok := classByName(value); ok && t.has(ForObject) {
			u.SetObjectClass(class)
			return nil
		}
	case "slot-id":
		if t.has(ForSlot) {
			return u.parseSlotID(value)
		}
	case "library-version":
		if t.has(ForModuleWithVersion) {
			return u.parseVersion(value)
		}
	case "pin-source", "pinfile":
		return u.parseFree(PINSource, value)
	case "pin-value":
		return u.parsePIN(value)
	}
	u.unrecognized = true
	return nil
}

// queryAttribute takes over an attribute of the query. The value may be changed.
func (u *URI) queryAttribute(name, value []byte) *Error {
	switch string(name) {
	case "pin-source", "pinfile":
		return u.parseFree(PINSource, value)
	case "pin-value":
		return u.parsePIN(value)
	case "module-name":
		return u.parseFree(ModuleName, value)
	case "module-path":
		return u.parseFree(ModulePath, value)
	}
	if !isVendorName(name) {
		return &Error{Code: ErrUnexpected, Msg: `name is not of the characters "a-z0-9-_"`}
	}
	value, err := decodeString("", value)
	if err == nil {
		u.vendor = append(u.vendor, query{string(name), string(value)})
	}
	return err
}

// parseText takes over a padded text.
func (u *URI) parseText(f Field, value []byte) *Error {
	text, err := decode(f.String(), value)
	if err != nil {
		return err
	}
	b := u.padded(f)
	switch {
	case len(text) > len(b):
		u.unrecognized = true
	case len(text) > 0 && text[0] == 0:
		// An unset field starts with a zero and would match everything.
		clear(b)
		u.unrecognized = true
	default:
		pad(b, text)
	}
	return nil
}

// parseFree takes over a C string.
func (u *URI) parseFree(f Field, value []byte) *Error {
	text, err := decodeString(f.String(), value)
	if err == nil {
		*u.free(f) = optional{string(text), true}
	}
	return err
}

// parsePIN takes over pin-value.
func (u *URI) parsePIN(value []byte) *Error {
	pin, err := decodeString("pin-value", value)
	if err == nil {
		u.ClearPIN()
		u.pin = newPIN(pin)
	}
	return err
}

// parseAttribute takes over an attribute of the object.
func (u *URI) parseAttribute(name string, t ck.AttributeType, value []byte) *Error {
	b, err := decode(name, value)
	if err == nil {
		u.setValue(t, append([]byte{}, b...))
	}
	return err
}

func (u *URI) parseSlotID(value []byte) *Error {
	id, ok := number(value, math.MaxInt64)
	if !ok {
		return &Error{Code: ErrBadSyntax, Name: "slot-id", Msg: "is not a decimal number below 2^63"}
	}
	u.SetSlotID(ck.SlotID(id))
	return nil
}

func (u *URI) parseVersion(value []byte) *Error {
	major, minor, dotted := bytes.Cut(value, []byte{'.'})
	if !dotted {
		minor = []byte{'0'}
	}
	x, ok := number(major, 254)
	y, ok2 := number(minor, 254)
	if !ok || !ok2 {
		return &Error{Code: ErrBadVersion, Name: "library-version", Msg: "is not of the form 1 or 1.2, with numbers below 255"}
	}
	u.SetLibraryVersion(ck.Version{Major: byte(x), Minor: byte(y)})
	return nil
}

// number reads decimal digits that give at most limit.
func number(s []byte, limit uint64) (n uint64, ok bool) {
	for _, c := range s {
		if c < '0' || c > '9' || n > (limit-uint64(c-'0'))/10 {
			return 0, false
		}
		n = 10*n + uint64(c-'0')
	}
	return n, len(s) > 0
}

// decode resolves percent-encoding in place. The name is for the error.
func decode(name string, s []byte) ([]byte, *Error) {
	n := 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == '%' {
			if len(s)-i < 3 || hexDigit(s[i+1]) > 15 || hexDigit(s[i+2]) > 15 {
				return nil, &Error{Code: ErrBadEncoding, Name: name, Msg: "has a % without two hexadecimal digits, write % as %25"}
			}
			c = hexDigit(s[i+1])<<4 | hexDigit(s[i+2])
			i += 2
		}
		s[n] = c
		n++
	}
	return s[:n], nil
}

// decodeString is decode for a C string, which ends at a NUL.
func decodeString(name string, s []byte) ([]byte, *Error) {
	s, err := decode(name, s)
	if i := bytes.IndexByte(s, 0); i >= 0 {
		s = s[:i]
	}
	return s, err
}

// hexDigit returns the value of a hexadecimal digit, and 255 for what is none.
func hexDigit(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10
	}
	return 255
}
