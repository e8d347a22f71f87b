package conf

import (
	"strings"
	"testing"
)

func TestEnabledFor(t *testing.T) {
	const absent = "absent"
	for _, tt := range []struct {
		enable, disable string
		prog            string
		direct, proxy   bool
	}{
		{absent, absent, "prog", true, true},
		{"prog", absent, "prog", true, true},
		{"other", absent, "prog", false, false},
		{"", absent, "prog", false, false},
		{"", absent, "", false, false},
		{" , ", absent, "prog", false, false},
		{"p11-kit-proxy", absent, "prog", false, true},
		{"p11-kit-proxy, prog", absent, "prog", true, true},
		{"p11-kit-proxy, other", absent, "prog", false, true},
		{absent, "prog", "prog", false, false},
		{absent, "other", "prog", true, true},
		{absent, "", "prog", true, true},
		{absent, "", "", true, true},
		{absent, "p11-kit-proxy", "prog", true, false},
		{absent, "p11-kit-proxy prog", "prog", false, false},
		{"prog", "prog", "prog", true, true},
		{"other", "third", "prog", false, false},
		{"", "", "prog", false, false},
		{"p11-kit-proxy", "p11-kit-proxy", "prog", false, true},
	} {
		m := Module{Name: "m"}
		if tt.enable != absent {
			m.Options = append(m.Options, Option{Key: "enable-in", Value: tt.enable, File: "/f", Line: 1})
		}
		if tt.disable != absent {
			m.Options = append(m.Options, Option{Key: "disable-in", Value: tt.disable, File: "/f", Line: 2})
		}
		for _, forProxy := range []bool{false, true} {
			want := tt.direct
			if forProxy {
				want = tt.proxy
			}
			got, p := EnabledFor(&m, tt.prog, forProxy)
			if got != want {
				t.Errorf("enable-in %q, disable-in %q, %q, proxy %v: %v", tt.enable, tt.disable, tt.prog, forProxy, got)
			}
			if both := tt.enable != absent && tt.disable != absent; (p != nil) != both {
				t.Errorf("enable-in %q, disable-in %q: problem %v", tt.enable, tt.disable, p)
			}
			if p != nil && p.Error() != "/f:2: module 'm' has both enable-in and disable-in options: disable-in is ignored" {
				t.Errorf("problem %v", p)
			}
		}
	}
}

func TestListContains(t *testing.T) {
	for _, tt := range []struct {
		list, item string
		want       bool
	}{
		{"a", "a", true},
		{"a,b", "b", true},
		{"a\vb\fc\rd\ne\tf", "d", true},
		{",,a,,", "a", true},
		{"a", "A", false},
		{"ab", "a", false},
		{"ba", "a", false},
		{"xab ab", "ab", true},
		{"aa,a", "a", true},
		{"abab", "ab", false},
		{"a;b", "b", false},
		{"*", "a", false},
		{"a\u00a0b", "b", false},
		{"x, Web Content, y", "Web Content", true},
		{"", "a", false},
		{"", "", false},
		{",", "", false},
		{"a", "ab", false},
	} {
		if got := ListContains(tt.list, tt.item); got != tt.want {
			t.Errorf("%q in %q: %v", tt.item, tt.list, got)
		}
	}
}

func TestProgname(t *testing.T) {
	long := strings.Repeat("x", 300)
	for _, tt := range []struct{ argv0, exe, want string }{
		{"prog", "/usr/bin/prog", "prog"},
		{"./a/prog", "/usr/bin/other", "prog"},
		{"/usr/bin/prog", "/usr/bin/prog", "prog"},
		{"/usr/bin/link", "/usr/bin/prog", "link"},
		{"/usr/bin/prog: worker /var/x", "/usr/bin/prog", "prog"},
		{"usr/bin/prog /var/x", "usr/bin/prog", "x"},
		{"/usr/bin/prog", "", "prog"},
		{"-bash", "/bin/bash", "-bash"},
		{"", "/bin/bash", ""},
		{"/", "", ""},
		{"", "", ""},
		{long, "", long[:255]},
		{"/" + long, "/" + long, long[:255]},
	} {
		if got := Progname(tt.argv0, tt.exe); got != tt.want {
			t.Errorf("%q, %q: %q, want %q", tt.argv0, tt.exe, got, tt.want)
		}
	}
	if got := CutProgname("short"); got != "short" {
		t.Errorf("CutProgname: %q", got)
	}
}
