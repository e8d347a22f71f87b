package install

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestManPages: every command that the help has is on a page of its own, and a checker finds nothing wrong with any but that it has no date.
func TestManPages(t *testing.T) {
	prefix := staged(t)
	pages := files(t, filepath.Join(prefix, "share/man/man1"))
	help := run(t, ".", nil, filepath.Join(prefix, "bin/p11mux"), "--help")
	found := regexp.MustCompile(`(?m)^  ([a-z][a-z-]+) `).FindAllStringSubmatch(help, -1)
	if len(found) < 10 {
		t.Fatalf("the help has few commands: %s", help)
	}
	for _, m := range found {
		if pages["p11mux-"+m[1]+".1"] == "" {
			t.Errorf("%s has no page", m[1])
		}
	}
	for name := range pages {
		path := filepath.Join(prefix, "share/man/man1", name)
		out, _ := command(".", nil, "mandoc", "-Tlint", path).CombinedOutput()
		for line := range strings.Lines(string(out)) {
			if !strings.Contains(line, "missing date") {
				t.Error(line)
			}
		}
		if text := run(t, ".", nil, "mandoc", "-Tascii", path); !strings.Contains(text, "User Commands") {
			t.Errorf("%s shows %s", name, text)
		}
	}
}
