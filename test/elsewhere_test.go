package test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// elsewhere has the token's module "softhsm" be at the other end of a program, which tells its process id.
func (tok token) elsewhere(t testing.TB, program string) {
	t.Helper()
	writeFile(t, filepath.Join(tok.conf, "modules", "softhsm.module"),
		"remote: |sh -c 'echo $$ >> "+tok.conf+"/pids; exec "+program+" remote "+softhsm(t)+"'\n")
}

// withElsewhere is withToken with the token elsewhere.
func withElsewhere(t *testing.T, c *command) {
	tok := newToken(t)
	tok.elsewhere(t, p11mux(t))
	c.conf, c.env = tok.conf, tok.env
}

// withOldElsewhere is the same with the reference's program.
func withOldElsewhere(t *testing.T, c *command) {
	tok := newToken(t)
	tok.elsewhere(t, "p11-kit")
	c.conf, c.env = tok.conf, tok.env
}

// TestElsewhere runs hosts whose module is at the other end of a connection, which goes wrong in all ways.
func TestElsewhere(t *testing.T) {
	runCases(t, program(t, "elsewhere", "token.c"), withElsewhere)
}

// TestElsewhereFork runs hosts that fork with such a module. It has no file, which one of them asks for; and another one starts more
// SoftHSMs at once than can share a directory.
func TestElsewhereFork(t *testing.T) {
	runCases(t, program(t, "fork", "fork_busy.c", "token.c"), withElsewhere, "ask", "many")
}

// TestElsewhereIter iterates the objects of such a module, also by the reference's program. One of the hosts loads it by its file.
func TestElsewhereIter(t *testing.T) {
	t.Run("ours", func(t *testing.T) { runCases(t, program(t, "iter", "token.c"), withElsewhere, "threads") })
	t.Run("reference", func(t *testing.T) { runCases(t, program(t, "iter", "token.c"), withOldElsewhere, "threads") })
}

// TestElsewhereInside has a program that is run for a module serve the tokens of the configuration that the module is in. It must not run
// itself again, and so on.
func TestElsewhereInside(t *testing.T) {
	c := newConsumer(t)
	writeFile(t, filepath.Join(c.conf, "modules", "self.module"), "remote: |"+p11mux(t)+" remote pkcs11:token=token\n")
	r := c.command("pkcs11-tool", "--module", proxy(t), "--list-slots").run(t)
	if n := strings.Count(r.stdout, "token label        : token\n"); r.code != 0 || n != 2 {
		t.Errorf("exit %d, and the token is there %d times, not by the module and by the program\n%s%s", r.code, n, r.stdout, r.stderr)
	}
	contains(t, "what is told", r.stderr, "couldn't connect to module 'self': self: C_Initialize: CKR_DEVICE_ERROR: cannot run "+p11mux(t)+
		": this program is run by the same command")
}

// TestServerInside has a server serve the tokens of a configuration that the server is in. Its processes must not be its clients, and so on.
func TestServerInside(t *testing.T) {
	c := newConsumer(t)
	socket, link := filepath.Join(c.dir, "socket"), filepath.Join(c.dir, "link")
	if err := os.Symlink(socket, link); err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(c.conf, "modules", "self.module"), "remote: unix:path="+link+"\n")
	c.server(t, "--max-clients", "1", "--name", socket, "pkcs11:token=token")
	r := c.command("pkcs11-tool", "--module", proxy(t), "--list-slots").run(t)
	if n := strings.Count(r.stdout, "token label        : token\n"); r.code != 0 || n != 2 {
		t.Errorf("exit %d, and the token is there %d times, not by the module and by the server\n%s%s", r.code, n, r.stdout, r.stderr)
	}
	log := string(c.read(t, "server.log"))
	contains(t, "the server", log, "couldn't connect to module 'self': self: C_Initialize: CKR_DEVICE_ERROR: cannot connect to "+link+
		": this program serves clients of the same server")
	if strings.Contains(log, "are connected already") {
		t.Errorf("the server has been its own client:\n%s", log)
	}
}
