package calllog

import (
	"unicode"
	"unicode/utf8"

	"github.com/p11mux/p11mux/ck"
)

// maxValue is how many octets of a value JSON shows; the length beside it says how many there are.
const maxValue = 1024

// jsonArguments appends the object of the arguments, as they are before the call.
func (r *record) jsonArguments(f ck.Func) {
	args := argumentsOf(f)
	r.text("{")
	first := true
	for i := range args {
		a := &args[i]
		switch {
		case !r.given(args, i):
			continue
		case !first:
			r.text(",")
		}
		first = false
		r.key(a.name)
		r.jsonArgument(a)
	}
	r.text("}")
}

// given tells whether JSON has an argument among those that go in. Lengths are with their buffers. Of a result it is said where there is no
// room for it: NULL is how a caller asks for the length.
func (r *record) given(args []argument, i int) bool {
	a := &args[i]
	switch a.kind {
	case kindNumber:
		return i == 0 || !isLengthOf(&args[i-1])
	case kindCount:
		return false
	case kindOutTemplate:
		return true
	}
	return !a.isResult() || r.w[a.at] == 0
}

// isLengthOf tells whether the argument after a is its length.
func isLengthOf(a *argument) bool {
	switch a.kind {
	case kindBytes, kindTemplate, kindOutTemplate:
		return true
	}
	return false
}

// jsonOutput appends the member with the results of a call that gave rv, if there are any.
func (r *record) jsonOutput(f ck.Func, rv ck.RV) {
	args := argumentsOf(f)
	lead := `,"output":{`
	for i := range args {
		a := &args[i]
		if !a.isResult() {
			continue
		}
		if !a.result(rv) && !(a.kind == kindOutTemplate && (rv == ck.CKR_ATTRIBUTE_SENSITIVE || rv == ck.CKR_ATTRIBUTE_TYPE_INVALID)) {
			continue
		}
		if w := r.w[a.at]; w == 0 && a.kind != kindOutBytes && a.kind != kindOutList && a.kind != kindOutInterfaces {
			continue
		}
		r.text(lead)
		lead = ","
		r.key(a.name)
		r.jsonResult(a, rv)
	}
	if lead == "," {
		r.text("}")
	}
}

func (r *record) key(name string) {
	r.text(`"`)
	r.text(name)
	r.text(`":`)
}

// quoteName appends what a function of names.go appends, in quotes.
func (r *record) quoteName(name func([]byte, uint64) []byte, v uint64) {
	r.text(`"`)
	r.buf = name(r.buf, v)
	r.text(`"`)
}

// jsonPointer appends an address.
func (r *record) jsonPointer(addr uintptr) {
	if addr == 0 {
		r.text("null")
		return
	}
	r.text(`"`)
	r.buf = appendPointer(r.buf, addr)
	r.text(`"`)
}

func (r *record) jsonWord(k kind, v uint64) {
	switch k {
	case kindMechanismType:
		r.quoteName(appendMechanism, v)
	case kindUser:
		r.quoteName(appendUser, v)
	default:
		r.number(v)
	}
}

func (r *record) jsonArgument(a *argument) {
	w := r.w[a.at]
	switch a.kind {
	case kindFlags:
		r.jsonFlags(uint64(w), a.flags)
	case kindBool:
		r.jsonBool(byte(w) != 0)
	case kindPointer:
		r.jsonPointer(w)
	case kindBytes:
		r.jsonBytes(w, uint64(r.w[a.at+1]), uint64(r.w[a.at+1]), a.secret)
	case kindLabel:
		if w == 0 {
			r.text("null")
			break
		}
		r.jsonText(unpad(octets(w, 32)))
	case kindText:
		if w == 0 {
			r.text("null")
			break
		}
		r.jsonText(octets(w, terminated(w, maxValue)))
	case kindVersion:
		if w == 0 {
			r.text("null")
			break
		}
		r.jsonVersion(*at[ck.Version](w))
	case kindTemplate:
		r.jsonTemplate(w, uint64(r.w[a.at+1]), false)
	case kindOutTemplate:
		r.jsonTypes(w, uint64(r.w[a.at+1]))
	case kindMechanism:
		r.jsonMechanism(w)
	case kindInitArgs:
		r.jsonInitArgs(w)
	default:
		if a.isResult() {
			r.text("null")
			break
		}
		r.jsonWord(a.kind, uint64(w))
	}
}

func (r *record) jsonResult(a *argument, rv ck.RV) {
	w := r.w[a.at]
	content := rv == ck.CKR_OK
	switch a.kind {
	case kindOut:
		if a.of == kindFlags {
			r.jsonFlags(wordAt(w), nil)
			break
		}
		r.jsonWord(a.of, wordAt(w))
	case kindOutPointer:
		r.jsonPointer(uintptr(wordAt(w)))
	case kindFill:
		r.jsonBytes(w, uint64(r.w[a.at+1]), uint64(r.w[a.at+1]), a.secret || !content)
	case kindOutBytes:
		room, count := r.room(), r.w[a.at+1]
		if count == 0 {
			r.text("null")
			break
		}
		if w == 0 || !content {
			r.jsonLength(wordAt(count))
			r.text("}")
			break
		}
		r.jsonBytes(w, wordAt(count), room, a.secret)
	case kindOutList, kindOutInterfaces:
		r.jsonArray(a, w, r.w[a.at+1], r.room(), content)
	case kindOutMax:
		r.jsonArray(a, w, r.w[a.at+2], uint64(r.w[a.at+1]), content)
	case kindOutTemplate:
		r.jsonTemplate(w, uint64(r.w[a.at+1]), true)
	default:
		r.jsonStruct(a.kind, w)
	}
}

func (r *record) jsonBool(b bool) {
	if b {
		r.text("true")
	} else {
		r.text("false")
	}
}

func (r *record) jsonVersion(v ck.Version) {
	r.text(`"`)
	r.version(v)
	r.text(`"`)
}

// jsonFlags appends flags as a number and by their names.
func (r *record) jsonFlags(v uint64, set *flagSet) {
	r.text(`{"value":`)
	r.number(v)
	r.text(`,"names":[`)
	first := true
	if set != nil {
		for _, groups := range [...][][]flagName{set.text, set.more} {
			for _, group := range groups {
				for _, f := range group {
					if v&f.bit == 0 {
						continue
					}
					if !first {
						r.text(",")
					}
					first = false
					r.text(`"`)
					r.text(f.name)
					r.text(`"`)
				}
			}
		}
	}
	r.text("]}")
}

// jsonLength begins an object with a length.
func (r *record) jsonLength(n uint64) {
	r.text(`{"length":`)
	if n == unavailable {
		r.text("null")
		return
	}
	r.number(n)
}

// jsonBytes appends n octets at an address, of which no more are read than there is room for.
func (r *record) jsonBytes(addr uintptr, n, room uint64, secret bool) {
	if addr == 0 && n == 0 {
		r.text("null")
		return
	}
	r.jsonLength(n)
	if shown := min(n, room, maxValue); addr != 0 && n != unavailable && (!secret || r.secrets) && readable(addr, shown) {
		r.text(`,"value":`)
		r.hex(octets(addr, int(shown)))
	}
	r.text("}")
}

// hex appends octets in hexadecimal.
func (r *record) hex(b []byte) {
	const digits = "0123456789abcdef"
	r.text(`"`)
	for _, c := range b {
		r.buf = append(r.buf, digits[c>>4], digits[c&15])
	}
	r.text(`"`)
}

// printable tells whether octets are text that people can read.
func printable(b []byte) bool {
	if len(b) == 0 {
		return false
	}
	for len(b) > 0 {
		c, n := utf8.DecodeRune(b)
		if c == utf8.RuneError && n <= 1 || !unicode.IsPrint(c) {
			return false
		}
		b = b[n:]
	}
	return true
}

// jsonText appends text. What is not UTF-8 becomes U+FFFD.
func (r *record) jsonText(b []byte) {
	const digits = "0123456789abcdef"
	r.text(`"`)
	for len(b) > 0 {
		c, n := utf8.DecodeRune(b)
		switch {
		case c == utf8.RuneError && n <= 1:
			r.text(`\ufffd`)
		case c == '"' || c == '\\':
			r.buf = append(r.buf, '\\', byte(c))
		case c == '\n':
			r.text(`\n`)
		case c == '\t':
			r.text(`\t`)
		case c < 0xa0 && unicode.IsControl(c):
			r.buf = append(r.buf, '\\', 'u', '0', '0', digits[c>>4], digits[c&15])
		default:
			r.buf = append(r.buf, b[:n]...)
		}
		b = b[n:]
	}
	r.text(`"`)
}

// unpad gives a fixed field up to its padding.
func unpad(b []byte) []byte {
	for i, c := range b {
		if c == 0 {
			b = b[:i]
			break
		}
	}
	for len(b) > 0 && b[len(b)-1] == ' ' {
		b = b[:len(b)-1]
	}
	return b
}

// jsonArray appends an array of results.
func (r *record) jsonArray(a *argument, list, count uintptr, room uint64, content bool) {
	if count == 0 {
		r.text("null")
		return
	}
	n := wordAt(count)
	r.text(`{"count":`)
	r.number(n)
	if list != 0 && content {
		r.text(`,"values":[`)
		n = min(n, room, maxElements)
		for i := range n {
			if i > 0 {
				r.text(",")
			}
			if a.kind == kindOutInterfaces {
				r.jsonPointer(at[cInterface](list + uintptr(i)*24).list)
			} else {
				r.jsonWord(a.of, *at[uint64](list + uintptr(i)*8))
			}
		}
		r.text("]")
	}
	r.text("}")
}
