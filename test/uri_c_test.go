package test

import (
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/p11mux/p11mux/uri"
)

// seeds are the arguments that the fuzz targets of package uri found worth keeping, one slice a file.
func seeds(t testing.TB, target string) [][]string {
	t.Helper()
	paths, err := filepath.Glob("../uri/testdata/fuzz/" + target + "/*")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no seeds of %s: %v", target, err)
	}
	var all [][]string
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var values []string
		for line := range strings.Lines(string(data)) {
			kind, rest, ok := strings.Cut(strings.TrimSpace(line), "(")
			if !ok {
				continue // the head
			}
			value := strings.TrimSuffix(rest, ")")
			if kind == "string" {
				if value, err = strconv.Unquote(value); err != nil {
					t.Fatalf("%s: %v", path, err)
				}
			}
			values = append(values, value)
		}
		if len(values) != 2 {
			t.Fatalf("%s has %d values, want 2", path, len(values))
		}
		all = append(all, values)
	}
	return all
}

// cString is a text as C sees it: it ends at a NUL.
func cString(text string) string {
	text, _, _ = strings.Cut(text, "\x00")
	return text
}

// damaged are texts in which something is changed, added or missing.
func damaged(texts []string, n int) []string {
	// The same ones in each run.
	r := rand.New(rand.NewPCG(7512, 12))
	const odd = ";&?=%:+/ \t\n\v\r0a9fFgZ~\xff\x80"
	all := make([]string, n)
	for i := range all {
		text := []byte(texts[r.IntN(len(texts))])
		for range 1 + r.IntN(4) {
			at := r.IntN(len(text) + 1)
			switch r.IntN(4) {
			case 0:
				text = text[:at]
			case 1:
				text = append(text[:at:at], append([]byte{odd[r.IntN(len(odd))]}, text[at:]...)...)
			case 2:
				if at < len(text) {
					text[at] = odd[r.IntN(len(odd))]
				}
			default:
				other := texts[r.IntN(len(texts))]
				text = append(text[:at:at], other[r.IntN(len(other)+1):]...)
			}
		}
		all[i] = cString(string(text))
	}
	return all
}

// oddCases are those of uriCases, the seeds of the fuzz targets, and both damaged.
func oddCases(t *testing.T) []uriCase {
	t.Helper()
	cases := uriCases()
	for _, s := range seeds(t, "FuzzParse") {
		typ, err := strconv.ParseUint(s[1], 10, 16)
		if err != nil {
			t.Fatal(err)
		}
		cases = append(cases, uriCase{uri.Type(typ), cString(s[0]), "pkcs11:"})
	}
	for _, s := range seeds(t, "FuzzMatch") {
		there := cString(s[1])
		if _, err := uri.Parse(there, uri.ForAny); err != nil {
			t.Fatalf("seed of FuzzMatch: %v", err)
		}
		cases = append(cases, uriCase{uri.ForAny, cString(s[0]), there})
	}
	texts := make([]string, len(cases))
	for i, c := range cases {
		texts[i] = c.text
	}
	for i, text := range damaged(texts, 4000) {
		cases = append(cases, uriCase{uriTypes[i%len(uriTypes)], text, cases[i%len(cases)].there})
	}
	return cases
}

// TestURIInC proves that the functions in C say what package uri says: they share the parser and the writer, but not the
// memory between them, nor the matching. The program and the C half of the library watch their memory.
func TestURIInC(t *testing.T) {
	for name, lower := range map[string]bool{"upper": false, "lower": true} {
		t.Run(name, func(t *testing.T) {
			cases := oddCases(t)
			env := maps.Clone(sanitizerEnv)
			if lower {
				env["P11_KIT_URI_LOWERCASE"] = "1"
			}
			codes := map[int]int{}
			for i, got := range runURIs(t, command{path: sanitized(t, memory, "uri"), lib: oursWatched, env: env}, cases) {
				c := cases[i]
				if want := c.inOurs(t, new(uri.URI), lower); got != want {
					t.Errorf("%q for %#x with %q:\nin C  %v\nin Go %v", c.text, c.typ, c.there, got, want)
				}
				codes[got.code]++
			}
			for code := uri.ErrBadVersion; code <= 0; code++ {
				if codes[int(code)] < 5 {
					t.Errorf("only %d cases end with %d: %v", codes[int(code)], code, codes)
				}
			}
		})
	}
}
