//go:build cgo

package cli

import (
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

// docs/command.md has every command with its options, and every member of the JSON.
func TestDocumented(t *testing.T) {
	data, err := os.ReadFile("../../docs/command.md")
	if err != nil {
		t.Fatal(err)
	}
	text := string(data)
	for _, v := range verbs() {
		fs := pflag.NewFlagSet(v.name, pflag.ContinueOnError)
		newJob(v, false, fs)
		if !strings.Contains(text, "    p11mux "+v.name) {
			t.Errorf("%s is not in docs/command.md", v.name)
		}
		fs.VisitAll(func(f *pflag.Flag) {
			if !f.Hidden && f.Name != "verbose" && !strings.Contains(text, "--"+f.Name) {
				t.Errorf("%s --%s is not in docs/command.md", v.name, f.Name)
			}
		})
	}
	var members func(reflect.Type)
	seen := map[reflect.Type]bool{}
	members = func(typ reflect.Type) {
		switch typ.Kind() {
		case reflect.Pointer, reflect.Slice:
			members(typ.Elem())
		case reflect.Struct:
			if seen[typ] {
				return
			}
			seen[typ] = true
			for f := range fieldsOf(typ) {
				if !strings.Contains(text, "`"+f.name+"`") {
					t.Errorf("the member %s of %v is not in docs/command.md", f.name, typ)
				}
				members(f.typ)
			}
		}
	}
	for _, s := range schemas {
		members(reflect.TypeOf(s))
	}
	for _, words := range [][]word{tokenWords, mechanismWords} {
		for _, w := range words {
			if !strings.Contains(text, "`"+w.text+"`") {
				t.Errorf("the flag %s is not in docs/command.md", w.text)
			}
		}
	}
}
