package rpc

import "github.com/p11mux/p11mux/ck"

// attributeRooms codes which attributes are wanted, and the room for their values.
func (x *coder) attributeRooms(t *[]ck.AttributeOut) {
	if x.reading {
		*t = x.readRooms(0)
		return
	}
	x.putRooms(*t, 0)
}

func (x *coder) putRooms(t []ck.AttributeOut, depth int) {
	if depth > maxDepth {
		x.fail(refusal(ck.CKR_ATTRIBUTE_VALUE_INVALID, "templates are nested too deeply"))
		return
	}
	n := len(t)
	x.count(&n, 0)
	for i := range t {
		o := &t[i]
		x.attributeType(&o.Type)
		size := x.askFor(o)
		x.u32(&size)
		if classOf(o.Type) == classTemplate && size > 0 {
			x.putRooms(o.Nested, depth+1)
		}
	}
}

// askFor is the room for an attribute that a server is told of.
func (x *coder) askFor(o *ck.AttributeOut) uint32 {
	switch {
	case x.lacks(o):
		return 0
	case classOf(o.Type) == classTemplate:
		return uint32(attributeSize * len(o.Nested))
	case classOf(o.Type) == classMechanisms && o.Buf == nil:
		return mechanismRoom
	}
	return uint32(min(len(o.Buf), maxResult))
}

// lacks tells whether room for a template cannot be told to the server: to older ones of any, and of templates that are newer
// than the protocol to all.
func (x *coder) lacks(o *ck.AttributeOut) bool {
	return o.Nested != nil && (x.version < 2 || classOf(o.Type) != classTemplate)
}

// readRooms reads which attributes are wanted and makes room for them.
func (x *coder) readRooms(depth int) []ck.AttributeOut {
	var n int
	x.count(&n, 8)
	if x.attributes += n; x.attributes > maxAttributes {
		x.fail(deviceError("a message asks for too many attributes"))
	}
	if depth > maxDepth {
		x.fail(deviceError("templates are nested too deeply"))
	}
	if x.err != nil || n == 0 {
		return nil
	}
	t := make([]ck.AttributeOut, n)
	for i := range t {
		if x.readRoom(&t[i], depth); x.err != nil {
			return nil
		}
	}
	return t
}

func (x *coder) readRoom(o *ck.AttributeOut, depth int) {
	x.attributeType(&o.Type)
	var size uint32
	x.u32(&size)
	switch {
	case x.err != nil:
	case classOf(o.Type) == classTemplate:
		if x.nested == nestedAlways || x.nested == nestedWithRoom && size > 0 {
			o.Nested = x.readRooms(depth + 1)
		}
		if int64(size) < attributeSize*int64(len(o.Nested)) {
			x.fail(deviceError("room for a template is less than its attributes need"))
		}
	case isForeignTemplate(o.Type) && size > 0:
		x.fail(refusal(ck.CKR_ATTRIBUTE_TYPE_INVALID, "the remote protocol does not carry the template "+o.Type.String()))
	case size > maxBlob:
		x.fail(refusal(ck.CKR_DEVICE_MEMORY, "room beyond all measure"))
	case size > 0:
		ready := min(int(size), 4*maxRoom-x.readied)
		x.readied += ready
		x.held += ready
		o.Buf = make([]byte, ready)
	}
}

// values codes attributes in the reply to the question for them.
func (x *coder) values(t []ck.AttributeOut) {
	if x.reading {
		values := x.readValues(0)
		if x.err == nil && len(values) != len(t) {
			x.fail(errOther)
		}
		if x.err == nil {
			x.takeValues(t, values)
		}
		return
	}
	x.putValues(t)
}

// errOther is a reply that is not about what was asked.
var errOther = deviceError("the reply has other attributes than the question")

func (x *coder) putValues(t []ck.AttributeOut) {
	n := len(t)
	x.count(&n, 0)
	for i := range t {
		o := &t[i]
		c := classOf(o.Type)
		if o.N == ck.CK_UNAVAILABLE_INFORMATION || !c.fits(o.N) {
			if o.N != ck.CK_UNAVAILABLE_INFORMATION && x.rv == ck.CKR_OK {
				x.rv = ck.CKR_ATTRIBUTE_TYPE_INVALID // the module gives it a length that its values cannot have
			}
			x.attributeType(&o.Type)
			x.put(0)
			continue
		}
		x.putAttribute(o.Type, o.N)
		if c == classTemplate {
			x.putValues(o.Nested[:min(o.N/attributeSize, uint64(len(o.Nested)))])
		} else {
			x.putValue(c, o.Bytes(), int(o.N))
		}
	}
}

// takeValues gives attributes to the caller. One that does not fit has no length, as PKCS#11 3.2 §5.7 wants.
func (x *coder) takeValues(t []ck.AttributeOut, values []value) {
	for i := range values {
		o, v := &t[i], &values[i]
		if o.Type != v.typ {
			x.fail(errOther)
			return
		}
		o.N = ck.CK_UNAVAILABLE_INFORMATION
		switch {
		case !v.valid:
		case x.lacks(o):
			x.lacking = true
		case o.Nested != nil:
			x.takeNested(o, v)
		case o.Buf == nil:
			o.N = uint64(v.length)
		case len(o.Buf) < int(v.length):
			x.small = true
		case v.length > 0 && v.data == nil:
			x.fail(deviceError("an attribute has a length but no value"))
		default:
			o.N = uint64(copy(o.Buf, v.data))
		}
	}
}

// takeNested gives the attributes of a template to the caller, who need not have known their types.
func (x *coder) takeNested(o *ck.AttributeOut, v *value) {
	switch {
	case int(v.length)/attributeSize != len(v.nested):
		x.fail(deviceError("a template has a length but no attributes"))
		return
	case len(v.nested) > len(o.Nested):
		x.small = true
		return
	}
	for j := range v.nested {
		o.Nested[j].Type = v.nested[j].typ
	}
	o.N = uint64(v.length)
	x.takeValues(o.Nested[:len(v.nested)], v.nested)
}
