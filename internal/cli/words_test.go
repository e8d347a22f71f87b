package cli

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/p11mux/p11mux/ck"
)

func TestNick(t *testing.T) {
	for _, c := range []struct {
		name  string
		value uint64
		want  string
	}{
		{ck.CKO_PUBLIC_KEY.String(), uint64(ck.CKO_PUBLIC_KEY), "public-key"},
		{ck.CKK_EC_EDWARDS.String(), uint64(ck.CKK_EC_EDWARDS), "ec-edwards"},
		{ck.CKK_HOTP.String(), uint64(ck.CKK_HOTP), "ckk-hotp"},
		{ck.CKC_X_509.String(), uint64(ck.CKC_X_509), "x-509"},
		{ck.CKM_EC_KEY_PAIR_GEN.String(), uint64(ck.CKM_EC_KEY_PAIR_GEN), "ecdsa-key-pair-gen"},
		{ck.CKM_DSA.String(), uint64(ck.CKM_DSA), "0x11 (unknown)"},
		{ck.MechanismType(0x80001234).String(), 0x80001234, "0x80001234 (unknown)"},
		{ck.MechanismType(0x80010007).String(), 0x80010007, "ibm-cmac"},
		{ck.ObjectClass(0xce534353).String(), 0xce534353, "nss-trust"},
		{profileName(ck.CKP_BASELINE_PROVIDER), ck.CKP_BASELINE_PROVIDER, "baseline-provider"},
		{profileName(77), 77, "0x4d (unknown)"},
		{featureName(ck.CKH_CLOCK), ck.CKH_CLOCK, "clock"},
		{featureName(9), 9, "0x9 (unknown)"},
	} {
		if got := nick(c.name, c.value); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
	if got := categoryName(9); got != "0x9 (unknown)" {
		t.Errorf("category 9: %q", got)
	}
}

// The table is searched by halves, and what it has must be names of the standard.
func TestOtherNicks(t *testing.T) {
	if !slices.IsSortedFunc(otherNicks, func(a, b struct{ name, nick string }) int { return strings.Compare(a.name, b.name) }) {
		t.Error("not sorted by name")
	}
	known := map[string]bool{}
	for m := range ck.MechanismType(0x10000) {
		known[m.String()] = true
	}
	for _, o := range otherNicks {
		if !known[o.name] {
			t.Errorf("%s is no mechanism's name", o.name)
		}
	}
}

func TestParseHex(t *testing.T) {
	for text, want := range map[string]string{"0a": "\x0a", "0A:0b": "\x0a\x0b", "0a0b0c": "\x0a\x0b\x0c", "ff:00:01": "\xff\x00\x01"} {
		if got, ok := parseHex(text); !ok || string(got) != want {
			t.Errorf("%s: %x", text, got)
		}
	}
	for _, text := range []string{"", "a", "0x1", "0a:", ":0a", "0a:b", "0a0b:0c", "0a::0b", "zz", "0a 0b"} {
		if got, ok := parseHex(text); ok {
			t.Errorf("%q: %x", text, got)
		}
	}
	if got := colonHex([]byte{0, 0xab, 1}); got != "00:ab:01" {
		t.Error(got)
	}
}

// What a token says cannot harm a terminal, nor look like more than it is.
func TestPlain(t *testing.T) {
	for text, want := range map[string]string{
		"a label":          "a label",
		"grün":             "grün",
		`"quoted"`:         `"quoted"`,
		"\x1b[2J":          `\x1b[2J`,
		"two\nlines":       `two\nlines`,
		"\xff":             `\xff`,
		"right\u202eleft":  `right\u202eleft`,
		"say \"x\"\tagain": `say "x"\tagain`,
	} {
		if got := plain(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestReadAnswer(t *testing.T) {
	for _, c := range []struct {
		in, want string
		keys     bool
	}{
		{"1234\nrest", "1234", false},
		{"1234", "1234", false},
		{"", "", false},
		{"12\x7f34\n", "12\x7f34", false},
		{"1234\r", "1234", true},
		{"\x04", "", true},
		{"\x7f\x7f1\r", "1", true},
		{"1\x1a2\t3\r", "123", true},
		{strings.Repeat("x", 300) + "\n", strings.Repeat("x", maxPrompt), true},
	} {
		if got, err := readAnswer(strings.NewReader(c.in), c.keys); err != nil || string(got) != c.want {
			t.Errorf("%q: %q, %v", c.in, got, err)
		}
	}
	for _, in := range []string{"12\x03", "\x1c"} {
		if got, err := readAnswer(strings.NewReader(in), true); err == nil {
			t.Errorf("%q: %q", in, got)
		}
	}
}

// Rows are as wide as they have to be, what is empty is seen to be, and no rows are no table.
func TestTable(t *testing.T) {
	var out bytes.Buffer
	tab := table{head: []string{"A", "BB"}}
	if err := tab.write(&out); err != nil || out.Len() > 0 {
		t.Errorf("%q, %v", &out, err)
	}
	tab.row("größer", "x")
	tab.row("", "y\n")
	if err := tab.write(&out); err != nil {
		t.Fatal(err)
	}
	if want := "A       BB\ngrößer  x\n-       y\\n\n"; out.String() != want {
		t.Errorf("%q, want %q", &out, want)
	}
}
