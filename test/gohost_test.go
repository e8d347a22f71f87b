package test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestGoHost runs a host that is itself a Go program.  The reference is not
// asked: callers that finalise at the same time corrupt its counts.
func TestGoHost(t *testing.T) {
	path := once(t, "gohost", func() string {
		path := filepath.Join(workDir, "bin", "gohost")
		cmd := exec.Command("go", "build", "-o", path, "./gohost")
		cmd.Env = append(os.Environ(), "CGO_ENABLED=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("go build: %v\n%s", err, out)
		}
		return path
	})
	r := command{path: path, args: []string{filepath.Join(modules(t), "a.so")}, lib: ours}.mustRun(t)
	if r.stdout != "done\n" {
		t.Errorf("printed %q", r.stdout)
	}
}
