//go:build cgo

package server

import (
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/p11mux/p11mux/internal/sandbox"
	"github.com/p11mux/p11mux/transport"
)

func contains(text, part string) bool { return strings.Contains(text, part) }

// The socket is for the user alone, takes the place of one that nobody listens to, and of nothing else.
func TestListen(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a socket")
	l, err := Listen("unix:path="+path, -1, -1)
	if err != nil {
		t.Fatal(err)
	}
	if want := "unix:path=" + strings.ReplaceAll(path, " ", "%20"); l.Address() != want {
		t.Errorf("the address is %s, want %s", l.Address(), want)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if _, err := Listen(path, -1, -1); err == nil || !contains(err.Error(), "another server") {
		t.Errorf("a socket that is used: %v", err)
	}
	// One whose owner has died.
	dead := filepath.Join(dir, "dead")
	u, err := net.ListenUnix("unix", &net.UnixAddr{Name: dead, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	u.SetUnlinkOnClose(false)
	_ = u.Close()
	again, err := Listen(dead, -1, os.Getegid())
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(dead); err != nil || info.Mode().Perm() != 0o660 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	// One that somebody else has put there is left.
	if err := os.Rename(path, dead); err != nil {
		t.Fatal(err)
	}
	if err := again.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(dead); err != nil {
		t.Errorf("somebody else's socket is removed: %v", err)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		file:                              "is not a socket",
		"":                                "no name",
		filepath.Join(dir, "none/socket"): "no such file",
		"/" + strings.Repeat("long", 30):  "107 octets",
		"vsock:cid=2":                     "has no port",
		"vsock:port=no":                   "is no address",
		"vsock:port=4294967296":           "is no address",
		"vsock:host=1;port=2":             "is no address",
	} {
		if _, err := Listen(name, -1, -1); err == nil || !contains(err.Error(), text) {
			t.Errorf("%q: %v", name, err)
		}
	}
}

// What somebody has put in the place of the socket stays as it is.
func TestOwn(t *testing.T) {
	dir := t.TempDir()
	file, link := filepath.Join(dir, "file"), filepath.Join(dir, "link")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(file, link); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{file, link} {
		if err := own(path, -1, os.Getegid(), 0o660); err == nil || !contains(err.Error(), path+": somebody else") {
			t.Error(err)
		}
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}

// A descriptor that does not listen is no listener.
func TestInherited(t *testing.T) {
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, fd := range fds {
		if _, err := Inherited(fd, false); err == nil || !contains(err.Error(), "listens") {
			t.Error(err)
		}
		_ = syscall.Close(fd)
	}
	if _, err := Inherited(fds[0], false); err == nil {
		t.Error("a closed descriptor is taken")
	}
	t.Setenv("LISTEN_FDS", "2")
	t.Setenv("LISTEN_PID", "1")
	if l, err := Activated(); l != nil || err != nil {
		t.Errorf("sockets of another process: %v, %v", l, err)
	}
}

// What cannot be served is told before anything is started.
func TestCheck(t *testing.T) {
	for _, c := range []struct {
		service Service
		text    string
	}{
		{Service{}, "neither"},
		{Service{Tokens: []string{"pkcs11:token=token", "pkcs11:token=%"}}, "token 2"},
		{Service{Tokens: []string{"pkcs11:?write-protected=perhaps"}}, "use yes or no"},
	} {
		if err := c.service.Check(); err == nil || !contains(err.Error(), c.text) {
			t.Errorf("%v: %v", c.service, err)
		}
	}
	s := Service{Tokens: []string{"pkcs11:token=token?pin-value=secret"}}
	if err := s.Check(); err != nil || contains(s.String(), "secret") {
		t.Errorf("%v, %v", err, s.String())
	}
}

// A module in a sandbox does what it needs and no more.
func TestSandbox(t *testing.T) {
	module := obedient(t)
	named := t.TempDir()
	other := t.TempDir()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	strict := sandbox.Named([]string{exe, module}, []string{named}, false)
	harmless := sandbox.Harmless()
	for _, c := range []struct {
		name  string
		rules *sandbox.Rules
		what  string
		want  bool
	}{
		{"strict", &strict, "w" + named + "/file", true},
		{"strict", &strict, "w" + other + "/file", false},
		{"strict", &strict, "r" + other, false},
		{"strict", &strict, "r/etc/passwd", true},
		{"strict", &strict, "kP", false},
		{"harmless", &harmless, "w" + other + "/file", true},
		{"harmless", &harmless, "r" + other, true},
		{"harmless", &harmless, "w/usr/p11mux-sandbox-test", false},
		{"harmless", &harmless, "kP", false},
		{"none", nil, "kP", true},
	} {
		t.Run(c.name+c.what[:1], func(t *testing.T) {
			what := strings.ReplaceAll(c.what, "P", strconv.Itoa(os.Getpid()))
			if err := started(t, Options{Service: Service{Provider: module}, Sandbox: c.rules}).client().tell(what); (err == nil) != c.want {
				t.Errorf("%s: %v", what, err)
			}
		})
	}
}

// A listener at any number of this machine is reached by its own number and by the one that means every machine itself.
func TestReached(t *testing.T) {
	for _, c := range []struct{ cid, want uint32 }{{unix.VMADDR_CID_ANY, 1}, {7, 7}} {
		l := new(Listener)
		l.at(c.cid, 4711)
		env := transport.Within(nil, l.reached()...)
		one, err := transport.Parse("vsock:cid=" + strconv.FormatUint(uint64(c.want), 10) + ";port=4711")
		if err != nil {
			t.Fatal(err)
		}
		_, id, _ := strings.Cut(transport.Within(nil, one)[0], "=")
		if len(env) != 1 || !contains(env[0], id) {
			t.Errorf("%+v: %q does not have %s", c, env, id)
		}
	}
}
