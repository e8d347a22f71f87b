package rpc

import (
	"github.com/p11mux/p11mux/ck"
	"github.com/p11mux/p11mux/internal/cabi"
)

// A layout is how the parameter of a mechanism is encoded.
type layout byte

const (
	layoutMemory     layout = iota // octets: memory as it is
	layoutNone                     // not at all
	layoutIv8                      // 8 octets
	layoutIv16                     // 16 octets
	layoutValue                    // octets, at least one
	layoutUlong                    // a CK_ULONG
	layoutStructures               // member by member: this one and those that follow
)

// noMechanism is the type that stands for a NULL mechanism, which ends an operation.
const noMechanism = 0xffffffff

// errParam is a parameter that cannot be sent.
func errParam(t ck.MechanismType, why string) error {
	return refusal(ck.CKR_MECHANISM_PARAM_INVALID, "the parameter of "+t.String()+" "+why)
}

// typed gives the structure that a parameter is, nil if it is another one. When reading it makes one.
func typed[T any, P interface {
	*T
	ck.MechanismParam
}](x *coder, p *ck.MechanismParam) P {
	if x.reading {
		*p = P(new(T))
	}
	v, _ := (*p).(P)
	return v
}

// mechanism codes a mechanism, which may be NULL.
func (x *coder) mechanism(m **ck.Mechanism) {
	if x.reading {
		*m = x.readMechanism()
	} else {
		x.putMechanism(*m)
	}
	x.mech = *m
}

// isEmpty tells whether there is no parameter.
func isEmpty(p ck.MechanismParam) bool {
	raw, ok := p.(ck.RawParam)
	return p == nil || ok && len(raw) == 0
}

func (x *coder) putMechanism(m *ck.Mechanism) {
	if m == nil {
		if x.version == 0 {
			x.fail(refusal(ck.CKR_ARGUMENTS_BAD, "the server is too old to be sent no mechanism"))
		}
		x.put(0xff, 0xff, 0xff, 0xff)
		return
	}
	if m.Type >= noMechanism {
		x.fail(refusal(ck.CKR_MECHANISM_INVALID, "the remote protocol has mechanisms of 32 bits only"))
		return
	}
	t := uint32(m.Type)
	x.u32(&t)
	l := layoutFor(m.Type, x.layouts())
	if l == layoutNone {
		if !isEmpty(m.Param) {
			x.fail(errParam(m.Type, "cannot be sent: the remote protocol has none for it"))
		}
		if x.old {
			x.blob(new([]byte))
		}
		return
	}
	if !x.old {
		there := !isEmpty(m.Param)
		if x.flag(&there); !there {
			return
		}
	} else if isEmpty(m.Param) && l != layoutMemory {
		x.fail(errParam(m.Type, "is missing, which the server is too old to be told"))
		return
	}
	x.putParam(l, m)
}

func (x *coder) putParam(l layout, m *ck.Mechanism) {
	if l >= layoutStructures {
		p := m.Param
		if raw, ok := p.(ck.RawParam); ok {
			if s, ok := cabi.Structured(m.Type, raw); ok {
				p = s
			}
		}
		if !x.structure(l, &p) {
			x.fail(errParam(m.Type, "is not the structure that it has to be"))
		}
		return
	}
	memory, ok := cabi.Flat(m.Type, m.Param)
	if !ok || x.hasAddress(m.Type, memory) {
		x.fail(errParam(m.Type, "cannot be sent: there are addresses in it"))
		return
	}
	if !l.fits(len(memory)) {
		x.fail(errParam(m.Type, "has the wrong length"))
		return
	}
	if l == layoutUlong {
		x.putWord(memory)
		return
	}
	x.blob((*[]byte)(&memory))
}

// fits tells whether memory of n octets can be a parameter of the layout.
func (l layout) fits(n int) bool {
	switch l {
	case layoutIv8, layoutUlong:
		return n == 8
	case layoutIv16:
		return n == 16
	case layoutValue:
		return n > 0
	}
	return true
}

// hasAddress tells whether memory for a mechanism that nothing is known of has an address of this process in it.
func (x *coder) hasAddress(t ck.MechanismType, memory []byte) bool {
	return t >= ck.CKM_VENDOR_DEFINED && layoutFor(t, MaxVersion) == layoutMemory && x.looksLikeAddress(memory)
}

// looksLikeAddress tells whether one of the words in memory is an address of this process.
func (x *coder) looksLikeAddress(memory []byte) bool {
	if x.address == nil || len(memory)%8 != 0 {
		return false
	}
	for i := 0; i < len(memory); i += 8 {
		if x.address(cabi.Ulong(memory[i:])) {
			return true
		}
	}
	return false
}

func (x *coder) readMechanism() *ck.Mechanism {
	var t uint32
	x.u32(&t)
	if x.err != nil || t == noMechanism {
		return nil
	}
	if t == 0 && x.old && x.version == 1 && (x.left() < 4 || be32(x.b[x.off:]) != absent) {
		return nil // how clients of 0.25.0 to 0.25.2 send NULL
	}
	m := &ck.Mechanism{Type: ck.MechanismType(t)}
	l := layoutFor(m.Type, x.layouts())
	if x.old {
		if l == layoutNone {
			l = layoutMemory
		}
	} else {
		there := l != layoutNone
		if there {
			x.flag(&there)
		}
		if !there {
			return m
		}
	}
	x.readParam(l, m)
	return m
}

func (x *coder) readParam(l layout, m *ck.Mechanism) {
	switch {
	case l >= layoutStructures:
		x.structure(l, &m.Param)
		return
	case l == layoutUlong:
		if data := x.words(1); data != nil {
			m.Param = ck.RawParam(data)
		}
		return
	}
	var memory []byte
	x.blob(&memory)
	if x.err != nil {
		return
	}
	if !l.fits(len(memory)) {
		x.fail(errParam(m.Type, "has the wrong length"))
		return
	}
	if l != layoutMemory {
		m.Param = ck.RawParam(memory)
		return
	}
	p, ok := cabi.Structured(m.Type, memory)
	if !ok {
		x.fail(errParam(m.Type, "has addresses in it, which mean nothing here"))
	}
	m.Param = p
}

// messageParam codes the parameter of a message, which is always plain memory.
func (x *coder) messageParam(p *ck.MechanismParam) {
	var memory []byte
	if !x.reading {
		raw, ok := (*p).(ck.RawParam)
		if *p != nil && !ok || x.looksLikeAddress(raw) {
			x.fail(refusal(ck.CKR_MECHANISM_PARAM_INVALID, "the parameter of a message cannot be sent: there are addresses in it"))
			return
		}
		memory = raw
	}
	x.octets(&memory)
	if x.reading && memory != nil {
		*p = ck.RawParam(memory)
	}
}

// refuseMessages refuses to begin an operation whose messages have parameters with addresses in them. Neither end can know
// that of the messages themselves: their parameters are plain memory, and which mechanism they are for is not in them.
func refuseMessages(call ck.Call) error {
	var m *ck.Mechanism
	switch c := call.(type) {
	case *ck.MessageEncryptInitCall:
		m = c.Mechanism
	case *ck.MessageDecryptInitCall:
		m = c.Mechanism
	}
	if m == nil {
		return nil
	}
	switch m.Type {
	case ck.CKM_AES_GCM, ck.CKM_AES_CCM, ck.CKM_CHACHA20_POLY1305, ck.CKM_SALSA20_POLY1305:
		return refusal(ck.CKR_MECHANISM_INVALID, "the remote protocol cannot carry the messages of "+m.Type.String())
	}
	return nil
}
