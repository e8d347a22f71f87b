package test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/p11mux/p11mux/internal/testkit"
)

// p11mux is a run of the command line that make has built.
func (c consumer) p11mux(t testing.TB, args ...string) command {
	t.Helper()
	run := c.command(filepath.Join(buildDir(t), "bin", "p11mux"), args...)
	run.env["XDG_RUNTIME_DIR"] = c.dir
	return run
}

// shell takes the variables from commands that a server has printed.
func (c consumer) shell(t testing.TB, text string) {
	t.Helper()
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		value, rest, ok := strings.Cut(value, "; ")
		if !ok || rest != "export "+name+";" {
			t.Fatalf("the server prints %q", line)
		}
		c.env[name] = value
	}
}

// server starts a server in the background, for the programs that the consumer runs from then on. It keeps its standard error, which is a
// file: to the end of a pipe, one would have to wait for it.
func (c consumer) server(t testing.TB, args ...string) {
	t.Helper()
	run := c.p11mux(t, append([]string{"server", "--sh"}, args...)...)
	run.path, run.args = "sh", append([]string{"-c", `exec "$0" "$@" 2>> server.log`, run.path}, run.args...)
	r := run.run(t)
	if r.code != 0 {
		t.Fatalf("%s: exit %d\n%s", run, r.code, c.read(t, "server.log"))
	}
	c.shell(t, r.stdout)
	t.Cleanup(func() {
		pid, err := strconv.Atoi(c.env["P11_KIT_SERVER_PID"])
		if err != nil {
			t.Fatal(err)
		}
		_ = syscall.Kill(pid, syscall.SIGTERM) // the test may have ended it
		gone(t, pid)
	})
}

// gone waits until a process has ended. Who has adopted it may not have noticed yet.
func gone(t testing.TB, pid int) {
	t.Helper()
	testkit.Eventually(t, "process "+strconv.Itoa(pid)+" ends", func() bool {
		stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
		_, state, _ := strings.Cut(string(stat), ") ")
		return err != nil || strings.HasPrefix(state, "Z")
	})
}

// TestServer has real programs use tokens by the system's client module and our server, and compares with the same module here.
func TestServer(t *testing.T) {
	c := newConsumer(t)
	client := clientModule(t)
	plain := func(r result) []string {
		r.stdout = slotHead.ReplaceAllString(r.stdout, "")
		return slices.Sorted(slices.Values(toolLines(r)))
	}
	raw := c.run(t, "pkcs11-tool", append([]string{"--module", softhsm(t), "--list-objects"}, login...)...)
	for _, served := range [][]string{
		{softhsm(t)},
		{"--provider", softhsm(t), "pkcs11:token=token"},
		{"--no-sandbox", "pkcs11:manufacturer=SoftHSM%20project"},
		{"--allow-read", c.dir, "--allow-write", filepath.Join(c.dir, "tokens"), softhsm(t)},
	} {
		t.Run(strings.Join(served, " "), func(t *testing.T) {
			c.server(t, served...)
			objects := c.run(t, "pkcs11-tool", append([]string{"--module", client, "--list-objects"}, login...)...)
			sameLines(t, "objects", plain(raw), plain(objects))
			writeFile(t, filepath.Join(c.dir, "data"), "what is signed")
			c.tool(t, client, append(signs, "-i", "data", "-o", "rsa.sig")...)
			c.signed(t, "rsa.sig", "what is signed")
			tokens := c.run(t, "p11tool", "--provider", client, "--list-token-urls").stdout
			if !strings.Contains(tokens, "token=token") {
				t.Errorf("p11tool sees %q", tokens)
			}
		})
	}
}

// TestServerLife has a server be started and ended, in the ways of either shell, by its environment and by itself.
func TestServerLife(t *testing.T) {
	c := newConsumer(t)
	c.server(t, softhsm(t))
	pid, err := strconv.Atoi(c.env["P11_KIT_SERVER_PID"])
	if err != nil {
		t.Fatal(err)
	}
	if out := c.p11mux(t, "server", "--kill", "--sh").mustRun(t).stdout; out != "unset P11_KIT_SERVER_ADDRESS;\nunset P11_KIT_SERVER_PID;\n" {
		t.Errorf("it prints %q", out)
	}
	gone(t, pid)
	if left, _ := os.ReadDir(filepath.Join(c.dir, "p11-kit")); len(left) > 0 {
		t.Errorf("%v is left", left)
	}
	// Under the other name, for the other shell, until nobody needs it.
	kit := c.p11mux(t, "server", "--csh", "--timeout", "1", "--name", filepath.Join(c.dir, "a socket"), softhsm(t))
	kit.path = filepath.Join(filepath.Dir(kit.path), "p11-kit")
	words := strings.Fields(kit.mustRun(t).stdout)
	if len(words) != 6 || words[0] != "setenv" || words[2] != "unix:path="+filepath.Join(c.dir, "a%20socket")+";" || words[4] != "P11_KIT_SERVER_PID" {
		t.Fatalf("it prints %q", words)
	}
	if pid, err = strconv.Atoi(strings.TrimSuffix(words[5], ";")); err != nil {
		t.Fatal(err)
	}
	gone(t, pid)
	// A PIN in the URI of a token is not among what everybody can read of the server.
	c.server(t, "--provider", softhsm(t), "pkcs11:token=token?pin-value=98761234")
	line, err := os.ReadFile("/proc/" + c.env["P11_KIT_SERVER_PID"] + "/cmdline")
	if err != nil || !strings.Contains(string(line), "pkcs11:token=token") || strings.Contains(string(line), "98761234") {
		t.Errorf("the server's arguments are %q, %v", line, err)
	}
	// What cannot be is told at once.
	for _, wrong := range []struct {
		code int
		text string
		args []string
	}{
		{1, "/none.so", []string{"/none.so"}},
		{2, "no token and no module", nil},
		{2, "one module", []string{softhsm(t), softhsm(t)}},
		{2, "token 1", []string{"pkcs11:token=%"}},
		{2, "nobody-of-this-name", []string{"--user", "nobody-of-this-name", "pkcs11:"}},
		{1, "none/at/all", []string{"--allow-read", "/none/at/all", softhsm(t)}},
	} {
		r := c.p11mux(t, append([]string{"server"}, wrong.args...)...).run(t)
		if r.code != wrong.code || !strings.Contains(r.stderr, wrong.text) || r.stdout != "" {
			t.Errorf("%q: exit %d\n%s%s", wrong.args, r.code, r.stdout, r.stderr)
		}
	}
}

// TestServerActivation has systemd's program listen, and start the server when somebody connects: a client of ours, or of the reference.
func TestServerActivation(t *testing.T) {
	for name, module := range map[string]string{"our client": client(t), "the reference's client": clientModule(t)} {
		t.Run(name, func(t *testing.T) {
			c := newConsumer(t)
			socket := filepath.Join(c.dir, "activated")
			cmd := exec.Command("systemd-socket-activate", "--listen", socket, "-E", "SOFTHSM2_CONF="+c.env["SOFTHSM2_CONF"],
				filepath.Join(buildDir(t), "bin", "p11mux"), "server", "--timeout", "1", softhsm(t))
			cmd.Stderr = os.Stderr
			if err := cmd.Start(); err != nil {
				t.Fatalf("%v: run scripts/install-test-deps.sh", err)
			}
			testkit.Eventually(t, "systemd-socket-activate listens", func() bool {
				_, err := os.Stat(socket)
				return err == nil
			})
			c.env["P11_KIT_SERVER_ADDRESS"] = "unix:path=" + socket
			contains(t, "p11tool", c.run(t, "p11tool", "--provider", module, "--list-token-urls").stdout, "token=token")
			writeFile(t, filepath.Join(c.dir, "data"), "what is signed")
			c.tool(t, module, append(signs, "--input-file", "data", "--output-file", "signature")...)
			c.signed(t, "signature", "what is signed")
			if err := cmd.Wait(); err != nil { // nobody comes any more
				t.Error(err)
			}
		})
	}
}

// TestServerConfined has a module that must not read its own configuration. Clients get a number, and the server says the rest.
func TestServerConfined(t *testing.T) {
	for _, served := range [][]string{{softhsm(t)}, {"--provider", softhsm(t), "pkcs11:"}} {
		for _, quiet := range []bool{false, true} {
			t.Run(fmt.Sprint(served, quiet), func(t *testing.T) {
				c := newConsumer(t)
				c.server(t, append([]string{"--quiet=" + strconv.FormatBool(quiet), "--allow-write", filepath.Join(c.dir, "tokens")}, served...)...)
				r := c.command("pkcs11-tool", "--module", clientModule(t), "--list-token-slots").run(t)
				if strings.Contains(r.stdout, "token label") {
					t.Fatalf("the module works\n%s", r.stdout)
				}
				log := string(c.read(t, "server.log"))
				if quiet && strings.Contains(log, "p11mux") {
					t.Errorf("the server is not quiet:\n%s", log)
				}
				if !quiet {
					contains(t, "the server", log, softhsm(t)+": ", "--allow-read", "--no-sandbox")
				}
			})
		}
	}
}
