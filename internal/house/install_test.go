package house

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestInstall installs into a directory, and builds and runs a program with nothing but what is there.
func TestInstall(t *testing.T) {
	stage := t.TempDir()
	libdir := filepath.Join(stage, "opt/p11mux/lib")
	// Our own run of make is none of the other's business.
	env := []string{"MAKEFLAGS=", "MFLAGS=", "MAKELEVEL="}
	if _, err := run(root(), env, "make", "install", "BUILD="+buildDir(), "DESTDIR="+stage, "PREFIX=/opt/p11mux"); err != nil {
		t.Fatal(err)
	}

	var got []string
	err := fs.WalkDir(os.DirFS(stage), ".", func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			got = append(got, strings.TrimPrefix(path, "opt/p11mux/"))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"include/p11-kit-1/p11-kit/p11-kit.h", "include/p11-kit-1/p11-kit/pkcs11.h",
		"include/p11-kit-1/p11-kit/uri.h", "include/p11-kit-1/p11-kit/pin.h", "include/p11-kit-1/p11-kit/iter.h",
		"include/p11-kit-1/p11-kit/remote.h", "include/p11-kit-1/p11-kit/deprecated.h", "include/p11-kit-1/p11-kit/pkcs11x.h",
		"include/p11-kit-1/p11-kit/version.h", "lib/libp11-kit.so", "lib/libp11-kit.so.0",
		"lib/p11mux/engine.so", "lib/pkgconfig/p11-kit-1.pc", "bin/p11mux", "bin/p11-kit",
		"libexec/p11mux/enginecheck", "lib/pkcs11/p11-kit-client.so", "lib/p11mux/client-engine.so",
		"lib/pkcs11/p11mux-softtoken.so", "lib/p11mux/softtoken-engine.so",
	} {
		if !slices.Contains(got, want) {
			t.Errorf("%s is not installed; what is: %v", want, got)
		}
	}
	if out, err := run(".", nil, filepath.Join(stage, "opt/p11mux/bin/p11mux"), "demo"); err != nil || !strings.Contains(out, "With p11mux, B went on signing.") {
		t.Errorf("the demonstration: %v\n%s", err, out)
	}

	env = []string{"PKG_CONFIG_LIBDIR=" + filepath.Join(libdir, "pkgconfig"), "PKG_CONFIG_PATH=", "PKG_CONFIG_SYSROOT_DIR=" + stage}
	pkgConfig := func(args ...string) string {
		t.Helper()
		out, err := run(".", env, "pkg-config", append(args, "p11-kit-1")...)
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(out)
	}
	for _, v := range []string{"prefix", "libdir", "includedir", "proxy_module", "p11_module_configs", "p11_module_path", "p11_system_config_modules"} {
		value := pkgConfig("--variable=" + v)
		if !filepath.IsAbs(value) || strings.Contains(value, "@") {
			t.Errorf("p11-kit-1.pc: %s is %q", v, value)
		}
	}
	if configs := pkgConfig("--variable=p11_module_configs"); !strings.HasSuffix(configs, "/usr/share/p11-kit/modules") {
		t.Errorf("p11-kit-1.pc: p11_module_configs is %q", configs)
	}
	pkgConfig("--atleast-version=0.23.1") // what GnuTLS asks for

	program := filepath.Join(t.TempDir(), "installed")
	args := []string{"-std=gnu11", "-Wall", "-Wextra", "-Werror", "-o", program, "testdata/installed.c"}
	args = append(append(args, strings.Fields(pkgConfig("--cflags", "--libs"))...), "-ldl")
	if _, err := run(".", nil, "gcc", args...); err != nil {
		t.Fatal(err)
	}
	module := filepath.Join(libdir, "pkcs11/p11mux-softtoken.so")
	out, err := run(".", []string{"LD_LIBRARY_PATH=" + libdir}, program, module)
	if err != nil {
		t.Fatal(err)
	}
	if library := filepath.Join(libdir, "libp11-kit.so.0"); !strings.HasPrefix(out, library+"\n3.") {
		t.Errorf("printed %q, want the library %s and a version 3.x", out, library)
	}
}
