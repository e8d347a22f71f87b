package rpc

import (
	"bytes"
	"reflect"
	"testing"

	"github.com/p11mux/p11mux/ck"
)

// exchange sends a request, has a module do it, and gives what comes back.
func exchange(t testing.TB, v Version, call ck.Call, do func(ck.Call) ck.RV) error {
	t.Helper()
	x := coder{dialect: dialectFor(v)}
	asked := request{call: call}
	if err := x.encodeRequest(&asked); err != nil {
		return err
	}
	d := dialectFor(v)
	r, err := decodeRequest(x.b, &d)
	if err != nil {
		t.Fatalf("%v: %v", call.Func(), err)
	}
	rv := do(r.call)
	y := coder{dialect: d}
	y.encodeReply(&r, rv)
	return decodeReply(y.b, &asked, dialectFor(v))
}

// Results of all lengths come back as PKCS#11 3.2 §5.2 wants, with room for them, with too little, and without.
func TestResults(t *testing.T) {
	const size = 5
	two := func(o *ck.Out[byte]) ck.RV { // a module with a result of 5 octets
		o.N = size
		if o.Buf == nil {
			return ck.CKR_OK
		}
		if len(o.Buf) < size {
			return ck.CKR_BUFFER_TOO_SMALL
		}
		copy(o.Buf, "12345")
		return ck.CKR_OK
	}
	for v := range MaxVersion + 1 {
		for _, c := range []struct {
			buf  []byte
			want ck.RV
		}{{nil, ck.CKR_OK}, {[]byte{}, ck.CKR_BUFFER_TOO_SMALL}, {make([]byte, 4), ck.CKR_BUFFER_TOO_SMALL}, {make([]byte, 5), ck.CKR_OK}, {make([]byte, 100), ck.CKR_OK}} {
			sign := &ck.SignCall{Signature: ck.Out[byte]{Buf: c.buf}}
			err := exchange(t, v, sign, func(call ck.Call) ck.RV { return two(&call.(*ck.SignCall).Signature) })
			if ck.RVOf(err) != c.want || sign.Signature.N != size || err == nil && c.buf != nil && string(sign.Signature.Bytes()) != "12345" {
				t.Errorf("version %d, room %d: %v, %d octets %q", v, len(c.buf), err, sign.Signature.N, sign.Signature.Bytes())
			}
			list := &ck.GetSlotListCall{}
			if c.buf != nil {
				list.Slots.Buf = make([]ck.SlotID, len(c.buf))
			}
			err = exchange(t, v, list, func(call ck.Call) ck.RV {
				o := &call.(*ck.GetSlotListCall).Slots
				if o.N = size; o.Buf != nil && len(o.Buf) < size {
					return ck.CKR_BUFFER_TOO_SMALL
				}
				copy(o.Buf, []ck.SlotID{1, 2, 3, 4, 1 << 40})
				return ck.CKR_OK
			})
			if ck.RVOf(err) != c.want || list.Slots.N != size || err == nil && c.buf != nil && list.Slots.Buf[4] != 1<<40 {
				t.Errorf("version %d, room for %d slots: %v, %d slots", v, len(c.buf), err, list.Slots.N)
			}
		}
	}
	// Other refusals come as they are, and a module that tells of more than it was given room for is not believed.
	for _, rv := range []ck.RV{ck.CKR_PIN_INCORRECT, ck.CKR_ATTRIBUTE_SENSITIVE, ck.CKR_VENDOR_DEFINED + 7} {
		if err := exchange(t, 2, &ck.SignCall{Signature: ck.Out[byte]{Buf: make([]byte, 4)}}, func(ck.Call) ck.RV { return rv }); err != error(rv) {
			t.Errorf("%v comes as %v", rv, err)
		}
	}
	for _, rv := range []ck.RV{ck.CKR_BUFFER_TOO_SMALL, ck.CKR_OK} {
		err := exchange(t, 2, &ck.LoginCall{}, func(ck.Call) ck.RV { return rv })
		if ck.RVOf(err) != rv {
			t.Errorf("%v of a call without results comes as %v", rv, err)
		}
	}
	err := exchange(t, 2, &ck.SignCall{Signature: ck.Out[byte]{Buf: make([]byte, 4)}}, func(call ck.Call) ck.RV {
		call.(*ck.SignCall).Signature.N = 7
		return ck.CKR_OK
	})
	if ck.RVOf(err) != ck.CKR_GENERAL_ERROR {
		t.Errorf("7 octets in room for 4: %v", err)
	}
}

// out is an attribute with room.
func out(t ck.AttributeType, room int) ck.AttributeOut {
	o := ck.AttributeOut{Type: t}
	if room >= 0 {
		o.Buf = make([]byte, room)
	}
	return o
}

// Attributes come back with what PKCS#11 3.2 §5.7 wants of each.
func TestAttributeReplies(t *testing.T) {
	const none = ck.CK_UNAVAILABLE_INFORMATION
	template := func(room ...ck.AttributeOut) ck.AttributeOut {
		return ck.AttributeOut{Type: ck.CKA_WRAP_TEMPLATE, Nested: room}
	}
	values := map[ck.AttributeType][]byte{
		ck.CKA_CLASS: word(4), ck.CKA_TOKEN: {1}, ck.CKA_LABEL: []byte("label"), ck.CKA_START_DATE: []byte("20260101"), ck.CKA_END_DATE: {},
		ck.CKA_ALLOWED_MECHANISMS: append(word(1), word(2)...), ck.CKA_MODULUS_BITS: {1, 2, 3, 4}, // of a length that it cannot have
	}
	inner := []ck.Attribute{{Type: ck.CKA_LABEL, Value: []byte("inner")}, {Type: ck.CKA_CLASS, Value: word(3)}}
	var answer func(o *ck.AttributeOut, rv *ck.RV)
	give := func(o *ck.AttributeOut, v []byte, rv *ck.RV) {
		if o.N = uint64(len(v)); o.Buf != nil && copy(o.Buf, v) < len(v) {
			o.N, *rv = none, ck.CKR_BUFFER_TOO_SMALL
		}
	}
	answer = func(o *ck.AttributeOut, rv *ck.RV) {
		v, known := values[o.Type]
		switch {
		case known:
			give(o, v, rv)
		case o.Type == ck.CKA_WRAP_TEMPLATE:
			o.N = uint64(attributeSize * len(inner))
			for i := range o.Nested {
				if i < len(inner) {
					o.Nested[i].Type = inner[i].Type
					give(&o.Nested[i], inner[i].Value, rv)
				}
			}
			if o.Nested != nil && len(o.Nested) < len(inner) {
				o.N, *rv = none, ck.CKR_BUFFER_TOO_SMALL
			}
		case o.Type == ck.CKA_VALUE:
			o.N, *rv = none, ck.CKR_ATTRIBUTE_SENSITIVE
		default:
			o.N, *rv = none, ck.CKR_ATTRIBUTE_TYPE_INVALID
		}
	}
	for _, c := range []struct {
		name string
		ask  []ck.AttributeOut
		want ck.RV
		n    []uint64
	}{
		{"nothing", nil, ck.CKR_OK, nil},
		{"values", []ck.AttributeOut{out(ck.CKA_CLASS, 8), out(ck.CKA_TOKEN, 1), out(ck.CKA_LABEL, 9), out(ck.CKA_START_DATE, 8), out(ck.CKA_END_DATE, 8)}, ck.CKR_OK, []uint64{8, 1, 5, 8, 0}},
		{"lengths", []ck.AttributeOut{out(ck.CKA_CLASS, -1), out(ck.CKA_TOKEN, -1), out(ck.CKA_LABEL, -1), out(ck.CKA_START_DATE, -1), out(ck.CKA_END_DATE, -1)}, ck.CKR_OK, []uint64{8, 1, 5, 8, 0}},
		{"mechanisms", []ck.AttributeOut{out(ck.CKA_ALLOWED_MECHANISMS, 16), out(ck.CKA_LABEL, 5)}, ck.CKR_OK, []uint64{16, 5}},
		{"length of mechanisms", []ck.AttributeOut{out(ck.CKA_ALLOWED_MECHANISMS, -1), out(ck.CKA_LABEL, 5)}, ck.CKR_OK, []uint64{16, 5}},
		{"too small", []ck.AttributeOut{out(ck.CKA_LABEL, 4), out(ck.CKA_CLASS, 8)}, ck.CKR_BUFFER_TOO_SMALL, []uint64{none, 8}},
		{"sensitive", []ck.AttributeOut{out(ck.CKA_VALUE, 4), out(ck.CKA_CLASS, 8)}, ck.CKR_ATTRIBUTE_SENSITIVE, []uint64{none, 8}},
		{"unknown", []ck.AttributeOut{out(ck.CKA_ID, 4), out(ck.CKA_CLASS, 8)}, ck.CKR_ATTRIBUTE_TYPE_INVALID, []uint64{none, 8}},
		{"of a length that it cannot have", []ck.AttributeOut{out(ck.CKA_MODULUS_BITS, 8), out(ck.CKA_CLASS, 8)}, ck.CKR_ATTRIBUTE_TYPE_INVALID, []uint64{none, 8}},
		{"length of a template", []ck.AttributeOut{out(ck.CKA_WRAP_TEMPLATE, -1), out(ck.CKA_CLASS, 8)}, ck.CKR_OK, []uint64{48, 8}},
		{"a template", []ck.AttributeOut{template(out(0, 9), out(0, 8)), out(ck.CKA_CLASS, 8)}, ck.CKR_OK, []uint64{48, 8}},
		{"a template with too little room", []ck.AttributeOut{template(out(0, 9)), out(ck.CKA_CLASS, 8)}, ck.CKR_BUFFER_TOO_SMALL, []uint64{none, 8}},
		{"a newer template", []ck.AttributeOut{{Type: ck.CKA_ENCAPSULATE_TEMPLATE, Nested: make([]ck.AttributeOut, 1)}, out(ck.CKA_CLASS, 8)}, ck.CKR_ATTRIBUTE_TYPE_INVALID, []uint64{none, 8}},
	} {
		call := &ck.GetAttributeValueCall{Template: c.ask}
		err := exchange(t, 2, call, func(call ck.Call) ck.RV {
			rv := ck.CKR_OK
			asked := call.(*ck.GetAttributeValueCall).Template
			for i := range asked {
				answer(&asked[i], &rv)
			}
			return rv
		})
		var n []uint64
		for i := range call.Template {
			o := &call.Template[i]
			if n = append(n, o.N); o.N != none && o.Buf != nil && !bytes.Equal(o.Bytes(), values[o.Type]) {
				t.Errorf("%s: %v is %x", c.name, o.Type, o.Bytes())
			}
		}
		if ck.RVOf(err) != c.want || !reflect.DeepEqual(n, c.n) {
			t.Errorf("%s: %v, lengths %v", c.name, err, n)
		}
		if c.name == "a template" {
			for i, o := range call.Template[0].Nested {
				if o.Type != inner[i].Type || !bytes.Equal(o.Bytes(), inner[i].Value) {
					t.Errorf("in the template there is %v: %x", o.Type, o.Bytes())
				}
			}
		}
	}
	// A server of a former version cannot be asked for what is in a template.
	call := &ck.GetAttributeValueCall{Template: []ck.AttributeOut{template(out(0, 9), out(0, 8))}}
	err := exchange(t, 1, call, func(call ck.Call) ck.RV {
		call.(*ck.GetAttributeValueCall).Template[0].N = 48
		return ck.CKR_OK
	})
	if ck.RVOf(err) != ck.CKR_ATTRIBUTE_TYPE_INVALID || call.Template[0].N != none {
		t.Errorf("a template of a former server: %v, length %d", err, call.Template[0].N)
	}
}

// What a module writes into a parameter comes back where the protocol carries it.
func TestUpdates(t *testing.T) {
	for _, c := range []struct {
		name       string
		ask, after ck.MechanismParam
	}{
		{"BTC", &ck.IBMBTCDeriveParams{ChainCode: []byte("....")}, &ck.IBMBTCDeriveParams{ChainCode: []byte("code")}},
		{"BTC without room", &ck.IBMBTCDeriveParams{}, &ck.IBMBTCDeriveParams{}},
		{"Kyber", &ck.IBMKyberParams{Mode: 1, Cipher: []byte("....")}, &ck.IBMKyberParams{Mode: 1, Cipher: []byte("code")}},
		{"Kyber the other way", &ck.IBMKyberParams{Mode: 2, Cipher: []byte("....")}, &ck.IBMKyberParams{Mode: 2, Cipher: []byte("....")}},
		{"ECDH", &ck.ECDH1DeriveParams{PublicData: []byte("....")}, &ck.ECDH1DeriveParams{PublicData: []byte("....")}},
		{"none", nil, nil},
	} {
		types := map[string]ck.MechanismType{"BTC": ck.CKM_IBM_BTC_DERIVE, "BTC without room": ck.CKM_IBM_BTC_DERIVE, "Kyber": ck.CKM_IBM_KYBER,
			"Kyber the other way": ck.CKM_IBM_KYBER, "ECDH": ck.CKM_ECDH1_DERIVE, "none": ck.CKM_SHA256_KEY_DERIVATION}
		for _, rv := range []ck.RV{ck.CKR_OK, ck.CKR_BUFFER_TOO_SMALL, ck.CKR_KEY_HANDLE_INVALID} {
			call := &ck.DeriveKeyCall{Mechanism: &ck.Mechanism{Type: types[c.name], Param: c.ask}}
			err := exchange(t, 2, call, func(call ck.Call) ck.RV {
				d := call.(*ck.DeriveKeyCall)
				d.Key = 4711
				switch p := d.Mechanism.Param.(type) {
				case *ck.IBMBTCDeriveParams:
					copy(p.ChainCode, "code")
				case *ck.IBMKyberParams:
					copy(p.Cipher, "code")
				}
				return rv
			})
			if ck.RVOf(err) != rv || err == nil && call.Key != 4711 {
				t.Errorf("%s: %v, key %d", c.name, err, call.Key)
			}
			if rv == ck.CKR_BUFFER_TOO_SMALL && !reflect.DeepEqual(call.Mechanism.Param, c.after) {
				t.Errorf("%s: the parameter is %+v", c.name, call.Mechanism.Param)
			}
		}
	}
}

// A reply that makes no sense is an error of its call.
func TestNonsenseReplies(t *testing.T) {
	head := func(id byte, sig string, rest ...byte) []byte {
		return append(append([]byte{0, 0, 0, id, 0, 0, 0, byte(len(sig))}, sig...), rest...)
	}
	zero := make([]byte, 8)
	one := []byte{0, 0, 0, 0, 0, 0, 0, 1}
	label := []byte{0, 0, 0, 3, 1, 0, 0, 0, 1, 0, 0, 0, 1, 'x'}
	attributes := func(n byte, parts ...[]byte) []byte {
		return head(24, "aAu", append([]byte{0, 0, 0, n}, bytes.Join(parts, nil)...)...)
	}
	ask := func(room int) ck.Call {
		return &ck.GetAttributeValueCall{Template: []ck.AttributeOut{out(ck.CKA_LABEL, room)}}
	}
	kyber := func() ck.Call {
		return &ck.DeriveKeyCall{Mechanism: &ck.Mechanism{Type: ck.CKM_IBM_KYBER, Param: &ck.IBMKyberParams{Mode: 1, Cipher: make([]byte, 4)}}}
	}
	template := func(room int) ck.Call {
		return &ck.GetAttributeValueCall{Template: []ck.AttributeOut{{Type: ck.CKA_WRAP_TEMPLATE, Nested: []ck.AttributeOut{out(0, room)}}}}
	}
	for _, c := range []struct {
		name  string
		call  ck.Call
		reply []byte
		want  ck.RV
	}{
		{"nothing", &ck.GetInfoCall{}, nil, ck.CKR_DEVICE_ERROR},
		{"an error that is none", &ck.GetInfoCall{}, head(0, "u", zero...), ck.CKR_DEVICE_ERROR},
		{"an error without a code", &ck.GetInfoCall{}, head(0, "u"), ck.CKR_DEVICE_ERROR},
		{"an error with another signature", &ck.GetInfoCall{}, head(0, "y", 1), ck.CKR_DEVICE_ERROR},
		{"an error of 64 bits", &ck.GetInfoCall{}, head(0, "u", 1, 0, 0, 0, 0, 0, 0, 1), 1<<56 + 1},
		{"another id", &ck.LogoutCall{}, head(18, ""), ck.CKR_DEVICE_ERROR},
		{"another signature", &ck.LogoutCall{}, head(19, "u", one...), ck.CKR_DEVICE_ERROR},
		{"more than it needs", &ck.LogoutCall{}, head(19, "", 1, 2, 3), ck.CKR_OK},
		{"short", &ck.OpenSessionCall{}, head(10, "u", 1, 2, 3), ck.CKR_DEVICE_ERROR},
		{"octets beyond the room", &ck.SignCall{Signature: ck.Out[byte]{Buf: make([]byte, 1)}}, head(43, "ay", 1, 0, 0, 0, 2, 'x', 'y'), ck.CKR_BUFFER_TOO_SMALL},
		{"absent octets", &ck.SignCall{Signature: ck.Out[byte]{Buf: make([]byte, 1)}}, head(43, "ay", 1, 0xff, 0xff, 0xff, 0xff), ck.CKR_OK},
		{"octets for none", &ck.SignMessageNextCall{}, head(81, "ay", 1, 0, 0, 0, 2, 'x', 'y'), ck.CKR_OK},
		{"a long list", &ck.GetSlotListCall{Slots: ck.Out[ck.SlotID]{Buf: make([]ck.SlotID, 1)}}, head(4, "au", 1, 0xff, 0xff, 0xff, 0xff), ck.CKR_DEVICE_ERROR},
		{"a list beyond the room", &ck.GetSlotListCall{Slots: ck.Out[ck.SlotID]{Buf: make([]ck.SlotID, 0)}}, head(4, "au", append([]byte{1, 0, 0, 0, 1}, one...)...), ck.CKR_BUFFER_TOO_SMALL},
		{"fewer random octets", &ck.GenerateRandomCall{RandomData: make([]byte, 4)}, head(64, "ay", 1, 0, 0, 0, 2, 'x', 'y'), ck.CKR_DEVICE_ERROR},
		{"more random octets", &ck.GenerateRandomCall{RandomData: make([]byte, 1)}, head(64, "ay", 1, 0, 0, 0, 2, 'x', 'y'), ck.CKR_DEVICE_ERROR},
		{"fewer attributes", ask(4), attributes(0, zero), ck.CKR_DEVICE_ERROR},
		{"more attributes", ask(4), attributes(2, label, label, zero), ck.CKR_DEVICE_ERROR},
		{"another attribute", ask(4), attributes(1, []byte{0, 0, 0, 1, 1, 0, 0, 0, 1, 1}, zero), ck.CKR_DEVICE_ERROR},
		{"an attribute", ask(4), attributes(1, label, zero), ck.CKR_OK},
		{"an attribute beyond the room", ask(0), attributes(1, label, zero), ck.CKR_BUFFER_TOO_SMALL},
		{"a length without a value", ask(4), attributes(1, []byte{0, 0, 0, 3, 1, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff}, zero), ck.CKR_DEVICE_ERROR},
		{"attributes and a refusal", ask(4), attributes(1, label, []byte{0, 0, 0, 0, 0, 0, 0, 5}), ck.CKR_DEVICE_ERROR},
		{"a nested attribute", template(1), attributes(1, []byte{0x40, 0, 2, 0x11, 1, 0, 0, 0, 24, 0, 0, 0, 1}, label, zero), ck.CKR_OK},
		{"a nested attribute beyond its room", template(0), attributes(1, []byte{0x40, 0, 2, 0x11, 1, 0, 0, 0, 24, 0, 0, 0, 1}, label, zero), ck.CKR_BUFFER_TOO_SMALL},
		{"more nested attributes", template(9), attributes(1, []byte{0x40, 0, 2, 0x11, 1, 0, 0, 0, 48, 0, 0, 0, 2}, label, label, zero), ck.CKR_BUFFER_TOO_SMALL},
		{"a nested length", template(9), attributes(1, []byte{0x40, 0, 2, 0x11, 1, 0, 0, 0, 24, 0, 0, 0, 0}, zero), ck.CKR_DEVICE_ERROR},
		{"an update without a buffer", kyber(), head(89, "uPu", append(zero, 1, 1, 1, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 1)...), ck.CKR_DEVICE_ERROR},
		{"a longer update", kyber(), head(89, "uPu", append(zero, 1, 1, 1, 0, 0, 0, 5, 1, 2, 3, 4, 5, 0, 0, 0, 0, 0, 0, 0, 1)...), ck.CKR_MECHANISM_PARAM_INVALID},
		{"an update of nothing", &ck.DeriveKeyCall{Mechanism: &ck.Mechanism{Type: ck.CKM_IBM_KYBER}}, head(89, "uPu", append(zero, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1)...), ck.CKR_DEVICE_ERROR},
		{"information that is short", &ck.GetInfoCall{}, head(3, "vsusv", 2, 40, 0, 0, 0, 31), ck.CKR_DEVICE_ERROR},
	} {
		x := coder{dialect: dialectFor(2)}
		r := request{call: c.call}
		if err := x.encodeRequest(&r); err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if err := decodeReply(c.reply, &r, dialectFor(2)); ck.RVOf(err) != c.want {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
}
