package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/p11mux/p11mux/spec"
)

// The committed files are those that the tables give.
func TestUpToDate(t *testing.T) {
	s, err := spec.Load()
	if err != nil {
		t.Fatal(err)
	}
	files, err := generate(s)
	if err != nil {
		t.Fatal(err)
	}
	if len(files) != len(outputs) {
		t.Fatalf("%d files, want %d", len(files), len(outputs))
	}
	for name, want := range files {
		got, err := os.ReadFile(filepath.Join("..", "..", name))
		if err != nil {
			t.Error(err)
		} else if !bytes.Equal(got, want) {
			t.Errorf("%s differs from the tables, run go generate ./spec", name)
		}
	}
}
