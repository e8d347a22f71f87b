package test

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// talk starts c/serve.c with our library and pipes.
func talk(t *testing.T, args ...string) (cmd *exec.Cmd, in, out *os.File) {
	t.Helper()
	cmd = exec.Command(program(t, "serve"), args...)
	env := map[string]string{"TEST_CONF_DIR": t.TempDir(), "TEST_MODULE_DIR": modules(t), "LD_LIBRARY_PATH": ours.dir(t)}
	cmd.Env = assignments(env)
	theirIn, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	out, theirOut, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = theirIn, theirOut, os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	theirIn.Close()
	theirOut.Close()
	t.Cleanup(func() {
		in.Close()
		out.Close()
		if cmd.ProcessState == nil {
			cmd.Process.Kill()
			cmd.Wait()
		}
	})
	return cmd, in, out
}

// getInfo is C_GetInfo, and before it the version.
const getInfo = "\x02\x00\x00\x00\x10\x00\x00\x00\x00\x00\x00\x00\x08\x00\x00\x00\x03\x00\x00\x00\x00"

// TestServeBrokenPipe has clients go away before their answer: the host gets an error and no SIGPIPE.
func TestServeBrokenPipe(t *testing.T) {
	cmd, in, out := talk(t, "module", filepath.Join(modules(t), "a.so"))
	if _, err := in.WriteString(getInfo[:1]); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(out, make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	out.Close()
	if _, err := in.WriteString(getInfo[1:]); err != nil {
		t.Fatal(err)
	}
	in.Close()
	err := cmd.Wait()
	if cmd.ProcessState.ExitCode() != 1 {
		t.Errorf("the host ends with %v", err)
	}
}

// TestServeQuiet looks at a host while it serves: it polls no descriptors, has no timers, and catches no signal.
func TestServeQuiet(t *testing.T) {
	cmd, in, out := talk(t, "module", filepath.Join(modules(t), "a.so"))
	if _, err := in.WriteString(getInfo); err != nil {
		t.Fatal(err)
	}
	reply := make([]byte, 1+29)
	if _, err := io.ReadFull(out, reply); err != nil || !bytes.HasSuffix(reply, []byte{0x01, 0x90}) { // CKR_CRYPTOKI_NOT_INITIALIZED
		t.Fatalf("%x, %v", reply, err)
	}
	proc := filepath.Join("/proc", strconv.Itoa(cmd.Process.Pid))
	fds, err := os.ReadDir(filepath.Join(proc, "fd"))
	if err != nil {
		t.Fatal(err)
	}
	for _, fd := range fds {
		to, err := os.Readlink(filepath.Join(proc, "fd", fd.Name()))
		if err != nil || strings.HasPrefix(to, "anon_inode:") || strings.Contains(to, "memfd") {
			t.Errorf("the host has descriptor %s: %s, %v", fd.Name(), to, err)
		}
	}
	status, err := os.ReadFile(filepath.Join(proc, "status"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":\t")
		if name != "SigCgt" {
			continue
		}
		// The C library catches a signal above 31 for itself.
		if caught, err := strconv.ParseUint(value, 16, 64); err != nil || caught&0x7fffffff != 0 {
			t.Errorf("the host catches signals: %s, %v", value, err)
		}
	}
	in.Close()
	if err := cmd.Wait(); err != nil {
		t.Errorf("the host ends with %v", err)
	}
}

// TestServeForked serves in a child of a host that uses the module meanwhile: the child's client begins anew, and the parent's
// session is as it was.
func TestServeForked(t *testing.T) {
	cmd, in, out := talk(t, "forked", filepath.Join(modules(t), "a.so"))
	initialize := "\x00\x00\x00\x01\x00\x00\x00\x05ayyay\x01\x00\x00\x00\x29PRIVATE-GNOME-KEYRING-PKCS11-PROTOCOL-V-1\x00\x01\x00\x00\x00\x01\x00"
	finalize := "\x00\x00\x00\x02\x00\x00\x00\x00"
	if _, err := in.WriteString("\x02"); err != nil {
		t.Fatal(err)
	}
	for i, message := range []string{initialize, finalize, finalize, initialize, finalize} {
		header := []byte{0, 0, 0, byte(i + 1), 0, 0, 0, 0, 0, 0, 0, byte(len(message))}
		if _, err := in.Write(append(header, message...)); err != nil {
			t.Fatal(err)
		}
	}
	in.Close()
	got, err := io.ReadAll(out)
	if err != nil {
		t.Fatal(err)
	}
	reply := func(code, id byte) string {
		return string([]byte{0, 0, 0, code, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, id, 0, 0, 0, 0})
	}
	notInitialized := "\x00\x00\x00\x03\x00\x00\x00\x00\x00\x00\x00\x11\x00\x00\x00\x00\x00\x00\x00\x01u\x00\x00\x00\x00\x00\x00\x01\x90"
	if want := "\x02" + reply(1, 1) + reply(2, 2) + notInitialized + reply(4, 1) + reply(5, 2); string(got) != want {
		t.Errorf("the server says\n%x, want\n%x", got, want)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("the host ends with %v", err)
	}
}
