//go:build cgo

package cli

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"

	"github.com/p11mux/p11mux/internal/testkit"
)

// A terminal is one that a program runs in, and what it has shown.
type terminal struct {
	*os.File
	tty   *os.File // the program's side
	mu    sync.Mutex
	shown bytes.Buffer
	more  chan struct{}
}

func newTerminal(t *testing.T) *terminal {
	t.Helper()
	master, tty, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	term := &terminal{File: master, tty: tty, more: make(chan struct{}, 1)}
	var wg sync.WaitGroup
	wg.Go(func() {
		buf := make([]byte, 4096)
		for {
			n, err := master.Read(buf)
			term.mu.Lock()
			term.shown.Write(buf[:n])
			term.mu.Unlock()
			select {
			case term.more <- struct{}{}:
			default:
			}
			if err != nil {
				close(term.more)
				return
			}
		}
	})
	t.Cleanup(func() {
		_ = tty.Close()
		_ = master.Close()
		wg.Wait()
	})
	return term
}

func (term *terminal) text() string {
	term.mu.Lock()
	defer term.mu.Unlock()
	return term.shown.String()
}

// await waits until something is shown.
func (term *terminal) await(t *testing.T, text string) {
	t.Helper()
	for !strings.Contains(term.text(), text) {
		if _, ok := <-term.more; !ok && !strings.Contains(term.text(), text) {
			t.Fatalf("%q is not shown:\n%s", text, term.text())
		}
	}
}

// echoes tells whether what is typed is shown.
func (term *terminal) echoes(t *testing.T) bool {
	t.Helper()
	cmd := exec.Command("stty", "-a")
	cmd.Stdin = term.tty
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("stty: %v\n%s", err, out)
	}
	return strings.Contains(string(out), " echo ")
}

// start runs the command in a place, in a session of the terminal. Its output goes to out, or the terminal if that is nil.
func (p *place) start(t *testing.T, term *terminal, out io.Writer, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = p.env
	cmd.Stdin, cmd.Stdout, cmd.Stderr = term.tty, term.tty, term.tty
	if out != nil {
		cmd.Stdout = out
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd
}

// testPlace is a place for a test in Go.
func testPlace(t *testing.T) *place {
	t.Helper()
	p, err := newPlace(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	p.environ(t.Setenv, os.Getenv("PATH"))
	p.env = os.Environ()
	return p
}

// A PIN is asked for on the terminal, wherever the output goes, and not shown. The keys that edit a line do so.
func TestPrompt(t *testing.T) {
	p := testPlace(t)
	for _, c := range []struct {
		name, typed string
		args        []string
		want        string
	}{
		{"p11mux", testkit.UserPIN + "\r", []string{"p11mux", "generate-keypair", "-t", "ecdsa", "-L", "k", "pkcs11:token=work"}, "object=k;type=private"},
		{"edited", "wrong\x151x\x7f2345\x046x\x0878\n", []string{"p11mux", "list-objects", "-l", "pkcs11:token=work"}, "private key"},
		{"p11-kit", testkit.UserPIN + "\n", []string{"p11-kit", "list-objects", "-l", "pkcs11:token=work"}, "private-key"},
	} {
		t.Run(c.name, func(t *testing.T) {
			term := newTerminal(t)
			var out bytes.Buffer
			cmd := p.start(t, term, &out, c.args...)
			term.await(t, "PIN for work: ")
			time.Sleep(progressDelay + progressEvery) // people type slowly, and nothing else must be shown meanwhile
			if _, err := term.WriteString(c.typed); err != nil {
				t.Fatal(err)
			}
			if err := cmd.Wait(); err != nil || !strings.Contains(out.String(), c.want) {
				t.Errorf("%v\n%s\n%s", err, &out, term.text())
			}
			if strings.Contains(term.text()+out.String(), testkit.UserPIN) || strings.Contains(term.text(), "wrong") {
				t.Errorf("the PIN is shown: %q", term.text())
			}
			if rest := strings.TrimSpace(strings.ReplaceAll(term.text(), "PIN for work: ", "")); rest != "" {
				t.Errorf("more is shown than the question: %q", rest)
			}
			if !term.echoes(t) {
				t.Error("the terminal does not echo any more")
			}
		})
	}
}

// Who types the last PIN that a token lets be tried is told so.
func TestPromptLastTry(t *testing.T) {
	p := testPlace(t)
	for flag, want := range map[string]string{
		"CKF_USER_PIN_FINAL_TRY": "PIN for t (a wrong one locks it): ",
		"CKF_USER_PIN_COUNT_LOW": "PIN for t (the last one was wrong): ",
	} {
		module, logins := filepath.Join(p.dir, flag+".so"), filepath.Join(p.dir, flag)
		if err := compile("odd", module, "-DSLOTS=1", `-DLABEL="t"`, "-DFLAGS=CKF_LOGIN_REQUIRED|CKF_USER_PIN_INITIALIZED|"+flag); err != nil {
			t.Fatal(err)
		}
		p.env = append(p.env, "LOGINS="+logins)
		term := newTerminal(t)
		cmd := p.start(t, term, nil, "p11mux", "list-objects", "--login", "--provider", module)
		term.await(t, want)
		if _, err := term.WriteString(testkit.UserPIN + "\r"); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Wait(); err == nil {
			t.Errorf("a wrong PIN is right\n%s", term.text())
		}
		if tried, err := os.ReadFile(logins); err != nil || string(tried) != testkit.UserPIN+"\n" {
			t.Errorf("%v, tried %q", err, tried)
		}
	}
}

// Who is asked may give up, and a signal may end the program: the terminal is as it was.
func TestPromptEnds(t *testing.T) {
	p := testPlace(t)
	ends := map[string]func(*terminal, *exec.Cmd) error{
		"interrupt": func(term *terminal, _ *exec.Cmd) error { _, err := term.WriteString("12\x03"); return err },
		"terminate": func(_ *terminal, cmd *exec.Cmd) error { return cmd.Process.Signal(syscall.SIGTERM) },
	}
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			term := newTerminal(t)
			var out bytes.Buffer
			cmd := p.start(t, term, &out, "p11mux", "list-objects", "-l", "pkcs11:token=work")
			term.await(t, "PIN for work: ")
			if err := end(term, cmd); err != nil {
				t.Fatal(err)
			}
			err := cmd.Wait()
			e, ok := errors.AsType[*exec.ExitError](err)
			if !ok {
				t.Fatalf("it goes on: %v", err)
			}
			status := e.Sys().(syscall.WaitStatus)
			if name == "interrupt" && e.ExitCode() != 1 || name == "terminate" && status.Signal() != syscall.SIGTERM {
				t.Errorf("%v\n%s", err, term.text())
			}
			if !term.echoes(t) {
				t.Error("the terminal does not echo any more")
			}
		})
	}
}

// On a terminal headings are set off, but not for who wants no colours.
func TestColours(t *testing.T) {
	p := testPlace(t)
	env := p.env
	for _, c := range []struct {
		args  []string
		plain string
		want  string
	}{
		{[]string{"p11mux", "list-tokens"}, "", "\x1b[0;1mTOKEN "},
		{[]string{"p11mux", "list-tokens"}, "NO_COLOR=1", "TOKEN "},
		{[]string{"p11mux", "list-tokens"}, "TERM=dumb", "TOKEN "},
		{[]string{"p11-kit", "list-modules"}, "", "\x1b[34;1mmodule\x1b[0m: hsm\r\n    \x1b[0;1mpath\x1b[0m: "},
		{[]string{"p11-kit", "list-modules"}, "", "\x1b[32;1mtoken\x1b[0m: work\r\n"},
		{[]string{"p11mux", "doctor"}, "", "  \x1b[32mok      \x1b[0m hsm: "},
	} {
		p.env = append(env[:len(env):len(env)], "NO_COLOR=", "TERM=xterm", c.plain)
		term := newTerminal(t)
		if err := p.start(t, term, nil, c.args...).Wait(); err != nil {
			t.Errorf("%v: %v\n%s", c.args, err, term.text())
		}
		term.await(t, c.want)
		if c.plain != "" && strings.Contains(term.text(), "\x1b") {
			t.Errorf("%v has colours: %q", c.plain, term.text())
		}
	}
}

// What is said while a work goes on has a line of its own.
func TestTellDuringProgress(t *testing.T) {
	term := newTerminal(t)
	j := &job{err: term.tty}
	p := j.progress("loading modules")
	term.await(t, "loading modules (")
	j.tell("a %s", "message\x1b")
	p.done()
	term.await(t, clearLine+`p11mux: a message\x1b`+"\r\n")
}

// A module that keeps others waiting is seen to do so.
func TestSlowModule(t *testing.T) {
	p := testPlace(t)
	module := filepath.Join(p.dir, "hang.so")
	if err := compile("bad", module, "-DHANG"); err != nil {
		t.Fatal(err)
	}
	term := newTerminal(t)
	cmd := p.start(t, term, nil, "p11mux", "list-tokens", "--provider", module)
	term.await(t, "loading modules (")
	if _, err := term.WriteString("\x03"); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err == nil {
		t.Errorf("it ends by itself\n%s", term.text())
	}
}

// A client of the remote command is no terminal.
func TestRemoteOnTerminal(t *testing.T) {
	p := testPlace(t)
	term := newTerminal(t)
	cmd := p.start(t, term, nil, "p11mux", "remote", p.module)
	if err := cmd.Wait(); cmd.ProcessState.ExitCode() != statusUsage {
		t.Errorf("%v\n%s", err, term.text())
	}
	term.await(t, "hint: put 'remote: |p11mux remote "+p.module+"' into")
}

// Long work is seen to go on, and leaves nothing behind.
func TestProgress(t *testing.T) {
	term := newTerminal(t)
	j := &job{err: term.tty}
	p := j.progress("making the keys")
	term.await(t, "\rmaking the keys (")
	p.step()
	term.await(t, "making the keys: 1 (")
	p.done()
	term.await(t, "\r\x1b[K")

	var none bytes.Buffer
	quiet := (&job{err: &none}).progress("x")
	quiet.step()
	quiet.done()
	if none.Len() > 0 {
		t.Errorf("progress on what is no terminal: %q", &none)
	}
}
