package calllog

import "github.com/p11mux/p11mux/ck"

// field begins a member of a structure.
func (r *record) field(name string) {
	r.text("\n\t")
	r.text(name)
	r.text(": ")
}

func (r *record) version(v ck.Version) {
	r.number(uint64(v.Major))
	r.text(".")
	r.number(uint64(v.Minor))
}

func (r *record) versionField(name string, v ck.Version) {
	r.field(name)
	r.version(v)
}

// space appends a field that is padded with blanks, without them.
func (r *record) space(name string, b []byte) {
	for i, c := range b {
		if c == 0 {
			b = b[:i]
			break
		}
	}
	for len(b) > 0 && b[len(b)-1] == ' ' {
		b = b[:len(b)-1]
	}
	r.field(name)
	r.text("\"")
	r.plain(b)
	r.text("\"")
}

// flagsField appends flags in decimal with their names.
func (r *record) flagsField(v uint64, set *flagSet) {
	r.field("flags")
	r.number(v)
	r.textFlags(v, set, " = ")
}

// hexFlags appends flags in hexadecimal, as some structures have them.
func (r *record) hexFlags(v uint64, set *flagSet) {
	r.field("flags")
	const digits = "0123456789ABCDEF"
	shift := 0
	for shift < 60 && v>>(shift+4) != 0 {
		shift += 4
	}
	for ; shift >= 0; shift -= 4 {
		r.buf = append(r.buf, digits[v>>shift&15])
	}
	r.textFlags(v, set, " = ")
}

// address appends a member that is an address; in structures NULL is a number as well.
func (r *record) address(name string, addr uintptr) {
	r.field(name)
	r.buf = appendHex(append(r.buf, "0x"...), uint64(addr))
}

func (r *record) textInitArgs(addr uintptr) {
	if addr == 0 {
		r.text("NULL")
		return
	}
	c := at[cInitArgs](addr)
	r.text("{")
	for i, name := range [...]string{"CreateMutex", "DestroyMutex", "LockMutex", "UnlockMutex"} {
		r.address(name, c.functions[i])
	}
	r.flagsField(c.flags, &initFlags)
	r.address("reserved", c.reserved)
	r.text("\n      }")
}

// textStruct appends a structure that a call has filled.
func (r *record) textStruct(k kind, addr uintptr) {
	if addr == 0 {
		r.text("NULL")
		return
	}
	r.text("{")
	switch k {
	case kindInfo:
		c := at[cInfo](addr)
		r.versionField("cryptokiVersion", c.cryptoki)
		r.space("manufacturerID", c.manufacturer[:])
		r.hexFlags(c.flags, nil)
		r.space("libraryDescription", c.description[:])
		r.versionField("libraryVersion", c.library)
	case kindSlotInfo:
		c := at[cSlotInfo](addr)
		r.space("slotDescription", c.description[:])
		r.space("manufacturerID", c.manufacturer[:])
		r.flagsField(c.flags, &slotFlags)
		r.versionField("hardwareVersion", c.hardware)
		r.versionField("firmwareVersion", c.firmware)
	case kindTokenInfo:
		r.textTokenInfo(at[cTokenInfo](addr))
	case kindSessionInfo:
		c := at[cSessionInfo](addr)
		r.field("slotID")
		r.word(kindSlot, c.slot)
		r.field("state")
		r.buf = appendState(r.buf, c.state)
		r.hexFlags(c.flags, &sessionFlags)
		r.field("ulDeviceError")
		r.number(c.deviceError)
	case kindMechanismInfo:
		c := at[cMechanismInfo](addr)
		r.field("ulMinKeySize")
		r.number(c.minKey)
		r.field("ulMaxKeySize")
		r.number(c.maxKey)
		r.hexFlags(c.flags, &mechanismFlags)
	case kindAsyncData:
		c := at[cAsyncData](addr)
		r.field("ulVersion")
		r.number(c.version)
		r.address("pValue", c.value)
		r.field("ulValue")
		r.number(c.length)
		r.field("hObject")
		r.word(kindObject, c.object)
		r.field("hAdditionalObject")
		r.word(kindObject, c.additional)
	}
	r.text("\n      }")
}

func (r *record) textTokenInfo(c *cTokenInfo) {
	r.space("label", c.label[:])
	r.space("manufacturerID", c.manufacturer[:])
	r.space("model", c.model[:])
	r.space("serialNumber", c.serial[:])
	r.flagsField(c.flags, &tokenFlags)
	r.limit("ulMaxSessionCount", c.maxSessions)
	r.limit("ulSessionCount", c.sessions)
	r.limit("ulMaxRwSessionCount", c.maxRWSessions)
	r.limit("ulRwSessionCount", c.rwSessions)
	r.field("ulMaxPinLen")
	r.number(c.maxPIN)
	r.field("ulMinPinLen")
	r.number(c.minPIN)
	r.limit("ulTotalPublicMemory", c.totalPublic)
	r.limit("ulFreePublicMemory", c.freePublic)
	r.limit("ulTotalPrivateMemory", c.totalPrivate)
	r.limit("ulFreePrivateMemory", c.freePrivate)
	r.versionField("hardwareVersion", c.hardware)
	r.versionField("firmwareVersion", c.firmware)
	r.field("utcTime")
	if ck.Flags(c.flags)&ck.CKF_CLOCK_ON_TOKEN == 0 {
		r.text("(not supported)")
		return
	}
	r.plain(c.utcTime[:])
}

// limit appends a count that may be unknown or without an end.
func (r *record) limit(name string, v uint64) {
	r.field(name)
	switch v {
	case unavailable:
		r.text("CK_UNAVAILABLE_INFORMATION")
	case 0:
		if name[:5] == "ulMax" {
			r.text("CK_EFFECTIVELY_INFINITE")
			return
		}
		r.text("0")
	default:
		r.number(v)
	}
}
