package test

import (
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/p11mux/p11mux/uri"
)

// A uriCase is a URI, what it is for, and another URI that stands for what it is
// matched with.
type uriCase struct {
	typ         uri.Type
	text, there string
}

// A uriResult is what a library makes of a uriCase.
type uriResult struct {
	code         int
	unrecognized bool
	matches      string // module, slot, token, attributes
	any, same    string // formatted for anything, and for the type of the case
}

func (r uriResult) String() string {
	unrecognized := 0
	if r.unrecognized {
		unrecognized = 1
	}
	return fmt.Sprintf("%d %d %s %s %s", r.code, unrecognized, r.matches, r.any, r.same)
}

// uriDifferences are the kinds of text of which our package makes something else
// than Debian's library on purpose. A case that differs must be of one of these
// kinds, and for each kind there must be a case that differs.
var uriDifferences = []struct {
	reason string
	text   *regexp.Regexp // of the URI without the characters that do not count
	differ func(ref, ours uriResult) bool
}{
	{
		"slot-id: 0.24 takes an empty number for 0, and numbers modulo 2^64; 0.26 refuses both, as we do",
		regexp.MustCompile(`[:;]slot-id=(\d{19,})?([;?]|$)`),
		func(ref, ours uriResult) bool { return ours.code == int(uri.ErrBadSyntax) },
	},
	{
		"library-version: numbers modulo 2^32 are no numbers, and one that is refused leaves no half behind",
		regexp.MustCompile(`[:;]library-version=`),
		func(ref, ours uriResult) bool {
			return ours.code == int(uri.ErrBadVersion) && (ref.code >= 0 || strings.Contains(ref.any, "library-version="))
		},
	},
	{
		"a text that begins with a NUL matches nothing instead of everything",
		regexp.MustCompile(`=%00`),
		func(ref, ours uriResult) bool {
			return !ref.unrecognized && ours.unrecognized && ref.code == ours.code && ref.any == ours.any && ours.matches == "0000"
		},
	},
}

// withoutSpace is a text as libraries read it.
var withoutSpace = strings.NewReplacer(" ", "", "\n", "", "\r", "", "\v", "")

// uriTypes are those of the library's header, and a few that nobody gives a name.
var uriTypes = []uri.Type{uri.ForObject, uri.ForToken, uri.ForModule, uri.ForModuleWithVersion, uri.ForSlot,
	uri.ForObjectOnToken, uri.ForObjectOnTokenAndModule, uri.ForAny, 0, 0x10, uri.ForSlot | uri.ForToken}

// uriTable are texts that are easily read in two ways.
var uriTable = []string{
	"", "pkcs11", "pkcs11:", "PKCS11:", " p kcs\n11\v:\r", "\tpkcs11:", "pkcs12:", "pkcs11x:", "pkcs%31:", "p\u212acs11:",
	"pkcs11:;", "pkcs11:;;", "pkcs11:?", "pkcs11:?&", "pkcs11:;?", "pkcs11:;?x=y", "pkcs11:token=a;?x=y", "pkcs11:;token=a",
	"pkcs11:token=a;", "pkcs11:token=a;;", "pkcs11:token=a;;;", "pkcs11:token=a;;b=c?d=e", "pkcs11:token=a;;;b=c",
	"pkcs11:token", "pkcs11:=a", "pkcs11:token?a=b", "pkcs11:token=a=b", "pkcs11:Token=a", "pkcs11:%74oken=a", "pkcs11:\ttoken=a",
	"pkcs11:?a", "pkcs11:?=a", "pkcs11:?a=b&", "pkcs11:?a=b&&", "pkcs11:?a=b&&c=d", "pkcs11:?a=b?c;d", "pkcs11:?a.b=c",
	"pkcs11:?A=%zz", "pkcs11:?a=%zz", "pkcs11:?b=2&a=1&b=1&a=0", "pkcs11:?a=b%00c", "pkcs11:?token=a", "pkcs11:?\ta=b",
	"pkcs11:?pin-source=a&pin-source=b", "pkcs11:?pinfile=a", "pkcs11:pinfile=a?pin-source=b", "pkcs11:pin-value=a%00b",
	"pkcs11:module-name=a", "pkcs11:module-path=a", "pkcs11:?module-name=a&module-path=%2fb", "pkcs11:?pin-source=%00",
	"pkcs11:token=%", "pkcs11:token=%4", "pkcs11:token=%4;1", "pkcs11:token=%g0", "pkcs11:token=%0g", "pkcs11:token=%FF\xfe\u00e4",
	"pkcs11:x=%zz", "pkcs11:token=~/:,+@#", "pkcs11:token=\ta\f", "pkcs11:token=a%20b%0a", "pkcs11:token=a b",
	"pkcs11:token=", "pkcs11:token=%20", "pkcs11:token=a%20%20", "pkcs11:token=a%00b", "pkcs11:token=%00", "pkcs11:token=%00a",
	"pkcs11:token=a;token=%00", "pkcs11:token=a;token=b", "pkcs11:token=a;token=" + strings.Repeat("x", 33),
	"pkcs11:token=" + strings.Repeat("x", 32), "pkcs11:model=" + strings.Repeat("x", 16), "pkcs11:model=" + strings.Repeat("x", 17),
	"pkcs11:serial=" + strings.Repeat("x", 17), "pkcs11:slot-description=" + strings.Repeat("x", 64),
	"pkcs11:slot-description=" + strings.Repeat("x", 65), "pkcs11:library-description=" + strings.Repeat("%41", 33),
	"pkcs11:id=", "pkcs11:id=%61b", "pkcs11:id=%", "pkcs11:object=", "pkcs11:object=%00a", "pkcs11:object=a;object=",
	"pkcs11:type=cert", "pkcs11:object-type=public", "pkcs11:objecttype=secretkey", "pkcs11:type=secret-key", "pkcs11:type=data",
	"pkcs11:type=Cert", "pkcs11:type=%63ert", "pkcs11:type=", "pkcs11:type=cert;type=x", "pkcs11:type=cert;id=%01;object=a;type=public",
	"pkcs11:slot-id=0", "pkcs11:slot-id=007", "pkcs11:slot-id=", "pkcs11:slot-id=+1", "pkcs11:slot-id=-1", "pkcs11:slot-id=0x1",
	"pkcs11:slot-id=%31", "pkcs11:slot-id=9223372036854775807", "pkcs11:slot-id=9223372036854775808", "pkcs11:slot-id=99999999999999999999",
	"pkcs11:library-version=1", "pkcs11:library-version=1.2", "pkcs11:library-version=001.002", "pkcs11:library-version=254.254",
	"pkcs11:library-version=255", "pkcs11:library-version=1.255", "pkcs11:library-version=256", "pkcs11:library-version=4294967297",
	"pkcs11:library-version=", "pkcs11:library-version=.", "pkcs11:library-version=1.", "pkcs11:library-version=.1",
	"pkcs11:library-version=1.2.3", "pkcs11:library-version=1a", "pkcs11:library-version=%31",
}

// uriCases are the table's texts for anything, and random ones.
func uriCases() []uriCase {
	// The same ones in each run.
	r := rand.New(rand.NewPCG(7512, 11))
	pick := func(s ...string) string { return s[r.IntN(len(s))] }
	value := func(name string) string {
		switch name {
		case "type", "object-type", "objecttype":
			return pick("cert", "public", "private", "secret-key", "secretkey", "data", "bogus", "")
		case "slot-id":
			return pick("0", "1", "12345", "007", "x", "1 2", "%31", "18446744073709551616")
		case "library-version":
			return pick("1", "1.2", "2.0", "255", "1.", "1.2.3", "0.0", "300")
		}
		return pick("a", "b", "", "a", "b", "%61", "%00", "%4", "a%20b", "\t", "a/b", "\xe4", "a=b", "a&b", "=", strings.Repeat("n", 16+r.IntN(60)))
	}
	names := []string{"id", "object", "type", "object-type", "objecttype", "model", "manufacturer", "serial", "token", "slot-description",
		"slot-manufacturer", "slot-id", "library-description", "library-manufacturer", "library-version", "pin-source", "pinfile",
		"pin-value", "module-name", "x-y"}
	queries := []string{"pin-source", "pinfile", "pin-value", "module-name", "module-path", "x-y", "a", "b", "token", "X", "a.b", ""}
	attributes := func(names []string, sep string) string {
		var b strings.Builder
		for range r.IntN(4) {
			name := pick(names...)
			b.WriteString(name)
			if r.IntN(40) > 0 {
				b.WriteString("=" + value(name))
			}
			if r.IntN(6) > 0 {
				b.WriteString(sep)
			}
			if r.IntN(40) == 0 {
				b.WriteString(pick(";", "&", "?", " ", "\n", "%", "#"))
			}
		}
		return b.String()
	}
	good := func(name string) string {
		switch name {
		case "type":
			return pick("cert", "public", "private")
		case "slot-id", "library-version":
			return pick("1", "12")
		}
		return pick("a", "b", "", "a%20b")
	}
	// What is matched is good and has most of the attributes.
	there := func() string {
		s := "pkcs11:"
		for _, name := range []string{"id", "object", "type", "model", "manufacturer", "serial", "token", "slot-description",
			"slot-manufacturer", "slot-id", "library-description", "library-manufacturer", "library-version"} {
			if r.IntN(4) > 0 {
				s += name + "=" + good(name) + ";"
			}
		}
		return s
	}
	var cases []uriCase
	for _, text := range uriTable {
		cases = append(cases, uriCase{uri.ForAny, text, there()})
	}
	for range 1500 {
		text := pick("pkcs11:", "pkcs11:", "pkcs11:", "pkcs11:", "PKCS11:", "p k\ncs11 :") + attributes(names, ";")
		if r.IntN(2) == 0 {
			text += "?" + attributes(queries, "&")
		}
		typ := uri.ForAny
		if r.IntN(2) == 0 {
			typ = uriTypes[r.IntN(len(uriTypes))]
		}
		cases = append(cases, uriCase{typ, text, there()})
	}
	// Pairs of which many match, which random ones seldom do.
	for range 300 {
		text := there()
		c := uriCase{uri.ForAny, text, text}
		if r.IntN(2) == 0 {
			c.there += pick("token=c", "id=", "object=c", "type=data", "library-version=3", "model=", "slot-description=", "serial=%20b")
		}
		cases = append(cases, c)
	}
	return cases
}

// inOurs does with our package what c/uri.c does with a library.
func (c uriCase) inOurs(t testing.TB, u *uri.URI, lower bool) uriResult {
	t.Helper()
	there, err := uri.Parse(c.there, uri.ForAny)
	if err != nil {
		t.Fatalf("bad uri to match with: %v", err)
	}
	code := uri.Code(0)
	if err := u.Parse([]byte(c.text), c.typ); err != nil && !errors.As(err, &code) {
		t.Fatalf("%q: error without a code: %v", c.text, err)
	}
	module, slot, token := there.ModuleInfo(), there.SlotInfo(), there.TokenInfo()
	matches := ""
	for _, m := range []bool{u.MatchModule(&module), u.MatchSlot(&slot), u.MatchToken(&token), u.MatchAttributes(there.Attributes())} {
		matches += map[bool]string{false: "0", true: "1"}[m]
	}
	return uriResult{int(code), u.Unrecognized(), matches,
		string(u.AppendFormat(nil, uri.ForAny, lower)), string(u.AppendFormat(nil, c.typ, lower))}
}

// inReference runs the cases with the system's library.
func inReference(t *testing.T, cases []uriCase, env map[string]string, args ...string) []uriResult {
	t.Helper()
	return runURIs(t, command{path: program(t, "uri"), args: args, lib: reference, env: env}, cases)
}

// runURIs gives the cases to c/uri.c, of which c is a run.
func runURIs(t *testing.T, c command, cases []uriCase) []uriResult {
	t.Helper()
	var input strings.Builder
	for _, c := range cases {
		input.WriteString(c.line())
	}
	file := filepath.Join(t.TempDir(), "cases")
	if err := os.WriteFile(file, []byte(input.String()), 0o666); err != nil {
		t.Fatal(err)
	}
	c.args = append([]string{file}, c.args...)
	out := c.mustRun(t).stdout
	lines := strings.Split(strings.TrimSuffix(out, "\n"), "\n")
	if len(lines) != len(cases) {
		t.Fatalf("%d results of %d cases", len(lines), len(cases))
	}
	results := make([]uriResult, len(cases))
	for i, line := range lines {
		results[i] = parseResult(t, line)
	}
	return results
}

// line is the case as c/uri.c reads it.
func (c uriCase) line() string {
	// An empty text has no digits, but must be seen: it gets a blank, which does not count.
	return fmt.Sprintf("%x %s %s\n", uint16(c.typ), hex.EncodeToString([]byte(" "+c.text)), hex.EncodeToString([]byte(c.there)))
}

// parseResult reads what c/uri.c says of a case.
func parseResult(t testing.TB, line string) (r uriResult) {
	t.Helper()
	var unrecognized int
	if _, err := fmt.Sscanf(line, "%d %d %s %s %s", &r.code, &unrecognized, &r.matches, &r.any, &r.same); err != nil {
		t.Fatalf("odd result %q: %v", line, err)
	}
	r.unrecognized = unrecognized != 0
	return r
}

// TestURI compares package uri with the system's library.
func TestURI(t *testing.T) {
	for name, lower := range map[string]bool{"upper": false, "lower": true} {
		t.Run(name, func(t *testing.T) {
			env := map[string]string{}
			if lower {
				env["P11_KIT_URI_LOWERCASE"] = "1"
			}
			cases := uriCases()
			results := inReference(t, cases, env)
			seen := make([]bool, len(uriDifferences))
			good, matching := 0, map[string]int{}
		next:
			for i, c := range cases {
				ref, ours := results[i], c.inOurs(t, new(uri.URI), lower)
				if ours.code == 0 && !ours.unrecognized {
					good++
					matching[ours.matches]++
				}
				if ref == ours {
					continue
				}
				for k, d := range uriDifferences {
					if d.text.MatchString(withoutSpace.Replace(c.text)) && d.differ(ref, ours) {
						seen[k] = true
						continue next
					}
				}
				t.Errorf("%q for %#x with %q:\nreference %v\nours      %v", c.text, c.typ, c.there, ref, ours)
			}
			for k, d := range uriDifferences {
				if !seen[k] {
					t.Errorf("no case differs: %s", d.reason)
				}
			}
			if good < 300 || len(matching) < 10 {
				t.Errorf("of %d cases only %d are good, with these matches: %v", len(cases), good, matching)
			}
		})
	}
}

// TestURIReuse parses one URI after another into the same object. The reference
// keeps what slots are called.
func TestURIReuse(t *testing.T) {
	const all = "pkcs11:library-description=a;library-manufacturer=b;library-version=1.2;slot-description=c;slot-manufacturer=d;" +
		"slot-id=3;model=e;manufacturer=f;serial=g;token=h;id=%69;object=j;type=cert?" +
		"pin-source=k&pin-value=l&module-name=m&module-path=n&o=p"
	var cases []uriCase
	for _, text := range []string{all, "http:", "pkcs11:x=y", "pkcs11:"} {
		cases = append(cases, uriCase{uri.ForAny, text, "pkcs11:"})
	}
	ref := inReference(t, cases, nil, "reuse")
	inC := runURIs(t, command{path: program(t, "uri"), args: []string{"reuse"}, lib: ours}, cases)
	u := new(uri.URI)
	for i, want := range []struct{ ref, ours string }{
		{all, all},
		{all, all},
		{"pkcs11:slot-description=c;slot-manufacturer=d", "pkcs11:"},
		{"pkcs11:slot-description=c;slot-manufacturer=d", "pkcs11:"},
	} {
		ours := cases[i].inOurs(t, u, false)
		if ref[i].any != want.ref || ours.any != want.ours || ref[i].code != ours.code || ref[i].unrecognized != ours.unrecognized {
			t.Errorf("%s:\nreference %v\nours      %v", cases[i].text, ref[i], ours)
		}
		if inC[i] != ours {
			t.Errorf("%s:\nin C  %v\nin Go %v", cases[i].text, inC[i], ours)
		}
	}
}
