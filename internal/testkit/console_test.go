package testkit

import (
	"maps"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const document = `# A title

    $ echo one
    one

    # echo two \
        three
    two three
    $ cd /

Some text, and what is no command:

    # a comment
    option: value

` + "```console\n$ pwd\n/\n```\n\n```c\n$ no\n```\n\n    $ false\n"

func TestConsole(t *testing.T) {
	want := []Step{
		{3, false, "echo one", "one"},
		{6, true, "echo two \\\n    three", "two three"},
		{9, false, "cd /", ""},
		{17, false, "pwd", "/"},
		{25, false, "false", ""},
	}
	got := Console(document)
	if !slices.Equal(got, want) {
		t.Fatalf("got  %+v\nwant %+v", got, want)
	}
	cmd := exec.Command("sh", "-s")
	cmd.Stdin = strings.NewReader(Script(got))
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	results := Results(string(out), len(got))
	for i, r := range results {
		if status := r.Status; (status != 0) != (i == 4) || !Printed(got[i].Output, r.Output) {
			t.Errorf("%q: %q, status %d", got[i].Command, r.Output, status)
		}
	}
	if len(results) != len(got) {
		t.Errorf("%d results: %+v", len(results), results)
	}
	if r := Results("one\nlast words", 5); len(r) != 1 || r[0] != (Result{"one\nlast words", -1}) {
		t.Errorf("of a script that ended early: %+v", r)
	}
}

func TestPrinted(t *testing.T) {
	for _, c := range []struct {
		want, got string
		same      bool
	}{
		{"a\nb", "a\nb\n", true},
		{"", "", true},
		{"a", "b", false},
		{"a", "a\nb", false},
		{"a...z", "a to z", true},
		{"a...z", "a\nz", false},
		{"a\n...\nz", "a\nz", true},
		{"a\n...\nz", "a\nb\nc\nz\n", true},
		{"a\n...\nz", "a\nb\nc\n", false},
		{"a.c", "abc", false},
	} {
		if Printed(c.want, c.got) != c.same {
			t.Errorf("%q shown as %q: want %v", c.got, c.want, c.same)
		}
	}
}

func TestFiles(t *testing.T) {
	text := "Put this into `a.c`:\n\n```c\nint a;\n\nint b;\n```\n\nand see:\n\n```c\nno\n```\n\nThen `b`:\n\n```\nb\n```\n"
	want := map[string]string{"a.c": "int a;\n\nint b;\n", "b": "b\n"}
	if got := Files(text); !maps.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
