package conf

import (
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

func (tr tree) symlink(target, name string) {
	tr.t.Helper()
	if err := os.Symlink(target, tr.path(name)); err != nil {
		tr.t.Fatal(err)
	}
}

// TestLoadStrangeFiles has entries in the module directories that are no
// regular files. Without care, several of them would hang the load.
func TestLoadStrangeFiles(t *testing.T) {
	tr := newTree(t, map[string]string{
		"package/good.module": "module: g",
		"elsewhere":           "module: e",
		"system/null.module":  "module: n",
		"user/dir.module/x":   "",
	})
	tr.symlink("../elsewhere", "package/link.module")
	tr.symlink("missing", "package/dangling.module")
	tr.symlink("loop.module", "package/loop.module")
	tr.symlink("/dev/zero", "package/device.module")
	tr.symlink("/dev/null", "user/null.module")
	tr.symlink("../elsewhere/x", "package/notdir.module")
	if err := syscall.Mkfifo(tr.path("package/fifo.module"), 0o666); err != nil {
		t.Fatal(err)
	}
	listen(t, tr.path("package/socket.module"))

	const cannot, notUsed = "couldn't read config file: ", "' is not used"
	tr.want(tr.load(), "merge {} good{module=g} link{module=e} null{module=n}",
		"T/package/dangling.module: "+cannot+"dangling symbolic link: module 'dangling"+notUsed,
		"T/package/device.module: "+cannot+"not a regular file: module 'device"+notUsed,
		"T/package/fifo.module: "+cannot+"not a regular file: module 'fifo"+notUsed,
		"T/package/loop.module: "+cannot+"too many levels of symbolic links: module 'loop"+notUsed,
		"T/package/notdir.module: "+cannot+"dangling symbolic link: module 'notdir"+notUsed,
		"T/package/socket.module: "+cannot+"not a regular file: module 'socket"+notUsed,
	)
}

// listen makes a socket in the file system, by a short path because those of
// sockets are limited.
func listen(t *testing.T, path string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "s")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	l, err := net.Listen("unix", dir+"/s")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	if err := os.Rename(dir+"/s", path); err != nil {
		t.Fatal(err)
	}
}

// TestLoadStrangeGlobalFile puts each kind of unusable file in the place of
// the global files.
func TestLoadStrangeGlobalFile(t *testing.T) {
	for kind, tt := range map[string]struct {
		make func(path string) error
		why  string // empty if the file counts as empty or missing
	}{
		"directory": {func(p string) error { return os.Mkdir(p, 0o755) }, "is a directory"},
		"fifo":      {func(p string) error { return syscall.Mkfifo(p, 0o666) }, "not a regular file"},
		"device":    {func(p string) error { return os.Symlink("/dev/zero", p) }, "not a regular file"},
		"dangling":  {func(p string) error { return os.Symlink("missing", p) }, "dangling symbolic link"},
		"loop":      {func(p string) error { return os.Symlink(filepath.Base(p), p) }, "too many levels of symbolic links"},
		"huge": {func(p string) error {
			if err := os.WriteFile(p, nil, 0o644); err != nil {
				return err
			}
			return os.Truncate(p, 1<<40)
		}, "larger than 1048576 bytes"},
		"null":    {func(p string) error { return os.Symlink("/dev/null", p) }, ""},
		"missing": {func(string) error { return nil }, ""},
	} {
		t.Run(kind, func(t *testing.T) {
			for _, file := range []string{"system.conf", "user.conf"} {
				tr := newTree(t, map[string]string{"package/p.module": "module: p", "user/u.module": "module: u"})
				if err := tt.make(tr.path(file)); err != nil {
					t.Fatal(err)
				}
				var problems []string
				if tt.why != "" {
					problems = append(problems, "T/"+file+": couldn't read config file: "+tt.why+": it counts as missing")
				}
				tr.want(tr.load(), "merge {} p{module=p} u{module=u}", problems...)
			}
		})
	}
}

// TestLoadStrangeDirectory does the same for the module directories.
func TestLoadStrangeDirectory(t *testing.T) {
	for _, dir := range []string{"package", "system", "user"} {
		tr := newTree(t, map[string]string{"other/x": ""})
		tr.symlink(dir, dir)
		tr.want(tr.load(), "merge {}", "T/"+dir+": couldn't list directory: too many levels of symbolic links: it counts as missing")

		tr = newTree(t, nil)
		if err := syscall.Mkfifo(tr.path(dir), 0o666); err != nil {
			t.Fatal(err)
		}
		tr.want(tr.load(), "merge {}")
	}
}

// TestLoadDenied takes the right to read away: it is reported. What is the
// user's own counts as empty then.
func TestLoadDenied(t *testing.T) {
	tr := newTree(t, map[string]string{
		"system.conf":         "g: s",
		"user.conf":           "g: u",
		"package/good.module": "module: g",
		"package/m.module":    "module: m",
		"package/sys.module":  "module: s",
		"system/sys.module":   "critical: yes",
		"user/m.module":       "module: evil",
		"user/alone.module":   "module: a",
	})
	const denied = "couldn't read config file: permission denied: "
	unreadable(t, tr, "system.conf", "user.conf", "system/sys.module", "user/m.module", "user/alone.module")
	tr.want(loadUnprivileged(t, tr), "merge {} alone{} good{module=g} m{module=m}",
		"T/system.conf: "+denied+"it counts as missing",
		"T/user.conf: "+denied+"it counts as missing",
		"T/user/alone.module: "+denied+"it counts as empty",
		"T/user/m.module: "+denied+"it counts as empty",
		"T/system/sys.module: "+denied+"module 'sys' is not used",
	)
	unreadable(t, tr, "user", "system")
	tr.want(loadUnprivileged(t, tr), "merge {} good{module=g} m{module=m} sys{module=s}",
		"T/system.conf: "+denied,
		"T/user.conf: "+denied,
		"T/system: couldn't list directory: permission denied: it counts as missing",
		"T/user: couldn't list directory: permission denied: it counts as missing",
	)
}

// unreadable takes all rights to the files away until the test's end.
func unreadable(t *testing.T, tr tree, names ...string) {
	t.Helper()
	for _, name := range names {
		path := tr.path(name)
		if err := os.Chmod(path, 0); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { os.Chmod(path, 0o755) })
	}
}

// loadUnprivileged loads the tree without the superuser's power to read
// everything, which this thread gives up for the moment.
func loadUnprivileged(t *testing.T, tr tree) *Config {
	t.Helper()
	if os.Getuid() != 0 {
		return tr.load()
	}
	// The test's directory is in one that only its owner may enter.
	for dir := tr.dir; dir != filepath.Clean(os.TempDir()) && dir != "/"; dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	const nobody = 65534
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	setfsuid(nobody)
	defer setfsuid(0)
	if got := setfsuid(nobody); got != nobody {
		t.Fatalf("file system user id is %d", got)
	}
	return tr.load()
}

// setfsuid sets the calling thread's user id for files and returns the former.
func setfsuid(uid uintptr) uintptr {
	old, _, _ := syscall.RawSyscall(syscall.SYS_SETFSUID, uid, 0, 0)
	return old
}

// TestReadFile reads files whose size the system does not tell, or that are
// as long as the limit allows.
func TestReadFile(t *testing.T) {
	if text, err := readFile("/proc/self/status", maxFileSize); err != nil || !strings.Contains(text, "Name:") {
		t.Errorf("/proc/self/status: %q, %v", text, err)
	}
	if _, err := readFile("/proc/self/status", 100); err == nil || err.Error() != "larger than 100 bytes" {
		t.Errorf("/proc/self/status with a limit: %v", err)
	}
	file := filepath.Join(t.TempDir(), "f")
	for _, n := range []int{0, 1, 511, 512, 513, 1024, 5000} {
		want := strings.Repeat("x", n)
		if err := os.WriteFile(file, []byte(want), 0o666); err != nil {
			t.Fatal(err)
		}
		if text, err := readFile(file, int64(n)); text != want || err != nil {
			t.Errorf("%d bytes: got %d, %v", n, len(text), err)
		}
		if n == 0 {
			continue
		}
		if text, err := readFile(file, int64(n-1)); err == nil {
			t.Errorf("%d bytes with a limit one less: got %d", n, len(text))
		}
	}
	if _, err := readFile(file+"\x00", maxFileSize); err == nil {
		t.Error("read a file with NUL in its path")
	}
}

// TestReadAllGrown reads a file that has grown, or shrunk, since its size was
// asked.
func TestReadAllGrown(t *testing.T) {
	file := filepath.Join(t.TempDir(), "f")
	want := strings.Repeat("x", 3000)
	if err := os.WriteFile(file, []byte(want), 0o666); err != nil {
		t.Fatal(err)
	}
	for _, size := range []int64{0, 3000, 4000} {
		f, err := os.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		if text, err := readAll(int(f.Fd()), size, maxFileSize); text != want || err != nil {
			t.Errorf("expected %d: got %d bytes, %v", size, len(text), err)
		}
		f.Close()
	}
}

// TestLoadLeaksNoFile counts descriptors around a load that meets everything.
func TestLoadLeaksNoFile(t *testing.T) {
	tr := newTree(t, map[string]string{
		"system.conf":        "bad",
		"package/a.module":   "module: a",
		"package/b.module":   "bad",
		"system/c.module/d":  "",
		"user/large.module":  strings.Repeat("x", maxFileSize+1),
		"user/junk":          "",
		"user/fifo/x.module": "",
	})
	count := func() int {
		names, err := listDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(names)
	}
	before := count()
	for range 20 {
		tr.load()
	}
	if after := count(); after != before {
		t.Errorf("%d open files before, %d after", before, after)
	}
}

func TestListDir(t *testing.T) {
	dir := t.TempDir()
	const n = 1000 // more than one buffer holds
	for i := range n {
		name := strings.Repeat("n", i%200) + "-" + string(rune('a'+i%26)) + "-" + strings.Repeat("x", i/200)
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	names, err := listDir(dir)
	if err != nil || len(names) != len(entries) {
		t.Errorf("%d names of %d, %v", len(names), len(entries), err)
	}
	if !isDir(dir) || isDir(filepath.Join(dir, names[0])) || isSymlink(dir) {
		t.Error("isDir or isSymlink")
	}
}
