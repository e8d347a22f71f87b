package conf

import (
	"slices"
	"strings"
	"testing"
)

func TestBool(t *testing.T) {
	for _, tt := range []struct {
		value     string
		no, yes   bool // the results for either default
		defective bool
	}{
		{"yes", true, true, false},
		{"no", false, false, false},
		{"", false, true, true},
		{"Yes", false, true, true},
		{"true", false, true, true},
		{"1", false, true, true},
		{"yes no", false, true, true},
	} {
		o := Options{{Key: "critical", Value: "no"}, {Key: "critical", Value: tt.value, File: "/f", Line: 7}}
		no, p := o.Bool("critical", false)
		if no != tt.no || (p != nil) != tt.defective {
			t.Errorf("%q, default no: %v, %v", tt.value, no, p)
		}
		if p != nil {
			want := "/f:7: invalid setting '" + tt.value + "' defaulting to 'no': option 'critical' is either 'yes' or 'no'"
			if p.Error() != want {
				t.Errorf("%q: got %q, want %q", tt.value, p, want)
			}
		}
		yes, p := o.Bool("critical", true)
		if yes != tt.yes || (p != nil) != tt.defective {
			t.Errorf("%q, default yes: %v, %v", tt.value, yes, p)
		}
		if p != nil && !strings.Contains(p.Msg, "defaulting to 'yes'") {
			t.Errorf("%q, default yes: %v", tt.value, p)
		}
	}
	for _, def := range []bool{false, true} {
		if got, p := (Options{{Key: "Critical", Value: "no"}}).Bool("critical", def); got != def || p != nil {
			t.Errorf("absent, default %v: %v, %v", def, got, p)
		}
	}
}

func TestPriority(t *testing.T) {
	for _, tt := range []struct {
		value string
		want  int
		exact bool
	}{
		{"5", 5, true},
		{"-10", -10, true},
		{"+3", 3, true},
		{"007", 7, true},
		{"2147483647", 1<<31 - 1, true},
		{"-2147483648", -1 << 31, true},
		{"2147483648", 1<<31 - 1, false},
		{"-2147483649", -1 << 31, false},
		{"99999999999999999999999999", 1<<31 - 1, false},
		{"-99999999999999999999999999x", -1 << 31, false},
		{"5x", 5, false},
		{"1 2", 1, false},
		{"abc", 0, false},
		{"", 0, false},
		{"-", 0, false},
		{"--1", 0, false},
		{"0x10", 0, false},
		{"1.5", 1, false},
	} {
		got, p := Options{{Key: "priority", Value: tt.value, File: "/f", Line: 2}}.Priority()
		if got != tt.want || (p == nil) != tt.exact {
			t.Errorf("%q: %d, %v, want %d, exact %v", tt.value, got, p, tt.want, tt.exact)
		}
		if p != nil && !strings.HasPrefix(p.Error(), "/f:2: invalid priority '"+tt.value+"'") {
			t.Errorf("%q: %q", tt.value, p)
		}
	}
	if got, p := (Options{}).Priority(); got != 0 || p != nil {
		t.Errorf("absent: %d, %v", got, p)
	}
}

func TestAll(t *testing.T) {
	o := Options{{Key: "b", Value: "1"}, {Key: "a", Value: "2"}, {Key: "b", Value: "3"}, {Key: "c"}, {Key: "a", Value: "4"}, {Key: "b", Value: "5"}}
	before := slices.Clone(o)
	var got []string
	for _, x := range o.All() {
		got = append(got, x.Key+x.Value)
	}
	if want := []string{"a4", "b5", "c"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if !slices.Equal(o, before) {
		t.Error("All changed the options")
	}
	if n := len(Options(nil).All()); n != 0 {
		t.Errorf("%d options out of none", n)
	}
}

func TestGet(t *testing.T) {
	o := Options{{Key: "a", Value: "1"}, {Key: "a", Value: ""}, {Key: "", Value: "x"}}
	if v, ok := o.Get("a"); v != "" || !ok {
		t.Errorf("a: %q, %v", v, ok)
	}
	if v, ok := o.Get(""); v != "x" || !ok {
		t.Errorf("empty key: %q, %v", v, ok)
	}
	if v, ok := o.Get("A"); v != "" || ok {
		t.Errorf("A: %q, %v", v, ok)
	}
}

func TestProblemText(t *testing.T) {
	for _, tt := range []struct {
		p    Problem
		want string
	}{
		{Problem{File: "/f", Line: 3, Msg: "m"}, "/f:3: m"},
		{Problem{File: "/f", Msg: "m"}, "/f: m"},
		{Problem{Msg: "m"}, "m"},
		{Problem{File: "/a\nb\x1b[2J\x7f", Msg: "caf\xe9 \t"}, `/a\x0ab\x1b[2J\x7f: caf` + "\xe9" + ` \x09`},
	} {
		if got := tt.p.Error(); got != tt.want {
			t.Errorf("got %q, want %q", got, tt.want)
		}
	}
	_, p := Options{{Key: "k", Value: strings.Repeat("x", 1000)}}.Bool("k", true)
	if len(p.Msg) > 200 {
		t.Errorf("message of %d bytes for a long value", len(p.Msg))
	}
}
