package transport

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// Commands are split as p11-kit splits them (abi.md 2.9).
func TestParseCommand(t *testing.T) {
	for text, want := range map[string][]string{
		"|a":            {"a"},
		"|a b\tc":       {"a", "b", "c"},
		"|a  b":         {"a", "", "b"},
		"| a":           {"", "a"},
		"|a ":           {"a"},
		"|a 'b c'\"d\"": {"a", "b cd"},
		"|a 'b\\'c'":    {"a", "b'c"},
		"|a 'b\\\"c'":   {"a", "b\\\"c"},
		`|a\ b`:         {`a\ b`},
		`|a \'b`:        {"a", `\'b`},
		"|a '' b":       {"a", "", "b"},
		"|a ''":         {"a"},
		"|a 'b c":       {"a", "b c"},
	} {
		a, err := Parse(text)
		if err != nil || !slices.Equal(a.argv, want) || !a.IsCommand() {
			t.Errorf("%q: %+v, %v; want %q", text, a, err, want)
		}
	}
}

func TestParseSocket(t *testing.T) {
	for text, path := range map[string]string{
		"unix:path=/a/b":                         "/a/b",
		"unix:path=/a%20%2Fb":                    "/a /b",
		"unix:path=/a;b=c":                       "/a;b=c",
		"unix:path=/" + strings.Repeat("x", 106): "/" + strings.Repeat("x", 106),
	} {
		if a, err := Parse(text); err != nil || a.path != path || a.IsCommand() {
			t.Errorf("%q: %+v, %v; want %q", text, a, err, path)
		}
	}
	for text, vm := range map[string]vmAddress{
		"vsock:cid=2;port=1234":   {2, 1234},
		"vsock:port=0x10;cid=07;": {7, 16},
	} {
		if a, err := Parse(text); err != nil || *a.vm != vm || a.IsCommand() {
			t.Errorf("%q: %+v, %v; want %+v", text, a, err, vm)
		}
	}
}

func TestParseErrors(t *testing.T) {
	for text, want := range map[string]string{
		"":                            "remote not supported: ",
		"smoke:signals":               "remote not supported: smoke:signals",
		"unix:path=relative":          "remote not supported: unix:path=relative",
		"UNIX:path=/a":                "remote not supported: UNIX:path=/a",
		"unix:path=/a%2":              "remote not supported: unix:path=/a%2: % must come before two hexadecimal digits",
		"unix:path=/a%zz":             "remote not supported: unix:path=/a%zz: % must come before two hexadecimal digits",
		"unix:path=/a%+1":             "remote not supported: unix:path=/a%+1: % must come before two hexadecimal digits",
		"unix:path=/a%00":             "remote not supported: unix:path=/a%00: the path has a NUL in it",
		"|":                           "invalid remote command line: ",
		"|a\\":                        "invalid remote command line: a\\",
		"|a '\\":                      "invalid remote command line: a '\\",
		"|a\x00b":                     "invalid remote command line: a\x00b",
		"vsock:":                      "failed to parse vsock address: ''",
		"vsock:cid=2":                 "failed to parse vsock address: 'cid=2'",
		"vsock:port=2":                "failed to parse vsock address: 'port=2'",
		"vsock:cid=4294967295;port=2": "failed to parse vsock address: 'cid=4294967295;port=2'",
		"vsock:cid=4294967296;port=2": "failed to parse vsock address: 'cid=4294967296;port=2'",
		"vsock:cid=2;port=0b1":        "failed to parse vsock address: 'cid=2;port=0b1'",
		"vsock:cid=2;port=1_0":        "failed to parse vsock address: 'cid=2;port=1_0'",
		"vsock:cid=2;port=2;x=3":      "failed to parse vsock address: 'cid=2;port=2;x=3'",
		"unix:path=/" + strings.Repeat("x", 107): "remote not supported: unix:path=/" + strings.Repeat("x", 107) +
			": the path is longer than the 107 octets that a socket can have",
	} {
		if a, err := Parse(text); err == nil || err.Error() != want {
			t.Errorf("%q: %+v, %v; want %s", text, a, err, want)
		}
	}
}

// What EncodePath writes is read as the same path.
func TestEncodePath(t *testing.T) {
	var all []byte
	for c := 1; c < 256; c++ {
		all = append(all, byte(c))
	}
	for part := range slices.Chunk(all, 100) {
		path := "/" + string(part)
		text := EncodePath(path)
		if a, err := Parse(text); err != nil || a.path != path {
			t.Errorf("%q is written as %q and read as %+v, %v", path, text, a, err)
		}
	}
	if got, want := EncodePath(`/a b-c.d_e\ü`), `unix:path=/a%20b-c.d_e%5C%C3%BC`; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestParseTimeout(t *testing.T) {
	for text, want := range map[string]time.Duration{"1": time.Second, "86400": 24 * time.Hour, "0": -1} {
		if got, err := ParseTimeout(text); err != nil || got != want {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "-1", "86401", "1s", "1.5", "99999999999999999999"} {
		if got, err := ParseTimeout(text); err == nil {
			t.Errorf("%q: %v", text, got)
		}
	}
}
