package test

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/p11mux/p11mux/ck"
	"github.com/p11mux/p11mux/internal/testkit"
	"github.com/p11mux/p11mux/module"
)

// A forwarding is an ssh that has a socket at another machine lead to one here.
type forwarding struct {
	*exec.Cmd
	in     io.Closer
	stderr bytes.Buffer
}

// forward starts one, and tells whether it works. It is ended by stop.
func forward(t *testing.T, h *testkit.SSHHost, there, here string, options ...string) (f *forwarding, works bool) {
	t.Helper()
	// The command runs when the socket is there, and ends with its input.
	args := append([]string{"-F", h.Config, "-o", "ExitOnForwardFailure=yes", "-R", there + ":" + here}, options...)
	f = &forwarding{Cmd: exec.Command("ssh", append(args, "far", "echo", "ready;", "exec", "cat")...)}
	f.Stderr = &f.stderr
	in, err := f.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := f.StdoutPipe()
	if err == nil {
		err = f.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	f.in = in
	if line, err := readLine(out); line != "ready" {
		in.Close()
		_ = f.Wait() // the caller looks at what it says
		t.Logf("ssh -R: %q, %v\n%s", line, err, &f.stderr)
		return f, false
	}
	return f, true
}

// stop ends it as its user does.
func (f *forwarding) stop(t *testing.T) {
	t.Helper()
	f.in.Close()
	if err := f.Wait(); err != nil {
		t.Errorf("ssh -R: %v\n%s", err, &f.stderr)
	}
}

// kill ends it as an accident does.
func (f *forwarding) kill(t *testing.T) {
	t.Helper()
	if err := f.Process.Kill(); err != nil {
		t.Error(err)
	}
	f.in.Close()
	_ = f.Wait() // says that it was killed
}

// usualPlace makes the directory where clients at a host look for a socket, and gives the path of that.
func usualPlace(t *testing.T, tok token) string {
	t.Helper()
	dir := filepath.Join(tok.dir, "run", "p11-kit")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, "pkcs11")
}

// TestSSHForward has programs on another machine use a token of this one, by each server here and by each client there.
func TestSSHForward(t *testing.T) {
	near := newConsumer(t)
	data := near.secret(t, "data", "signed for another")
	listed := sortedLines(near.tool(t, softhsm(t), "--list-objects").stdout)
	out := filepath.Join(near.dir, "signature")
	for name, serve := range map[string]func(t *testing.T) (socket string){
		"our server": func(t *testing.T) string {
			socket := filepath.Join(near.dir, "ours")
			near.server(t, "--name", socket, "--provider", softhsm(t), "pkcs11:token=token")
			return socket
		},
		"the reference's server": func(t *testing.T) string {
			socket := filepath.Join(near.dir, "theirs")
			server := near.referenceServer(t, socket)
			t.Cleanup(func() {
				_ = server.Process.Kill()
				_ = server.Wait() // says that it was killed
			})
			return socket
		},
	} {
		t.Run(name, func(t *testing.T) {
			far := newConsumer(t)
			socket := serve(t)
			host := testkit.NewSSHHost(t, map[string]string{
				"XDG_RUNTIME_DIR": filepath.Join(far.dir, "run"), "USER_PIN": pin, "LC_ALL": "C", "SOFTHSM2_CONF": "/nonexistent",
				"P11_SYSTEM_CONFIG_MODULES": filepath.Join(far.conf, "modules"), "P11_PACKAGE_CONFIG_MODULES": far.conf,
			})
			there := usualPlace(t, far.token)
			f, works := forward(t, host, there, socket)
			if !works {
				t.FailNow()
			}
			defer f.stop(t)
			if info, err := os.Stat(there); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("the socket there: %v, %v", info.Mode(), err)
			}
			tool := func(module string, args ...string) string {
				return host.Run(t, append([]string{"pkcs11-tool", "--module", module}, args...)...)
			}
			for name, module := range map[string]string{"our client": client(t), "the reference's client": clientModule(t), "our proxy": proxy(t)} {
				t.Run(name, func(t *testing.T) {
					if module == proxy(t) {
						writeFile(t, filepath.Join(far.conf, "modules", "softhsm.module"), "remote: unix:path="+there+"\n")
					}
					sameLines(t, "objects", listed, sortedLines(tool(module, append([]string{"--list-objects"}, login...)...)))
					tool(module, slices.Concat(signs, login, []string{"--input-file", data, "--output-file", out})...)
					near.signed(t, "signature", "signed for another")
				})
			}
			eachLibrary(t, both, func(t *testing.T, lib library) {
				l := linked{lib: lib, tok: token{conf: t.TempDir(), dir: far.dir, env: map[string]string{"SOFTHSM2_CONF": "/nonexistent"}}, modules: t.TempDir()}
				writeFile(t, filepath.Join(l.modules, "far.module"), "remote: unix:path="+there+"\n")
				contains(t, "p11tool", l.run(t, "p11tool", "--list-token-urls"), "pkcs11:model=SoftHSM%20v2;", ";token=token")
				l.run(t, "p11tool", "--login", "--test-sign", "pkcs11:token=token;object=rsa;type=private")
			})
		})
	}
}

// slots is how many slots a module has.
func slots(t *testing.T, m module.Module) uint64 {
	t.Helper()
	list := &ck.GetSlotListCall{TokenPresent: true}
	must(t, m, list)
	return list.Slots.N
}

// TestSSHForwardLost has the connection end while a token is used, and come back.
func TestSSHForwardLost(t *testing.T) {
	near, far := newConsumer(t), newToken(t)
	socket, there := filepath.Join(near.dir, "socket"), usualPlace(t, far)
	near.server(t, "--name", socket, "--provider", softhsm(t), "pkcs11:token=token")
	host := testkit.NewSSHHost(t, nil, "StreamLocalBindUnlink yes")
	for way, m := range map[string]module.Module{
		"configured": configured(t, "unix:path="+there, "CKR_DEVICE_REMOVED: the connection is lost: the server has closed it",
			"module 'far' has no slots: no server is reached at "+there),
		"client module": byClientModule(t, "unix:path="+there),
	} {
		t.Run(way, func(t *testing.T) {
			for range 2 {
				// What a killed ssh has left is in nobody's way: the sshd has been told to take it away.
				f, works := forward(t, host, there, socket)
				if !works {
					t.FailNow()
				}
				must(t, m, &ck.InitializeCall{Args: &ck.InitializeArgs{Flags: ck.CKF_OS_LOCKING_OK}})
				if n := slots(t, m); n != 1 {
					t.Fatalf("there are %d slots", n)
				}
				list := &ck.GetSlotListCall{}
				list.Slots.Buf = make([]ck.SlotID, 1)
				must(t, m, list)
				open := &ck.OpenSessionCall{Slot: list.Slots.Buf[0], Flags: ck.CKF_SERIAL_SESSION}
				must(t, m, open)
				must(t, m, &ck.LoginCall{Session: open.Session, UserType: ck.CKU_USER, PIN: []byte(pin)})
				f.kill(t)
				random := &ck.GenerateRandomCall{Session: open.Session, RandomData: make([]byte, 8)}
				if err := m.Do(t.Context(), random); ck.RVOf(err) != ck.CKR_DEVICE_ERROR {
					t.Errorf("without ssh C_GenerateRandom gives %v", err)
				}
				must(t, m, &ck.FinalizeCall{})
				// Nobody is there, which is no error.
				must(t, m, &ck.InitializeCall{Args: &ck.InitializeArgs{Flags: ck.CKF_OS_LOCKING_OK}})
				if n := slots(t, m); n != 0 {
					t.Errorf("without ssh there are %d slots", n)
				}
				must(t, m, &ck.FinalizeCall{})
			}
		})
	}
}

// TestSSHForwardNobody has a connection lead to a server that is not there yet.
func TestSSHForwardNobody(t *testing.T) {
	near, far := newConsumer(t), newToken(t)
	socket, there := filepath.Join(near.dir, "socket"), usualPlace(t, far)
	f, works := forward(t, testkit.NewSSHHost(t, nil), there, socket)
	if !works {
		t.FailNow()
	}
	defer f.stop(t)
	m := configured(t, "unix:path="+there, "couldn't connect to module 'far'")
	initialize := &ck.InitializeCall{Args: &ck.InitializeArgs{Flags: ck.CKF_OS_LOCKING_OK}}
	if err := m.Do(t.Context(), initialize); ck.RVOf(err) != ck.CKR_DEVICE_ERROR || !strings.Contains(err.Error(), "before it has said anything") {
		t.Errorf("without a server C_Initialize gives %v", err)
	}
	near.server(t, "--name", socket, "--provider", softhsm(t), "pkcs11:token=token")
	must(t, m, initialize)
	if n := slots(t, m); n != 1 {
		t.Errorf("there are %d slots", n)
	}
	must(t, m, &ck.FinalizeCall{})
}

// TestSSHForwardAgain has an ssh find the socket that another one has left. It is the sshd that may take it away, or a person.
func TestSSHForwardAgain(t *testing.T) {
	near, far := newConsumer(t), newToken(t)
	socket, there := filepath.Join(near.dir, "socket"), usualPlace(t, far)
	near.server(t, "--name", socket, softhsm(t))
	host := testkit.NewSSHHost(t, nil)
	start := func(options ...string) (*forwarding, bool) { return forward(t, host, there, socket, options...) }
	first, works := start()
	if !works {
		t.FailNow()
	}
	for _, options := range [][]string{nil, {"-o", "StreamLocalBindUnlink=yes"}} {
		if second, works := start(options...); works || !strings.Contains(second.stderr.String(), "remote port forwarding failed for listen path "+there) {
			t.Errorf("the socket is used, and ssh -R %q works: %v\n%s", options, works, &second.stderr)
		}
	}
	first.kill(t)
	if third, works := start("-o", "StreamLocalBindUnlink=yes"); works {
		t.Error("the option has ssh take the socket away")
		third.stop(t)
	}
	for range 2 {
		host.Run(t, "rm", there)
		next, works := start()
		if !works {
			t.FailNow()
		}
		next.stop(t) // and that leaves it, too
	}
}
