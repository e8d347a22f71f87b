package house

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	phonyLine = regexp.MustCompile(`(?m)^\.PHONY:(.*)$`)
	word      = regexp.MustCompile(`[\w-]+`)
)

// targets are what users can ask make for.
func targets(t *testing.T) []string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(root(), "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, m := range phonyLine.FindAllSubmatch(data, -1) {
		names = append(names, word.FindAllString(string(m[1]), -1)...)
	}
	for _, name := range names {
		if !regexp.MustCompile(`(?m)^` + name + `:`).Match(data) {
			t.Errorf("Makefile: %s is .PHONY and has no rule", name)
		}
	}
	return names
}

// Whoever reads only the documents finds every target: "make check" stands in one of them.
func TestTargetsAreDocumented(t *testing.T) {
	names := targets(t)
	if len(names) == 0 {
		t.Fatal("Makefile: found no target")
	}
	if _, err := os.Stat(filepath.Join(root(), "README.md")); errors.Is(err, fs.ErrNotExist) {
		return
	}
	var docs strings.Builder
	each(t, ext(".md"), func(s source) { docs.Write(s.data) })
	for _, name := range names {
		pattern := `\bmake +` + name + `\b`
		if name == "all" {
			pattern = `\bmake\b`
		}
		if !regexp.MustCompile(pattern).MatchString(docs.String()) {
			t.Errorf("make %s is in no document: say in README.md or CONTRIBUTING.md what it does", name)
		}
	}
}
