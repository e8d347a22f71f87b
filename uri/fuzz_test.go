package uri

import (
	"bytes"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/p11mux/p11mux/ck"
)

// FuzzParse checks what holds for any text, and that a URI that was formatted and
// parsed again is the same one.
func FuzzParse(f *testing.F) {
	f.Add("pkcs11:", uint16(ForAny))
	f.Add(full, uint16(ForAny))
	f.Add(full, uint16(ForObjectOnToken))
	f.Fuzz(func(t *testing.T, text string, typ uint16) {
		input := []byte(text)
		u := must(t, full)
		err := u.Parse(input, Type(typ))
		if string(input) != text {
			t.Fatalf("the text given has become %q", input)
		}
		if fresh, err2 := Parse(text, Type(typ)); err != nil {
			checkError(t, err)
			if fresh != nil || err2.Error() != err.Error() {
				t.Fatalf("Parse gives %v, %v, and the method %v", fresh, err2, err)
			}
			if errors.Is(err, ErrBadScheme) && u.Format(ForAny) != full {
				t.Fatalf("changed to %s in spite of %v", u.Format(ForAny), err)
			}
		} else if err2 != nil || !reflect.DeepEqual(fresh, u) {
			t.Fatalf("Parse gives %v, %v, and the method %v", fresh, err2, u)
		}
		checkFormat(t, u)
		if got := u.Clone(); !reflect.DeepEqual(got, u) {
			t.Fatalf("%s is cloned to %s", u.Format(ForAny), got.Format(ForAny))
		}
		// What a type does not ask for is not recognized, whatever the text is.
		if err == nil && !u.Unrecognized() {
			if all, err := Parse(text, ForAny); err != nil || !reflect.DeepEqual(all, u) {
				t.Fatalf("recognized for %#x but not for all: %v", typ, err)
			}
			if all, few := u.Format(ForAny), u.Format(Type(typ)); all != few {
				t.Fatalf("recognized for %#x, where it is formatted as %s instead of %s", typ, few, all)
			}
		}
		u.Reset()
		if !reflect.DeepEqual(u, new(URI)) {
			t.Fatalf("left after a reset: %s", u.Format(ForAny))
		}
	})
}

// checkError checks an error of Parse: of a kind that Parse has, and without
// quotations.
func checkError(t *testing.T, err error) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) || e.Code > ErrUnexpected || e.Code < ErrBadVersion || !errors.Is(err, e.Code) {
		t.Fatalf("error %#v", err)
	}
	if s := err.Error(); len(s) > 160 || strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' }) {
		t.Fatalf("error %q", s)
	}
}

// checkFormat checks that a URI survives being formatted, but for what has no form.
func checkFormat(t *testing.T, u *URI) {
	t.Helper()
	s := u.Format(ForAny)
	lower := string(u.AppendFormat(nil, ForAny, true))
	if len(lower) != len(s) || !strings.EqualFold(lower, s) {
		t.Fatalf("%s in lower case is %s", s, lower)
	}
	for _, text := range []string{s, lower} {
		again, err := Parse(text, ForAny)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if again.Unrecognized() || again.Format(ForAny) != s {
			t.Fatalf("%s is formatted again as %s", s, again.Format(ForAny))
		}
		again.SetUnrecognized(u.Unrecognized())
		again.strange = u.strange
		want := u.Clone()
		// The order of the attributes is that of the names in texts.
		byType := func(a, b ck.Attribute) int { return int(a.Type) - int(b.Type) }
		slices.SortFunc(want.attrs, byType)
		slices.SortFunc(again.attrs, byType)
		if !reflect.DeepEqual(again, want) {
			t.Fatalf("%s is parsed again as something else: %+v and %+v", s, again, want)
		}
	}
	shown := u.String()
	if strings.Contains(shown, "?pin-value=") || strings.Contains(shown, "&pin-value=") || shown != u.WithoutPIN().Format(ForAny) {
		t.Fatalf("shown as %s", shown)
	}
}

// FuzzMatch compares the Match functions with their definition on the texts of the
// attributes, for two URIs of which one stands for what is there.
func FuzzMatch(f *testing.F) {
	f.Add(full, full)
	f.Add("pkcs11:token=a", "pkcs11:token=a%20")
	f.Add("pkcs11:token=a%00", "pkcs11:token=a")
	f.Add("pkcs11:library-version=1.2", "pkcs11:library-version=1.3")
	f.Add("pkcs11:type=cert;id=", "pkcs11:id=%61;type=cert")
	f.Add("pkcs11:slot-id=1;slot-description=x", "pkcs11:slot-description=x;slot-id=2")
	f.Fuzz(func(t *testing.T, text, what string) {
		u, err := Parse(text, ForAny)
		if err != nil {
			return
		}
		there, err := Parse(what, ForAny)
		if err != nil {
			return
		}
		m, s, k := there.ModuleInfo(), there.SlotInfo(), there.TokenInfo()
		same := func(fields ...Field) bool {
			for _, f := range fields {
				a, ok := u.Get(f)
				b, okThere := there.Get(f)
				if ok && (!okThere || a != b) {
					return false
				}
			}
			return !u.Unrecognized()
		}
		v, hasVersion := u.LibraryVersion()
		id, hasID := u.SlotID()
		object := !u.Unrecognized()
		for _, a := range there.Attributes() {
			if own, ok := u.Attribute(a.Type); ok && !bytes.Equal(own.Value, a.Value) {
				object = false
			}
		}
		for _, c := range []struct {
			name      string
			got, want bool
		}{
			{"module", u.MatchModule(&m), same(LibraryDescription, LibraryManufacturer) && (!hasVersion || v == m.LibraryVersion)},
			{"slot", u.MatchSlot(&s), same(SlotDescription, SlotManufacturer)},
			{"token", u.MatchToken(&k), same(TokenLabel, TokenManufacturer, TokenModel, TokenSerial)},
			{"slot id", u.MatchSlotID(7), !u.Unrecognized() && (!hasID || id == 7)},
			{"object", u.MatchAttributes(there.Attributes()), object},
		} {
			if c.got != c.want {
				t.Fatalf("%s: %s matches %s: %v", c.name, u, there, c.got)
			}
		}
		if !u.Unrecognized() {
			m, s, k := u.ModuleInfo(), u.SlotInfo(), u.TokenInfo()
			if !u.MatchModule(&m) || !u.MatchSlot(&s) || !u.MatchToken(&k) || !u.MatchAttributes(u.Attributes()) {
				t.Fatalf("%s does not match itself", u)
			}
		}
	})
}
