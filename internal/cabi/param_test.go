package cabi

import (
	"context"
	"reflect"
	"testing"

	"github.com/p11mux/p11mux/ck"
	"github.com/p11mux/p11mux/spec"
)

// constant gives the value of a constant by its name.
func constant(t *testing.T, s *spec.Spec, name string) uint64 {
	for _, c := range s.Constants {
		if c.Name == name {
			return c.Value
		}
	}
	t.Fatalf("no constant %s", name)
	return 0
}

// sampleParam gives a parameter of the structure's type with all fields set, fixed sizes being right.
func sampleParam(t *testing.T, s *spec.Struct) ck.MechanismParam {
	for _, p := range allParams() {
		v := reflect.ValueOf(p).Elem()
		if v.Type().Name() != s.GoName {
			continue
		}
		new(filler).fill(v)
		for _, f := range s.Fields {
			if f.Role == "fixed" || f.Role == "inoutfixed" {
				v.FieldByName(f.Field).SetBytes(new(filler).bytes(map[string]int{"8": 8, "16": 16}[f.Of]))
			}
		}
		clearResults(v)
		return p
	}
	t.Fatalf("no parameter %s", s.GoName)
	return nil
}

// clearResults clears the handles that a module sets.
func clearResults(v reflect.Value) {
	switch v.Kind() {
	case reflect.Slice:
		for i := range v.Len() {
			clearResults(v.Index(i))
		}
	case reflect.Struct:
		if d, ok := v.Addr().Interface().(*ck.DerivedKey); ok {
			d.Key = 0
			return
		}
		for i := range v.NumField() {
			clearResults(v.Field(i))
		}
	}
}

// allParams gives an empty one of each parameter that a mechanism takes, and of those that only messages take.
func allParams() []ck.MechanismParam {
	out := []ck.MechanismParam{new(ck.CCMMessageParams), new(ck.GCMMessageParams), new(ck.Salsa20ChaCha20Poly1305MsgParams),
		new(ck.ECDH2DeriveParams), new(ck.CCMWrapParams), new(ck.GCMWrapParams),
		new(ck.IBMBTCDeriveParams), new(ck.IBMKyberParams)}
	seen := map[reflect.Type]bool{}
	for t := ck.MechanismType(0); t < 0x5000; t++ {
		if p := ck.NewParam(t); p != nil && !seen[reflect.TypeOf(p)] {
			seen[reflect.TypeOf(p)] = true
			out = append(out, p)
		}
	}
	return out
}

// scribble changes every octet that a module may write, and gives what the caller shall see.
func scribble(s *spec.Spec, t *spec.Struct, v reflect.Value) {
	for _, f := range t.Fields {
		field := v.Elem()
		if f.Field == "" {
			continue
		}
		field = field.FieldByName(f.Field)
		switch f.Role {
		case "inout", "inoutbits", "inoutfixed":
			for i := range field.Len() {
				field.Index(i).SetUint(field.Index(i).Uint() ^ 0x80)
			}
		case "inoutversion":
			field.Elem().Field(0).SetUint(3)
		case "list":
			inner := s.Struct(f.CType[:len(f.CType)-len("_PTR")])
			for i := range field.Len() {
				scribble(s, inner, field.Index(i).Addr())
			}
		case "outhandle":
			field.SetUint(4711)
		case "mechanism":
			raw := field.Interface().(*ck.Mechanism).Param.(ck.RawParam)
			raw[0] ^= 0x80
		}
	}
}

// Every parameter arrives as the structure that it is, and what the module writes comes back.
func TestParams(t *testing.T) {
	a := newTestArena(t)
	s := loadSpec(t)
	for _, m := range s.Mechanisms {
		st := s.Struct(m.Struct)
		if st.GoName == "" {
			continue
		}
		typ := ck.MechanismType(constant(t, s, m.Mechanism))
		p, want := sampleParam(t, st), sampleParam(t, st)
		call := &ck.EncryptInitCall{Session: 1, Mechanism: &ck.Mechanism{Type: typ, Param: p}, Key: 2}
		err := through(t, a, call, func(_ context.Context, got ck.Call) error {
			g := got.(*ck.EncryptInitCall).Mechanism
			if m.Raw {
				if _, ok := g.Param.(ck.RawParam); !ok || g.Type != typ {
					t.Errorf("%s arrives as %T", m.Mechanism, g.Param)
				}
				return nil
			}
			if g.Type != typ || !reflect.DeepEqual(g.Param, want) {
				t.Errorf("%s: parameter arrives as\n%+v, want\n%+v", m.Mechanism, g.Param, want)
				return nil
			}
			scribble(s, st, reflect.ValueOf(g.Param))
			return nil
		})
		if err != nil {
			t.Errorf("%s: %v", m.Mechanism, err)
		}
		if !m.Raw {
			scribble(s, st, reflect.ValueOf(want))
		}
		if !reflect.DeepEqual(p, want) {
			t.Errorf("%s: parameter comes back as\n%+v, want\n%+v", m.Mechanism, p, want)
		}
	}
}

// A message's parameter arrives as memory, whatever it looks like, and what the module writes behind it comes back.
func TestMessageParam(t *testing.T) {
	a := newTestArena(t)
	p := &ck.GCMMessageParams{IV: make([]byte, 12), IVFixedBits: 32, IVGenerator: ck.CKG_GENERATE, Tag: make([]byte, 16)}
	call := &ck.EncryptMessageBeginCall{Session: 1, Parameter: p}
	err := through(t, a, call, func(_ context.Context, got ck.Call) error {
		raw, ok := got.(*ck.EncryptMessageBeginCall).Parameter.(ck.RawParam)
		if !ok || len(raw) != 48 {
			t.Fatalf("arrives as %T", got.(*ck.EncryptMessageBeginCall).Parameter)
		}
		c := at[cGCMMessageParams](addrOf(&raw[0]))
		if c.ulTagBits != 128 || c.ulIvLen != 12 || c.ivGenerator != ck.CKG_GENERATE {
			t.Errorf("got %+v", c)
		}
		copy(octets(c.pIv, 12), "iv from it..")
		copy(octets(c.pTag, 16), "tag from it.....")
		return nil
	})
	if err != nil || string(p.IV) != "iv from it.." || string(p.Tag) != "tag from it....." {
		t.Errorf("IV %q, tag %q, error %v", p.IV, p.Tag, err)
	}
}

// Parameters that contradict themselves, or of a size that their mechanism does not have, stay memory.
func TestOddParams(t *testing.T) {
	a := newTestArena(t)
	for _, c := range []struct {
		name  string
		param func() (addr, size uintptr)
		typ   ck.MechanismType
	}{
		{"AAD without address", func() (uintptr, uintptr) {
			c := push[cGCMParams](a)
			c.ulAADLen = 4
			return addrOf(c), 48
		}, ck.CKM_AES_GCM},
		{"endless IV", func() (uintptr, uintptr) {
			c := push[cGCMParams](a)
			c.pIv, c.ulIvLen = addrOf(c), ^uint64(0)
			return addrOf(c), 48
		}, ck.CKM_AES_GCM},
		{"nonce of 7 bits", func() (uintptr, uintptr) {
			c := push[cChaCha20Params](a)
			c.pNonce, c.ulNonceBits = addrOf(c), 7
			return addrOf(c), 32
		}, ck.CKM_CHACHA20},
		{"endless list", func() (uintptr, uintptr) {
			c := push[cSP800108KDFParams](a)
			c.pDataParams, c.ulNumberOfDataParams = addrOf(c), 1<<40
			return addrOf(c), 40
		}, ck.CKM_SP800_108_COUNTER_KDF},
		{"no handle for the result", func() (uintptr, uintptr) {
			c := push[cSP800108KDFParams](a)
			c.pAdditionalDerivedKeys, c.ulAdditionalDerivedKeys = addrOf(push[cDerivedKey](a)), 1
			return addrOf(c), 40
		}, ck.CKM_SP800_108_COUNTER_KDF},
		{"a mechanism within itself", func() (uintptr, uintptr) {
			m, c := push[cMechanism](a), push[cKIPParams](a)
			m.mechanism, m.pParameter, m.ulParameterLen = uint64(ck.CKM_KIP_MAC), addrOf(c), 32
			c.pMechanism = addrOf(m)
			return addrOf(c), 32
		}, ck.CKM_KIP_MAC},
		{"another size", func() (uintptr, uintptr) { return addrOf(push[cGCMParams](a)), 40 }, ck.CKM_AES_GCM},
		{"an IV", func() (uintptr, uintptr) { return addrOf(push[cGCMParams](a)), 16 }, ck.CKM_AES_CBC},
	} {
		addr, size := c.param()
		m := push[cMechanism](a)
		m.mechanism, m.pParameter, m.ulParameterLen = uint64(c.typ), addr, uint64(size)
		seen := false
		rv := Serve(context.Background(), moduleFunc(func(call ck.Call) error {
			seen = true
			p := call.(*ck.DigestInitCall).Mechanism.Param
			if c.name == "a mechanism within itself" {
				for depth := 0; depth < 2*maxDepth; depth++ {
					k, ok := p.(*ck.KIPParams)
					if !ok {
						return nil
					}
					p = k.Mechanism.Param
				}
				t.Error("a mechanism within itself has no end")
				return nil
			}
			if raw, ok := p.(ck.RawParam); !ok || uintptr(len(raw)) != size || addrOf(&raw[0]) != addr {
				t.Errorf("%s: arrives as %T", c.name, p)
			}
			return nil
		}), ck.FuncDigestInit, &Words{1, addrOf(m)})
		if rv != ck.CKR_OK || !seen {
			t.Errorf("%s: seen %v, %v", c.name, seen, rv)
		}
		a.Reset()
	}
}

func TestEncodeErrors(t *testing.T) {
	a := newTestArena(t)
	deep := []ck.Attribute{}
	for range maxDepth + 1 {
		deep = []ck.Attribute{{Type: ck.CKA_WRAP_TEMPLATE, Nested: deep}}
	}
	kip := &ck.KIPParams{}
	kip.Mechanism = &ck.Mechanism{Type: ck.CKM_KIP_MAC, Param: kip}
	for _, c := range []struct {
		call ck.Call
		want error
	}{
		{nil, errNil},
		{&ck.InitTokenCall{Label: make([]byte, 33)}, errLabel},
		{&ck.GetInterfaceCall{InterfaceName: []byte("PKCS\x0011")}, errNUL},
		{&ck.CreateObjectCall{Template: deep}, errDepth},
		{&ck.DigestInitCall{Mechanism: kip.Mechanism}, errDepth},
		{&ck.DigestInitCall{Mechanism: &ck.Mechanism{Type: ck.CKM_SALSA20, Param: &ck.Salsa20Params{BlockCounter: make([]byte, 7)}}}, errFixed},
	} {
		var w Words
		if err := a.Encode(c.call, &w); err != c.want {
			t.Errorf("%T: got %v, want %v", c.call, err, c.want)
		}
		a.Reset()
	}
	// A nil structure is no parameter.
	var w Words
	if err := a.Encode(&ck.DigestInitCall{Mechanism: &ck.Mechanism{Param: (*ck.GCMParams)(nil)}}, &w); err != nil || at[cMechanism](w[1]).pParameter != 0 {
		t.Errorf("a nil structure: %v", err)
	}
	a.Reset()
}
