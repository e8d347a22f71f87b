package test

import (
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// vsockPort is a port of virtual machines that no other run of the tests uses; those above it are free, too.
func vsockPort() int { return 1<<20 + 16*os.Getpid() }

// reaches tells whether this kernel connects a machine with itself by vsock; not all do. Somebody listens there.
func reaches(t *testing.T, cid, port uint32) bool {
	t.Helper()
	fd, err := unix.Socket(unix.AF_VSOCK, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	return unix.Connect(fd, &unix.SockaddrVM{CID: cid, Port: port}) == nil
}

// TestServerVsock has our server listen at an address of virtual machines, and compares with the reference's. Where the kernel connects a
// machine with itself, clients of both use the token; where it does not, they find nobody, as with a machine that is down.
func TestServerVsock(t *testing.T) {
	c := newConsumer(t)
	port := vsockPort()
	theirs, mine := "vsock:port="+strconv.Itoa(port), "vsock:port="+strconv.Itoa(port+1)
	cmd := exec.Command("p11-kit", "server", "-f", "-n", theirs, softhsm(t))
	cmd.Env = append(os.Environ(), "XDG_RUNTIME_DIR="+c.dir)
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	said, err := readLine(out)
	_ = cmd.Process.Kill()
	_ = cmd.Wait() // says that it was killed
	said, _, ok := strings.Cut(strings.TrimPrefix(said, "P11_KIT_SERVER_ADDRESS="), "; export")
	if err != nil || !ok {
		t.Fatalf("p11-kit server says %q, %v", said, err)
	}

	c.server(t, "--name", mine, softhsm(t))
	address := strings.Trim(c.env["P11_KIT_SERVER_ADDRESS"], "'") // or the shell would see the end of a command in it
	if want := strings.Replace(said, strconv.Itoa(port), strconv.Itoa(port+1), 1); address != want {
		t.Errorf("the server is at %s, want %s", address, want)
	}
	for name, text := range map[string]string{mine: "address already in use", "vsock:cid=77;port=" + strconv.Itoa(port+2): "cannot assign requested address"} {
		if r := c.p11mux(t, "server", "--name", name, softhsm(t)).run(t); r.code != 1 || !strings.Contains(r.stderr, name+": "+text) {
			t.Errorf("at %s: exit %d\n%s%s", name, r.code, r.stdout, r.stderr)
		}
	}

	const local = 1 // VMADDR_CID_LOCAL
	reached := reaches(t, local, uint32(port+1))
	t.Logf("the kernel connects a machine with itself: %v", reached)
	c.env["P11_KIT_SERVER_ADDRESS"] = "vsock:cid=" + strconv.Itoa(local) + ";port=" + strconv.Itoa(port+1)
	for _, module := range []string{client(t), clientModule(t)} {
		list := c.command("pkcs11-tool", "--module", module, "--list-slots").run(t) // without slots it exits with 1
		if token := strings.Contains(list.stdout, "token label        : token"); token != reached {
			t.Errorf("%s finds the token: %v\n%s%s", module, token, list.stdout, list.stderr)
		}
	}
}
