//go:build !cgo

package native

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/p11mux/p11mux/ck"
	"github.com/p11mux/p11mux/module"
)

var _ module.Module = (*Module)(nil)

func TestOpenWithoutCgo(t *testing.T) {
	m, err := Open("/lib/module.so")
	if m != nil || !errors.Is(err, ck.CKR_GENERAL_ERROR) {
		t.Fatalf("got %v, %v", m, err)
	}
	for _, want := range []string{"/lib/module.so", "CGO_ENABLED=1"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not say %q", err, want)
		}
	}
}

func TestAdoptedWithoutCgo(t *testing.T) {
	m := Adopt("/lib/module.so", nil, nil, ListBytes(nil))
	for i := range ck.NumFuncs {
		if err := m.Do(context.Background(), ck.NewCall(i)); err != ck.CKR_FUNCTION_NOT_SUPPORTED {
			t.Errorf("%v: %v", i, err)
		}
	}
	m.Close()
}
