package cabi

import (
	"errors"

	"github.com/p11mux/p11mux/ck"
)

// maxDepth is how deep templates within templates and mechanisms within mechanisms may go.
const maxDepth = 8

var (
	errMemory  = &ck.CallError{RV: ck.CKR_HOST_MEMORY, Err: errors.New("no memory for the arguments")}
	errLabel   = &ck.CallError{RV: ck.CKR_ARGUMENTS_BAD, Err: errors.New("a token's label has at most 32 octets")}
	errFixed   = &ck.CallError{RV: ck.CKR_MECHANISM_PARAM_INVALID, Err: errors.New("a field of the mechanism's parameter has the wrong size")}
	errNUL     = &ck.CallError{RV: ck.CKR_ARGUMENTS_BAD, Err: errors.New("text has a NUL in it")}
	errDepth   = &ck.CallError{RV: ck.CKR_ARGUMENTS_BAD, Err: errors.New("templates or mechanisms are nested too deeply")}
	errUnknown = &ck.CallError{RV: ck.CKR_FUNCTION_NOT_SUPPORTED, Err: errors.New("no such call")}
	errNil     = &ck.CallError{RV: ck.CKR_ARGUMENTS_BAD, Err: errors.New("a nil call")}
)

// Encode puts the arguments of a call into words and memory of the arena, which must have been Reset before. On error
// nothing may be called with the words.
func (a *Arena) Encode(call ck.Call, w *Words) error {
	*w = Words{}
	if call == nil {
		return errNil
	}
	if !a.encode(call, w) {
		return errUnknown
	}
	return a.err
}

// bytes copies a buffer; nil gives NULL, an empty one an address.
func (a *Arena) bytes(b []byte) uintptr {
	if b == nil {
		return 0
	}
	p := a.get(uintptr(len(b)))
	if p == nil {
		return 0
	}
	copy(octets(uintptr(p), len(b)), b)
	return uintptr(p)
}

// fixed copies a buffer that must have n octets; nil gives NULL.
func (a *Arena) fixed(b []byte, n int) uintptr {
	if b != nil && len(b) != n {
		a.fail(errFixed)
	}
	return a.bytes(b)
}

// label copies a token's label and pads it.
func (a *Arena) label(b []byte) uintptr {
	if b == nil {
		return 0
	}
	var l [32]byte
	if len(b) > len(l) {
		a.fail(errLabel)
	}
	for i := copy(l[:], b); i < len(l); i++ {
		l[i] = ' '
	}
	return a.bytes(l[:])
}

// text copies text and terminates it; nil gives NULL.
func (a *Arena) text(b []byte) uintptr {
	if b == nil {
		return 0
	}
	p := a.get(uintptr(len(b)) + 1)
	if p == nil {
		return 0
	}
	c := octets(uintptr(p), len(b))
	for i := range b {
		if c[i] = b[i]; b[i] == 0 {
			a.fail(errNUL)
		}
	}
	return uintptr(p)
}

func (a *Arena) version(v *ck.Version) uintptr {
	if v == nil {
		return 0
	}
	c := push[ck.Version](a)
	*c = *v
	return addrOf(c)
}

// room gives memory for n elements that the module fills.
func (a *Arena) room(wanted bool, n int, size uintptr) uintptr {
	if !wanted {
		return 0
	}
	return uintptr(a.get(uintptr(n) * size))
}

func (a *Arena) template(t []ck.Attribute, depth int) uintptr {
	if t == nil {
		return 0
	}
	if depth == maxDepth {
		a.fail(errDepth)
		return 0
	}
	if len(t) == 0 {
		return uintptr(a.get(1))
	}
	c := pushN[cAttribute](a, len(t))
	for i := range t {
		c[i].typ = uint64(t[i].Type)
		if t[i].Nested != nil {
			c[i].pValue, c[i].ulValueLen = a.template(t[i].Nested, depth+1), attributeSize*uint64(len(t[i].Nested))
		} else {
			c[i].pValue, c[i].ulValueLen = a.bytes(t[i].Value), uint64(len(t[i].Value))
		}
	}
	return addrOf(&c[0])
}

func (a *Arena) outTemplate(t []ck.AttributeOut, depth int) uintptr {
	if t == nil {
		return 0
	}
	if depth == maxDepth {
		a.fail(errDepth)
		return 0
	}
	if len(t) == 0 {
		return uintptr(a.get(1))
	}
	c := pushN[cAttribute](a, len(t))
	for i := range t {
		c[i].typ = uint64(t[i].Type)
		if t[i].Nested != nil {
			c[i].pValue, c[i].ulValueLen = a.outTemplate(t[i].Nested, depth+1), attributeSize*uint64(len(t[i].Nested))
		} else {
			c[i].pValue, c[i].ulValueLen = a.room(t[i].Buf != nil, len(t[i].Buf), 1), uint64(len(t[i].Buf))
		}
	}
	return addrOf(&c[0])
}

func (a *Arena) mechanism(m *ck.Mechanism) uintptr {
	if m == nil {
		return 0
	}
	if a.depth++; a.depth > maxDepth {
		a.fail(errDepth)
		return 0
	}
	c := push[cMechanism](a)
	addr, size := a.param(m.Param)
	c.mechanism, c.pParameter, c.ulParameterLen = uint64(m.Type), addr, uint64(size)
	a.depth--
	return addrOf(c)
}

func (a *Arena) initArgs(p *ck.InitializeArgs) uintptr {
	if p == nil {
		return 0
	}
	c := push[cInitializeArgs](a)
	inInitializeArgs(c, p)
	return addrOf(c)
}

func (a *Arena) inAsyncData(p *ck.AsyncData) uintptr {
	c := push[cAsyncData](a)
	inAsyncData(c, p)
	return addrOf(c)
}

// encodeOut gives the buffer of the two-call convention and the address of its length.
func encodeOut[T any](a *Arena, o *ck.Out[T]) (buf, count uintptr) {
	var zero T
	n := push[uint64](a)
	*n = uint64(len(o.Buf))
	return a.room(o.Buf != nil, len(o.Buf), sizeOf(zero)), addrOf(n)
}

// encodeMax is encodeOut for C_FindObjects.
func encodeMax[T any](a *Arena, o *ck.Out[T]) (buf, room, count uintptr) {
	var zero T
	return a.room(o.Buf != nil, len(o.Buf), sizeOf(zero)), uintptr(len(o.Buf)), addrOf(push[uint64](a))
}
