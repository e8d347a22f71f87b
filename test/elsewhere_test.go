package test

import (
	"path/filepath"
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
