package rpc

import (
	"github.com/p11mux/p11mux/ck"
	"github.com/p11mux/p11mux/internal/cabi"
)

// A class is how the value of an attribute is encoded.
type class byte

const (
	classOctets     class = iota // memory as it is: integers in the order of the sender's machine
	classByte                    // one octet, mostly a truth value
	classUlong                   // a CK_ULONG
	classTemplate                // attributes
	classMechanisms              // mechanisms
	classDate                    // 8 octets of text, or none
)

// attributeSize is the size of a CK_ATTRIBUTE where a CK_ULONG has 64 bits. Lengths of templates are told in it on all
// machines.
const attributeSize = 24

// mechanismRoom is what is asked for where only the length of a list of mechanisms is wanted. Servers of all releases answer
// such a question with a list that cannot be read.
const mechanismRoom = 8 * 4096

// isForeignTemplate tells whether an attribute is a template that the protocol knows nothing of: it would carry addresses.
func isForeignTemplate(t ck.AttributeType) bool { return t.IsTemplate() && classOf(t) != classTemplate }

// fits tells whether a value of a class can have so many octets.
func (c class) fits(n uint64) bool {
	switch c {
	case classByte:
		return n <= 1
	case classUlong, classDate:
		return n == 0 || n == 8
	case classTemplate:
		return n%attributeSize == 0 && n < maxBlob
	case classMechanisms:
		return n%8 == 0 && n < maxBlob
	}
	return n < maxBlob
}

// attributeType codes the type of an attribute.
func (x *coder) attributeType(t *ck.AttributeType) {
	v := uint32(*t)
	if !x.reading && uint64(*t) != uint64(v) {
		x.fail(refusal(ck.CKR_ATTRIBUTE_TYPE_INVALID, "the remote protocol has attribute types of 32 bits only"))
	}
	x.u32(&v)
	*t = ck.AttributeType(v)
}

// template codes the attributes that go into a call.
func (x *coder) template(t *[]ck.Attribute) {
	if x.reading {
		*t = x.takeTemplate(x.readValues(0))
		return
	}
	x.putTemplate(*t, 0)
}

func (x *coder) putTemplate(t []ck.Attribute, depth int) {
	if depth > maxDepth {
		x.fail(refusal(ck.CKR_ATTRIBUTE_VALUE_INVALID, "templates are nested too deeply"))
		return
	}
	n := len(t)
	x.count(&n, 0)
	for i := range t {
		a := &t[i]
		c := classOf(a.Type)
		switch {
		case isForeignTemplate(a.Type) && (a.Nested != nil || len(a.Value) > 0), c != classTemplate && a.Nested != nil:
			x.fail(refusal(ck.CKR_ATTRIBUTE_TYPE_INVALID, "the remote protocol does not carry the template "+a.Type.String()))
		case c == classTemplate && len(a.Value) > 0, !c.fits(uint64(len(a.Value))):
			x.fail(refusal(ck.CKR_ATTRIBUTE_VALUE_INVALID, a.Type.String()+" has a length that its value cannot have"))
		}
		if x.err != nil {
			return
		}
		length := len(a.Value)
		if c == classTemplate {
			length = attributeSize * len(a.Nested)
		}
		x.putAttribute(a.Type, uint64(length))
		if c == classTemplate {
			x.putTemplate(a.Nested, depth+1)
		} else {
			x.putValue(c, a.Value, length)
		}
	}
}

// putAttribute writes what comes before a value that can be told.
func (x *coder) putAttribute(t ck.AttributeType, length uint64) {
	n := uint32(length)
	x.attributeType(&t)
	x.put(1)
	x.u32(&n)
}

// putValue writes a value of n octets that is no template. There may be no data: then only its length is told.
func (x *coder) putValue(c class, data []byte, n int) {
	switch c {
	case classByte:
		var b byte
		if len(data) > 0 {
			b = data[0]
		}
		x.octet(&b)
	case classUlong:
		x.putWord(data)
	case classMechanisms:
		n /= 8
		x.count(&n, 0)
		for i := range n {
			x.putWord(data[min(8*i, len(data)):])
		}
	case classDate:
		if len(data) == 0 {
			data = nil
		}
		x.blob(&data)
	default:
		x.blob(&data)
	}
}

// putWord writes a CK_ULONG that is in memory, 0 where it is not.
func (x *coder) putWord(data []byte) {
	var v uint64
	if len(data) >= 8 {
		v = cabi.Ulong(data)
	}
	ulong(x, &v)
}

// A value is an attribute as it was read.
type value struct {
	typ    ck.AttributeType
	valid  bool
	length uint32  // octets
	data   []byte  // nil if there are none
	nested []value // of a template
}

// readValues reads attributes.
func (x *coder) readValues(depth int) []value {
	var n int
	x.count(&n, 5)
	if x.attributes += n; x.attributes > maxAttributes {
		x.fail(deviceError("a message has too many attributes"))
	}
	if depth > maxDepth {
		x.fail(deviceError("templates are nested too deeply"))
	}
	if x.err != nil {
		return nil
	}
	t := make([]value, n)
	for i := range t {
		if x.readValue(&t[i], depth); x.err != nil {
			return nil
		}
	}
	return t
}

func (x *coder) readValue(v *value, depth int) {
	x.attributeType(&v.typ)
	if x.flag(&v.valid); !v.valid {
		return
	}
	x.u32(&v.length)
	c := classOf(v.typ)
	decoded := uint64(v.length)
	switch c {
	case classByte:
		v.data = x.take(1)
		decoded = 1
	case classUlong:
		v.data = x.words(1)
		decoded = 8
	case classTemplate:
		v.nested = x.readValues(depth + 1)
		decoded = attributeSize * uint64(len(v.nested))
	case classMechanisms:
		var n uint32
		x.u32(&n)
		// p11-kit leaves the list out where its length alone was asked. In a reply a return value always follows.
		if !x.isReply || 8*int64(n)+8 <= int64(x.left()) {
			v.data = x.words(int(n))
		}
		decoded = 8 * uint64(n)
	default:
		x.blob(&v.data)
		if v.data != nil {
			decoded = uint64(len(v.data))
		}
	}
	if x.err != nil {
		return
	}
	switch {
	case v.length == 0 && (c == classByte || c == classUlong):
		v.data = nil
	case uint64(v.length) == decoded && c.fits(decoded):
	case c == classTemplate && len(v.nested) == 0 && c.fits(uint64(v.length)):
	default:
		x.fail(deviceError("the length of an attribute is not that of its value"))
	}
}

// words reads numbers, and gives them as the memory that they are in this machine.
func (x *coder) words(n int) []byte {
	if n < 0 || n > x.left()/8 {
		x.fail(errShort)
		return nil
	}
	data := make([]byte, 8*n)
	for i := range n {
		var v uint64
		ulong(x, &v)
		cabi.PutUlong(data[8*i:], v)
	}
	return data
}

// takeTemplate gives the attributes of a request.
func (x *coder) takeTemplate(values []value) []ck.Attribute {
	if x.err != nil || len(values) == 0 {
		return nil
	}
	t := make([]ck.Attribute, len(values))
	for i := range values {
		v := &values[i]
		t[i].Type = v.typ
		switch {
		case !v.valid:
			x.fail(refusal(ck.CKR_ARGUMENTS_BAD, "an attribute that goes into a call has no value"))
		case isForeignTemplate(v.typ) && v.length > 0:
			x.fail(refusal(ck.CKR_ATTRIBUTE_TYPE_INVALID, "the remote protocol does not carry the template "+v.typ.String()))
		case len(v.nested) > 0:
			t[i].Nested = x.takeTemplate(v.nested)
		case v.length > 0 && v.data == nil:
			x.fail(deviceError("an attribute has a length but no value"))
		default:
			t[i].Value = v.data
		}
	}
	return t
}
