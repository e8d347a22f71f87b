package install

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/creack/pty"
)

// noted stands in a shell's path as p11mux. What the shell asks goes to the real one, and what a user calls is written down.
const noted = `#!/bin/sh
case $1 in
__complete*) exec "$P11MUX" "$@" ;;
esac
for word; do printf '%s\n' "$word"; done > "$CALLED.new"
mv "$CALLED.new" "$CALLED"
`

// ready is what the shells prompt with.
const ready = "ready>"

// TestCompletions has each shell read the completions where they are installed, types the beginning of words on a terminal, a tab and
// return, and looks what the command is called with.
func TestCompletions(t *testing.T) {
	prefix := staged(t)
	data := filepath.Join(prefix, "share")
	for _, shell := range []struct {
		name string
		args []string
		rc   string // the path of its configuration below the home directory
		text string
	}{
		{"bash", []string{"--rcfile", ".bashrc", "-i"}, ".bashrc", "PS1='" + ready + "'\nPROMPT_COMMAND=\n. /usr/share/bash-completion/bash_completion\n"},
		{"zsh", []string{"-i"}, ".zshrc", "PS1='" + ready + "'\nunsetopt global_rcs\nfpath=(" + data + "/zsh/site-functions $fpath)\nautoload -U compinit\ncompinit -u\n"},
		{"fish", []string{"-i"}, ".config/fish/config.fish", "function fish_prompt\n  echo -n '" + ready + "'\nend\nset -g fish_greeting\n"},
	} {
		t.Run(shell.name, func(t *testing.T) {
			home := t.TempDir()
			write(t, filepath.Join(home, shell.rc), shell.text, 0o600)
			write(t, filepath.Join(home, "bin/p11mux"), noted, 0o700)
			called := filepath.Join(home, "called")
			token := filepath.Join(prefix, "lib/pkcs11/p11mux-softtoken.so")
			write(t, filepath.Join(home, "modules/soft.module"), "module: "+token+"\n", 0o600)
			cmd := exec.Command(shell.name, shell.args...)
			cmd.Dir = home
			cmd.Env = []string{
				"P11_SYSTEM_CONFIG_FILE=/dev/null", "P11_PACKAGE_CONFIG_MODULES=/dev/null", "P11_SYSTEM_CONFIG_MODULES=" + filepath.Join(home, "modules"),
				"P11_KIT_NO_USER_CONFIG=1",
				"HOME=" + home, "ZDOTDIR=" + home, "TERM=xterm", "LANG=C.UTF-8", "PATH=" + filepath.Join(home, "bin") + ":" + os.Getenv("PATH"),
				"XDG_DATA_DIRS=" + data + ":/usr/share", "P11MUX=" + filepath.Join(prefix, "bin/p11mux"), "CALLED=" + called,
			}
			s := start(t, cmd)
			for typed, want := range map[string]string{
				"p11mux list-t\t\n":         "list-tokens",
				"p11mux tr\trep\tx\n":       "trace report x",
				"p11mux list-o\t--only\t\n": "list-objects --only-uris",
				"p11mux generate-keypair --type ecd\t--curve secp38\t\n": "generate-keypair --type ecdsa --curve secp384r1",
				"p11mux add-profile --profile compl\t\n":                 "add-profile --profile complete-provider",
				"p11mux print-config bin/p\t\n":                          "print-config bin/p", // no files belong there
				"p11mux list-objects pk\t\n":                             "list-objects pkcs11:token=p11mux%20demo",
				"p11mux list-mechanisms pkcs11:to\t\n":                   "list-mechanisms pkcs11:token=p11mux%20demo",
			} {
				s.prompt()
				s.send(typed)
				if got := s.called(called); got != want {
					t.Errorf("%q calls p11mux %q, want %q", typed, got, want)
				}
			}
		})
	}
}

// write writes a file, and makes its directory.
func write(t testing.TB, path, text string, mode fs.FileMode) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
}

// A session is a shell on a terminal.
type session struct {
	t        *testing.T
	terminal *os.File

	mu      sync.Mutex
	shown   strings.Builder
	prompts int // how many prompts have been waited for
}

// start starts a shell, which ends with the test.
func start(t *testing.T, cmd *exec.Cmd) *session {
	t.Helper()
	terminal, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 50, Cols: 200})
	if err != nil {
		t.Fatalf("%v: run scripts/install-test-deps.sh", err)
	}
	s := &session{t: t, terminal: terminal}
	var wg sync.WaitGroup
	wg.Go(func() {
		buf := make([]byte, 4096)
		for {
			n, err := terminal.Read(buf)
			s.mu.Lock()
			s.shown.Write(buf[:n])
			s.mu.Unlock()
			if err != nil {
				return // the shell is gone, or the test is over
			}
		}
	})
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		terminal.Close()
		wg.Wait()
	})
	return s
}

// text is what the terminal has shown so far.
func (s *session) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.shown.String()
}

// await waits for something to be so, and fails the test if it does not come about in a minute.
func (s *session) await(what string, so func() bool) {
	s.t.Helper()
	for range 6000 {
		if so() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	s.t.Fatalf("waited for %s; the terminal shows %q", what, s.text())
}

// prompt waits for the next prompt.
func (s *session) prompt() {
	s.t.Helper()
	s.prompts++
	s.await("a prompt", func() bool { return strings.Count(s.text(), ready) >= s.prompts })
	s.prompts = strings.Count(s.text(), ready)
}

// send types.
func (s *session) send(text string) {
	s.t.Helper()
	if _, err := io.WriteString(s.terminal, text); err != nil {
		s.t.Fatal(err)
	}
}

// called waits until p11mux is called, and gives its arguments.
func (s *session) called(file string) string {
	s.t.Helper()
	var data []byte
	s.await("a call", func() bool {
		var err error
		if data, err = os.ReadFile(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
			s.t.Fatal(err)
		}
		return err == nil
	})
	if err := os.Remove(file); err != nil {
		s.t.Fatal(err)
	}
	return strings.ReplaceAll(strings.TrimSpace(string(data)), "\n", " ")
}
