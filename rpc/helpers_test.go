package rpc

import (
	"testing"

	"github.com/p11mux/p11mux/ck"
)

// rvOf gives the return value of an error that is a refusal and no failure of ours.
func rvOf(t testing.TB, id string, err error) ck.RV {
	t.Helper()
	if _, ok := err.(ck.RV); err != nil && !ok {
		t.Errorf("%s: %v", id, err)
	}
	return ck.RVOf(err)
}
