package conf

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the .want files in testdata")

// TestParse compares what is read from each testdata/parse/*.conf, options and
// bad lines, with the .want file beside it.
func TestParse(t *testing.T) {
	files, err := filepath.Glob("testdata/parse/*.conf")
	if err != nil || len(files) == 0 {
		t.Fatalf("no test data: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			options, problems := parse("F", string(text))
			var b strings.Builder
			for _, o := range options {
				fmt.Fprintf(&b, "%s:%d: %q = %q\n", o.File, o.Line, o.Key, o.Value)
			}
			for _, p := range problems {
				fmt.Fprintf(&b, "%v\n", p)
			}
			wantFile := strings.TrimSuffix(file, ".conf") + ".want"
			if *update {
				if err := os.WriteFile(wantFile, []byte(b.String()), 0o666); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(wantFile)
			if err != nil {
				t.Fatal(err)
			}
			if b.String() != string(want) {
				t.Errorf("got:\n%swant:\n%s", b.String(), want)
			}
		})
	}
}

func TestParseTooManyOptions(t *testing.T) {
	text := strings.Repeat("bad\n", maxReported+1) + strings.Repeat("a: b\n", maxOptions)
	options, problems := parse("F", text)
	if len(options) != maxOptions || len(problems) != maxReported+1 {
		t.Fatalf("at the limit: %d options, %d problems", len(options), len(problems))
	}
	options, problems = parse("F", text+"c: d\ne: f\n")
	if len(options) != maxOptions || len(problems) != maxReported+2 {
		t.Fatalf("past the limit: %d options, %d problems", len(options), len(problems))
	}
	want := fmt.Sprintf("F:%d: more than 4096 options in one file", maxReported+1+maxOptions+1)
	if got := problems[maxReported].Error(); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestParseManyPEM reads a file of nothing but openings of PEM blocks, which
// takes for ever if each of them searches the whole rest of the file.
func TestParseManyPEM(t *testing.T) {
	n := maxFileSize / len("-----BEGIN \n")
	_, problems := parse("F", strings.Repeat("-----BEGIN \n", n))
	if got, want := problems[len(problems)-1].Msg, fmt.Sprintf("%d more bad lines", n-maxReported); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
