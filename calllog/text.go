package calllog

import (
	"github.com/p11mux/p11mux/ck"
)

// textIn appends what the text format has before a call: its name and its arguments (abi.md 8.1).
func (r *record) textIn(f ck.Func) {
	r.buf, _ = f.AppendName(r.buf)
	r.text("\n")
	args := argumentsOf(f)
	for i := range args {
		if a := &args[i]; a.in {
			r.item("  IN: ", a.text)
			r.textArgument(a)
			r.text("\n")
		}
	}
}

// textOut appends what the text format has after a call.
func (r *record) textOut(f ck.Func, rv ck.RV) {
	args := argumentsOf(f)
	for i := range args {
		if a := &args[i]; a.out && a.result(rv) {
			r.item(" OUT: ", a.text)
			r.textResult(a, rv)
			r.text("\n")
		}
	}
	r.buf, _ = f.AppendName(r.buf)
	r.text(" = ")
	r.buf = appendRV(r.buf, rv)
	r.text("\n")
}

// item begins a line.
func (r *record) item(lead, name string) {
	r.text(lead)
	r.text(name)
	r.text(" = ")
}

// textArgument appends the value of an argument.
func (r *record) textArgument(a *argument) {
	w := r.w[a.at]
	switch a.kind {
	case kindFlags:
		r.number(uint64(w))
		r.textFlags(uint64(w), a.flags, " = ")
	case kindBool:
		r.text(boolName(byte(w) != 0))
	case kindPointer:
		r.buf = appendPointer(r.buf, w)
	case kindBytes:
		r.textBytes(w, uint64(r.w[a.at+1]), uint64(r.w[a.at+1]), a.secret)
	case kindLabel:
		r.textLabel(w)
	case kindText:
		r.textTerminated(w)
	case kindVersion:
		if w == 0 {
			r.text("NULL")
		} else {
			r.version(*at[ck.Version](w))
		}
	case kindTemplate, kindOutTemplate:
		r.textTypes(a)
	case kindMechanism:
		r.textMechanism(w)
	case kindInitArgs:
		r.textInitArgs(w)
	case kindCount:
		r.buf = appendPointer(r.buf, w)
		if w != 0 {
			r.text(" = ")
			r.number(wordAt(w))
		}
	default:
		r.word(a.kind, uint64(w))
	}
}

// textResult appends a result of a call that gave rv.
func (r *record) textResult(a *argument, rv ck.RV) {
	w := r.w[a.at]
	switch a.kind {
	case kindPointer:
		r.buf = appendPointer(r.buf, w)
	case kindOut, kindOutPointer:
		r.buf = appendPointer(r.buf, w)
		if w == 0 {
			return
		}
		r.text(" = ")
		if a.kind == kindOutPointer {
			r.buf = appendPointer(r.buf, uintptr(wordAt(w)))
		} else {
			r.word(a.of, wordAt(w))
		}
	case kindFill:
		if rv != ck.CKR_OK {
			w = 0
		}
		r.textBytes(w, uint64(r.w[a.at+1]), uint64(r.w[a.at+1]), a.secret)
	case kindOutBytes:
		room := r.room()
		n := r.w[a.at+1]
		if n == 0 {
			r.text("(?) NOTHING")
			return
		}
		if rv != ck.CKR_OK {
			w = 0
		}
		r.textBytes(w, wordAt(n), room, a.secret)
	case kindOutList, kindOutInterfaces:
		r.textArray(a, w, r.w[a.at+1], r.room(), rv)
	case kindOutMax:
		r.textArray(a, w, r.w[a.at+2], uint64(r.w[a.at+1]), rv)
	case kindOutTemplate:
		r.textTemplate(a, rv)
	default:
		r.textStruct(a.kind, w)
	}
}

func boolName(b bool) string {
	if b {
		return "CK_TRUE"
	}
	return "CK_FALSE"
}

// textFlags appends the names of flags, the first one after lead.
func (r *record) textFlags(v uint64, set *flagSet, lead string) {
	if set == nil {
		return
	}
	for _, group := range set.text {
		for _, f := range group {
			if v&f.bit != 0 {
				r.text(lead)
				r.text(f.name)
				lead = " | "
			}
		}
	}
}

// The length at which octets are cut off in the text format, and that of the value of an attribute.
const (
	textMax  = 119
	valueMax = 128
)

// textLength appends a length; it tells whether there can be content.
func (r *record) textLength(n uint64) bool {
	r.text("(")
	r.number(n)
	if n == unavailable {
		r.text(") ????")
		return false
	}
	r.text(") ")
	return true
}

// textBytes appends n octets at an address, of which no more are read than there is room for.
func (r *record) textBytes(addr uintptr, n, room uint64, secret bool) {
	switch {
	case !r.textLength(n):
	case addr == 0:
		r.text("NOTHING")
	case secret && !r.secrets:
		r.text("NOT-PRINTED")
	default:
		r.quoted(octets(addr, int(min(n, room, textMax+1))))
	}
}

// quoted appends octets in quotes. What reaches 119 characters is cut there, be it within an escape.
func (r *record) quoted(b []byte) {
	r.text("\"")
	start := len(r.buf)
	for _, c := range b {
		if r.escape(c, "0123456789ABCDEF"); len(r.buf)-start >= textMax {
			r.buf = append(r.buf[:start+textMax], "..."...)
			break
		}
	}
	r.text("\"")
}

// escape appends an octet: printable ones as they are.
func (r *record) escape(c byte, digits string) {
	switch {
	case c == '\t':
		r.text(`\t`)
	case c == '\n':
		r.text(`\n`)
	case c == '\r':
		r.text(`\r`)
	case ' ' <= c && c <= '~':
		r.buf = append(r.buf, c)
	default:
		r.buf = append(r.buf, '\\', 'x', digits[c>>4], digits[c&15])
	}
}

// textLabel appends the 32 octets of a label, up to a NUL.
func (r *record) textLabel(addr uintptr) {
	if addr == 0 {
		r.text("NULL")
		return
	}
	r.text("\"")
	r.plain(octets(addr, terminated(addr, 32)))
	r.text("\"")
}

// plain appends text as it is, but for what would break the line.
func (r *record) plain(b []byte) {
	for _, c := range b {
		if c < ' ' || c == 0x7f {
			r.escape(c, "0123456789ABCDEF")
		} else {
			r.buf = append(r.buf, c)
		}
	}
}

// textTerminated appends NUL-terminated text.
func (r *record) textTerminated(addr uintptr) {
	if addr == 0 {
		r.text("NULL")
		return
	}
	r.quoted(octets(addr, terminated(addr, textMax+1)))
}

// textTypes appends the types of a template, which is all that the text format has of one that goes in.
func (r *record) textTypes(a *argument) {
	n := uint64(r.w[a.at+1])
	r.text("(")
	r.number(n)
	if r.w[a.at] == 0 || n > maxElements {
		r.text(") NONE")
		return
	}
	r.text(") [ ")
	for i, c := range r.attributes(a) {
		if i > 0 {
			r.text(", ")
		}
		r.buf = appendAttribute(r.buf, c.typ)
	}
	r.text(" ]")
}

// textTemplate appends a template with its values.
func (r *record) textTemplate(a *argument, rv ck.RV) {
	n := uint64(r.w[a.at+1])
	r.text("(")
	r.number(n)
	if r.w[a.at] == 0 || n > maxElements || rv != ck.CKR_OK {
		r.text(") NONE")
		return
	}
	if n == 0 {
		r.text(") [ ]")
		return
	}
	r.text(") [ ")
	for i, c := range r.attributes(a) {
		if i > 0 {
			r.text(", ")
		}
		r.textAttribute(c, r.room())
	}
	r.text(" ]")
}

// textAttribute appends an attribute that came out (abi.md 8.2).
func (r *record) textAttribute(c cAttribute, room uint64) {
	r.text("{ ")
	r.buf = appendAttribute(r.buf, c.typ)
	r.text(" = ")
	a := attributeOf(c.typ)
	var known attribute
	if a != nil {
		known = *a
	}
	n := min(c.length, room)
	switch {
	case c.length == unavailable:
		r.text("(-1) INVALID")
	case known.kind >= valueClass && n == 8 && c.value != 0:
		v := *at[uint64](c.value)
		if known.kind == valueCategory {
			r.number(v)
			if v < uint64(len(categories)) {
				r.text(" (")
				r.text(categories[v])
				r.text(")")
			}
			break
		}
		b, ok := appendValueName(r.buf, known.kind, v)
		if r.buf = b; !ok {
			r.buf = appendHex(append(r.buf, "0x"...), v)
		}
	case known.log == logPrinted || r.secrets && (known.log == logSecret):
		r.text("(")
		r.number(c.length)
		if c.value == 0 {
			r.text(") NULL")
			break
		}
		r.text(") \"")
		for _, o := range octets(c.value, int(min(n, valueMax))) {
			r.escape(o, "0123456789abcdef")
		}
		if c.length > valueMax {
			r.text("...")
		}
		r.text("\"")
	default:
		r.text("(")
		r.number(c.length)
		r.text(") NOT-PRINTED")
	}
	r.text(" }")
}

// textArray appends an array of words.
func (r *record) textArray(a *argument, list, count uintptr, room uint64, rv ck.RV) {
	if count == 0 {
		r.text("(?) NO-VALUES")
		return
	}
	n := wordAt(count)
	r.text("(")
	r.number(n)
	if list == 0 || rv != ck.CKR_OK {
		r.text(") NO-VALUES")
		return
	}
	r.text(") [ ")
	n = min(n, room, maxElements)
	if a.kind == kindOutInterfaces {
		for i := range n {
			r.separate(i)
			r.buf = appendPointer(r.buf, at[cInterface](list+uintptr(i)*24).list)
		}
	} else {
		for i, v := range wordsAt(list, n) {
			r.separate(uint64(i))
			r.word(a.of, v)
		}
	}
	r.text(" ]")
}

func (r *record) separate(i uint64) {
	if i > 0 {
		r.text(", ")
	}
}

// textMechanism appends a mechanism and its parameter.
func (r *record) textMechanism(addr uintptr) {
	if addr == 0 {
		r.text("NULL")
		return
	}
	m := at[cMechanism](addr)
	r.text("{\n\tmechanism: ")
	r.buf = appendMechanism(r.buf, m.typ)
	r.text("\n\tpParameter: ")
	switch {
	case !r.textLength(m.length):
	case m.param == 0:
		r.text("NULL")
	case !r.secrets && !publicParameter(m.typ):
		r.text("NOT-PRINTED")
	default:
		r.quoted(octets(m.param, int(min(m.length, textMax+1))))
	}
	r.text("\n      }")
}

// publicParameter tells whether a mechanism's parameter, as plain memory, is known to hold no secret. Nothing is known of vendors'.
func publicParameter(t uint64) bool {
	return t < uint64(ck.CKM_VENDOR_DEFINED)
}
