package test

import (
	"os/exec"
	"strings"
	"testing"
)

// TestDemo runs what the README promises first: B breaks when A finalizes the raw module, and goes on signing when both
// are managed.
func TestDemo(t *testing.T) {
	cmd := exec.Command("make", "-s", "-C", "..", "demo")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("make demo: %v\n%s", err, out)
	}
	raw, managed, two := strings.Cut(string(out), "\n\n")
	if !two {
		t.Fatalf("not two parts:\n%s", out)
	}
	const finalized, signs = "  A: C_Finalize: A is done        CKR_OK\n  B: signs and verifies           ", "CKR_OK"
	if !strings.Contains(raw, finalized+"CKR_CRYPTOKI_NOT_INITIALIZED") {
		t.Errorf("the raw module does not show the problem:\n%s", raw)
	}
	if !strings.Contains(managed, finalized+signs) {
		t.Errorf("the managed module does not show the cure:\n%s", managed)
	}
}
