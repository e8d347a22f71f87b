package test

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestDlopen runs a host that opens and closes the library.
func TestDlopen(t *testing.T) {
	path := once(t, "dlopen", func() string { return cc(t, "bin/dlopen", "c/dlopen.c", "-ldl") })
	runCases(t, path, plain)
}

// TestHostile loads configurations that were made to hurt: each must be dealt
// with promptly, name what is wrong, and leave the good module usable.
func TestHostile(t *testing.T) {
	link := func(t *testing.T, target, path string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(target, path); err != nil {
			t.Fatal(err)
		}
	}
	fifo := func(t *testing.T, path string) {
		t.Helper()
		if err := syscall.Mkfifo(path, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	sparse := func(t *testing.T, path string, size int64) {
		t.Helper()
		writeFile(t, path, "module: nothing\n")
		if err := os.Truncate(path, size); err != nil {
			t.Fatal(err)
		}
	}
	cases := []struct {
		name  string
		setup func(t *testing.T, dir string) // dir/package/good.module is there
		names string                         // what is loaded; "good" if empty
		says  string                         // what stderr must tell; "" if nothing need be said
	}{
		{name: "nothing wrong", setup: func(*testing.T, string) {}},
		{name: "huge garbage", says: "huge.module", setup: func(t *testing.T, dir string) {
			writeFile(t, filepath.Join(dir, "modules/huge.module"), strings.Repeat("x", 100<<20))
		}},
		{name: "huge comments", says: "pkcs11.conf", setup: func(t *testing.T, dir string) {
			writeFile(t, filepath.Join(dir, "pkcs11.conf"), strings.Repeat("# "+strings.Repeat("x", 1022), 100<<10))
		}},
		{name: "huge hole", says: "hole.module", setup: func(t *testing.T, dir string) {
			sparse(t, filepath.Join(dir, "modules/hole.module"), 10<<30)
		}},
		{name: "huge module", says: "big.so", setup: func(t *testing.T, dir string) {
			sparse(t, filepath.Join(dir, "big.so"), 10<<30)
			writeFile(t, filepath.Join(dir, "modules/big.module"), "module: "+filepath.Join(dir, "big.so")+"\n")
		}},
		{name: "directory is a file", setup: func(t *testing.T, dir string) {
			writeFile(t, filepath.Join(dir, "modules"), "module: nothing\n")
		}},
		{name: "directory loops", says: "modules", setup: func(t *testing.T, dir string) {
			link(t, "modules", filepath.Join(dir, "modules"))
		}},
		{name: "file is a directory", setup: func(t *testing.T, dir string) {
			writeFile(t, filepath.Join(dir, "modules/dir.module/x"), "")
		}},
		{name: "global file is a directory", says: "pkcs11.conf", setup: func(t *testing.T, dir string) {
			writeFile(t, filepath.Join(dir, "pkcs11.conf/x"), "")
		}},
		{name: "fifo as configuration", says: "fifo.module", setup: func(t *testing.T, dir string) {
			writeFile(t, filepath.Join(dir, "modules/other.module"), "x-nothing: here\n")
			fifo(t, filepath.Join(dir, "modules/fifo.module"))
		}},
		{name: "fifo as global file", says: "pkcs11.conf", setup: func(t *testing.T, dir string) {
			fifo(t, filepath.Join(dir, "pkcs11.conf"))
		}},
		{name: "fifo as module", says: "fifo.so", setup: func(t *testing.T, dir string) {
			fifo(t, filepath.Join(dir, "fifo.so"))
			writeFile(t, filepath.Join(dir, "modules/fifo.module"), "module: "+filepath.Join(dir, "fifo.so")+"\n")
		}},
		{name: "link to itself", says: "loop.module", setup: func(t *testing.T, dir string) {
			link(t, "loop.module", filepath.Join(dir, "modules/loop.module"))
		}},
		{name: "dangling link", says: "gone.module", setup: func(t *testing.T, dir string) {
			link(t, "nowhere", filepath.Join(dir, "modules/gone.module"))
		}},
		{name: "endless device", says: "zero.module", setup: func(t *testing.T, dir string) {
			link(t, "/dev/zero", filepath.Join(dir, "modules/zero.module"))
		}},
		{name: "device as module", says: "/dev/zero", setup: func(t *testing.T, dir string) {
			writeFile(t, filepath.Join(dir, "modules/zero.module"), "module: /dev/zero\n")
		}},
		{name: "directory as module", says: "/usr", setup: func(t *testing.T, dir string) {
			writeFile(t, filepath.Join(dir, "modules/usr.module"), "module: /usr\n")
		}},
		{name: "text as module", says: "text.so", setup: func(t *testing.T, dir string) {
			writeFile(t, filepath.Join(dir, "text.so"), "not a shared object\n")
			writeFile(t, filepath.Join(dir, "modules/text.module"), "module: "+filepath.Join(dir, "text.so")+"\n")
		}},
		{name: "start of a module", says: "start.so", setup: func(t *testing.T, dir string) {
			data, err := os.ReadFile(filepath.Join(modules(t), "a.so"))
			if err != nil {
				t.Fatal(err)
			}
			writeFile(t, filepath.Join(dir, "start.so"), string(data[:40]))
			writeFile(t, filepath.Join(dir, "modules/start.module"), "module: "+filepath.Join(dir, "start.so")+"\n")
		}},
		{name: "no entry point", says: "nolist.so", setup: func(t *testing.T, dir string) {
			writeFile(t, filepath.Join(dir, "modules/nolist.module"), "module: "+filepath.Join(modules(t), "nolist.so")+"\n")
		}},
		{name: "list of NULLs", says: "empty", setup: func(t *testing.T, dir string) {
			writeFile(t, filepath.Join(dir, "modules/empty.module"), "module: "+filepath.Join(modules(t), "e.so")+"\n")
		}},
		{name: "unreadable file", says: "secret.module", setup: func(t *testing.T, dir string) {
			path := filepath.Join(dir, "modules/secret.module")
			writeFile(t, path, "module: nothing\n")
			if err := os.Chmod(path, 0); err != nil {
				t.Fatal(err)
			}
		}},
		{name: "unreadable directory", says: "modules", setup: func(t *testing.T, dir string) {
			writeFile(t, filepath.Join(dir, "modules/secret.module"), "module: nothing\n")
			if err := os.Chmod(filepath.Join(dir, "modules"), 0o300); err != nil {
				t.Fatal(err)
			}
		}},
		{name: "many files", setup: func(t *testing.T, dir string) {
			for i := range 3000 {
				writeFile(t, filepath.Join(dir, "modules", "m"+strconv.Itoa(i)+".module"), "module:\n")
			}
		}},
		{name: "long name and value", says: "/yyyy", setup: func(t *testing.T, dir string) {
			writeFile(t, filepath.Join(dir, "modules", strings.Repeat("n", 240)+".module"),
				"module: /"+strings.Repeat("y", 100_000)+"zzz.so\n"+strings.Repeat("k", 100_000)+": v\n")
		}},
	}
	path := program(t, "list")
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			dir := publicDir(t)
			t.Cleanup(func() { os.RemoveAll(dir) })
			writeFile(t, filepath.Join(dir, "package/good.module"), "module: "+filepath.Join(modules(t), "a.so")+"\n")
			if err := os.MkdirAll(filepath.Join(dir, "package"), 0o755); err != nil {
				t.Fatal(err)
			}
			tc.setup(t, dir)
			r := command{
				path: path, args: []string{"65534"}, lib: ours, conf: dir,
				env:     map[string]string{"COUNTING_e_NULL_LIST": "1"},
				timeout: 20 * time.Second,
			}.mustRun(t)
			want := tc.names
			if want == "" {
				want = "good"
			}
			if got := strings.TrimSpace(r.stdout); got != want {
				t.Errorf("loaded %q, want %q", got, want)
			}
			if tc.says == "" {
				if r.stderr != "" {
					t.Errorf("unexpected messages: %.500s", r.stderr)
				}
			} else if !strings.Contains(r.stderr, tc.says) {
				t.Errorf("messages do not name %q: %.500s", tc.says, r.stderr)
			}
			if len(r.stderr) > 20_000 {
				t.Errorf("%d octets of messages", len(r.stderr))
			}
		})
	}
}
