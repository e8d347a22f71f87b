package uri

import "strings"

// hidden is what stands for a PIN in texts.
const hidden = "(hidden)"

// A PIN holds a secret and prints as "(hidden)". Copies of a PIN share its
// memory. The zero PIN is empty.
type PIN struct{ kept *secret }

// A secret is a PIN's memory, behind two pointers: package fmt does not call the
// methods of unexported fields, or for verbs such as %d, but follows one pointer
// where a verb does not suit it. What it prints then is an address.
type secret struct{ octets *[]byte }

// Bytes returns the PIN itself, not a copy: it is valid until the URI that the
// PIN is from drops it. Treat it as read-only.
func (p PIN) Bytes() []byte {
	if p.kept == nil {
		return nil
	}
	return *p.kept.octets
}

// String returns "(hidden)".
func (p PIN) String() string { return hidden }

// GoString returns "(hidden)".
func (p PIN) GoString() string { return hidden }

// newPIN copies a PIN.
func newPIN(octets []byte) PIN {
	b := append(make([]byte, 0, len(octets)), octets...)
	return PIN{&secret{&b}}
}

// wipe overwrites the PIN and empties all copies of p.
func (p PIN) wipe() {
	if p.kept != nil {
		clear(p.Bytes())
		*p.kept.octets = nil
	}
}

// PIN returns the attribute pin-value and whether the URI has it. An empty PIN
// is one. The PIN is the URI's: it is wiped when the URI gets another one or
// none.
func (u *URI) PIN() (pin PIN, ok bool) { return u.pin, u.pin.kept != nil }

// SetPIN sets pin-value to a copy of pin, and wipes the former one. A PIN with a
// NUL in it is refused with [ErrUnexpected], since it would be cut there.
func (u *URI) SetPIN(pin []byte) error {
	for _, c := range pin {
		if c == 0 {
			return &Error{Code: ErrUnexpected, Name: "pin-value", Msg: "contains a NUL, enter the PIN by other means"}
		}
	}
	// pin may be the memory that is about to be wiped.
	fresh := newPIN(pin)
	u.ClearPIN()
	u.pin = fresh
	return nil
}

// ClearPIN removes pin-value and wipes it.
func (u *URI) ClearPIN() {
	u.pin.wipe()
	u.pin = PIN{}
}

// WithoutPIN returns a copy of the URI that has no pin-value, to be stored or
// shown.
func (u *URI) WithoutPIN() *URI {
	c := *u
	c.pin = PIN{}
	c.attrs = cloneAttributes(u.attrs)
	c.vendor = append([]query(nil), u.vendor...)
	return &c
}

// Clone returns a copy that shares nothing with the URI. The PIN exists twice
// then.
func (u *URI) Clone() *URI {
	c := u.WithoutPIN()
	if u.pin.kept != nil {
		c.pin = newPIN(u.pin.Bytes())
	}
	return c
}

// EmptyPIN gives the text of a URI with an empty PIN where it has one, and as it is otherwise: what the text says beside that stays as it is
// written, and so does what is wrong with it.
func EmptyPIN(text string) string {
	var b strings.Builder
	begin, rest, _ := strings.Cut(text, ":")
	b.WriteString(begin)
	if len(begin) < len(text) {
		b.WriteByte(':')
	}
	separators := ";?"
	for {
		end := strings.IndexAny(rest, separators)
		part := rest
		if end >= 0 {
			part = rest[:end]
		}
		name, _, _ := strings.Cut(part, "=")
		if counts := string(removeSpace([]byte(name))); counts == "pin-value" && len(name) < len(part) {
			part = name + "="
		} else if counts == "" && len(name) == len(part) {
			separators = "&" // an empty component ends the path
		}
		b.WriteString(part)
		if end < 0 {
			return b.String()
		}
		if rest[end] == '?' {
			separators = "&"
		}
		b.WriteByte(rest[end])
		rest = rest[end+1:]
	}
}
