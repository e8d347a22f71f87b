package calllog

import (
	"strings"
	"unsafe"

	"github.com/p11mux/p11mux/ck"
	"github.com/p11mux/p11mux/internal/cabi"
)

// A way is how a sample call is made, and what it comes to.
type way struct {
	name   string
	rv     ck.RV
	null   bool   // all pointers are NULL
	length uint64 // of what goes in
	text   string // what is in buffers
}

const controls = "a\x00b\t\n\r\x1b[31m\"\\\x7f\xc3\xa4\xff end"

var ways = []way{
	{name: "fine", length: 5, text: "hello and more of it"},
	{name: "controls", length: uint64(len(controls)), text: controls},
	{name: "empty", length: 0, text: "x"},
	{name: "null", rv: ck.CKR_OK, null: true, length: 5},
	{name: "too small", rv: ck.CKR_BUFFER_TOO_SMALL, length: 5, text: "hello"},
	{name: "fails", rv: ck.CKR_SESSION_HANDLE_INVALID, length: 5, text: "hello"},
	{name: "unknown", rv: 0x80001234, length: 5, text: "hello"},
	{name: "huge", length: unavailable, text: strings.Repeat("long ", 1000)},
}

// A sample is the memory of one call. It keeps what its words lead to alive.
type sample struct {
	w     cabi.Words
	keep  []any
	after []func() // what the call does
	way   way
}

func put[T any](s *sample, v T) uintptr {
	if s.way.null {
		return 0
	}
	p := new(T)
	*p = v
	s.keep = append(s.keep, p)
	return uintptr(unsafe.Pointer(p))
}

func (s *sample) octets(b []byte) uintptr {
	if s.way.null {
		return 0
	}
	b = append([]byte(nil), b...)
	b = append(b, 0)
	s.keep = append(s.keep, &b[0])
	return uintptr(unsafe.Pointer(&b[0]))
}

// template is one with attributes of all kinds.
func (s *sample) template() (uintptr, uintptr) {
	word := func(v uint64) (uintptr, uint64) { return put(s, v), 8 }
	attr := func(t ck.AttributeType, addr uintptr, n uint64) cAttribute { return cAttribute{uint64(t), addr, n} }
	of := func(t ck.AttributeType, v uint64) cAttribute {
		addr, n := word(v)
		return attr(t, addr, n)
	}
	inner := [2]cAttribute{attr(ck.CKA_TOKEN, put(s, byte(1)), 1), attr(ck.CKA_VALUE, s.octets([]byte("inner")), 5)}
	text := s.octets([]byte(s.way.text))
	n := min(s.way.length, uint64(len(s.way.text)))
	t := [...]cAttribute{
		of(ck.CKA_CLASS, uint64(ck.CKO_SECRET_KEY)), of(ck.CKA_CLASS, 0x12345), of(ck.CKA_KEY_TYPE, uint64(ck.CKK_AES)),
		of(ck.CKA_CERTIFICATE_TYPE, 0), of(ck.CKA_CERTIFICATE_CATEGORY, 2), of(ck.CKA_MODULUS_BITS, 2048),
		of(ck.CKA_KEY_GEN_MECHANISM, uint64(ck.CKM_AES_KEY_GEN)), of(ck.CKA_TRUST_SERVER_AUTH, 2), of(0xce536352, 0xce534352),
		of(0xd8444701, 2), attr(ck.CKA_ALLOWED_MECHANISMS, put(s, [2]uint64{uint64(ck.CKM_RSA_PKCS), 0x80009999}), 16),
		attr(ck.CKA_TOKEN, put(s, byte(1)), 1), attr(ck.CKA_LABEL, text, n), attr(ck.CKA_ID, s.octets([]byte{1, 2, 0xff}), 3),
		attr(ck.CKA_VALUE, text, n), attr(ck.CKA_PRIME_1, text, n), attr(ck.CKA_MODULUS, s.octets([]byte{9, 8}), 2),
		attr(0x80001234, text, n), attr(ck.CKA_LABEL, 0, 7), attr(ck.CKA_SUBJECT, text, unavailable),
		attr(ck.CKA_WRAP_TEMPLATE, put(s, inner), 48), attr(0xce534356, text, n),
	}
	return put(s, t), uintptr(len(t))
}

// result has the call write a value.
func result[T any](s *sample, v T) uintptr {
	var zero T
	addr := put(s, zero)
	if addr != 0 {
		s.after = append(s.after, func() { *at[T](addr) = v })
	}
	return addr
}

func padded(n int, text string) []byte {
	b := []byte(text + strings.Repeat(" ", n))
	return b[:n]
}

// word gives a sensible word of a kind.
func (s *sample) word(k kind) uint64 {
	if s.way.rv != ck.CKR_OK {
		return 0xffff_0000_0000
	}
	switch k {
	case kindMechanismType:
		return uint64(ck.CKM_SHA256_RSA_PKCS)
	case kindUser:
		return uint64(ck.CKU_USER)
	case kindFlags:
		return 0x6
	}
	return 42
}

// newSample makes a call of a function.
func newSample(f ck.Func, y way) *sample {
	s := &sample{way: y}
	args := argumentsOf(f)
	for i := range args {
		a := &args[i]
		w := &s.w[a.at]
		next := func(v uint64) { s.w[a.at+1] = uintptr(v) }
		switch a.kind {
		case kindBytes:
			*w = s.octets([]byte(y.text))
			next(min(y.length, max(uint64(len(y.text)), 5)))
			if y.name == "huge" {
				next(y.length)
			}
		case kindLabel:
			*w = s.octets(padded(32, y.text))
		case kindText:
			*w = s.octets([]byte(strings.ReplaceAll(y.text, "\x00", "")))
		case kindVersion:
			*w = put(s, ck.Version{Major: 3, Minor: 2})
		case kindTemplate, kindOutTemplate:
			t, n := s.template()
			*w = t
			next(uint64(n))
			if y.name == "huge" {
				next(y.length)
			} else if y.name == "empty" {
				next(0)
			}
		case kindMechanism:
			*w = s.mechanism()
		case kindInitArgs:
			*w = put(s, cInitArgs{functions: [4]uintptr{0x12345678, 0, 1, 2}, flags: 3})
		case kindPointer:
			*w = s.octets([]byte("memory"))
		case kindCount:
			// belongs to the buffer before it
		case kindNumber:
			if i == 0 || !isLengthOf(&args[i-1]) && args[i-1].kind != kindFill && args[i-1].kind != kindOutMax {
				*w = uintptr(s.word(a.kind))
			}
		case kindOut:
			*w = result(s, s.word(a.of))
		case kindOutPointer:
			*w = result(s, uint64(0x1122334455))
		case kindFill:
			*w = s.octets([]byte(y.text))
			next(min(y.length, uint64(len(y.text))))
		case kindOutBytes:
			*w = s.octets([]byte(y.text))
			room, n := uint64(len(y.text)), y.length
			count := put(s, room)
			next(uint64(count))
			if count != 0 {
				s.after = append(s.after, func() { *at[uint64](count) = n })
			}
		case kindOutList, kindOutMax:
			*w = put(s, [3]uint64{1, uint64(ck.CKM_AES_CBC), 0x80001234})
			count := put(s, uint64(3))
			if a.kind == kindOutMax {
				next(3)
				s.w[a.at+2] = count
			} else {
				next(uint64(count))
			}
			if count != 0 {
				s.after = append(s.after, func() { *at[uint64](count) = min(y.length, 1<<40) })
			}
		case kindOutInterfaces:
			*w = put(s, [2]cInterface{{1, 0x12340000, 0}, {1, 0x56780000, 1}})
			next(uint64(result(s, uint64(2))))
			if c := s.w[a.at+1]; c != 0 {
				*at[uint64](c) = 2
			}
		case kindInfo, kindSlotInfo, kindTokenInfo, kindSessionInfo, kindMechanismInfo, kindAsyncData:
			*w = s.info(a.kind)
		default:
			*w = uintptr(s.word(a.kind))
		}
	}
	return s
}

func (s *sample) mechanism() uintptr {
	m := cMechanism{typ: uint64(ck.CKM_AES_CBC), param: s.octets([]byte("0123456789abcdef")), length: 16}
	switch s.way.name {
	case "controls":
		m = cMechanism{typ: uint64(ck.CKM_AES_CBC), param: s.octets([]byte(controls)), length: uint64(len(controls))}
	case "empty":
		m = cMechanism{typ: uint64(ck.CKM_RSA_PKCS)}
	case "unknown":
		m = cMechanism{typ: 0x80009999, param: s.octets([]byte("vendor secret")), length: 13}
	case "fails": // a password behind a pointer
		m = cMechanism{typ: uint64(ck.CKM_PBE_SHA1_DES3_EDE_CBC), length: 48, param: put(s, [6]uint64{
			0, uint64(s.octets([]byte("password"))), 8, uint64(s.octets([]byte("salt"))), 4, 1000,
		})}
	case "too small": // a pointer that leads nowhere
		m = cMechanism{typ: uint64(ck.CKM_AES_GCM), length: 48, param: put(s, [6]uint64{16, 12, 96, uint64(s.octets([]byte("aad"))), 3, 128})}
	case "huge":
		m.length = unavailable
	}
	return put(s, m)
}

func (s *sample) info(k kind) uintptr {
	text := func(to []byte, t string) { copy(to, padded(len(to), t)) }
	switch k {
	case kindInfo:
		c := cInfo{cryptoki: ck.Version{Major: 3, Minor: 2}, flags: 0x2a, library: ck.Version{Major: 1, Minor: 2}}
		text(c.manufacturer[:], s.way.text)
		text(c.description[:], "a library")
		return result(s, c)
	case kindSlotInfo:
		c := cSlotInfo{flags: 0x87, hardware: ck.Version{Major: 1}, firmware: ck.Version{Minor: 9}}
		text(c.description[:], s.way.text)
		text(c.manufacturer[:], "")
		return result(s, c)
	case kindTokenInfo:
		c := cTokenInfo{flags: 0x7ffffff, maxSessions: unavailable, sessions: 1, rwSessions: 0, maxPIN: 8, minPIN: 4, totalPublic: unavailable, freePublic: 77}
		if s.way.name != "fine" {
			c.flags = uint64(ck.CKF_RNG)
		}
		text(c.label[:], s.way.text)
		text(c.manufacturer[:], "maker")
		text(c.model[:], "model")
		text(c.serial[:], "0001")
		text(c.utcTime[:], "2026010203040500")
		return result(s, c)
	case kindSessionInfo:
		return result(s, cSessionInfo{7, s.word(kindUser), 6, 0x10})
	case kindMechanismInfo:
		return result(s, cMechanismInfo{128, 256, 0xffffffff})
	}
	return result(s, cAsyncData{1, 0x12345678, 5, 6, 7})
}

// do does what the call does.
func (s *sample) do() {
	for _, f := range s.after {
		f()
	}
}

// logText gives a sample call in text.
func logText(f ck.Func, y way, secrets bool) string {
	s := newSample(f, y)
	r := record{secrets: secrets}
	r.begin(argumentsOf(f), &s.w)
	r.textIn(f)
	s.do()
	r.textOut(f, y.rv)
	return string(r.buf)
}

// logJSON gives a sample call as JSON.
func logJSON(f ck.Func, y way, secrets bool) string {
	s := newSample(f, y)
	r := record{secrets: secrets}
	r.begin(argumentsOf(f), &s.w)
	r.text(`{"function":"`)
	r.buf, _ = f.AppendName(r.buf)
	r.text(`","arguments":`)
	r.jsonArguments(f)
	s.do()
	r.jsonOutput(f, y.rv)
	r.text(`,"result":"`)
	r.buf = appendRV(r.buf, y.rv)
	r.text("\"}\n")
	return string(r.buf)
}

// everyCall visits each function in each way.
func everyCall(visit func(f ck.Func, y way)) {
	for f := range ck.NumFuncs {
		for _, y := range ways {
			visit(f, y)
		}
	}
}
