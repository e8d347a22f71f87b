package uri

import (
	"bytes"
	"errors"
	"fmt"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/p11mux/p11mux/ck"
)

// must is Parse for texts that are good.
func must(t testing.TB, text string) *URI {
	t.Helper()
	u, err := Parse(text, ForAny)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func TestFields(t *testing.T) {
	for f := LibraryDescription; f < noField; f++ {
		u := new(URI)
		if text, ok := u.Get(f); ok || text != "" {
			t.Errorf("%v of nothing: %q", f, text)
		}
		for _, text := range []string{"a", "", "\u00e4 b", " "} {
			want := text
			if f < PINSource {
				want = strings.TrimRight(text, " ")
			}
			if err := u.Set(f, text); err != nil {
				t.Errorf("%v to %q: %v", f, text, err)
			}
			if got, ok := u.Get(f); !ok || got != want {
				t.Errorf("%v set to %q: %q, %v", f, text, got, ok)
			}
		}
		if err := u.Set(f, "x"); err != nil {
			t.Error(err)
		}
		before := "pkcs11:"
		if f >= PINSource {
			before = "pkcs11:?"
		}
		if got := u.Format(ForAny); got != before+f.String()+"=x" {
			t.Errorf("%v: %s", f, got)
		}
		if err := u.Set(f, "\x00"); !errors.Is(err, ErrUnexpected) {
			t.Errorf("%v set to a NUL: %v", f, err)
		}
		if err := u.Set(f, strings.Repeat("y", 65)); f < PINSource && !errors.Is(err, ErrUnexpected) {
			t.Errorf("%v set to what is too long: %v", f, err)
		}
		if got, _ := u.Get(f); f < PINSource && got != "x" {
			t.Errorf("%v is %q after failures", f, got)
		}
		u.Unset(f)
		if !reflect.DeepEqual(u, new(URI)) {
			t.Errorf("%v: not unset", f)
		}
	}
	u := new(URI)
	if err := u.Set(noField, "a"); !errors.Is(err, ErrNotFound) {
		t.Errorf("no field: %v", err)
	}
	if _, ok := u.Get(noField); ok {
		t.Error("no field is set")
	}
	u.Unset(noField)
	if got := Field(99).String(); got != "Field(99)" {
		t.Error(got)
	}
}

func TestInfo(t *testing.T) {
	u := must(t, full)
	m, s, tok := u.ModuleInfo(), u.SlotInfo(), u.TokenInfo()
	if m.LibraryDescriptionString() != "a" || m.ManufacturerIDString() != "b" || m.LibraryVersion != (ck.Version{Major: 1, Minor: 2}) {
		t.Errorf("module %+v", m)
	}
	if s.DescriptionString() != "c" || s.ManufacturerIDString() != "d" {
		t.Errorf("slot %+v", s)
	}
	if tok.ModelString() != "e" || tok.ManufacturerIDString() != "f" || tok.SerialNumberString() != "g" || tok.LabelString() != "h" {
		t.Errorf("token %+v", tok)
	}
	again := new(URI)
	again.SetModuleInfo(&m)
	again.SetSlotInfo(&s)
	again.SetTokenInfo(&tok)
	want, _, _ := strings.Cut(full, ";id")
	if got := again.Format(ForAny); got != strings.Replace(want, "slot-id=3;", "", 1) {
		t.Errorf("from the structures: %s", got)
	}
	// A zero in front says that a text is unset, whatever follows.
	m.LibraryDescription[0], m.ManufacturerID[0], m.LibraryVersion = 0, 0, ck.Version{Major: 255, Minor: 255}
	s.Description[0], s.ManufacturerID[0] = 0, 0
	tok.Label[0], tok.Model[0], tok.ManufacturerID[0], tok.SerialNumber[0] = 0, 0, 0, 0
	again.SetModuleInfo(&m)
	again.SetSlotInfo(&s)
	again.SetTokenInfo(&tok)
	if !reflect.DeepEqual(again, new(URI)) {
		t.Errorf("from unset texts: %s", again)
	}
	if m := new(URI).ModuleInfo(); m != (ck.Info{LibraryVersion: ck.Version{Major: 255, Minor: 255}}) {
		t.Errorf("nothing: %+v", m)
	}
	// What callers write without padding is kept as it is.
	copy(tok.Label[:], "tok1\x00\x00")
	again.SetTokenInfo(&tok)
	if got := again.Format(ForAny); !strings.HasPrefix(got, "pkcs11:token=tok1%00%00") {
		t.Errorf("without padding: %s", got)
	}
}

func TestNumbers(t *testing.T) {
	u := new(URI)
	for _, v := range []ck.Version{{}, {Major: 255, Minor: 0}, {Major: 0, Minor: 255}, {Major: 2, Minor: 40}} {
		u.SetLibraryVersion(v)
		if got, ok := u.LibraryVersion(); got != v || !ok {
			t.Errorf("%v: %v, %v", v, got, ok)
		}
	}
	u.SetLibraryVersion(ck.Version{Major: 255, Minor: 255})
	if v, ok := u.LibraryVersion(); ok || v != (ck.Version{}) {
		t.Errorf("no version: %v", v)
	}
	for _, id := range []ck.SlotID{0, 1, 1 << 63} {
		u.SetSlotID(id)
		if got, ok := u.SlotID(); got != id || !ok || u.Format(ForSlot) != "pkcs11:slot-id="+strconv.FormatUint(uint64(id), 10) {
			t.Errorf("%d: %d, %v, %s", id, got, ok, u)
		}
	}
	u.SetSlotID(^ck.SlotID(0))
	if id, ok := u.SlotID(); ok || id != 0 {
		t.Errorf("no slot: %d", id)
	}
}

func TestAttributes(t *testing.T) {
	u := must(t, "pkcs11:type=private;id=%01")
	if class, ok := u.ObjectClass(); class != ck.CKO_PRIVATE_KEY || !ok {
		t.Errorf("class %v, %v", class, ok)
	}
	if id, ok := u.ObjectID(); string(id) != "\x01" || !ok {
		t.Errorf("id %q, %v", id, ok)
	}
	if label, ok := u.ObjectLabel(); label != "" || ok {
		t.Errorf("label %q, %v", label, ok)
	}
	value := []byte("value")
	nested := []ck.Attribute{{Type: ck.CKA_ID, Value: value}}
	u.SetAttribute(ck.Attribute{Type: ck.CKA_VALUE, Value: value})
	u.SetAttribute(ck.Attribute{Type: ck.CKA_WRAP_TEMPLATE, Nested: nested})
	u.SetAttribute(ck.Attribute{Type: ^ck.AttributeType(0), Value: value})
	u.SetObjectLabel("label")
	u.SetObjectClass(ck.CKO_HW_FEATURE)
	value[0] = 'V'
	types := func() (all []ck.AttributeType) {
		for _, a := range u.Attributes() {
			all = append(all, a.Type)
		}
		return all
	}
	if got, want := types(), []ck.AttributeType{ck.CKA_CLASS, ck.CKA_ID, ck.CKA_VALUE, ck.CKA_WRAP_TEMPLATE, ck.CKA_LABEL}; !slices.Equal(got, want) {
		t.Errorf("types %v, want %v", got, want)
	}
	if a, ok := u.Attribute(ck.CKA_VALUE); string(a.Value) != "value" || !ok {
		t.Errorf("value %q shares the caller's memory", a.Value)
	}
	all := u.Attributes()
	if string(all[3].Nested[0].Value) != "value" {
		t.Errorf("nested %q shares the caller's memory", all[3].Nested[0].Value)
	}
	all[1].Value[0] = 9
	all[3].Nested[0].Value[0] = 9
	if id, _ := u.ObjectID(); id[0] != 1 || string(u.attrs[3].Nested[0].Value) != "value" {
		t.Error("what Attributes returns shares the uri's memory")
	}
	if got := u.Format(ForAny); got != "pkcs11:id=%01;object=label" {
		t.Errorf("class without a name: %s", got)
	}
	for _, typ := range []ck.AttributeType{ck.CKA_ID, ck.CKA_LABEL, ck.CKA_CLASS, ck.CKA_CLASS} {
		if err := u.ClearAttribute(typ); err != nil {
			t.Error(err)
		}
	}
	if err := u.ClearAttribute(ck.CKA_VALUE); !errors.Is(err, ErrNotFound) {
		t.Errorf("clearing CKA_VALUE: %v", err)
	}
	if got, want := types(), []ck.AttributeType{ck.CKA_VALUE, ck.CKA_WRAP_TEMPLATE}; !slices.Equal(got, want) {
		t.Errorf("types %v, want %v", got, want)
	}
	u.SetAttributes([]ck.Attribute{{Type: ck.CKA_LABEL, Value: []byte("1")}, {Type: ck.CKA_LABEL, Value: []byte("2")}})
	if got := u.Format(ForAny); got != "pkcs11:object=2" {
		t.Errorf("the last one wins: %s", got)
	}
	u.SetObjectID(nil)
	u.SetObjectLabel("")
	if got := u.Format(ForAny); got != "pkcs11:id=;object=" {
		t.Errorf("empty ones: %s", got)
	}
	u.ClearAttributes()
	if got := u.Attributes(); len(got) != 0 {
		t.Errorf("cleared: %v", got)
	}
	// Odd values from a C caller.
	for _, v := range [][]byte{nil, {}, {1}, make([]byte, 7), make([]byte, 9)} {
		u.SetAttribute(ck.Attribute{Type: ck.CKA_CLASS, Value: v})
		if got := u.Format(ForAny); got != "pkcs11:" {
			t.Errorf("class of %d octets: %s", len(v), got)
		}
		if class, ok := u.ObjectClass(); ok {
			t.Errorf("class of %d octets: %v", len(v), class)
		}
	}
	u.SetAttribute(ck.Attribute{Type: ck.CKA_ID})
	u.SetAttribute(ck.Attribute{Type: ck.CKA_LABEL})
	if got := u.Format(ForAny); got != "pkcs11:" {
		t.Errorf("NULL values: %s", got)
	}
}

func TestClassValue(t *testing.T) {
	for _, class := range []ck.ObjectClass{0, 1, 0x01020304, ck.CKO_VENDOR_DEFINED} {
		if got, ok := classOf(classValue(class)); got != class || !ok {
			t.Errorf("%#x: %#x, %v", uint64(class), uint64(got), ok)
		}
	}
	// As C has it in memory.
	want := reflect.ValueOf(uint(0x01020304))
	memory := reflect.New(want.Type())
	memory.Elem().Set(want)
	octets := reflect.NewAt(reflect.ArrayOf(ulongSize, reflect.TypeFor[byte]()), memory.UnsafePointer()).Elem()
	if got := classValue(0x01020304); string(got) != string(octets.Bytes()) {
		t.Errorf("% x, in memory % x", got, octets.Bytes())
	}
}

func TestVendorQueries(t *testing.T) {
	u := must(t, "pkcs11:?b=1&a=1&b=2")
	if v, ok := u.VendorQuery("b"); v != "1" || !ok {
		t.Errorf("b: %q, %v", v, ok)
	}
	if v, ok := u.VendorQuery("c"); v != "" || ok {
		t.Errorf("c: %q, %v", v, ok)
	}
	for name, value := range map[string]string{"b": "9", "a0": "x y"} {
		if err := u.SetVendorQuery(name, value); err != nil {
			t.Error(err)
		}
	}
	if got := u.Format(0); got != "pkcs11:?a=1&a0=x%20y&b=9&b=2" {
		t.Error(got)
	}
	if !u.RemoveVendorQuery("b") || u.RemoveVendorQuery("c") || u.Format(0) != "pkcs11:?a=1&a0=x%20y&b=2" {
		t.Errorf("b removed: %s", u)
	}
	var got []string
	for name, value := range u.VendorQueries {
		got = append(got, name+value)
		if name == "a0" {
			break
		}
	}
	if !slices.Equal(got, []string{"a1", "a0x y"}) {
		t.Errorf("%q", got)
	}
	for _, name := range []string{"", "A", "a&b", "a=", "pin-value", "pinfile", "pin-source", "module-name", "module-path"} {
		for _, change := range []func(name, value string) error{u.SetVendorQuery, u.AddVendorQuery} {
			if err := change(name, "secret"); !errors.Is(err, ErrUnexpected) || strings.Contains(err.Error(), "secret") {
				t.Errorf("%q: %v", name, err)
			}
		}
	}
	for _, change := range []func(name, value string) error{u.SetVendorQuery, u.AddVendorQuery} {
		if err := change("a", "\x00"); !errors.Is(err, ErrUnexpected) {
			t.Errorf("a NUL: %v", err)
		}
	}
}

func TestAddVendorQuery(t *testing.T) {
	u := must(t, "pkcs11:?b=1&a=1&b=2")
	for _, q := range []query{{"b", "0"}, {"a", "9"}, {"c", ""}, {"aa", "x"}, {"b", "0"}} {
		if err := u.AddVendorQuery(q.name, q.value); err != nil {
			t.Error(err)
		}
	}
	if got := u.Format(0); got != "pkcs11:?a=1&a=9&aa=x&b=1&b=2&b=0&b=0&c=" {
		t.Error(got)
	}
}

func TestFormat(t *testing.T) {
	u := must(t, full)
	const query = "?pin-source=k&pin-value=l&module-name=m&module-path=n&o=p"
	const library, slot = "library-description=a;library-manufacturer=b", "slot-description=c;slot-manufacturer=d;slot-id=3"
	const tok, object = "model=e;manufacturer=f;serial=g;token=h", "id=%69;object=j;type=cert"
	for _, tt := range []struct {
		t    Type
		want string
	}{
		{0, ""},
		{ForObject, object},
		{ForToken, tok},
		{ForModule, library},
		{ForModuleWithVersion, library + ";library-version=1.2"},
		{ForModuleWithVersion &^ ForModule, ""},
		{ForSlot, slot},
		{ForObjectOnToken, tok + ";" + object},
		{ForObjectOnTokenAndModule, library + ";" + tok + ";" + object},
		{ForAny, library + ";library-version=1.2;" + slot + ";" + tok + ";" + object},
	} {
		if got := u.Format(tt.t); got != "pkcs11:"+tt.want+query {
			t.Errorf("%#x: %s", tt.t, got)
		}
	}

	// Every octet, in values and in an id.
	for c := 1; c < 256; c++ {
		u := new(URI)
		value := string([]byte{byte(c)})
		u.SetObjectID([]byte(value))
		u.SetObjectLabel(value)
		upper, lower := fmt.Sprintf("%%%02X", c), fmt.Sprintf("%%%02x", c)
		plain := strings.ContainsAny(value, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.") && c < 128
		wantUpper, wantLower := "pkcs11:id="+upper+";object="+upper, "x pkcs11:id="+lower+";object="+lower
		if plain {
			wantUpper, wantLower = "pkcs11:id="+upper+";object="+value, "x pkcs11:id="+lower+";object="+value
		}
		if got := u.Format(ForAny); got != wantUpper {
			t.Errorf("%#x: %s", c, got)
		}
		if got := string(u.AppendFormat([]byte("x "), ForAny, true)); got != wantLower {
			t.Errorf("%#x in lower case: %s", c, got)
		}
	}
}

func TestAppendFormatLeavesNoCopies(t *testing.T) {
	u := must(t, full)
	dst := make([]byte, 0, len(full))
	if got := u.AppendFormat(dst, ForAny, false); string(got) != full || &got[0] != &dst[:1][0] {
		t.Errorf("not written where there was room: %s", got)
	}
	if n := testing.AllocsPerRun(10, func() { u.AppendFormat(nil, ForAny, false) }); n > 1 {
		t.Errorf("%v allocations", n)
	}
}

func TestPIN(t *testing.T) {
	const secret = "73915"
	u := must(t, "pkcs11:token=a?pin-value="+secret)
	pin, ok := u.PIN()
	if !ok || string(pin.Bytes()) != secret {
		t.Fatalf("PIN %q, %v", pin.Bytes(), ok)
	}
	octets := fmt.Sprint([]byte(secret))
	octets = octets[1 : len(octets)-1]
	for _, v := range []any{pin, &pin, u, *u, []PIN{pin}, []*URI{u}, struct{ p PIN }{pin}, struct{ u URI }{*u}, struct{ U *URI }{u}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "% x", "%d", "%o", "%c", "%U"} {
			got := fmt.Sprintf(verb, v)
			if strings.Contains(got, secret) || strings.Contains(got, octets) || strings.Contains(got, "3733393135") {
				t.Errorf("%s of %T prints the PIN: %s", verb, v, got)
			}
		}
	}
	if pin.String() != "(hidden)" || fmt.Sprintf("%#v", pin) != "(hidden)" {
		t.Errorf("prints as %v and %#v", pin, pin)
	}
	if got := u.String(); got != "pkcs11:token=a" || fmt.Sprintf("%#v", u) != got {
		t.Errorf("prints as %s and %#v", got, u)
	}
	if got := u.Format(0); got != "pkcs11:?pin-value="+secret {
		t.Errorf("formats as %s", got)
	}
	if got := u.WithoutPIN().Format(ForAny); got != "pkcs11:token=a" {
		t.Errorf("without PIN: %s", got)
	}

	c := u.Clone()
	memory := pin.Bytes()
	if err := u.SetPIN(memory[1:]); err != nil {
		t.Fatal(err)
	}
	if got, _ := u.PIN(); string(got.Bytes()) != secret[1:] {
		t.Errorf("set to a part of itself: %q", got.Bytes())
	}
	if !bytes.Equal(memory, make([]byte, len(secret))) || pin.Bytes() != nil {
		t.Errorf("the former PIN is still in memory: %q, %q", memory, pin.Bytes())
	}
	if err := u.SetPIN([]byte(secret + "\x00")); !errors.Is(err, ErrUnexpected) || strings.Contains(err.Error(), secret) {
		t.Errorf("a NUL: %v", err)
	}
	now, _ := u.PIN()
	memory = now.Bytes()
	u.ClearPIN()
	if _, ok := u.PIN(); ok || memory[0] != 0 {
		t.Errorf("cleared: %q", memory)
	}
	if got := c.Format(0); got != "pkcs11:?pin-value="+secret {
		t.Errorf("the clone: %s", got)
	}
	kept, _ := c.PIN()
	memory = kept.Bytes()
	c.Reset()
	if memory[0] != 0 || !reflect.DeepEqual(c, new(URI)) {
		t.Errorf("reset: %q", memory)
	}
	if err := u.SetPIN(nil); err != nil || u.Format(0) != "pkcs11:?pin-value=" {
		t.Errorf("an empty PIN: %v, %s", err, u.Format(0))
	}
	if (PIN{}).Bytes() != nil {
		t.Error("the zero PIN is not empty")
	}
}

func TestClone(t *testing.T) {
	u := must(t, full)
	c := u.Clone()
	if !reflect.DeepEqual(u, c) {
		t.Errorf("%s is cloned to %s", u, c)
	}
	id, _ := c.ObjectID()
	id[0] = 'x'
	c.vendor[0].value = "x"
	if got := u.Format(ForAny); got != full {
		t.Errorf("the clone shares memory: %s", got)
	}
}

// TestImports keeps the package as small as a guest in other programs has to be.
func TestImports(t *testing.T) {
	allowed := []string{"bytes", "math", "runtime", "slices", "strconv", "strings", "github.com/p11mux/p11mux/ck"}
	files, err := filepath.Glob("*.go")
	if err != nil || len(files) == 0 {
		t.Fatalf("no source files: %v", err)
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, spec := range f.Imports {
			if path, err := strconv.Unquote(spec.Path.Value); err != nil || !slices.Contains(allowed, path) {
				t.Errorf("%s imports %s", file, spec.Path.Value)
			}
		}
	}
}
