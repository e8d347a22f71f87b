package uri

import (
	"strconv"
	"strings"
)

// A Field is an attribute whose value is text, other than those of objects.
type Field uint8

// The first eight have the length of their member in PKCS#11's structures.
const (
	LibraryDescription  Field = iota // library-description, 32 octets
	LibraryManufacturer              // library-manufacturer, 32
	SlotDescription                  // slot-description, 64
	SlotManufacturer                 // slot-manufacturer, 32
	TokenModel                       // model, 16
	TokenManufacturer                // manufacturer, 32
	TokenSerial                      // serial, 16
	TokenLabel                       // token, 32
	PINSource                        // pin-source, of any length, as are those that follow
	ModuleName                       // module-name
	ModulePath                       // module-path

	noField
)

// String returns the attribute's name in URIs, or "Field(N)" for a number that
// stands for none.
func (f Field) String() string {
	switch f {
	case LibraryDescription:
		return "library-description"
	case LibraryManufacturer:
		return "library-manufacturer"
	case SlotDescription:
		return "slot-description"
	case SlotManufacturer:
		return "slot-manufacturer"
	case TokenModel:
		return "model"
	case TokenManufacturer:
		return "manufacturer"
	case TokenSerial:
		return "serial"
	case TokenLabel:
		return "token"
	case PINSource:
		return "pin-source"
	case ModuleName:
		return "module-name"
	case ModulePath:
		return "module-path"
	}
	return "Field(" + strconv.Itoa(int(f)) + ")"
}

// needs is what a URI must be for to have the field in its path.
func (f Field) needs() Type {
	switch f {
	case LibraryDescription, LibraryManufacturer:
		return ForModule
	case SlotDescription, SlotManufacturer:
		return ForSlot
	case TokenModel, TokenManufacturer, TokenSerial, TokenLabel:
		return ForToken
	}
	return 0
}

// pathField finds a padded text by its name.
func pathField(name []byte) Field {
	for f := LibraryDescription; f <= TokenLabel; f++ {
		if string(name) == f.String() {
			return f
		}
	}
	return noField
}

// padded returns the memory of one of the first eight fields, nil for the others.
func (u *URI) padded(f Field) []byte {
	switch f {
	case LibraryDescription:
		return u.libraryDescription[:]
	case LibraryManufacturer:
		return u.libraryManufacturer[:]
	case SlotDescription:
		return u.slotDescription[:]
	case SlotManufacturer:
		return u.slotManufacturer[:]
	case TokenModel:
		return u.model[:]
	case TokenManufacturer:
		return u.manufacturer[:]
	case TokenSerial:
		return u.serial[:]
	case TokenLabel:
		return u.token[:]
	}
	return nil
}

// free returns the place of one of the other fields, nil for the first eight.
func (u *URI) free(f Field) *optional {
	switch f {
	case PINSource:
		return &u.pinSource
	case ModuleName:
		return &u.moduleName
	case ModulePath:
		return &u.modulePath
	}
	return nil
}

// unpadded returns a padded text without the blanks at its end, as
// [URI.Format] writes it.
func unpadded(b []byte) []byte {
	for len(b) > 0 && b[len(b)-1] == ' ' {
		b = b[:len(b)-1]
	}
	return b
}

// Get returns a field's text, and whether the URI has it. Texts that PKCS#11 pads
// come without the padding. The text need not be UTF-8.
func (u *URI) Get(f Field) (text string, ok bool) {
	if b := u.padded(f); b != nil {
		if b[0] == 0 {
			return "", false
		}
		return string(unpadded(b)), true
	}
	if o := u.free(f); o != nil {
		return o.text, o.set
	}
	return "", false
}

// Set sets a field. An empty text is one that must be empty, or all blanks, to
// match; [URI.Unset] removes the field. A text that does not fit, or that would be
// cut at a NUL, is refused with [ErrUnexpected], and [ErrNotFound] is for a number
// that is no field; the URI is then as it was.
func (u *URI) Set(f Field, text string) error {
	if b := u.padded(f); b != nil {
		switch {
		case len(text) > len(b):
			return &Error{Code: ErrUnexpected, Name: f.String(), Msg: "longer than " + strconv.Itoa(len(b)) + " octets"}
		case text != "" && text[0] == 0:
			return &Error{Code: ErrUnexpected, Name: f.String(), Msg: "begins with a NUL"}
		}
		pad(b, text)
		return nil
	}
	o := u.free(f)
	switch {
	case o == nil:
		return &Error{Code: ErrNotFound, Name: f.String(), Msg: "is not a field"}
	case strings.IndexByte(text, 0) >= 0:
		return &Error{Code: ErrUnexpected, Name: f.String(), Msg: "contains a NUL"}
	}
	*o = optional{text, true}
	return nil
}

// Unset removes a field.
func (u *URI) Unset(f Field) {
	clear(u.padded(f))
	if o := u.free(f); o != nil {
		*o = optional{}
	}
}

// pad fills a field with a text that is not longer.
func pad[T string | []byte](b []byte, text T) {
	for i := copy(b, text); i < len(b); i++ {
		b[i] = ' '
	}
}
