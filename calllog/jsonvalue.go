package calllog

import "github.com/p11mux/p11mux/ck"

// maxDepth is how deep templates within templates are followed.
const maxDepth = 8

// jsonTypes appends a template of which only the types and the room count.
func (r *record) jsonTypes(addr uintptr, n uint64) {
	if addr == 0 || n > maxElements {
		r.text("null")
		return
	}
	r.text("[")
	for i, c := range templateAt(addr, n) {
		if i > 0 {
			r.text(",")
		}
		r.text(`{"type":`)
		r.quoteName(appendAttribute, c.typ)
		if c.value != 0 && c.length != unavailable {
			r.text(`,"room":`)
			r.number(c.length)
		}
		r.text("}")
	}
	r.text("]")
}

// jsonTemplate appends a template with its values; out tells that a call has filled it, so that there is no more to read than there
// was room for.
func (r *record) jsonTemplate(addr uintptr, n uint64, out bool) {
	if addr == 0 || n > maxElements {
		r.text("null")
		return
	}
	r.jsonAttributes(templateAt(addr, n), out, 0)
}

func (r *record) jsonAttributes(t []cAttribute, out bool, depth int) {
	r.text("[")
	for i, c := range t {
		if i > 0 {
			r.text(",")
		}
		room := c.length
		if out && depth == 0 {
			room = r.room()
		}
		r.text(`{"type":`)
		r.quoteName(appendAttribute, c.typ)
		if c.length == unavailable {
			r.text(`,"unavailable":true}`)
			continue
		}
		r.text(`,"length":`)
		r.number(c.length)
		if c.value != 0 && c.length <= room {
			r.jsonAttribute(c, out, depth)
		}
		r.text("}")
	}
	r.text("]")
}

// jsonAttribute appends the value of an attribute, unless it is a secret or nothing is known of it.
func (r *record) jsonAttribute(c cAttribute, out bool, depth int) {
	known := attributeOf(c.typ)
	if !r.secrets && (known == nil || known.log == logSecret) || !readable(c.value, min(c.length, maxValue)) {
		return
	}
	kind := valueBytes
	if known != nil {
		kind = known.kind
	}
	switch {
	case kind == valueTemplate && c.length%attributeSize == 0 && c.length/attributeSize <= maxElements && depth < maxDepth:
		r.text(`,"template":`)
		r.jsonAttributes(templateAt(c.value, c.length/attributeSize), out, depth+1)
	case kind == valueTemplate:
	case kind == valueBool && c.length == 1:
		r.text(`,"value":`)
		r.jsonBool(*at[byte](c.value) != 0)
	case kind == valueMechanisms && c.length%8 == 0:
		r.text(`,"values":[`)
		for i := range min(c.length/8, maxElements) {
			if i > 0 {
				r.text(",")
			}
			r.quoteName(appendMechanism, *at[uint64](c.value + uintptr(i)*8))
		}
		r.text("]")
	case c.length == 8 && kind == valueUlong:
		r.text(`,"value":`)
		r.number(wordAt(c.value))
	case c.length == 8 && kind >= valueMechanism && kind != valueMechanisms:
		r.jsonNamed(kind, wordAt(c.value))
	default:
		b := octets(c.value, int(min(c.length, maxValue)))
		if c.length <= maxValue && printable(b) {
			r.text(`,"text":`)
			r.jsonText(b)
		} else {
			r.text(`,"value":`)
			r.hex(b)
		}
	}
}

// jsonNamed appends the value of an attribute that is a number with a name.
func (r *record) jsonNamed(kind valueKind, v uint64) {
	r.text(`,"value":`)
	if kind == valueCategory && v < uint64(len(categories)) {
		r.text(`"`)
		r.text(categories[v])
		r.text(`"`)
		return
	}
	n := len(r.buf)
	r.text(`"`)
	b, ok := appendValueName(r.buf, kind, v)
	if !ok {
		r.buf = b[:n]
		r.number(v)
		return
	}
	r.buf = append(b, '"')
}

func (r *record) jsonMechanism(addr uintptr) {
	if addr == 0 {
		r.text("null")
		return
	}
	m := at[cMechanism](addr)
	r.text(`{"mechanism":`)
	r.quoteName(appendMechanism, m.typ)
	if m.param != 0 || m.length != 0 {
		r.text(`,"parameter":`)
		r.jsonParameter(m)
	}
	r.text("}")
}

// jsonParameter appends a mechanism's parameter: a structure where its type and size say which, else plain memory.
func (r *record) jsonParameter(m *cMechanism) {
	p := paramOf(ck.MechanismType(m.typ), m.length)
	if p == nil || m.param == 0 {
		r.jsonBytes(m.param, m.length, m.length, !publicParameter(m.typ))
		return
	}
	r.jsonParam(p, m.param)
}

// field begins a member of an object.
func (r *record) member(first bool, name string) {
	if !first {
		r.text(",")
	}
	r.key(name)
}

func (r *record) jsonSpace(name string, b []byte) {
	r.member(false, name)
	r.jsonText(unpad(b))
}

func (r *record) jsonVersionMember(name string, v ck.Version) {
	r.member(false, name)
	r.jsonVersion(v)
}

func (r *record) jsonNumberMember(name string, v uint64) {
	r.member(false, name)
	if v == unavailable {
		r.text("null")
		return
	}
	r.number(v)
}

func (r *record) jsonInitArgs(addr uintptr) {
	if addr == 0 {
		r.text("null")
		return
	}
	c := at[cInitArgs](addr)
	r.text("{")
	for i, name := range [...]string{"CreateMutex", "DestroyMutex", "LockMutex", "UnlockMutex"} {
		r.member(i == 0, name)
		r.jsonPointer(c.functions[i])
	}
	r.member(false, "flags")
	r.jsonFlags(c.flags, &initFlags)
	r.member(false, "pReserved")
	r.jsonPointer(c.reserved)
	r.text("}")
}

// jsonStruct appends a structure that a call has filled.
func (r *record) jsonStruct(k kind, addr uintptr) {
	r.text("{")
	switch k {
	case kindInfo:
		c := at[cInfo](addr)
		r.member(true, "cryptokiVersion")
		r.jsonVersion(c.cryptoki)
		r.jsonSpace("manufacturerID", c.manufacturer[:])
		r.member(false, "flags")
		r.jsonFlags(c.flags, nil)
		r.jsonSpace("libraryDescription", c.description[:])
		r.jsonVersionMember("libraryVersion", c.library)
	case kindSlotInfo:
		c := at[cSlotInfo](addr)
		r.member(true, "slotDescription")
		r.jsonText(unpad(c.description[:]))
		r.jsonSpace("manufacturerID", c.manufacturer[:])
		r.member(false, "flags")
		r.jsonFlags(c.flags, &slotFlags)
		r.jsonVersionMember("hardwareVersion", c.hardware)
		r.jsonVersionMember("firmwareVersion", c.firmware)
	case kindTokenInfo:
		r.jsonTokenInfo(at[cTokenInfo](addr))
	case kindSessionInfo:
		c := at[cSessionInfo](addr)
		r.member(true, "slotID")
		r.number(c.slot)
		r.member(false, "state")
		r.quoteName(appendState, c.state)
		r.member(false, "flags")
		r.jsonFlags(c.flags, &sessionFlags)
		r.jsonNumberMember("ulDeviceError", c.deviceError)
	case kindMechanismInfo:
		c := at[cMechanismInfo](addr)
		r.member(true, "ulMinKeySize")
		r.number(c.minKey)
		r.jsonNumberMember("ulMaxKeySize", c.maxKey)
		r.member(false, "flags")
		r.jsonFlags(c.flags, &mechanismFlags)
	case kindAsyncData:
		c := at[cAsyncData](addr)
		r.member(true, "ulVersion")
		r.number(c.version)
		r.member(false, "pValue")
		r.jsonPointer(c.value)
		r.jsonNumberMember("ulValue", c.length)
		r.jsonNumberMember("hObject", c.object)
		r.jsonNumberMember("hAdditionalObject", c.additional)
	}
	r.text("}")
}

func (r *record) jsonTokenInfo(c *cTokenInfo) {
	r.member(true, "label")
	r.jsonText(unpad(c.label[:]))
	r.jsonSpace("manufacturerID", c.manufacturer[:])
	r.jsonSpace("model", c.model[:])
	r.jsonSpace("serialNumber", c.serial[:])
	r.member(false, "flags")
	r.jsonFlags(c.flags, &tokenFlags)
	for _, n := range [...]struct {
		name string
		v    uint64
	}{
		{"ulMaxSessionCount", c.maxSessions}, {"ulSessionCount", c.sessions}, {"ulMaxRwSessionCount", c.maxRWSessions},
		{"ulRwSessionCount", c.rwSessions}, {"ulMaxPinLen", c.maxPIN}, {"ulMinPinLen", c.minPIN},
		{"ulTotalPublicMemory", c.totalPublic}, {"ulFreePublicMemory", c.freePublic},
		{"ulTotalPrivateMemory", c.totalPrivate}, {"ulFreePrivateMemory", c.freePrivate},
	} {
		r.jsonNumberMember(n.name, n.v)
	}
	r.jsonVersionMember("hardwareVersion", c.hardware)
	r.jsonVersionMember("firmwareVersion", c.firmware)
	if ck.Flags(c.flags)&ck.CKF_CLOCK_ON_TOKEN != 0 {
		r.jsonSpace("utcTime", c.utcTime[:])
	}
}
