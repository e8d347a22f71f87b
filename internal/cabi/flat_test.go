package cabi

import (
	"bytes"
	"reflect"
	"testing"

	"github.com/p11mux/p11mux/ck"
)

// Every parameter of the tables is given as memory and found again in it, or refused for the addresses in it.
func TestFlat(t *testing.T) {
	s := loadSpec(t)
	flat, addresses := 0, 0
	for _, m := range s.Mechanisms {
		st, typ := s.Struct(m.Struct), ck.MechanismType(constant(t, s, m.Mechanism))
		if st.GoName == "" {
			continue
		}
		p := sampleParam(t, st)
		memory, ok := Flat(typ, p)
		if hasAddresses(typ) == ok {
			t.Errorf("%s is flat: %v", m.Mechanism, ok)
		}
		if !ok {
			addresses++
			if p, ok := Structured(typ, make(ck.RawParam, 64)); ok || p != nil {
				t.Errorf("%s is taken from memory: %v", m.Mechanism, p)
			}
			if _, ok := Flat(typ, ck.RawParam{1}); ok {
				t.Errorf("%s as memory is flat", m.Mechanism)
			}
			continue
		}
		flat++
		if back, ok := Structured(typ, memory); !ok || !reflect.DeepEqual(back, p) {
			t.Errorf("%s comes back as %+v, was %+v", m.Mechanism, back, p)
		}
	}
	if flat == 0 || addresses == 0 {
		t.Errorf("%d parameters are flat, %d have addresses", flat, addresses)
	}
	for _, c := range []struct {
		p    ck.MechanismParam
		want ck.RawParam
	}{{nil, nil}, {ck.RawParam(nil), nil}, {ck.RawParam("an IV"), ck.RawParam("an IV")}, {(*ck.RSAPKCSPSSParams)(nil), nil}} {
		if memory, ok := Flat(ck.CKM_AES_CBC, c.p); !ok || !bytes.Equal(memory, c.want) {
			t.Errorf("%#v is %x, %v", c.p, memory, ok)
		}
	}
	if _, ok := Flat(ck.CKM_AES_GCM, &ck.GCMParams{}); ok {
		t.Error("GCM is flat")
	}
	// What has another size than the structure stays memory, of its own.
	memory := ck.RawParam("23 octets are no PSS...")
	p, ok := Structured(ck.CKM_RSA_PKCS_PSS, memory)
	if memory[0] = 'x'; !ok || !bytes.Equal(p.(ck.RawParam), []byte("23 octets are no PSS...")) {
		t.Errorf("%v, %v", p, ok)
	}
}

func TestUlong(t *testing.T) {
	b := make([]byte, 8)
	PutUlong(b, 0x0102030405060708)
	if Ulong(b) != 0x0102030405060708 || b[0] != 1 && b[0] != 8 {
		t.Errorf("%x is %#x", b, Ulong(b))
	}
}
