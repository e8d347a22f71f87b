package rpc

import "github.com/p11mux/p11mux/ck"

// versionField codes a CK_VERSION.
func (x *coder) versionField(v *ck.Version) {
	x.octet(&v.Major)
	x.octet(&v.Minor)
}

// text codes a field of an information structure, whose size never varies.
func (x *coder) text(field []byte) {
	v := field
	x.blob(&v)
	if x.reading && x.err == nil {
		if len(v) != len(field) {
			x.fail(deviceError("text has the wrong length"))
			return
		}
		copy(field, v)
	}
}

// errCount is what a module did wrong that told of more than it was given room for.
var errCount = refusal(ck.CKR_GENERAL_ERROR, "the module tells of more results than it was given room for")

// messageInitToken0 is the one message in which a label has any length.
const messageInitToken0 = 9

// label codes the label of a token, 32 octets. Old clients send more or fewer of them: they measure it as a C string.
func (x *coder) label(v *[]byte) {
	var label [32]byte
	if x.id != messageInitToken0 || !x.reading {
		if !x.reading {
			if *v == nil || len(*v) > len(label) {
				x.fail(refusal(ck.CKR_ARGUMENTS_BAD, "a token's label has 32 octets"))
				return
			}
			ck.Pad(label[:], string(*v))
		}
		x.text(label[:])
	} else {
		var got []byte
		x.blob(&got)
		for i := copy(label[:], got); i < len(label); i++ {
			label[i] = ' '
		}
	}
	if x.reading && x.err == nil {
		*v = label[:]
	}
}

// octets codes an array of octets, which may be NULL.
func (x *coder) octets(v *[]byte) {
	present := true
	x.flag(&present)
	if present {
		x.blob(v)
		return
	}
	// Old clients send NULL so.
	var n uint32
	x.u32(&n)
	if x.reading && n != 0 {
		x.fail(refusal(ck.CKR_ARGUMENTS_BAD, "NULL with a length"))
	}
	*v = nil
}

// wanted codes whether there is room for a result that can be left out altogether.
func (x *coder) wanted(o **ck.Out[byte]) {
	there := *o != nil
	x.flag(&there)
	if x.reading && there {
		*o = new(ck.Out[byte])
	}
}

// room codes the room for a result, which is nil where no result is wanted.
func (x *coder) room(o *ck.Out[byte]) {
	if x.reading {
		x.u32(&x.room32)
		if o != nil {
			o.Buf = x.ready(x.room32)
		}
		return
	}
	var n uint32
	if o != nil {
		n = x.roomOf(o.Buf)
	}
	x.u32(&n)
}

// roomOf is how room is told of. More than a message can bring is of no use.
func (x *coder) roomOf(buf []byte) uint32 {
	switch {
	case buf == nil:
		return 0
	case len(buf) > 0:
		return uint32(min(len(buf), maxResult))
	case x.version == 0:
		return 0 // old peers know no buffer without room
	}
	return absent
}

// ready makes room for a result of the module, and not all of it if that is much: see grow.
func (x *coder) ready(n uint32) []byte {
	switch {
	case x.err != nil || n == 0:
		return nil
	case n == absent:
		return []byte{}
	case n > maxBlob:
		x.fail(refusal(ck.CKR_DEVICE_MEMORY, "room beyond all measure"))
		return nil
	}
	ready := min(int(n), maxRoom+len(x.b), maxResult)
	x.held += ready
	return make([]byte, ready)
}

// fillRoom codes how many octets are to be filled, all of which come back.
func (x *coder) fillRoom(v *[]byte) {
	n := x.roomOf(*v)
	if !x.reading && len(*v) > maxResult {
		x.fail(refusal(ck.CKR_HOST_MEMORY, "too many octets for a message of the remote protocol"))
	}
	x.u32(&n)
	if !x.reading {
		return
	}
	if n != absent && n > maxResult {
		x.fail(refusal(ck.CKR_DEVICE_MEMORY, "too many octets for one message"))
		return
	}
	null := n == 0 && x.version > 0 // version 0 does not tell room for nothing from none
	if n == absent {
		n = 0
	}
	if x.err == nil && !null {
		x.held += int(n)
		*v = make([]byte, n)
	}
}

// filled codes what was filled.
func (x *coder) filled(v *[]byte) {
	o := ck.Out[byte]{Buf: *v, N: uint64(len(*v))}
	x.result(&o)
	if x.reading && x.err == nil && o.N != uint64(len(*v)) {
		x.fail(deviceError("another number of octets than was asked for"))
	}
}

// result codes a result that there was room for: octets, or only their number where there was no room or too little.
func (x *coder) result(o *ck.Out[byte]) {
	if x.reading {
		x.readResult(o)
		return
	}
	var v []byte
	lengthOnly := o != nil && (o.Buf == nil || x.rv == ck.CKR_BUFFER_TOO_SMALL) && o.N > 0
	if lengthOnly {
		n := uint32(min(o.N, maxBlob))
		x.put(0)
		x.u32(&n)
		return
	}
	if o != nil && o.Buf != nil {
		if o.N > uint64(len(o.Buf)) {
			x.fail(errCount)
		}
		v = o.Bytes()
	}
	x.put(1)
	x.blob(&v)
}

func (x *coder) readResult(o *ck.Out[byte]) {
	if o == nil {
		o = new(ck.Out[byte]) // the caller wants none, but something comes
	}
	var valid bool
	x.flag(&valid)
	if valid {
		var v []byte
		x.blob(&v)
		if x.err == nil {
			o.N = uint64(len(v))
			if copy(o.Buf, v) < len(v) && o.Buf != nil {
				x.small = true
			}
		}
		return
	}
	var n uint32
	x.u32(&n)
	if x.err == nil {
		o.N = uint64(n)
		x.small = x.small || o.Buf != nil && n != 0
		if n > maxResult && int64(n) <= int64(len(o.Buf)) {
			x.fail(refusal(ck.CKR_HOST_MEMORY, "the result is too long for a message of the remote protocol"))
		}
	}
}

// listRoom codes the room for a list. Room for nothing cannot be told from no room; always gives room where there is none.
func listRoom[T ~uint64](x *coder, o *ck.Out[T], always bool) {
	n := uint32(min(len(o.Buf), maxNumber, MaxMessage/8-8))
	x.u32(&n)
	if !x.reading || x.err != nil {
		return
	}
	x.room32 = n
	switch {
	case n > maxNumber:
		x.fail(refusal(ck.CKR_DEVICE_MEMORY, "room beyond all measure"))
	case n > 0 || always:
		o.Buf = make([]T, min(n, maxList))
		x.held += 8 * len(o.Buf)
	}
}

// list codes a list that there was room for.
func list[T ~uint64](x *coder, o *ck.Out[T]) {
	if x.reading {
		readList(x, o)
		return
	}
	n := uint32(min(o.N, maxNumber))
	if x.rv == ck.CKR_OK && len(o.Buf) > 0 && o.N > uint64(len(o.Buf)) {
		x.fail(errCount)
		return
	}
	if len(o.Buf) == 0 || x.rv == ck.CKR_BUFFER_TOO_SMALL {
		x.put(0)
		x.u32(&n)
		return
	}
	x.put(1)
	x.u32(&n)
	for i := range o.Bytes() {
		ulong(x, &o.Buf[i])
	}
}

func readList[T ~uint64](x *coder, o *ck.Out[T]) {
	var valid bool
	x.flag(&valid)
	var n uint32
	x.u32(&n)
	if x.err != nil {
		return
	}
	o.N = uint64(n)
	if valid && int64(n) > int64(x.left()/8) {
		x.fail(errShort)
		return
	}
	x.small = o.Buf != nil && (n > uint32(len(o.Buf)) || !valid && n != 0)
	if !valid {
		return
	}
	for i := range int(n) {
		var v T
		ulong(x, &v)
		if !x.small && o.Buf != nil {
			o.Buf[i] = v
		}
	}
}
