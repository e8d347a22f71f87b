package uri

import (
	"strconv"

	"github.com/p11mux/p11mux/ck"
)

const scheme = "pkcs11"

// String returns the URI without its PIN, for people and logs.
func (u *URI) String() string {
	if u.pin.kept != nil {
		u = u.WithoutPIN()
	}
	return u.Format(ForAny)
}

// GoString is String.
func (u *URI) GoString() string { return u.String() }

// Format returns the URI as text, with those attributes of the path that t asks
// for (abi.md 4.2). All attributes of the query are there whatever t is, the PIN
// among them: the text is as secret as the PIN is. See [URI.String] and
// [URI.WithoutPIN]. Attributes that have no name in URIs are left out, and so is
// the mark of being unrecognized.
func (u *URI) Format(t Type) string {
	b := u.AppendFormat(nil, t, false)
	s := string(b)
	clear(b)
	return s
}

// AppendFormat appends what [URI.Format] returns to dst. It leaves no copy of the
// PIN in memory but the one that it returns. Percent-encoding has lowercase digits
// if lower is set (P11_KIT_URI_LOWERCASE in the C library).
func (u *URI) AppendFormat(dst []byte, t Type, lower bool) []byte {
	digits := "0123456789ABCDEF"
	if lower {
		digits = "0123456789abcdef"
	}
	// Written twice, first to learn the size: growing would leave copies behind.
	counter := writer{digits: digits, counting: true}
	u.write(&counter, t)
	if cap(dst)-len(dst) < counter.n {
		dst = append(make([]byte, 0, len(dst)+counter.n), dst...)
	}
	w := writer{digits: digits, buf: dst}
	u.write(&w, t)
	return w.buf
}

// write writes the URI as text.
func (u *URI) write(w *writer, t Type) {
	w.raw(scheme)
	w.raw(":")
	w.sep, w.next = "", ";"
	u.writePath(w, t)

	w.sep, w.next = "?", "&"
	for f := PINSource; f <= ModulePath; f++ {
		if o := u.free(f); o.set {
			w.name(f.String())
			escape(w, o.text)
		}
		if f == PINSource && u.pin.kept != nil {
			w.name("pin-value")
			escape(w, u.pin.Bytes())
		}
	}
	for _, q := range u.vendor {
		w.name(q.name)
		escape(w, q.value)
	}
}

func (u *URI) writePath(w *writer, t Type) {
	for f := LibraryDescription; f <= TokenLabel; f++ {
		// The attributes that are no texts have their places between those that are.
		if f == SlotDescription && u.hasVersion && t.has(ForModuleWithVersion) {
			w.name("library-version")
			w.raw(strconv.Itoa(int(u.version.Major)) + "." + strconv.Itoa(int(u.version.Minor)))
		}
		if f == TokenModel && u.hasSlotID && t.has(ForSlot) {
			w.name("slot-id")
			w.raw(strconv.FormatUint(uint64(u.slotID), 10))
		}
		if b := u.padded(f); b[0] != 0 && t.has(f.needs()) {
			w.name(f.String())
			escape(w, unpadded(b))
		}
	}
	if !t.has(ForObject) {
		return
	}
	if id, ok := u.value(ck.CKA_ID); ok {
		w.name("id")
		for _, c := range id {
			w.encoded(c)
		}
	}
	if label, ok := u.value(ck.CKA_LABEL); ok {
		w.name("object")
		escape(w, label)
	}
	if class, ok := u.ObjectClass(); ok {
		if name := className(class); name != "" {
			w.name("type")
			w.raw(name)
		}
	}
}

// A writer writes attributes into memory that is large enough, or counts them.
type writer struct {
	buf       []byte
	n         int // octets counted
	counting  bool
	digits    string
	sep, next string // what to write before the next attribute, and before those after it
}

func (w *writer) raw(s string) {
	if w.counting {
		w.n += len(s)
	} else {
		w.buf = append(w.buf, s...)
	}
}

// name begins an attribute.
func (w *writer) name(name string) {
	w.raw(w.sep)
	w.sep = w.next
	w.raw(name)
	w.raw("=")
}

// encoded writes an octet as its code.
func (w *writer) encoded(c byte) {
	if w.counting {
		w.n += 3
	} else {
		w.buf = append(w.buf, '%', w.digits[c>>4], w.digits[c&15])
	}
}

// escape writes a value.
func escape[T string | []byte](w *writer, value T) {
	for i := range len(value) {
		switch c := value[i]; {
		case !isPlain(c):
			w.encoded(c)
		case w.counting:
			w.n++
		default:
			w.buf = append(w.buf, c)
		}
	}
}

// isPlain reports whether values have a character as it is. RFC 7512 lets more
// characters stand, but p11-kit encodes them, and texts are compared.
func isPlain(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_' || c == '-' || c == '.'
}
