package launch

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/p11mux/p11mux/conf"
)

// A fileInfo is that of a file with a mode and an owner.
type fileInfo struct {
	fs.FileInfo
	mode     fs.FileMode
	uid, gid int
}

// Mode is the mode.
func (i fileInfo) Mode() fs.FileMode { return i.mode }

// Sys is what the kernel says of the owner.
func (i fileInfo) Sys() any { return &syscall.Stat_t{Uid: uint32(i.uid), Gid: uint32(i.gid)} }

func TestPrivileged(t *testing.T) {
	uid, gid := os.Getuid(), os.Getgid()
	for _, c := range []struct {
		name string
		info fileInfo
		want bool
	}{
		{"ordinary", fileInfo{mode: 0o755, uid: uid + 1, gid: gid + 1}, false},
		{"setuid of another", fileInfo{mode: 0o755 | fs.ModeSetuid, uid: uid + 1, gid: gid}, true},
		{"setuid of our own", fileInfo{mode: 0o755 | fs.ModeSetuid, uid: uid, gid: gid + 1}, false},
		{"setgid of another", fileInfo{mode: 0o755 | fs.ModeSetgid, uid: uid, gid: gid + 1}, true},
		{"setgid of our own", fileInfo{mode: 0o755 | fs.ModeSetgid, uid: uid + 1, gid: gid}, false},
	} {
		if got := privileged("/nowhere", c.info); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

func TestFind(t *testing.T) {
	dir := t.TempDir()
	program := filepath.Join(dir, "program")
	if err := os.WriteFile(program, []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir)
	if got, err := Find("program"); got != program || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	if _, err := Find("nothing"); !errors.Is(err, fs.ErrNotExist) && !strings.Contains(err.Error(), "not found") {
		t.Errorf("a program that is not there: %v", err)
	}
	if IsStatic(program) {
		t.Error("a script is static")
	}
	if IsStatic("/bin/sh") {
		t.Error("the shell is static")
	}
}

// A program that asks for no linker is static.
func TestStatic(t *testing.T) {
	// The smallest ELF file: a header, and no segment that asks for a linker.
	header := make([]byte, 64)
	copy(header, "\x7fELF\x02\x01\x01")
	header[16], header[18], header[20], header[52], header[54], header[58] = 2, 62, 1, 64, 56, 64
	file := filepath.Join(t.TempDir(), "static")
	if err := os.WriteFile(file, header, 0o755); err != nil {
		t.Fatal(err)
	}
	if !IsStatic(file) {
		t.Error("a program without an interpreter is not static")
	}
}

func TestLibraryDir(t *testing.T) {
	for _, lib := range []string{"lib", "lib64", "lib/x86_64-linux-gnu"} {
		prefix := t.TempDir()
		dir := filepath.Join(prefix, lib)
		for _, file := range []string{"bin/p11mux", lib + "/libp11-kit.so.0", lib + "/p11mux/engine.so"} {
			path := filepath.Join(prefix, file)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, nil, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		link := filepath.Join(t.TempDir(), "p11mux")
		if err := os.Symlink(filepath.Join(prefix, "bin/p11mux"), link); err != nil {
			t.Fatal(err)
		}
		if got, err := LibraryDir(link); got != dir || err != nil {
			t.Errorf("%s: got %q, %v", lib, got, err)
		}
		// The system's libp11-kit is none of ours.
		if err := os.Remove(filepath.Join(dir, "p11mux/engine.so")); err != nil {
			t.Fatal(err)
		}
		if got, err := LibraryDir(link); err == nil {
			t.Errorf("%s without an engine: %q", lib, got)
		}
	}
	if _, err := LibraryDir(filepath.Join(t.TempDir(), "nothing")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no executable: %v", err)
	}
}

func TestPreload(t *testing.T) {
	for _, c := range []struct {
		env  []string
		dir  string
		want []string
	}{
		{nil, "/opt/p11mux/lib", []string{"LD_LIBRARY_PATH=/opt/p11mux/lib"}},
		{[]string{"A=1", "LD_LIBRARY_PATH=/a:/b", "B=2"}, "/opt/lib", []string{"A=1", "B=2", "LD_LIBRARY_PATH=/opt/lib:/a:/b"}},
		// An empty path would be the working directory.
		{[]string{"LD_LIBRARY_PATH="}, "/opt/lib", []string{"LD_LIBRARY_PATH=/opt/lib"}},
		{[]string{"LD_LIBRARY_PATH=/a"}, "/usr/lib/x86_64-linux-gnu", []string{"LD_LIBRARY_PATH=/a"}},
		{[]string{"A=1"}, "/lib64", []string{"A=1"}},
	} {
		if got := Preload(c.env, c.dir); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %q", c.dir, got)
		}
	}
}

func TestSetup(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	for _, path := range []string{"relative", "/with\nnewline", "/space behind ", "/nul\x00"} {
		if s, err := NewSetup(&conf.Config{}, path); err == nil {
			t.Errorf("%q: %+v", path, s)
		}
	}
	private, public := filepath.Join(t.TempDir(), "private"), filepath.Join(t.TempDir(), "public")
	for file, mode := range map[string]fs.FileMode{private: 0o600, public: 0o644} {
		if err := os.WriteFile(file, nil, mode); err != nil {
			t.Fatal(err)
		}
	}
	c := &conf.Config{
		Global: conf.Options{{Key: "managed", Value: "yes"}, {Key: "log-secrets", Value: "yes"}},
		Modules: []conf.Module{
			{Name: "b", Options: conf.Options{{Key: "module", Value: "b.so", File: public}, {Key: "managed", Value: "no"}, {Key: "log-file", Value: "/x"}}},
			{Name: "a", Options: conf.Options{{Key: "remote", Value: "|x", File: private}}},
			{Name: "off", Options: conf.Options{{Key: "module", Value: ""}}},
		},
	}
	s, err := NewSetup(c, "/log %n")
	if err != nil {
		t.Fatal(err)
	}
	// The global option counts for all.
	if !slices.Equal(s.Modules, []string{"b", "a"}) || len(s.Unmanaged) != 0 {
		t.Errorf("modules %q, unmanaged %q", s.Modules, s.Unmanaged)
	}
	// Each copy can be read by those who could read the file.
	for name, mode := range map[string]fs.FileMode{"modules/a.module": 0o600, "modules/b.module": 0o644, "pkcs11.conf": 0o644, "modules": 0o755 | fs.ModeDir, ".": 0o755 | fs.ModeDir} {
		if info, err := os.Stat(filepath.Join(s.Dir(), name)); err != nil || info.Mode() != mode {
			t.Errorf("%s: %v, want %v, %v", name, info.Mode(), mode, err)
		}
	}
	env := s.Environ([]string{"P11_SYSTEM_CONFIG_FILE=/x", "A=1"})
	if env[0] != "A=1" || len(env) != 4 {
		t.Errorf("environment %q", env)
	}
	// The library reads what was meant.
	get := func(name string) (string, bool) {
		for _, v := range env {
			if value, ok := strings.CutPrefix(v, name+"="); ok {
				return value, true
			}
		}
		return "", false
	}
	processEnv := conf.Env{Getenv: get, UID: 1}
	read := conf.Load(conf.Paths{}.WithEnviron(processEnv), processEnv)
	if len(read.Problems) > 0 || read.Mode != "none" {
		t.Errorf("mode %s, problems %v", read.Mode, read.Problems)
	}
	for key, want := range map[string]string{"managed": "yes", "log-calls": "yes", "log-format": "json", "log-file": "/log %%n", "log-secrets": ""} {
		if got, _ := read.Global.Get(key); got != want {
			t.Errorf("%s: %q, want %q", key, got, want)
		}
	}
	if len(read.Modules) != 3 {
		t.Fatalf("modules %+v", read.Modules)
	}
	if m := read.Modules[1]; m.Name != "b" || len(m.Options) != 2 {
		t.Errorf("module %+v", m)
	}
	if err := s.Remove(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(s.Dir()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s is still there: %v", s.Dir(), err)
	}
	// Where there is no room, there is no rest.
	t.Setenv("TMPDIR", filepath.Join(t.TempDir(), "nothing"))
	if s, err := NewSetup(c, "/log"); err == nil {
		t.Errorf("without a directory: %+v", s)
	}
}
