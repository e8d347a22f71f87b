package test

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/p11mux/p11mux/ck"
	"github.com/p11mux/p11mux/internal/stream"
	"github.com/p11mux/p11mux/module"
	"github.com/p11mux/p11mux/module/moduletest"
	"github.com/p11mux/p11mux/rpc"
)

// dialCommand gives a connection to a program, which has the other end as its descriptors 0 and 1.
func dialCommand(t testing.TB, env map[string]string, name string, args ...string) func(context.Context) (rpc.Conn, error) {
	return func(context.Context) (rpc.Conn, error) {
		fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
		if err != nil {
			return nil, err
		}
		theirs := os.NewFile(uintptr(fds[1]), "socket")
		defer theirs.Close()
		cmd := exec.Command(name, args...)
		cmd.Env = append(os.Environ(), assignments(env)...)
		cmd.Stdin, cmd.Stdout, cmd.Stderr = theirs, theirs, os.Stderr
		if err := cmd.Start(); err != nil {
			return nil, err
		}
		t.Cleanup(func() {
			if err := cmd.Wait(); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		})
		return stream.NewSocket(fds[0]), nil
	}
}

// ancient is a module without a mechanism that the reference of this system is too old to carry: it says that it is good for
// nothing.
func ancient(m module.Module) module.Module {
	return module.Func(func(ctx context.Context, call ck.Call) error {
		err := m.Do(ctx, call)
		if info, ok := call.(*ck.GetMechanismInfoCall); ok && info.Type == ck.CKM_AES_GCM {
			info.Info.Flags = 0
		}
		return err
	})
}

// softhsmOffers are mechanisms that SoftHSM has.
var softhsmOffers = []ck.MechanismType{ck.CKM_SHA256, ck.CKM_RSA_PKCS_KEY_PAIR_GEN, ck.CKM_SHA256_RSA_PKCS, ck.CKM_SHA256_RSA_PKCS_PSS,
	ck.CKM_RSA_PKCS_OAEP, ck.CKM_EC_KEY_PAIR_GEN, ck.CKM_ECDSA, ck.CKM_AES_KEY_GEN, ck.CKM_AES_CBC_PAD, ck.CKM_AES_KEY_WRAP}

// TestClient has our client use SoftHSM by the reference's server, and by ours.
func TestClient(t *testing.T) {
	for _, c := range []struct {
		name    string
		command func(t testing.TB, m string) []string
		env     func(t testing.TB) map[string]string
		wrap    func(module.Module) module.Module
	}{
		{"reference", func(t testing.TB, m string) []string { return []string{"p11-kit", "remote", m} },
			func(testing.TB) map[string]string { return map[string]string{} }, ancient},
		{"ours", func(t testing.TB, m string) []string { return []string{program(t, "serve"), "module", m} },
			func(t testing.TB) map[string]string { return map[string]string{"LD_LIBRARY_PATH": ours.dir(t)} },
			func(m module.Module) module.Module { return m }},
	} {
		t.Run(c.name, func(t *testing.T) {
			moduletest.Run(t, func(t *testing.T) moduletest.Fixture {
				token, env := newToken(t), c.env(t)
				env["SOFTHSM2_CONF"] = token.env["SOFTHSM2_CONF"]
				command := c.command(t, softhsm(t))
				client := rpc.NewClient(rpc.Options{Dial: dialCommand(t, env, command[0], command[1:]...), Name: "client"})
				return moduletest.Fixture{
					Module: c.wrap(client), Label: "token", UserPIN: []byte(pin), SOPIN: []byte("5678"),
					Again: ck.CKR_CRYPTOKI_ALREADY_INITIALIZED, Offers: softhsmOffers,
				}
			})
		})
	}
}

// must makes a call that must succeed.
func must(t testing.TB, m module.Module, call ck.Call) {
	t.Helper()
	if err := m.Do(t.Context(), call); err != nil {
		t.Fatalf("%v: %v", call.Func(), err)
	}
}

// referenceServer starts the reference's server of the token, and waits until it listens. It is the caller's to end.
func (tok token) referenceServer(t testing.TB, socket string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("p11-kit", "server", "-f", "-n", socket, "--provider", softhsm(t), "pkcs11:token=token")
	cmd.Env = append(os.Environ(), append(assignments(tok.env), "XDG_RUNTIME_DIR="+tok.dir)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	if line, err := readLine(out); err != nil || !strings.Contains(line, "P11_KIT_SERVER_ADDRESS=unix:path=") {
		t.Fatalf("p11-kit server says %q, %v", line, err)
	}
	return cmd
}

// TestClientOfServer has our client use a token of the reference's listening server, kills the server meanwhile, and uses it
// again.
func TestClientOfServer(t *testing.T) {
	token := newToken(t)
	socket := filepath.Join(token.dir, "socket")
	client := rpc.NewClient(rpc.Options{Dial: func(ctx context.Context) (rpc.Conn, error) {
		var d net.Dialer
		conn, err := d.DialContext(ctx, "unix", socket)
		if err != nil {
			return nil, errors.Join(rpc.ErrNoServer, err)
		}
		return rpc.NewConn(conn.(*net.UnixConn)), nil
	}, Timeout: 30 * time.Second})

	must(t, client, &ck.InitializeCall{})
	list := &ck.GetSlotListCall{}
	must(t, client, list)
	if list.Slots.N != 0 {
		t.Errorf("without a server there are %d slots", list.Slots.N)
	}
	must(t, client, &ck.FinalizeCall{})

	for range 2 {
		server := token.referenceServer(t, socket)
		must(t, client, &ck.InitializeCall{})
		list.Slots.Buf = make([]ck.SlotID, 4)
		must(t, client, list)
		if list.Slots.N != 1 || list.Slots.Buf[0] != 17 {
			t.Errorf("there are %d slots, the first is %d", list.Slots.N, list.Slots.Buf[0])
		}
		open := &ck.OpenSessionCall{Slot: 17, Flags: ck.CKF_SERIAL_SESSION}
		must(t, client, open)
		must(t, client, &ck.LoginCall{Session: open.Session, UserType: ck.CKU_USER, PIN: []byte(pin)})
		killAll(t, server)
		if err := client.Do(t.Context(), &ck.GetInfoCall{}); ck.RVOf(err) != ck.CKR_DEVICE_ERROR {
			t.Errorf("without its server C_GetInfo gives %v", err)
		}
		if err := client.Do(t.Context(), &ck.CloseSessionCall{Session: open.Session}); ck.RVOf(err) != ck.CKR_DEVICE_REMOVED {
			t.Errorf("without its server C_CloseSession gives %v", err)
		}
		must(t, client, &ck.FinalizeCall{})
	}
}

// readLine reads the first line of what a program says.
func readLine(r interface{ Read([]byte) (int, error) }) (string, error) {
	var line []byte
	for b := make([]byte, 1); ; {
		if n, err := r.Read(b); n == 0 {
			return string(line), err
		}
		if b[0] == '\n' {
			return string(line), nil
		}
		line = append(line, b[0])
	}
}

// killAll kills a server, and first the processes that it has started for its connections.
func killAll(t testing.TB, server *exec.Cmd) {
	t.Helper()
	pid := server.Process.Pid
	children, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/task/" + strconv.Itoa(pid) + "/children")
	if err != nil || len(children) == 0 {
		t.Fatalf("the server has no children: %v", err)
	}
	for child := range strings.FieldsSeq(string(children)) {
		n, err := strconv.Atoi(child)
		if err == nil {
			err = syscall.Kill(n, syscall.SIGKILL)
		}
		if err != nil {
			t.Error(err)
		}
	}
	if err := server.Process.Kill(); err != nil {
		t.Error(err)
	}
	_ = server.Wait() // it says that it was killed
}
