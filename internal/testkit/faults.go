package testkit

import "testing"

// Report fails the test for each fault; of very many, the first ten.
func Report(t testing.TB, faults []string) {
	t.Helper()
	for i, fault := range faults {
		if i == 10 {
			t.Errorf("... and %d more", len(faults)-i)
			break
		}
		t.Error(fault)
	}
}
