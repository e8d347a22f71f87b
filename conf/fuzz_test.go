package conf

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// FuzzParse checks what holds for the options and problems of any text, and
// that options written out again are read as the same ones.
func FuzzParse(f *testing.F) {
	files, err := filepath.Glob("testdata/parse/*.conf")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	f.Fuzz(func(t *testing.T, text string) {
		options, problems := parse("F", text)
		lines := strings.Count(text, "\n") + 1
		if len(options)+len(problems) > lines+1 || len(problems) > maxReported+2 {
			t.Fatalf("%d options and %d problems in %d lines", len(options), len(problems), lines)
		}
		last := 0
		var again strings.Builder
		for _, o := range options {
			if o.Line <= last || o.Line > lines {
				t.Fatalf("line %d after %d, of %d", o.Line, last, lines)
			}
			last = o.Line
			if o.Key != strings.Trim(o.Key, space) || o.Value != strings.Trim(o.Value, space) ||
				strings.Contains(o.Key, ":") || strings.ContainsAny(o.Key+o.Value, "\n\x00") {
				t.Fatalf("option %+v", o)
			}
			again.WriteString(" " + o.Key + ": " + o.Value + "\n")
		}
		last = 0
		for _, p := range problems {
			if p.Line == 0 {
				continue
			}
			if p.Line <= last || p.Line > lines {
				t.Fatalf("bad line %d after %d, of %d", p.Line, last, lines)
			}
			last = p.Line
		}
		same, problems := parse("F", again.String())
		if len(same) != len(options) || len(problems) != 0 {
			t.Fatalf("%d options read again as %d: %v", len(options), len(same), problems)
		}
		for i, o := range same {
			if o.Key != options[i].Key || o.Value != options[i].Value || o.Line != i+1 {
				t.Fatalf("%+v read again as %+v", options[i], o)
			}
		}
		checkValues(t, options)
	})
}

// checkValues asks for typed values of all options.
func checkValues(t *testing.T, options Options) {
	t.Helper()
	all := options.All()
	for i, o := range all {
		if i > 0 && all[i-1].Key >= o.Key {
			t.Fatalf("%q after %q", o.Key, all[i-1].Key)
		}
		if got, ok := options.Lookup(o.Key); got != o || !ok {
			t.Fatalf("%+v is %+v, %v", o, got, ok)
		}
		n, p := Options{{Key: "priority", Value: o.Value}}.Priority()
		if want, err := strconv.ParseInt(o.Value, 10, 32); (err == nil) != (p == nil) || err == nil && int64(n) != want {
			t.Fatalf("priority %q: %d, %v, want %d, %v", o.Value, n, p, want, err)
		}
		yes, p := options.Bool(o.Key, true)
		if no, _ := options.Bool(o.Key, false); (yes != no) != (p != nil) {
			t.Fatalf("setting %q: %v, %v, %v", o.Value, yes, no, p)
		}
		if p != nil && strings.ContainsFunc(p.Error(), func(r rune) bool { return r < ' ' }) {
			t.Fatalf("message %q", p)
		}
	}
}

// FuzzEnabledFor compares EnabledFor with its definition for names that hold
// no separators: those are in a list if they are one of its parts.
func FuzzEnabledFor(f *testing.F) {
	f.Add("a, b", "c", "a", uint8(3))
	f.Add("p11-kit-proxy", "", "prog", uint8(1))
	f.Add("", "xa,a\tp11-kit-proxy", "a", uint8(2))
	f.Add("", "", "", uint8(0))
	f.Fuzz(func(t *testing.T, enable, disable, prog string, which uint8) {
		m := Module{Name: "m"}
		hasEnable, hasDisable := which&1 != 0, which&2 != 0
		if hasEnable {
			m.Options = append(m.Options, Option{Key: "enable-in", Value: enable})
		}
		if hasDisable {
			m.Options = append(m.Options, Option{Key: "disable-in", Value: disable})
		}
		direct, p := EnabledFor(&m, prog, false)
		proxy, _ := EnabledFor(&m, prog, true)
		if (p != nil) != (hasEnable && hasDisable) {
			t.Fatalf("problem %v", p)
		}
		if strings.ContainsAny(prog, space+",") {
			return
		}
		in := func(list, name string) bool {
			for part := range strings.FieldsFuncSeq(list, func(r rune) bool { return strings.ContainsRune(space+",", r) }) {
				if part == name {
					return true
				}
			}
			return false
		}
		wantDirect, wantProxy := true, true
		if hasEnable {
			wantDirect = in(enable, prog)
			wantProxy = wantDirect || in(enable, "p11-kit-proxy")
		} else if hasDisable {
			wantDirect = !in(disable, prog)
			wantProxy = wantDirect && !in(disable, "p11-kit-proxy")
		}
		if direct != wantDirect || proxy != wantProxy {
			t.Fatalf("%v, for the proxy %v; want %v, %v", direct, proxy, wantDirect, wantProxy)
		}
	})
}

// FuzzProgname checks that a program's name has no slash and is bounded.
func FuzzProgname(f *testing.F) {
	f.Add("/usr/bin/prog -x /y", "/usr/bin/prog")
	f.Add("prog", "")
	f.Fuzz(func(t *testing.T, argv0, exe string) {
		name := Progname(argv0, exe)
		if strings.Contains(name, "/") || len(name) > 255 || !strings.Contains(argv0+"\x00"+exe, name) {
			t.Fatalf("%q, %q: %q", argv0, exe, name)
		}
	})
}
