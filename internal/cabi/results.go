package cabi

import (
	"unsafe"

	"github.com/p11mux/p11mux/ck"
)

// Results puts the results of a call that gave rv into the memory of its words, as a module in C would have: for who looks at a call
// by its words. The arena must be as Encode left it.
func (a *Arena) Results(call ck.Call, w *Words, rv ck.RV) { a.results(call, w, rv) }

func resultOut[T any](rv ck.RV, o *ck.Out[T], buf, count uintptr) {
	if rv != ck.CKR_OK && rv != ck.CKR_BUFFER_TOO_SMALL {
		return
	}
	*at[uint64](count) = o.N
	if rv == ck.CKR_OK && buf != 0 {
		copy(unsafe.Slice(at[T](buf), len(o.Buf)), o.Bytes())
	}
}

func resultTemplate(rv ck.RV, t []ck.AttributeOut, addr uintptr) {
	if len(t) == 0 || !templateResults(rv) {
		return
	}
	c := unsafe.Slice(at[cAttribute](addr), len(t))
	for i := range t {
		o := &t[i]
		c[i].typ, c[i].ulValueLen = uint64(o.Type), o.N
		switch {
		case o.Nested != nil:
			n := min(o.N/attributeSize, uint64(len(o.Nested)))
			if o.N != ck.CK_UNAVAILABLE_INFORMATION {
				resultTemplate(rv, o.Nested[:n], c[i].pValue)
			}
		case o.Buf != nil:
			copy(octets(c[i].pValue, len(o.Buf)), o.Bytes())
		}
	}
}
