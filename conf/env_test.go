package conf

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// environ returns an Env for an ordinary user with the given variables.
func environ(vars map[string]string) Env {
	return Env{
		Getenv: func(name string) (string, bool) { v, ok := vars[name]; return v, ok },
		UID:    1000,
	}
}

func TestExpand(t *testing.T) {
	home := func(uid int) (string, bool) { return "/passwd/home", uid == 1000 }
	for _, tt := range []struct {
		path, xdg, home string
		want            string
	}{
		{"~/.config/pkcs11/x", "/xdg", "/home", "/xdg/pkcs11/x"},
		{"~/.config/pkcs11/x", "", "/home", "/home/.config/pkcs11/x"},
		{"~/.config/pkcs11/x", "rel", "/home", "rel/pkcs11/x"},
		{"~/.config/pkcs11/x", "", "", "/passwd/home/.config/pkcs11/x"},
		{"~/.config", "/xdg", "/home", "/xdg"},
		{"~/.config/", "/xdg", "/home", "/xdg/"},
		{"~/.configure/x", "/xdg", "/home", "/home/.configure/x"},
		{"~/.conf", "/xdg", "/home", "/home/.conf"},
		{"~/x/.config/y", "/xdg", "/home", "/home/x/.config/y"},
		{"~", "/xdg", "/home", "/home"},
		{"~/", "/xdg", "/home", "/home/"},
		{"~other/x", "/xdg", "/home", "~other/x"},
		{"/etc/~/x", "/xdg", "/home", "/etc/~/x"},
		{"rel/x", "/xdg", "/home", "rel/x"},
		{"", "/xdg", "/home", ""},
	} {
		env := environ(map[string]string{"XDG_CONFIG_HOME": tt.xdg, "HOME": tt.home})
		env.HomeOf = home
		if got, ok := env.expand(tt.path); got != tt.want || !ok {
			t.Errorf("%q with XDG_CONFIG_HOME=%q HOME=%q: %q, %v, want %q", tt.path, tt.xdg, tt.home, got, ok, tt.want)
		}
	}
	for name, env := range map[string]Env{
		"nothing":       {UID: 1000},
		"no such user":  {UID: 1001, HomeOf: home},
		"empty home":    {UID: 1000, HomeOf: func(int) (string, bool) { return "", true }},
		"secure, no db": {Secure: true, Getenv: func(string) (string, bool) { return "/evil", true }},
	} {
		if got, ok := env.expand("~/.config/x"); ok {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestHomeIn(t *testing.T) {
	file := filepath.Join(t.TempDir(), "passwd")
	text := strings.Join([]string{
		"root:x:0:0:root:/root:/bin/sh",
		"# comment",
		"",
		"short:x:1000",
		"spaces:x: 1000:1:x:/wrong:/bin/sh",
		"user:x:1000:1000:A User,,,:/home/user:/bin/sh",
		"second:x:1000:1000::/home/second:/bin/sh",
		"nohome:x:1001:1001:::/bin/sh",
		"cut:x:1002:1002::/home/cut",
		"negative:x:-1:1::/wrong:/bin/sh",
		"noshell:x:1003:1003::/home/noshell:",
	}, "\n")
	if err := os.WriteFile(file, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		uid  int
		want string
	}{
		{0, "/root"},
		{1000, "/home/user"},
		{1001, ""},
		{1002, ""},
		{1003, "/home/noshell"},
		{1004, ""},
		{-1, ""},
	} {
		if got, ok := homeIn(file, tt.uid); got != tt.want || ok != (tt.want != "") {
			t.Errorf("uid %d: %q, %v, want %q", tt.uid, got, ok, tt.want)
		}
	}
	if got, ok := homeIn(file+"x", 0); ok {
		t.Errorf("no file: %q", got)
	}
	if got, ok := HomeOf(0); got == "" || !ok {
		t.Errorf("root in /etc/passwd: %q, %v", got, ok)
	}
}

func TestWithEnviron(t *testing.T) {
	vars := map[string]string{
		"P11_SYSTEM_CONFIG_FILE":     "1",
		"P11_USER_CONFIG_FILE":       "2",
		"P11_PACKAGE_CONFIG_MODULES": "3",
		"P11_SYSTEM_CONFIG_MODULES":  "4",
		"P11_USER_CONFIG_MODULES":    "5",
		"P11_MODULE_PATH":            "6",
	}
	env := environ(vars)
	want := Paths{SystemConfig: "1", UserConfig: "2", PackageModules: "3", SystemModules: "4", UserModules: "5", ModuleDir: "6"}
	if got := DefaultPaths().WithEnviron(env); got != want {
		t.Errorf("got %+v", got)
	}
	env.Secure = true
	if got := DefaultPaths().WithEnviron(env); got != DefaultPaths() {
		t.Errorf("secure: got %+v", got)
	}
	if got := want.WithEnviron(Env{}); got != want {
		t.Errorf("no environment: got %+v", got)
	}
	if got := want.WithEnviron(environ(map[string]string{"P11_MODULE_PATH": ""})); got != want {
		t.Errorf("empty variable: got %+v", got)
	}
}

func TestDefaultPaths(t *testing.T) {
	d := DefaultPaths()
	want := Paths{
		SystemConfig:   "/etc/pkcs11/pkcs11.conf",
		UserConfig:     "~/.config/pkcs11/pkcs11.conf",
		PackageModules: "/usr/share/p11-kit/modules",
		SystemModules:  "/etc/pkcs11/modules",
		UserModules:    "~/.config/pkcs11/modules",
		ModuleDir:      moduleDir(),
	}
	if d != want {
		t.Errorf("got %+v", d)
	}
	if got := (Paths{}).WithDefaults(); got != d {
		t.Errorf("zero paths with defaults: %+v", got)
	}
	if got := (Paths{UserConfig: "x"}).WithDefaults(); got.UserConfig != "x" || got.ModuleDir != d.ModuleDir {
		t.Errorf("one path with defaults: %+v", got)
	}
	defer func(old string) { libDir = old }(libDir)
	libDir = "/opt/lib"
	if got := DefaultPaths().ModuleDir; got != "/opt/lib/pkcs11" {
		t.Errorf("module directory for a libDir of /opt/lib: %q", got)
	}
}

func TestProcessEnv(t *testing.T) {
	t.Setenv("P11MUX_TEST_VARIABLE", "here")
	env := ProcessEnv()
	if env.Secure {
		t.Error("an ordinary process taken as secure")
	}
	if env.UID != os.Getuid() {
		t.Errorf("uid %d", env.UID)
	}
	if v, ok := env.getenv("P11MUX_TEST_VARIABLE"); v != "here" || !ok {
		t.Errorf("variable: %q, %v", v, ok)
	}
	env.Secure = true
	if v, ok := env.getenv("P11MUX_TEST_VARIABLE"); v != "" || ok {
		t.Errorf("variable of a secure process: %q, %v", v, ok)
	}
}
