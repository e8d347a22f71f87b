package manual

import (
	"bytes"
	"strings"
	"testing"
)

// Each shell has a place and a script of its own; test/ has the shells read them.
func TestShells(t *testing.T) {
	paths := map[string]bool{}
	for _, s := range Shells {
		var script bytes.Buffer
		if err := s.Write(sample(), &script); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(script.String(), "__complete") {
			t.Errorf("%s: the script does not ask the program:\n%s", s.Name, &script)
		}
		path := s.Path("tool")
		if !strings.Contains(path, "tool") || paths[path] {
			t.Errorf("%s: file %s", s.Name, path)
		}
		paths[path] = true
	}
}
