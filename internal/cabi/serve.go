package cabi

import (
	"context"
	"unsafe"

	"github.com/p11mux/p11mux/ck"
	"github.com/p11mux/p11mux/module"
)

// maxTemplate is the longest template and list that is taken for one.
const maxTemplate = 1 << 16

// Serve does one call of a C caller: f with the words that the caller passed, of which those that f does not have are not
// looked at. Results go into the caller's memory as PKCS#11 3.2 §5.2 wants: values when the call gives CKR_OK, lengths also
// with CKR_BUFFER_TOO_SMALL. NULL where a result must go, NULL with a length, and lengths of input that no memory can
// have give CKR_ARGUMENTS_BAD, before m sees the call. Addresses that are neither NULL nor the caller's memory cannot be told.
//
// The parameter of a mechanism becomes a structure where its type and size say which, and stays memory otherwise, as that of
// message-based calls always does: m must pass it on as it is.
func Serve(ctx context.Context, m module.Module, f ck.Func, args *Words) ck.RV {
	return serve(ctx, m, f, args)
}

// A decoder reads the words of one call.
type decoder struct {
	w     *Words
	bad   bool
	depth int
}

// do lets the module do the call, unless it must not see it.
func (d *decoder) do(ctx context.Context, m module.Module, call ck.Call) ck.RV {
	if d.bad {
		return ck.CKR_ARGUMENTS_BAD
	}
	return ck.RVOf(m.Do(ctx, call))
}

// need notes that an address must not be NULL, and gives it.
func (d *decoder) need(addr uintptr) uintptr {
	if addr == 0 {
		d.bad = true
	}
	return addr
}

// inMemory tells whether n elements of a size can lie at addr.
func inMemory(addr, n, size uintptr) bool {
	return n <= maxOctets/size && addr <= ^uintptr(0)-n*size
}

// bytes gives a buffer of the caller. NULL without a length is nil.
func (d *decoder) bytes(addr, n uintptr) []byte {
	if addr == 0 {
		d.bad = d.bad || n != 0
		return nil
	}
	if !inMemory(addr, n, 1) {
		d.bad = true
		return nil
	}
	return octets(addr, int(n))
}

// bits is bytes for a length in bits, which must be whole octets.
func (d *decoder) bits(addr uintptr, n uint64) []byte {
	if n%8 != 0 {
		d.bad = true
		return nil
	}
	return d.bytes(addr, uintptr(n/8))
}

// fixed is bytes for a length that is known; NULL is nil.
func (d *decoder) fixed(addr uintptr, n int) []byte {
	if addr == 0 {
		return nil
	}
	return octets(addr, n)
}

// text gives NUL-terminated text; NULL is nil.
func (d *decoder) text(addr uintptr) []byte {
	if addr == 0 {
		return nil
	}
	n := terminated(addr)
	if n < 0 {
		d.bad = true
		return nil
	}
	return octets(addr, n)
}

// version gives a version that is the caller's memory.
func (d *decoder) version(addr uintptr) *ck.Version {
	if addr == 0 {
		return nil
	}
	return at[ck.Version](addr)
}

func (d *decoder) initArgs(addr uintptr) *ck.InitializeArgs {
	if addr == 0 {
		return nil
	}
	p := new(ck.InitializeArgs)
	outInitializeArgs(p, at[cInitializeArgs](addr))
	return p
}

// list gives the caller's array of structures.
func list[T any](d *decoder, addr uintptr, n uint64) []T {
	if addr == 0 {
		d.bad = d.bad || n != 0
		return nil
	}
	if n > maxTemplate {
		d.bad = true
		return nil
	}
	return unsafe.Slice(at[T](addr), int(n))
}

func (d *decoder) template(addr, n uintptr, depth int) []ck.Attribute {
	if depth == maxDepth {
		d.bad = true
		return nil
	}
	c := list[cAttribute](d, addr, uint64(n))
	if c == nil {
		return nil
	}
	t := make([]ck.Attribute, len(c))
	for i := range c {
		t[i].Type = ck.AttributeType(c[i].typ)
		if isNested(&c[i]) {
			t[i].Nested = d.template(c[i].pValue, uintptr(c[i].ulValueLen/attributeSize), depth+1)
		} else {
			t[i].Value = d.bytes(c[i].pValue, uintptr(c[i].ulValueLen))
		}
	}
	return t
}

// isNested tells whether the value of an attribute is a template. One of an odd size is passed on as it is.
func isNested(c *cAttribute) bool {
	return ck.AttributeType(c.typ).IsTemplate() && c.pValue != 0 && c.ulValueLen%attributeSize == 0
}

func (d *decoder) outTemplate(addr, n uintptr, depth int) []ck.AttributeOut {
	if depth == maxDepth {
		d.bad = true
		return nil
	}
	c := list[cAttribute](d, addr, uint64(n))
	if c == nil {
		return nil
	}
	t := make([]ck.AttributeOut, len(c))
	for i := range c {
		t[i].Type = ck.AttributeType(c[i].typ)
		switch {
		case c[i].pValue == 0: // only the length is asked, whatever ulValueLen is
		case isNested(&c[i]):
			t[i].Nested = d.outTemplate(c[i].pValue, uintptr(c[i].ulValueLen/attributeSize), depth+1)
		default:
			t[i].Buf = room[byte](c[i].pValue, uintptr(c[i].ulValueLen))
		}
	}
	return t
}

// mechanism reads a CK_MECHANISM; NULL is nil.
func (d *decoder) mechanism(addr uintptr) *ck.Mechanism {
	m := d.rawMechanism(addr)
	if m == nil {
		return nil
	}
	raw, ok := m.Param.(ck.RawParam)
	if !ok || d.bad {
		return m
	}
	if d.depth++; d.depth > maxDepth {
		d.bad = true
		return m
	}
	c := at[cMechanism](addr)
	if p := d.layout(m.Type, c.pParameter, uintptr(c.ulParameterLen)); d.bad {
		// The structure contradicts itself or is another one of the same size: the module shall judge it as it is.
		d.bad, m.Param = false, raw
	} else if p != nil {
		m.Param = p
	}
	d.depth--
	return m
}

// rawMechanism reads a CK_MECHANISM whose parameter stays memory.
func (d *decoder) rawMechanism(addr uintptr) *ck.Mechanism {
	if addr == 0 {
		return nil
	}
	c := at[cMechanism](addr)
	return &ck.Mechanism{Type: ck.MechanismType(c.mechanism), Param: d.raw(c.pParameter, uintptr(c.ulParameterLen))}
}

// raw gives a parameter as memory; NULL is nil.
func (d *decoder) raw(addr, n uintptr) ck.MechanismParam {
	if b := d.bytes(addr, n); b != nil {
		return ck.RawParam(b)
	}
	return nil
}

func storeMechanism(m *ck.Mechanism, addr uintptr) {
	if m != nil {
		storeParam(m.Param, at[cMechanism](addr).pParameter)
	}
}

// serveOut reads the buffer of the two-call convention.
func serveOut[T any](d *decoder, o *ck.Out[T], buf, count uintptr) {
	if d.need(count) == 0 {
		return
	}
	serveBuf(o, buf, uintptr(*at[uint64](count)))
}

// serveMax reads the buffer of C_FindObjects.
func serveMax[T any](d *decoder, o *ck.Out[T], buf, room, count uintptr) {
	d.need(count)
	if room != 0 {
		d.need(buf)
	}
	if serveBuf(o, buf, room); o.Buf == nil {
		o.Buf = []T{}
	}
}

func serveBuf[T any](o *ck.Out[T], buf, n uintptr) {
	if buf != 0 {
		o.Buf = room[T](buf, n)
	}
}

// room gives a caller's buffer for n results. A caller that knows it to be long enough may claim any length.
func room[T any](buf, n uintptr) []T {
	var zero T
	n = min(n, maxOctets/sizeOf(zero), (^uintptr(0)-buf)/sizeOf(zero))
	return unsafe.Slice(at[T](buf), int(n))
}

// storeOut stores the length of a two-call result. A module that tells of more than there was room for is not believed.
func storeOut[T any](rv ck.RV, o *ck.Out[T], count uintptr) ck.RV {
	switch rv {
	case ck.CKR_OK:
		if o.Buf != nil && o.N > uint64(len(o.Buf)) {
			return ck.CKR_GENERAL_ERROR
		}
		*at[uint64](count) = o.N
	case ck.CKR_BUFFER_TOO_SMALL:
		*at[uint64](count) = o.N
	}
	return rv
}

func storeMax[T any](rv ck.RV, o *ck.Out[T], count uintptr) ck.RV {
	if rv != ck.CKR_OK {
		return rv
	}
	return storeOut(rv, o, count)
}

// storeTemplate stores the lengths of attributes; their values are in the caller's memory already.
func storeTemplate(rv ck.RV, t []ck.AttributeOut, addr uintptr) ck.RV {
	if len(t) == 0 || !templateResults(rv) {
		return rv
	}
	for i := range t {
		o, c := &t[i], at[cAttribute](addr+uintptr(i)*uintptr(attributeSize))
		if c.typ != uint64(o.Type) { // only a nested template comes back with types
			c.typ = uint64(o.Type)
		}
		if n := o.N; n != ck.CK_UNAVAILABLE_INFORMATION {
			room := uint64(len(o.Buf))
			if o.Nested != nil {
				room = attributeSize * uint64(len(o.Nested))
			}
			if rv == ck.CKR_OK && (o.Buf != nil || o.Nested != nil) && n > room {
				return ck.CKR_GENERAL_ERROR
			}
			if o.Nested != nil {
				storeTemplate(rv, o.Nested[:min(n, room)/attributeSize], c.pValue)
			}
		}
		c.ulValueLen = o.N
	}
	return rv
}
