package calllog

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/p11mux/p11mux/ck"
)

var update = flag.Bool("update", false, "write the golden files")

// address is one that differs from run to run; those of the samples themselves are shorter.
var address = regexp.MustCompile(`0x[0-9A-Fa-f]{9,16}\b|0xC[0-9A-F]{8,}`)

// raw is the memory of a structure in the text format, addresses and all.
var raw = regexp.MustCompile(`(?m)(CKA_WRAP_TEMPLATE = \(48\) |pParameter: \(48\) )"(?:.*" }, { CKA_NSS|.*"$)`)

// golden compares a text with a file of testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	got = raw.ReplaceAllString(address.ReplaceAllString(got, "0xADDRESS"), `$1"ADDRESSES"`)
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got == string(want) {
		return
	}
	g, w := strings.Split(got, "\n"), strings.Split(string(want), "\n")
	for i := range max(len(g), len(w)) {
		if i >= len(g) || i >= len(w) || g[i] != w[i] {
			t.Fatalf("%s:%d: got %q, want %q; -update writes the file again", name, i+1, g[min(i, len(g)-1)], w[min(i, len(w)-1)])
		}
	}
}

func TestGoldenText(t *testing.T) {
	var b strings.Builder
	everyCall(func(f ck.Func, y way) { fmt.Fprintf(&b, "# %s\n%s", y.name, logText(f, y, false)) })
	golden(t, "calls.txt", b.String())
}

func TestGoldenJSON(t *testing.T) {
	var b strings.Builder
	everyCall(func(f ck.Func, y way) {
		line := logJSON(f, y, false)
		var v map[string]any
		if err := json.Unmarshal([]byte(line), &v); err != nil {
			t.Errorf("%v, %s: %v: %s", f, y.name, err, line)
		}
		if strings.Count(line, "\n") != 1 {
			t.Errorf("%v, %s: more than one line: %q", f, y.name, line)
		}
		fmt.Fprintf(&b, "%s: %s", y.name, line)
	})
	golden(t, "calls.json", b.String())
}

// No octet of a log can end a line, or steer a terminal, but those that the format has.
func TestControls(t *testing.T) {
	everyCall(func(f ck.Func, y way) {
		for _, text := range []string{logText(f, y, true), logJSON(f, y, true)} {
			if i := strings.IndexFunc(text, func(r rune) bool { return r < ' ' && r != '\n' && r != '\t' || r == 0x7f }); i >= 0 {
				t.Errorf("%v, %s: %q", f, y.name, text)
			}
		}
	})
}

// Every argument of every function is in JSON: before the call, or after it.
func TestNothingIsLeftOut(t *testing.T) {
	fine := ways[0]
	for f := range ck.NumFuncs {
		line := logJSON(f, fine, false)
		args := argumentsOf(f)
		for i, a := range args {
			isLength := i > 0 && slices.Contains([]kind{kindBytes, kindTemplate, kindOutTemplate, kindFill, kindOutBytes, kindOutList, kindOutMax, kindOutInterfaces}, args[i-1].kind) ||
				i > 1 && args[i-2].kind == kindOutMax
			if has := strings.Contains(line, `"`+a.name+`":`); has == isLength && !(isLength && a.kind == kindNumber) {
				t.Errorf("%v: %s is in the line: %v\n%s", f, a.name, has, line)
			}
		}
	}
}

// The text format has every function's arguments under the names that it knows them by.
func TestTextHasItsItems(t *testing.T) {
	for f := range ck.NumFuncs {
		text := logText(f, ways[0], false)
		for _, a := range argumentsOf(f) {
			if in := strings.Contains(text, "  IN: "+a.text+" = "); in != a.in && a.text != "" && !a.out {
				t.Errorf("%v: %s in: %v\n%s", f, a.name, in, text)
			}
			if out := strings.Contains(text, " OUT: "+a.text+" = "); a.out && !out {
				t.Errorf("%v: no %s out\n%s", f, a.name, text)
			}
		}
		if !strings.HasSuffix(text, f.String()+" = CKR_OK\n") {
			t.Errorf("%v: no result\n%s", f, text)
		}
	}
}
