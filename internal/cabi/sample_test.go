package cabi

import (
	"reflect"
	"sync"
	"testing"

	"github.com/p11mux/p11mux/ck"
	"github.com/p11mux/p11mux/spec"
)

var specOnce = sync.OnceValues(spec.Load)

// loadSpec gives the tables.
func loadSpec(t testing.TB) *spec.Spec {
	t.Helper()
	s, err := specOnce()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// isResult tells whether an argument is set by the call alone.
func isResult(a spec.Arg) bool {
	return a.Role == "out" || a.Role == "outstruct" || a.Role == "outpointer"
}

// isBuffer tells whether an argument is room for results.
func isBuffer(a spec.Arg) bool {
	switch a.Role {
	case "outbytes", "outbytesopt", "outlist", "outlistmax":
		return true
	}
	return false
}

// A filler sets values that all differ, so that nothing can be mistaken for anything else.
type filler struct{ n uint64 }

func (f *filler) next() uint64 {
	f.n++
	return f.n * 0x0101
}

func (f *filler) fill(v reflect.Value) {
	switch v.Interface().(type) {
	case ck.MechanismParam, ck.Mechanism:
		if v.Kind() == reflect.Interface || v.Kind() == reflect.Struct {
			m := ck.Mechanism{Type: ck.CKM_AES_CBC, Param: ck.RawParam(f.bytes(16))}
			if v.Kind() == reflect.Struct {
				v.Set(reflect.ValueOf(m))
			} else {
				v.Set(reflect.ValueOf(m.Param))
			}
			return
		}
	}
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Uint8:
		v.SetUint(f.next()&0x7f | 1)
	case reflect.Uint64, reflect.Uintptr:
		v.SetUint(f.next())
	case reflect.String:
		v.SetString("C_Sign")
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		f.fill(v.Elem())
	case reflect.Slice:
		if v.Type() == reflect.TypeFor[[]ck.Attribute]() {
			v.Set(reflect.ValueOf(f.template()))
			return
		}
		n := 3
		if v.Type().Elem().Kind() == reflect.Uint8 {
			n = 8
		}
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		for i := range n {
			f.fill(v.Index(i))
		}
	case reflect.Array:
		for i := range v.Len() {
			f.fill(v.Index(i))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			f.fill(v.Field(i))
		}
	case reflect.Interface:
		v.Set(reflect.ValueOf(ck.RawParam(f.bytes(12))))
	default:
		panic("cannot fill " + v.Type().String())
	}
}

func (f *filler) bytes(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(f.next()&0x7f | 1)
	}
	return b
}

// template has a value, an empty one, none, and templates in templates.
func (f *filler) template() []ck.Attribute {
	return []ck.Attribute{
		{Type: ck.CKA_LABEL, Value: f.bytes(5)},
		{Type: ck.CKA_ID, Value: []byte{}},
		{Type: ck.CKA_VALUE},
		{Type: ck.CKA_ALLOWED_MECHANISMS, Value: f.bytes(16)},
		{Type: ck.CKA_WRAP_TEMPLATE, Nested: []ck.Attribute{
			{Type: ck.CKA_TOKEN, Value: f.bytes(1)},
			{Type: ck.CKA_UNWRAP_TEMPLATE, Nested: []ck.Attribute{{Type: ck.CKA_CLASS, Value: f.bytes(8)}}},
		}},
		{Type: ck.CKA_DERIVE_TEMPLATE, Nested: []ck.Attribute{}},
	}
}

// outTemplate has room, too little room, and questions for the length.
func (f *filler) outTemplate() []ck.AttributeOut {
	return []ck.AttributeOut{
		{Type: ck.CKA_LABEL, Out: ck.Out[byte]{Buf: make([]byte, 20)}},
		{Type: ck.CKA_ID},
		{Type: ck.CKA_VALUE, Out: ck.Out[byte]{Buf: make([]byte, 4)}},
		{Type: ck.CKA_WRAP_TEMPLATE, Nested: []ck.AttributeOut{
			{Out: ck.Out[byte]{Buf: make([]byte, 8)}}, {}, {Out: ck.Out[byte]{Buf: make([]byte, 1)}},
		}},
	}
}

// sampleCall gives a call of f whose arguments are all set and whose results are not.
func sampleCall(f *filler, fn *spec.Function) ck.Call {
	call := ck.NewCall(ck.Func(fn.Order))
	v := reflect.ValueOf(call).Elem()
	for _, a := range fn.Args {
		if a.Field == "" || isResult(a) {
			continue
		}
		field := v.FieldByName(a.Field)
		switch a.Role {
		case "outtemplate":
			field.Set(reflect.ValueOf(f.outTemplate()))
		case "label":
			field.SetBytes(f.bytes(32))
		case "outbytesopt":
			field.Set(reflect.New(field.Type().Elem()))
			setRoom(field.Elem(), 6)
		case "outbytes", "outlist", "outlistmax":
			setRoom(field, 6)
		default:
			f.fill(field)
		}
	}
	return call
}

// setRoom gives an Out room for n elements.
func setRoom(out reflect.Value, n int) {
	buf := out.FieldByName("Buf")
	buf.Set(reflect.MakeSlice(buf.Type(), n, n))
}

func sampleCalls(t testing.TB) []ck.Call {
	f := new(filler)
	var calls []ck.Call
	for _, fn := range loadSpec(t).Functions {
		calls = append(calls, sampleCall(f, fn))
	}
	return calls
}

// needsMemory tells whether a call has anything but numbers.
func needsMemory(call ck.Call) bool {
	switch call.(type) {
	case *ck.FinalizeCall, *ck.CloseSessionCall, *ck.CloseAllSessionsCall, *ck.LogoutCall, *ck.DestroyObjectCall, *ck.FindObjectsFinalCall,
		*ck.DigestKeyCall, *ck.GetFunctionStatusCall, *ck.CancelFunctionCall, *ck.SessionCancelCall, *ck.MessageEncryptFinalCall,
		*ck.MessageDecryptFinalCall, *ck.MessageSignFinalCall, *ck.MessageVerifyFinalCall, *ck.VerifySignatureFinalCall:
		return false
	}
	return true
}
