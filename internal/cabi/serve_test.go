package cabi

import (
	"context"
	"errors"
	"math/rand/v2"
	"syscall"
	"testing"
	"unsafe"

	"github.com/p11mux/p11mux/ck"
)

// moduleFunc is a module without a context.
type moduleFunc func(ck.Call) error

func (m moduleFunc) Do(_ context.Context, call ck.Call) error { return m(call) }

// refuse is a module that must not see the call.
func refuse(t *testing.T, what string) moduleFunc {
	return func(call ck.Call) error {
		t.Errorf("%s: the module sees %+v", what, call)
		return nil
	}
}

// NULL where a result must go, NULL with a length, and lengths that nothing has are refused before the module sees them.
func TestServeBadArguments(t *testing.T) {
	a := newTestArena(t)
	for _, fn := range loadSpec(t).Functions {
		for i, arg := range fn.Args {
			var change func(w *Words)
			switch arg.Role {
			case "out", "outpointer", "outstruct", "inoutstruct", "outcount", "string":
				change = func(w *Words) { w[i] = 0 }
			case "outlen":
				if fn.Name == "C_SignMessageNext" {
					continue // NULL says that more follows
				}
				change = func(w *Words) { w[i] = 0 }
			case "bytes", "pin", "template", "outtemplate", "fillbytes", "param", "outlistmax":
				change = func(w *Words) { w[i] = 0 } // with a length
			case "len":
				if fn.Args[i-1].Role == "outlistmax" {
					continue // room, see TestServeRoom
				}
				change = func(w *Words) { w[i] = ^uintptr(0) / 3 }
			default:
				continue
			}
			var w Words
			if err := a.Encode(sampleCall(new(filler), fn), &w); err != nil {
				t.Fatal(err)
			}
			change(&w)
			what := fn.Name + " " + arg.Name
			if rv := Serve(context.Background(), refuse(t, what), ck.Func(fn.Order), &w); rv != ck.CKR_ARGUMENTS_BAD {
				t.Errorf("%s: %v", what, rv)
			}
			a.Reset()
		}
	}
}

// A caller that knows its buffer to be long enough may claim any length of it.
func TestServeRoom(t *testing.T) {
	a := newTestArena(t)
	for _, fn := range loadSpec(t).Functions {
		for i, arg := range fn.Args {
			if arg.Role != "outlen" && (arg.Role != "len" || fn.Args[i-1].Role != "outlistmax") {
				continue
			}
			for _, room := range []uintptr{1 << 60, ^uintptr(0)} {
				var w Words
				if err := a.Encode(sampleCall(new(filler), fn), &w); err != nil {
					t.Fatal(err)
				}
				if arg.Role == "outlen" {
					*at[uint64](w[i]) = uint64(room)
				} else {
					w[i] = room
				}
				asked := false
				rv := Serve(context.Background(), moduleFunc(func(ck.Call) error { asked = true; return ck.CKR_DEVICE_ERROR }), ck.Func(fn.Order), &w)
				if !asked || rv != ck.CKR_DEVICE_ERROR {
					t.Errorf("%s with %#x as %s: %v, asked: %v", fn.Name, room, arg.Name, rv, asked)
				}
				a.Reset()
			}
		}
	}
}

func TestServeTemplates(t *testing.T) {
	a := newTestArena(t)
	serve := func(what string, c *cAttribute, m moduleFunc) ck.RV {
		return Serve(context.Background(), m, ck.FuncSetAttributeValue, &Words{1, 2, addrOf(c), 1})
	}
	c := push[cAttribute](a)
	c.typ, c.ulValueLen = uint64(ck.CKA_LABEL), 4
	if rv := serve("value", c, refuse(t, "a value without an address")); rv != ck.CKR_ARGUMENTS_BAD {
		t.Errorf("a value without an address: %v", rv)
	}
	c.pValue, c.ulValueLen = addrOf(c), ck.CK_UNAVAILABLE_INFORMATION
	if rv := serve("value", c, refuse(t, "an endless value")); rv != ck.CKR_ARGUMENTS_BAD {
		t.Errorf("an endless value: %v", rv)
	}
	// A template within itself ends.
	c.typ, c.ulValueLen = uint64(ck.CKA_WRAP_TEMPLATE), attributeSize
	if rv := serve("value", c, refuse(t, "a template within itself")); rv != ck.CKR_ARGUMENTS_BAD {
		t.Errorf("a template within itself: %v", rv)
	}
	// One of an odd size is a value like any other.
	c.ulValueLen = 23
	if rv := serve("value", c, func(call ck.Call) error {
		if got := call.(*ck.SetAttributeValueCall).Template; len(got) != 1 || got[0].Nested != nil || len(got[0].Value) != 23 {
			t.Errorf("got %+v", got)
		}
		return nil
	}); rv != ck.CKR_OK {
		t.Errorf("a template of an odd size: %v", rv)
	}
	// A question for a length may have anything as the length.
	c.typ, c.pValue, c.ulValueLen = uint64(ck.CKA_LABEL), 0, ck.CK_UNAVAILABLE_INFORMATION
	rv := Serve(context.Background(), moduleFunc(func(call ck.Call) error {
		o := &call.(*ck.GetAttributeValueCall).Template[0]
		if o.Buf != nil {
			t.Error("NULL arrives as a buffer")
		}
		o.N = 17
		return nil
	}), ck.FuncGetAttributeValue, &Words{1, 2, addrOf(c), 1})
	if rv != ck.CKR_OK || c.ulValueLen != 17 {
		t.Errorf("%v, length %d", rv, c.ulValueLen)
	}
}

func TestServeOddities(t *testing.T) {
	a := newTestArena(t)
	failed := moduleFunc(func(ck.Call) error { return errors.New("out of paper") })
	if rv := Serve(context.Background(), failed, ck.FuncCloseSession, &Words{1}); rv != ck.CKR_GENERAL_ERROR {
		t.Errorf("a failure without a return value: %v", rv)
	}
	for _, f := range []ck.Func{-1, ck.NumFuncs} {
		if rv := Serve(context.Background(), refuse(t, "no function"), f, &Words{}); rv != ck.CKR_FUNCTION_NOT_SUPPORTED {
			t.Errorf("%v: %v", f, rv)
		}
	}
	// Only the low octet of a CK_BBOOL counts, the rest of its register is undefined.
	n := push[uint64](a)
	rv := Serve(context.Background(), moduleFunc(func(call ck.Call) error {
		if call.(*ck.GetSlotListCall).TokenPresent {
			t.Error("a false CK_BBOOL arrives as true")
		}
		return nil
	}), ck.FuncGetSlotList, &Words{0xdead00, 0, addrOf(n)})
	if rv != ck.CKR_OK {
		t.Error(rv)
	}
	// More parts follow: no signature is asked for.
	rv = Serve(context.Background(), moduleFunc(func(call ck.Call) error {
		if call.(*ck.SignMessageNextCall).Signature != nil {
			t.Error("asks for a signature")
		}
		return nil
	}), ck.FuncSignMessageNext, &Words{1})
	if rv != ck.CKR_OK {
		t.Error(rv)
	}
	// Text without an end is not read for ever.
	endless := a.room(true, 2<<20, 1)
	for i := range octets(endless, 2<<20) {
		octets(endless, 2<<20)[i] = 'x'
	}
	if rv := Serve(context.Background(), refuse(t, "endless text"), ck.FuncAsyncGetID, &Words{1, endless, addrOf(n)}); rv != ck.CKR_ARGUMENTS_BAD {
		t.Errorf("endless text: %v", rv)
	}
}

// FuzzServe serves calls whose pointers are NULL or lead into memory full of such pointers, and whose lengths are anything. A
// module that answers anything must not make Serve panic or fault.
func FuzzServe(f *testing.F) {
	// So low that an address is also a length that a buffer may have, and below the program.
	const base, size = 0x10000, 0x3e0000
	p, _, errno := syscall.Syscall6(syscall.SYS_MMAP, base, size, syscall.PROT_READ|syscall.PROT_WRITE,
		syscall.MAP_ANON|syscall.MAP_PRIVATE|0x100000 /* MAP_FIXED_NOREPLACE */, ^uintptr(0), 0)
	if errno != 0 || p != base {
		f.Fatalf("mmap at %#x gives %#x: %v", base, p, errno)
	}
	mem := unsafe.Slice(at[uint64](base), size/8)
	for i := range int(ck.NumFuncs) {
		f.Add(uint8(i), uint64(i), uint64(0), uint64(0))
	}
	mechanisms := []uint64{uint64(ck.CKM_AES_GCM), uint64(ck.CKM_KIP_MAC), uint64(ck.CKM_CMS_SIG), uint64(ck.CKM_RSA_AES_KEY_WRAP), uint64(ck.CKM_SP800_108_COUNTER_KDF)}
	sizes := []uint64{0, 8, 16, 24, 32, 40, 48, 56, 64}
	f.Fuzz(func(t *testing.T, fn uint8, seed, rv, n uint64) {
		rng := rand.New(rand.NewPCG(seed, rv))
		pointer := func() uint64 {
			if rng.IntN(4) == 0 {
				return 0
			}
			return base + rng.Uint64N(1<<12)*8
		}
		for i := range 1 << 13 {
			mem[i] = pointer()
		}
		clear(mem[1<<13:])
		// A mechanism whose parameter may be taken apart, and attributes that may be templates, where no pointer leads.
		const m = 1<<12 + 1<<10
		mem[m], mem[m+1], mem[m+2] = mechanisms[rng.IntN(len(mechanisms))], base+8*rng.Uint64N(1<<12), sizes[rng.IntN(len(sizes))]
		for i := range 4 {
			mem[m+8+3*i], mem[m+9+3*i], mem[m+10+3*i] = uint64(ck.CKA_WRAP_TEMPLATE), base+8*rng.Uint64N(1<<12), attributeSize*rng.Uint64N(3)
		}
		var w Words
		for i := range w {
			switch rng.IntN(6) {
			case 0:
				w[i] = base + 8*m
			case 1:
				w[i] = base + 8*(m+8)
			default:
				w[i] = uintptr(pointer())
			}
		}
		spec := loadSpec(t)
		if int(fn) < len(spec.Functions) {
			for i, a := range spec.Functions[fn].Args {
				if a.Role == "len" {
					w[i] = []uintptr{0, 1, 4, maxTemplate, maxTemplate + 1, maxOctets, ^uintptr(0)}[rng.IntN(7)]
				}
			}
		}
		Serve(context.Background(), moduleFunc(func(call ck.Call) error {
			if call.Func() != ck.Func(fn) {
				t.Errorf("function %d arrives as %v", fn, call.Func())
			}
			switch c := call.(type) {
			case *ck.SignCall:
				c.Signature.N = n
			case *ck.FindObjectsCall:
				c.Objects.N = n
			case *ck.GetAttributeValueCall:
				for i := range c.Template {
					c.Template[i].N = n
				}
			}
			return ck.RV(rv).Err()
		}), ck.Func(fn), &w)
	})
}
