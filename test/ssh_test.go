package test

import (
	"maps"
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/p11mux/p11mux/internal/testkit"
)

// newSSHHost is a machine with a token, which the machine of the consumer has not: programs find it there, with our command line.
func newSSHHost(t *testing.T, tok token, options ...string) *testkit.SSHHost {
	t.Helper()
	return testkit.NewSSHHost(t, map[string]string{
		"SOFTHSM2_CONF":   tok.env["SOFTHSM2_CONF"],
		"PATH":            filepath.Dir(p11mux(t)) + ":/usr/bin:/bin",
		"XDG_RUNTIME_DIR": filepath.Join(tok.dir, "run"),
		"LC_ALL":          "C",
	}, options...)
}

// overSSH is the address of what a command at the host serves.
func overSSH(h *testkit.SSHHost, command ...string) string {
	return "|ssh -F " + h.Config + " far " + strings.Join(command, " ")
}

// proxyOf is the proxy module of a library.
func proxyOf(t testing.TB, lib library) string {
	t.Helper()
	if lib == ours {
		return proxy(t)
	}
	return filepath.Join(filepath.Dir(clientModule(t)), "..", proxyName)
}

// TestSSHModule has programs use a module that runs on another machine, with each library here and each program there.
func TestSSHModule(t *testing.T) {
	near := newConsumer(t)
	host := newSSHHost(t, near.token, "Banner "+near.secret(t, "banner", "Be welcome.\n"))
	listed := sortedLines(near.tool(t, softhsm(t), "--list-objects").stdout)
	data := near.secret(t, "data", "signed far away")
	for _, far := range []string{"p11mux", "p11-kit"} {
		for what, command := range map[string][]string{
			"module": {far, "remote", softhsm(t)},
			// The host's shell reads the command again, so there are quotes for each reader.
			"tokens": {far, "remote", "--provider", softhsm(t), `"'pkcs11:token=token;model=SoftHSM%20v2'"`},
		} {
			t.Run(far+"/"+what, func(t *testing.T) {
				eachLibrary(t, both, func(t *testing.T, lib library) {
					// The token is there and not here.
					l := linked{lib: lib, tok: token{conf: t.TempDir(), dir: near.dir}, modules: t.TempDir()}
					l.tok.env = map[string]string{"SOFTHSM2_CONF": "/nonexistent", "USER_PIN": pin}
					writeFile(t, filepath.Join(l.modules, "far.module"), "remote: "+overSSH(host, command...)+"\n")
					contains(t, "p11tool", l.run(t, "p11tool", "--list-token-urls"), "pkcs11:model=SoftHSM%20v2;", ";token=token")
					l.run(t, "p11tool", "--login", "--test-sign", "pkcs11:token=token;object=rsa;type=private")

					tool := func(args ...string) string {
						c := l.command(t, "pkcs11-tool", append([]string{"--module", proxyOf(t, lib)}, args...)...)
						return c.mustRun(t).stdout
					}
					sameLines(t, "objects", listed, sortedLines(tool(append([]string{"--list-objects"}, login...)...)))
					out := filepath.Join(near.dir, "signature")
					tool(slices.Concat(signs, login, []string{"--input-file", data, "--output-file", out})...)
					near.signed(t, "signature", "signed far away")
				})
			})
		}
	}
}

// TestSSHHosts runs the hosts of TestElsewhere with ssh in between: what they kill, stop and start again is ssh. Two of them have modules
// of their own.
func TestSSHHosts(t *testing.T) {
	host := testkit.NewSSHHost(t, nil)
	runCases(t, program(t, "elsewhere", "token.c"), func(t *testing.T, c *command) {
		tok := newToken(t)
		writeFile(t, filepath.Join(tok.conf, "modules", "softhsm.module"), "remote: |sh -c 'echo $$ >> "+tok.conf+"/pids; exec ssh -F "+host.Config+
			" far SOFTHSM2_CONF="+tok.env["SOFTHSM2_CONF"]+" "+p11mux(t)+" remote "+softhsm(t)+"'\n")
		c.conf, c.env = tok.conf, tok.env
	}, "nonsense", "nobody")
	testkit.Eventually(t, "nothing is left at the host", func() bool { return len(host.Sessions()) == 0 })
}

// TestSSHRefuses has a module be where ssh does not get to, in all the ways that there are. Nobody is asked on the terminal, nothing hangs,
// and what is wrong is told.
func TestSSHRefuses(t *testing.T) {
	c := newConsumer(t)
	host := newSSHHost(t, c.token)
	silent, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	_, port, err := net.SplitHostPort(silent.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	another := testkit.NewSSHHost(t, nil) // whose key is another one, and which trusts another one
	ssh := func(options string, command ...string) string {
		return strings.Replace(overSSH(host, command...), "|ssh ", "|ssh "+options+" ", 1)
	}
	remote := []string{"p11mux", "remote", softhsm(t)}
	for _, w := range []struct {
		name, address string
		ssh           string // what is on the standard error
		ours          string // what the message of the library is
		fix           string // what the doctor advises
	}{
		{"no server", ssh("-p 1", remote...), "Connection refused", "before it has said anything", "run the command by itself"},
		{"silent server", ssh("-p "+port, remote...) + "\nremote-timeout: 1", "", "the server takes too long", "run the command by itself"},
		{"another key of the host", ssh("-p "+strconv.Itoa(another.Port)+" -o HostKeyAlias=[127.0.0.1]:"+strconv.Itoa(host.Port), remote...),
			"Host key verification failed", "before it has said anything", "run the command by itself"},
		{"unknown host", ssh("-o UserKnownHostsFile=none -o StrictHostKeyChecking=ask", remote...),
			"Host key verification failed", "before it has said anything", "run the command by itself"},
		{"no key of ours", ssh("-o PubkeyAuthentication=no", remote...), "Permission denied (publickey)", "before it has said anything", "run the command by itself"},
		{"no such program", overSSH(host, "nop11mux", "remote"), "nop11mux: command not found", "before it has said anything", "run the command by itself"},
		{"no such module", overSSH(host, "p11mux", "remote", "/nonexistent.so"), "couldn't load module: /nonexistent.so", "before it has said anything", "run the command by itself"},
		{"talkative shell", overSSH(host, "echo", "Be welcome.;", "p11mux", "remote", softhsm(t)),
			"", `the other end prints "Be welcome." where the protocol should begin`, "start-up files of the shell at the other end"},
	} {
		t.Run(w.name, func(t *testing.T) {
			c := c
			c.env = maps.Clone(c.env)
			writeFile(t, filepath.Join(c.conf, "modules", "softhsm.module"), "remote: "+w.address+"\n")
			// On a terminal of its own, on which nobody types.
			r := c.run(t, "script", "--quiet", "--return", "--command", p11mux(t)+" list-modules", "/dev/null")
			contains(t, "p11mux list-modules", r.stdout, "p11mux: skipping module 'softhsm'", w.ours)
			contains(t, "p11mux list-modules", r.stdout, w.ssh)
			contains(t, "p11mux list-modules", r.stdout, bundledLabel) // the others work
			doctor := c.command(p11mux(t), "doctor").run(t)
			contains(t, "p11mux doctor", doctor.stdout, "softhsm: |ssh", w.ours, "fix: ", w.fix)
			loud := c.command("p11tool", "--list-token-urls")
			loud.lib, loud.env["P11_KIT_DEBUG"] = ours, "lib"
			contains(t, "the library", loud.mustRun(t).stderr, "couldn't connect to module 'softhsm'", w.ours)
		})
	}
}

// TestSSHShell has the shell at the host print something when it starts.
func TestSSHShell(t *testing.T) {
	c := newConsumer(t)
	host := newSSHHost(t, c.token)
	c.env["P11_KIT_SERVER_ADDRESS"] = overSSH(host, "p11mux", "remote", softhsm(t))
	token := "token label        : token"
	list := func() result { return c.command("pkcs11-tool", "--module", client(t), "--list-slots").run(t) }
	contains(t, "with a quiet shell", list().stdout, token)
	rc := filepath.Join(host.Home, ".bashrc")
	writeFile(t, rc, "echo Be welcome. >&2\n")
	contains(t, "with a shell that talks to people", list().stdout, token)
	writeFile(t, rc, "echo Be welcome.\n")
	if r := list(); r.code != 1 || strings.Contains(r.stdout, token) || !strings.Contains(r.stderr, "CKR_DEVICE_ERROR") {
		t.Errorf("with a shell that talks to us: exit %d\n%s%s", r.code, r.stdout, r.stderr)
	}
	writeFile(t, rc, "case $- in *i*) echo Be welcome.;; esac\n")
	contains(t, "with a shell that talks to people at a terminal", list().stdout, token)
}
