//go:build cgo

package p11mux

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestMain configures the bundled token, and nothing that the machine has, for the examples. It is built if need be.
func TestMain(m *testing.M) {
	if err := configureDemo(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func configureDemo() error {
	build, err := filepath.Abs("build")
	if err != nil {
		return err
	}
	if dir := os.Getenv("P11MUX_BUILD"); dir != "" {
		build = dir
	}
	modules := filepath.Join(build, "lib", "pkcs11")
	if _, err := os.Stat(filepath.Join(modules, "p11mux-softtoken.so")); err != nil {
		if os.Getenv("P11MUX_BUILD") != "" {
			return err
		}
		make := exec.Command("make", "build/lib/pkcs11/p11mux-softtoken.so", "build/lib/p11mux/softtoken-engine.so")
		if msg, err := make.CombinedOutput(); err != nil {
			return fmt.Errorf("make: %w\n%s", err, msg)
		}
	}
	config, err := filepath.Abs(filepath.Join("demo", "modules"))
	if err != nil {
		return err
	}
	for name, value := range map[string]string{
		"P11_KIT_NO_USER_CONFIG": "1", "P11_SYSTEM_CONFIG_FILE": "/dev/null", "P11_PACKAGE_CONFIG_MODULES": "/dev/null",
		"P11_SYSTEM_CONFIG_MODULES": config, "P11_MODULE_PATH": modules,
	} {
		if err := os.Setenv(name, value); err != nil {
			return err
		}
	}
	return nil
}
