package house

import (
	"bytes"
	"regexp"
	"strings"
	"testing"
)

// Each file of the C half begins by saying what is in it.
func TestShimComments(t *testing.T) {
	match := func(path string) bool { return strings.HasPrefix(path, "shim/") && ext(".c", ".h", ".S")(path) }
	each(t, match, func(s source) {
		if !bytes.HasPrefix(s.data, []byte("/*")) && !bytes.HasPrefix(s.data, []byte("//")) {
			t.Errorf("%s does not begin with a comment that says what it holds", s.path)
		}
	})
}

// What a program may use of the library is explained where it is declared.
func TestHeaderComments(t *testing.T) {
	match := func(path string) bool { return strings.HasPrefix(path, "include/p11-kit/") }
	each(t, match, func(s source) {
		if generated(s) {
			return
		}
		for _, line := range uncommented(string(s.data)) {
			t.Errorf("%s: no comment right above: %s", s.path, line)
		}
	})
}

var (
	cComment = regexp.MustCompile(`(?s)/\*.*?\*/`)
	braces   = regexp.MustCompile(`(?s)\{.*?\}`)
)

// uncommented gives the first line of each declaration of a C header that has no comment right above it.
func uncommented(header string) []string {
	// A comment becomes one line, and so does a declaration; preprocessor lines stand for themselves.
	const mark = "@"
	header = cComment.ReplaceAllString(header, mark)
	header = strings.ReplaceAll(header, "\\\n", " ")
	header = strings.ReplaceAll(header, "extern \"C\" {", "")
	header = braces.ReplaceAllStringFunc(header, func(b string) string { return "{}" })
	var bare []string
	commented, inside := false, false
	for line := range strings.Lines(header) {
		line = strings.TrimSpace(line)
		switch {
		case line == mark:
			commented = true
		case line == "" || line == "}" || strings.HasPrefix(line, "#"):
			commented = inside && commented
		default:
			if !inside && !commented {
				bare = append(bare, line)
			}
			// An attribute on a line of its own belongs to what follows.
			if inside = !strings.HasSuffix(strings.TrimSuffix(line, mark), ";"); !inside {
				commented = false
			}
		}
	}
	return bare
}

func TestUncommented(t *testing.T) {
	got := uncommented(`/* The header. */
#ifndef H
#define H 1

/* Says a. */
int a(void);
int b(void);

/* Says c,
 * in two lines. */
DEPRECATED(a)
char *c(int x,
        int y);

/* Is not about d. */

enum {
	D = 1, /* d */
};
struct e { int x; };
#endif
`)
	want := []string{"int b(void);", "enum {};", "struct e {};"}
	if strings.Join(got, "|") != strings.Join(want, "|") {
		t.Errorf("got %q, want %q", got, want)
	}
}
