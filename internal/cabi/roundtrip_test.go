package cabi

import (
	"context"
	"errors"
	"reflect"
	"testing"

	"github.com/p11mux/p11mux/ck"
	"github.com/p11mux/p11mux/module"
	"github.com/p11mux/p11mux/spec"
)

// through sends a call as C words to a module and reads what comes back, as a C caller and a C module would.
func through(t *testing.T, a *Arena, call ck.Call, m module.Func) error {
	t.Helper()
	var w Words
	if err := a.Encode(call, &w); err != nil {
		t.Fatalf("%v: %v", call.Func(), err)
	}
	defer a.Reset()
	return a.Decode(call, &w, Serve(context.Background(), m, call.Func(), &w))
}

// inputs compares what a call takes, field by field.
func inputs(t *testing.T, fn *spec.Function, got, want ck.Call) {
	t.Helper()
	g, w := reflect.ValueOf(got).Elem(), reflect.ValueOf(want).Elem()
	for _, a := range fn.Args {
		if a.Field == "" || isResult(a) || isBuffer(a) || a.Role == "outtemplate" || a.Role == "fillbytes" {
			continue
		}
		if x, y := g.FieldByName(a.Field).Interface(), w.FieldByName(a.Field).Interface(); !reflect.DeepEqual(x, y) {
			t.Errorf("%s: %s arrives as %#v, want %#v", fn.Name, a.Field, x, y)
		}
	}
}

// answer sets the results of a call, with n elements in each buffer that has room.
func answer(f *filler, fn *spec.Function, call ck.Call, n int) {
	v := reflect.ValueOf(call).Elem()
	for _, a := range fn.Args {
		field := v.FieldByName(a.Field)
		switch {
		case a.Field == "":
		case isBuffer(a):
			if a.Role == "outbytesopt" {
				field = field.Elem()
			}
			field.FieldByName("N").SetUint(uint64(n))
			for i, buf := 0, field.FieldByName("Buf"); i < n && i < buf.Len(); i++ {
				f.fill(buf.Index(i))
			}
		case isResult(a), a.Role == "inoutstruct":
			f.fill(field)
		case a.Role == "fillbytes":
			copy(field.Bytes(), f.bytes(field.Len()))
		case a.Role == "outtemplate":
			answerTemplate(f, field.Interface().([]ck.AttributeOut))
		}
	}
}

// answerTemplate fits the template of filler.outTemplate.
func answerTemplate(f *filler, t []ck.AttributeOut) {
	t[0].N = uint64(copy(t[0].Buf, f.bytes(7)))
	t[1].N = 40
	t[2].N = ck.CK_UNAVAILABLE_INFORMATION
	nested := t[3].Nested
	t[3].N = 2 * attributeSize
	nested[0].Type, nested[0].N = ck.CKA_CLASS, uint64(copy(nested[0].Buf, f.bytes(8)))
	nested[1].Type, nested[1].N = ck.CKA_ID, 9
}

// Every call arrives with its arguments, and its results come back.
func TestRoundTrip(t *testing.T) {
	a := newTestArena(t)
	for i, fn := range loadSpec(t).Functions {
		call, same := sampleCall(new(filler), fn), sampleCall(new(filler), fn)
		seen := false
		err := through(t, a, call, func(_ context.Context, got ck.Call) error {
			seen = true
			if got.Func() != ck.Func(i) {
				t.Fatalf("%s arrives as %v", fn.Name, got.Func())
			}
			inputs(t, fn, got, same)
			answer(&filler{n: 0x2000}, fn, got, 4)
			return nil
		})
		if err != nil || !seen {
			t.Errorf("%s: seen %v, error %v", fn.Name, seen, err)
		}
		answer(&filler{n: 0x2000}, fn, same, 4)
		if !reflect.DeepEqual(call, same) {
			t.Errorf("%s: results are\n%+v, want\n%+v", fn.Name, call, same)
		}
	}
}

// Without buffers only lengths come back.
func TestRoundTripLengths(t *testing.T) {
	a := newTestArena(t)
	for _, fn := range loadSpec(t).Functions {
		for _, arg := range fn.Args {
			if arg.Role != "outbytes" && arg.Role != "outlist" && arg.Role != "outbytesopt" {
				continue
			}
			call := sampleCall(new(filler), fn)
			out := reflect.ValueOf(call).Elem().FieldByName(arg.Field)
			if arg.Role == "outbytesopt" {
				out = out.Elem()
			}
			out.SetZero()
			err := through(t, a, call, func(_ context.Context, got ck.Call) error {
				o := reflect.Indirect(reflect.ValueOf(got).Elem().FieldByName(arg.Field))
				if !o.FieldByName("Buf").IsNil() {
					t.Errorf("%s: NULL arrives as a buffer", fn.Name)
				}
				o.FieldByName("N").SetUint(1234)
				return nil
			})
			if n := out.FieldByName("N").Uint(); err != nil || n != 1234 {
				t.Errorf("%s: length %d, error %v", fn.Name, n, err)
			}
		}
	}
}

// A refusal brings no results but the lengths of CKR_BUFFER_TOO_SMALL.
func TestRoundTripRefused(t *testing.T) {
	a := newTestArena(t)
	for _, fn := range loadSpec(t).Functions {
		for _, rv := range []ck.RV{ck.CKR_BUFFER_TOO_SMALL, ck.CKR_DEVICE_ERROR, 0x80001234} {
			call, want := sampleCall(new(filler), fn), sampleCall(new(filler), fn)
			err := through(t, a, call, func(_ context.Context, got ck.Call) error {
				setLengths(fn, got, 99)
				return rv
			})
			if !errors.Is(err, rv) {
				t.Errorf("%s: got %v, want %v", fn.Name, err, rv)
			}
			if rv == ck.CKR_BUFFER_TOO_SMALL {
				setLengths(fn, want, 99)
			}
			if !reflect.DeepEqual(call, want) {
				t.Errorf("%s refused with %v: call is\n%+v, want\n%+v", fn.Name, rv, call, want)
			}
		}
	}
}

// setLengths sets the lengths that CKR_BUFFER_TOO_SMALL carries.
func setLengths(fn *spec.Function, call ck.Call, n uint64) {
	for _, a := range fn.Args {
		field := reflect.ValueOf(call).Elem().FieldByName(a.Field)
		switch a.Role {
		case "outbytes", "outlist", "outbytesopt":
			reflect.Indirect(field).FieldByName("N").SetUint(n)
		case "outtemplate":
			t := field.Interface().([]ck.AttributeOut)
			for i := range t {
				t[i].N = ck.CK_UNAVAILABLE_INFORMATION
			}
		}
	}
}

// A module that tells of more than it was given room for is not believed, on either side.
func TestTooMuch(t *testing.T) {
	a := newTestArena(t)
	for _, fn := range loadSpec(t).Functions {
		for _, arg := range fn.Args {
			if !isBuffer(arg) && arg.Role != "outtemplate" {
				continue
			}
			boast := func(_ context.Context, got ck.Call) error {
				field := reflect.ValueOf(got).Elem().FieldByName(arg.Field)
				if arg.Role == "outtemplate" {
					field.Interface().([]ck.AttributeOut)[0].N = 21
				} else {
					reflect.Indirect(field).FieldByName("N").SetUint(7)
				}
				return nil
			}
			call := sampleCall(new(filler), fn)
			if err := through(t, a, call, boast); ck.RVOf(err) != ck.CKR_GENERAL_ERROR {
				t.Errorf("%s: served %v", fn.Name, err)
			}
			var w Words
			if err := a.Encode(call, &w); err != nil {
				t.Fatal(err)
			}
			for i, b := range fn.Args {
				switch {
				case b.Role == "outlen" || b.Role == "outcount":
					*at[uint64](w[i]) = 7
				case b.Role == "outtemplate":
					at[cAttribute](w[i]).ulValueLen = 21
				}
			}
			if err := a.Decode(call, &w, ck.CKR_OK); !errors.Is(err, errCount) || ck.RVOf(err) != ck.CKR_GENERAL_ERROR {
				t.Errorf("%s: decoded %v", fn.Name, err)
			}
			a.Reset()
		}
	}
}

// NULL arguments arrive as nil.
func TestRoundTripNil(t *testing.T) {
	a := newTestArena(t)
	for _, fn := range loadSpec(t).Functions {
		call := ck.NewCall(ck.Func(fn.Order))
		want := ck.NewCall(ck.Func(fn.Order))
		for _, c := range []ck.Call{call, want} {
			if f, ok := c.(*ck.FindObjectsCall); ok {
				f.Objects.Buf = []ck.ObjectHandle{}
			}
		}
		err := through(t, a, call, func(_ context.Context, got ck.Call) error {
			if !reflect.DeepEqual(got, want) {
				t.Errorf("%s arrives as %+v, want %+v", fn.Name, got, want)
			}
			return ck.CKR_CRYPTOKI_NOT_INITIALIZED
		})
		if err != ck.CKR_CRYPTOKI_NOT_INITIALIZED {
			t.Errorf("%s: %v", fn.Name, err)
		}
	}
}
