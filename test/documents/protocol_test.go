package documents

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestProtocol looks whether the tests that docs/protocol.md names are there. A name belongs to the directory that was named last.
func TestProtocol(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(root, "docs/protocol.md"))
	if err != nil {
		t.Fatal(err)
	}
	dir, named := "", 0
	for _, word := range regexp.MustCompile("`(?:rpc|transport|test)`|\\bTest[A-Z][A-Za-z]*").FindAllString(string(text), -1) {
		if strings.HasPrefix(word, "`") {
			dir = strings.Trim(word, "`")
			continue
		}
		named++
		if !declares(t, filepath.Join(root, dir), word) {
			t.Errorf("%s has no %s", dir, word)
		}
	}
	if named < 40 {
		t.Errorf("%d tests are named", named)
	}
}

// declares tells whether a directory has a test.
func declares(t *testing.T, dir, test string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range files {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), "\nfunc "+test+"(t *testing.T)") {
			return true
		}
	}
	return false
}
