package cabi

import (
	"errors"
	"unsafe"

	"github.com/p11mux/p11mux/ck"
)

// errCount is what a module did wrong that told of more than it was given room for.
var errCount = errors.New("the module tells of more results than it was given room for")

// results is the decoding of one call.
type results struct {
	rv  ck.RV
	err error
}

// ok tells whether results are there to be read.
func (r *results) ok() bool { return r.rv == ck.CKR_OK }

// lengths tells whether lengths are.
func (r *results) lengths() bool { return r.rv == ck.CKR_OK || r.rv == ck.CKR_BUFFER_TOO_SMALL }

// Decode reads the results of a call for which the module gave rv, and gives what Do gives. The arena must be as Encode
// left it.
func (a *Arena) Decode(call ck.Call, w *Words, rv ck.RV) error {
	r := results{rv: rv}
	r.decode(call, w)
	if r.err != nil {
		return &ck.CallError{Call: call.Func().String(), RV: ck.CKR_GENERAL_ERROR, Err: r.err}
	}
	return rv.Err()
}

func result[T uword](r *results, v *T, addr uintptr) {
	if r.ok() {
		*v = T(*at[uint64](addr))
	}
}

func decodeOut[T any](r *results, o *ck.Out[T], buf, count uintptr) {
	if !r.lengths() {
		return
	}
	o.N = *at[uint64](count)
	if r.ok() {
		copyOut(r, o, buf)
	}
}

func decodeMax[T any](r *results, o *ck.Out[T], buf, count uintptr) {
	if r.ok() {
		o.N = *at[uint64](count)
		copyOut(r, o, buf)
	}
}

// copyOut copies what the module produced into the caller's buffer.
func copyOut[T any](r *results, o *ck.Out[T], buf uintptr) {
	if o.Buf == nil {
		return
	}
	if o.N > uint64(len(o.Buf)) {
		o.N, r.err = 0, errCount
		return
	}
	copy(o.Buf, unsafe.Slice(at[T](buf), int(o.N)))
}

func (r *results) mechanism(m *ck.Mechanism, addr uintptr) {
	if r.lengths() {
		backMechanism(m, addr)
	}
}

func (r *results) param(p ck.MechanismParam, addr uintptr) {
	if r.lengths() {
		back(p, addr)
	}
}

func backMechanism(m *ck.Mechanism, addr uintptr) {
	if m != nil && addr != 0 {
		back(m.Param, at[cMechanism](addr).pParameter)
	}
}

// templateResults tells whether the lengths in the template of C_GetAttributeValue are there to be read: each attribute
// tells for itself whether it could be given (PKCS#11 3.2 §5.7).
func templateResults(rv ck.RV) bool {
	switch rv {
	case ck.CKR_OK, ck.CKR_ATTRIBUTE_SENSITIVE, ck.CKR_ATTRIBUTE_TYPE_INVALID, ck.CKR_BUFFER_TOO_SMALL:
		return true
	}
	return false
}

func (r *results) outTemplate(t []ck.AttributeOut, addr uintptr, depth int) {
	if len(t) == 0 || depth == maxDepth || !templateResults(r.rv) {
		return
	}
	for i, c := range unsafe.Slice(at[cAttribute](addr), len(t)) {
		o := &t[i]
		o.N = c.ulValueLen
		switch {
		case o.N == ck.CK_UNAVAILABLE_INFORMATION:
		case o.Nested != nil:
			if o.N > attributeSize*uint64(len(o.Nested)) {
				r.err = errCount
				return
			}
			n := int(o.N / attributeSize)
			if n > 0 && c.pValue != 0 {
				for j, in := range unsafe.Slice(at[cAttribute](c.pValue), n) {
					o.Nested[j].Type = ck.AttributeType(in.typ)
				}
				r.outTemplate(o.Nested[:n], c.pValue, depth+1)
			}
		case o.Buf != nil:
			if o.N > uint64(len(o.Buf)) {
				if r.ok() {
					r.err = errCount
					return
				}
				continue // the length that it would need, from a module that says so here
			}
			if c.pValue != 0 {
				copy(o.Buf, octets(c.pValue, int(o.N)))
			}
		}
	}
}
