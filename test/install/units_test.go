package install

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestUnits: systemd takes the units as they are installed, in a prefix of the user's own.
func TestUnits(t *testing.T) {
	prefix := filepath.Join(t.TempDir(), "prefix")
	run(t, root(t), nil, "make", "install", "BUILD="+buildDir(t), "PREFIX="+prefix)
	units := filepath.Join(prefix, "lib/systemd/user")
	service, err := os.ReadFile(filepath.Join(units, "p11mux-server.service"))
	if err != nil {
		t.Fatal(err)
	}
	if want := "ExecStart=" + prefix + "/bin/p11mux server "; !strings.Contains(string(service), want) || strings.Contains(string(service), "@") {
		t.Errorf("the service does not have %q:\n%s", want, service)
	}
	cmd := command(units, []string{"XDG_RUNTIME_DIR=" + t.TempDir()}, "systemd-analyze", "--user", "--man=no", "verify", "./p11mux-server.service", "./p11mux-server.socket")
	out, err := cmd.CombinedOutput()
	// It also looks at units of the machine, which are none of ours.
	for line := range strings.Lines(string(out)) {
		if strings.Contains(line, "p11mux") {
			t.Errorf("systemd-analyze: %s", line)
		}
	}
	if err != nil {
		t.Errorf("systemd-analyze: %v\n%s", err, out)
	}
}
