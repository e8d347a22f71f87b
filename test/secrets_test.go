package test

import "testing"

// TestSecrets looks for PINs in the memory of a process that is done with them.
func TestSecrets(t *testing.T) {
	runCases(t, program(t, "secrets", "conf_scripted.c"), func(t *testing.T, c *command) {
		// Looking a function up saves registers on the stack, what is in them among it.
		c.env = map[string]string{"LD_BIND_NOW": "1"}
	})
}

// TestScarce lets memory run out in the functions for URIs, PINs and iterators, and in loads.
func TestScarce(t *testing.T) {
	runCases(t, program(t, "scarce", "conf_scripted.c"), plain)
}
