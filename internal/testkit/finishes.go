package testkit

import (
	"testing"
	"time"
)

// Finishes fails the test if f hangs. f must not end the test itself.
func Finishes(t testing.TB, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	select {
	case <-done:
	case <-time.After(time.Minute):
		t.Fatal("it hangs")
	}
}
