package launch

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// ProxyName is the proxy module's file in the library's directory.
const ProxyName = "p11-kit-proxy.so"

// LibraryDir finds the directory of libp11-kit.so.0 that belongs to the executable exe: they are installed, or built, under one
// directory.
func LibraryDir(exe string) (string, error) {
	exe, err := filepath.EvalSymlinks(exe)
	if err != nil {
		return "", err
	}
	prefix := filepath.Dir(filepath.Dir(exe))
	places := []string{filepath.Join(prefix, "lib"), filepath.Join(prefix, "lib64")}
	more, err := filepath.Glob(filepath.Join(prefix, "lib", "*-linux-*"))
	if err != nil {
		return "", err
	}
	for _, dir := range append(places, more...) {
		// The name of our half, which no other library has.
		if _, err := os.Stat(filepath.Join(dir, "p11mux", "engine.so")); err != nil {
			continue
		}
		if _, err := os.Stat(filepath.Join(dir, "libp11-kit.so.0")); err == nil {
			return dir, nil
		}
	}
	return "", fmt.Errorf("libp11-kit.so.0 of p11mux is not in %s", strings.Join(places, " nor in "))
}

// standardDirs are where the linker looks by itself.
var standardDirs = []string{"/lib", "/usr/lib", "/lib64", "/usr/lib64"}

// Preload gives an environment in which programs find the library in dir before any other.
func Preload(env []string, dir string) []string {
	// Where the system's own library is ours there is nothing to do, and the order of other libraries must not change.
	if slices.Contains(standardDirs, dir) || slices.Contains(standardDirs, filepath.Dir(dir)) && strings.Contains(filepath.Base(dir), "-linux-") {
		return env
	}
	path := dir
	for _, v := range env {
		if old, ok := strings.CutPrefix(v, "LD_LIBRARY_PATH="); ok && old != "" {
			path = dir + ":" + old
		}
	}
	return set(env, "LD_LIBRARY_PATH", path)
}
