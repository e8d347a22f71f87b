package test

import (
	"bufio"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// withAskpass gives OpenSSH's programs the PIN by the only way they have besides a terminal.
func (c consumer) withAskpass(t *testing.T) {
	t.Helper()
	path := filepath.Join(c.dir, "askpass")
	writeFile(t, path, "#!/bin/sh\nexec cat \"$PIN_FILE\"\n")
	c.run(t, "chmod", "700", path)
	c.env["PIN_FILE"] = c.pinFile
	c.env["SSH_ASKPASS"] = path
	c.env["SSH_ASKPASS_REQUIRE"] = "force"
}

// startAgent runs an ssh-agent that may load our proxy, until the end of the test. Programs find it by SSH_AUTH_SOCK.
func (c consumer) startAgent(t *testing.T) {
	t.Helper()
	// The agent compares and loads the path behind all links.
	lib, err := filepath.EvalSymlinks(filepath.Dir(proxy(t)))
	if err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(publicDir(t), "agent")
	cmd := exec.Command("ssh-agent", "-D", "-a", socket, "-P", lib+"/*")
	cmd.Env = assignments(c.env)
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	// It says where it listens once it does.
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil || !strings.Contains(line, socket) {
		t.Fatalf("ssh-agent says %q: %v", line, err)
	}
	c.env["SSH_AUTH_SOCK"] = socket
}

// TestSSHKeys has ssh-keygen print the public keys of the token, raw and through the proxy.
func TestSSHKeys(t *testing.T) {
	c := newConsumer(t)
	c.withAskpass(t)
	keys := func(module string) []string { return sortedLines(c.run(t, "ssh-keygen", "-D", module).stdout) }
	raw, got := keys(softhsm(t)), keys(proxy(t))
	contains(t, "ssh-keygen -D", strings.Join(raw, ""), "ecdsa-sha2-nistp256 ", " ec\n", "ssh-rsa ", " rsa\n")
	sameLines(t, "ssh-keygen -D", raw, got)
}

// TestSSHAgent has an ssh-agent load the proxy and sign with each of the token's keys; ssh-keygen checks the signatures.
func TestSSHAgent(t *testing.T) {
	c := newConsumer(t)
	c.withAskpass(t)
	c.startAgent(t)
	keys := sortedLines(c.run(t, "ssh-keygen", "-D", softhsm(t)).stdout)

	c.run(t, "ssh-add", "-s", proxy(t))
	sameLines(t, "ssh-add -L", keys, sortedLines(c.run(t, "ssh-add", "-L").stdout))
	for _, key := range keys {
		writeFile(t, filepath.Join(c.dir, "key.pub"), key)
		writeFile(t, filepath.Join(c.dir, "allowed"), "me "+key)
		sign := c.command("ssh-keygen", "-Y", "sign", "-f", "key.pub", "-n", "file")
		sign.stdin = "a document\n"
		writeFile(t, filepath.Join(c.dir, "signature"), sign.mustRun(t).stdout)

		check := c.command("ssh-keygen", "-Y", "verify", "-f", "allowed", "-I", "me", "-n", "file", "-s", "signature")
		check.stdin = sign.stdin
		contains(t, "ssh-keygen -Y verify", check.mustRun(t).stdout, "Good", "signature")
		check.stdin = "another document\n"
		if r := check.run(t); r.code == 0 {
			t.Errorf("ssh-keygen accepts a signature of something else: %s", r.stdout)
		}
	}

	c.run(t, "ssh-add", "-e", proxy(t))
	if r := c.command("ssh-add", "-L").run(t); r.code != 1 || !strings.Contains(r.stdout, "no identities") {
		t.Errorf("ssh-add -L after the proxy was removed: exit %d, %q", r.code, r.stdout)
	}
}
