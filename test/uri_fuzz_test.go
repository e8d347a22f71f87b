package test

import (
	"bufio"
	"bytes"
	"io"
	"os/exec"
	"testing"
	"time"

	"github.com/p11mux/p11mux/uri"
)

// A uriHost is a run of c/uri.c with the library that watches its memory, which answers one line after the other.
type uriHost struct {
	path, dir string // the program, and the library's directory
	cmd       *exec.Cmd
	in        io.WriteCloser
	out       *bufio.Reader
	stderr    bytes.Buffer
}

// start starts the program, unless it runs.
func (h *uriHost) start(t testing.TB) {
	t.Helper()
	if h.cmd != nil {
		return
	}
	h.stderr.Reset()
	h.cmd = exec.Command(h.path, "/dev/stdin")
	env := map[string]string{"LD_LIBRARY_PATH": h.dir}
	for name, value := range sanitizerEnv {
		env[name] = value
	}
	h.cmd.Env = assignments(env)
	h.cmd.Stderr = &h.stderr
	var out io.ReadCloser
	var err error
	if h.in, err = h.cmd.StdinPipe(); err == nil {
		out, err = h.cmd.StdoutPipe()
	}
	if err == nil {
		err = h.cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	h.out = bufio.NewReader(out)
}

// stop ends the program, and gives what it has said on the way.
func (h *uriHost) stop() string {
	if h.cmd == nil {
		return ""
	}
	h.in.Close()
	h.cmd.Process.Kill()
	h.cmd.Wait()
	h.cmd = nil
	return h.stderr.String()
}

// ask has the program do a case; the test fails if it ends instead, or does not answer.
func (h *uriHost) ask(t testing.TB, c uriCase) uriResult {
	t.Helper()
	h.start(t)
	hang := time.AfterFunc(time.Minute, func() { h.cmd.Process.Kill() })
	_, err := io.WriteString(h.in, c.line())
	var line string
	if err == nil {
		line, err = h.out.ReadString('\n')
	}
	hang.Stop()
	if err != nil {
		t.Fatalf("no answer to %q (%#x): %v\n%s", c.text, c.typ, err, h.stop())
	}
	return parseResult(t, line)
}

// FuzzURIInC looks for texts that the functions in C read where they must not, or read, match or write differently than
// package uri does. Go's fuzzing sees the package, and finds its way by it.
func FuzzURIInC(f *testing.F) {
	for _, text := range uriTable {
		f.Add(text, uint16(uri.ForAny))
	}
	for i, s := range seeds(f, "FuzzParse") {
		f.Add(s[0], uint16(uriTypes[i%len(uriTypes)]))
	}
	host := &uriHost{path: sanitized(f, memory, "uri"), dir: oursWatched.dir(f)}
	f.Cleanup(func() { host.stop() })
	f.Fuzz(func(t *testing.T, text string, typ uint16) {
		c := uriCase{uri.Type(typ), cString(text), "pkcs11:"}
		// What can be read stands for what is there as well.
		if _, err := uri.Parse(c.text, uri.ForAny); err == nil {
			c.there = c.text
		}
		if got, want := host.ask(t, c), c.inOurs(t, new(uri.URI), false); got != want {
			t.Errorf("%q for %#x:\nin C  %v\nin Go %v", c.text, c.typ, got, want)
		}
	})
}
