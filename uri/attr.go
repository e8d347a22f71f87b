package uri

import (
	"runtime"
	"slices"

	"github.com/p11mux/p11mux/ck"
)

// Attribute returns an attribute of the object, and whether the URI has it. The
// value is the URI's own; treat it as read-only.
func (u *URI) Attribute(t ck.AttributeType) (a ck.Attribute, ok bool) {
	if i := u.attributeIndex(t); i >= 0 {
		return u.attrs[i], true
	}
	return ck.Attribute{}, false
}

func (u *URI) attributeIndex(t ck.AttributeType) int {
	return slices.IndexFunc(u.attrs, func(a ck.Attribute) bool { return a.Type == t })
}

// SetAttribute sets an attribute to a deep copy of a. Any type is kept and given
// back; only CKA_ID, CKA_LABEL and CKA_CLASS are formatted and matched. The
// greatest possible type, which ends arrays of attributes in C, is ignored.
func (u *URI) SetAttribute(a ck.Attribute) {
	if a.Type == ^ck.AttributeType(0) {
		return
	}
	a = cloneAttribute(a)
	if i := u.attributeIndex(a.Type); i >= 0 {
		u.attrs[i] = a
		return
	}
	u.attrs = append(u.attrs, a)
}

// ClearAttribute removes an attribute, if the URI has it. For types other than
// CKA_ID, CKA_LABEL and CKA_CLASS it gives [ErrNotFound] and removes nothing.
func (u *URI) ClearAttribute(t ck.AttributeType) error {
	if !named(t) {
		return &Error{Code: ErrNotFound, Name: t.String(), Msg: "not an attribute that uris have"}
	}
	if i := u.attributeIndex(t); i >= 0 {
		u.attrs = slices.Delete(u.attrs, i, i+1)
	}
	return nil
}

// Attributes returns a deep copy of the object's attributes, in the order in
// which they were first set: a template to search for the object by.
func (u *URI) Attributes() []ck.Attribute { return cloneAttributes(u.attrs) }

// SetAttributes replaces all attributes of the object.
func (u *URI) SetAttributes(attrs []ck.Attribute) {
	u.attrs = nil
	for _, a := range attrs {
		u.SetAttribute(a)
	}
}

// ClearAttributes removes all attributes of the object, of whatever type.
func (u *URI) ClearAttributes() { u.attrs = nil }

// ObjectID returns id (CKA_ID) and whether the URI has it, as [URI.Attribute].
func (u *URI) ObjectID() (id []byte, ok bool) { return u.value(ck.CKA_ID) }

// ObjectLabel returns object (CKA_LABEL) and whether the URI has it.
func (u *URI) ObjectLabel() (label string, ok bool) {
	b, ok := u.value(ck.CKA_LABEL)
	return string(b), ok
}

// ObjectClass returns type (CKA_CLASS) and whether the URI has it.
func (u *URI) ObjectClass() (class ck.ObjectClass, ok bool) {
	b, _ := u.value(ck.CKA_CLASS)
	return classOf(b)
}

// SetObjectID sets id (CKA_ID) to a copy.
func (u *URI) SetObjectID(id []byte) { u.setValue(ck.CKA_ID, append([]byte{}, id...)) }

// SetObjectLabel sets object (CKA_LABEL).
func (u *URI) SetObjectLabel(label string) { u.setValue(ck.CKA_LABEL, append([]byte{}, label...)) }

// SetObjectClass sets type (CKA_CLASS). Classes other than data, certificates and
// keys are matched, but have no name and are not formatted.
func (u *URI) SetObjectClass(class ck.ObjectClass) { u.setValue(ck.CKA_CLASS, classValue(class)) }

// value returns the value of an attribute that has one.
func (u *URI) value(t ck.AttributeType) ([]byte, bool) {
	a, _ := u.Attribute(t)
	return a.Value, a.Value != nil
}

// setValue is SetAttribute for a value that is the URI's already.
func (u *URI) setValue(t ck.AttributeType, value []byte) {
	a := ck.Attribute{Type: t, Value: value}
	if i := u.attributeIndex(t); i >= 0 {
		u.attrs[i] = a
		return
	}
	u.attrs = append(u.attrs, a)
}

// named reports whether URIs have a name for the attribute.
func named(t ck.AttributeType) bool { return t == ck.CKA_ID || t == ck.CKA_LABEL || t == ck.CKA_CLASS }

func cloneAttribute(a ck.Attribute) ck.Attribute {
	a.Value = slices.Clone(a.Value)
	a.Nested = cloneAttributes(a.Nested)
	return a
}

func cloneAttributes(attrs []ck.Attribute) []ck.Attribute {
	c := slices.Clone(attrs)
	for i := range c {
		c[i] = cloneAttribute(c[i])
	}
	return c
}

// ulongSize is the size of a CK_ULONG in octets, that of Go's uint on Unix.
const ulongSize = 4 << (^uint(0) >> 63)

// bigEndian says that this machine has the most significant octet first.
// encoding/binary would know, but is too large a guest.
const bigEndian = runtime.GOARCH == "ppc64" || runtime.GOARCH == "s390x" ||
	runtime.GOARCH == "mips" || runtime.GOARCH == "mips64"

// classValue returns the value of CKA_CLASS for a class.
func classValue(class ck.ObjectClass) []byte {
	b := make([]byte, ulongSize)
	for i := range b {
		b[place(i)] = byte(class >> (8 * i))
	}
	return b
}

// classOf is the reverse of classValue. It returns false for a value of another
// size.
func classOf(b []byte) (class ck.ObjectClass, ok bool) {
	if len(b) != ulongSize {
		return 0, false
	}
	for i := range b {
		class |= ck.ObjectClass(b[place(i)]) << (8 * i)
	}
	return class, true
}

// place is where a CK_ULONG has its octet of the significance i.
func place(i int) int {
	if bigEndian {
		return ulongSize - 1 - i
	}
	return i
}

// className returns the name of a class in URIs, empty for one that has none.
func className(class ck.ObjectClass) string {
	switch class {
	case ck.CKO_DATA:
		return "data"
	case ck.CKO_CERTIFICATE:
		return "cert"
	case ck.CKO_PUBLIC_KEY:
		return "public"
	case ck.CKO_PRIVATE_KEY:
		return "private"
	case ck.CKO_SECRET_KEY:
		return "secret-key"
	}
	return ""
}

// classByName finds a class by its name or its older one.
func classByName(name []byte) (class ck.ObjectClass, ok bool) {
	switch string(name) {
	case "data":
		return ck.CKO_DATA, true
	case "cert":
		return ck.CKO_CERTIFICATE, true
	case "public":
		return ck.CKO_PUBLIC_KEY, true
	case "private":
		return ck.CKO_PRIVATE_KEY, true
	case "secret-key", "secretkey":
		return ck.CKO_SECRET_KEY, true
	}
	return 0, false
}
