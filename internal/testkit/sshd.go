package testkit

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// An SSHHost is another machine, as ssh shows it: an sshd that runs until the end of the test and listens on this machine's loopback only.
// Whoever logs in is an ordinary user there, "tester", who has an empty home directory and bash, and whose files are those of the user that
// runs the test. Nothing of this machine's or user's configuration of ssh is used or changed.
type SSHHost struct {
	Config string // the file for ssh -F, by which the host is called "far"
	Home   string // of the user, seen from here
	Port   int    // at 127.0.0.1
	dir    string
	pid    int
	log    transcript
}

// A transcript is what sshd writes, for a test that fails.
type transcript struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *transcript) add(line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text.WriteString(line)
}

func (l *transcript) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// Files of an SSHHost, and what has sshd take an ordinary user for tester: sshd must not be root, and knows its user by /etc/passwd.
const (
	sshdConfig = `ListenAddress 127.0.0.1
Port %d
HostKey %s/hostkey
AuthorizedKeysFile %[2]s/id.pub
PidFile none
UsePAM no
StrictModes no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitUserRC no
MaxStartups 100
LogLevel INFO
SetEnv %s
%s
`
	sshConfig = `Host far
	HostName 127.0.0.1
	Port %d
	User tester
	IdentityFile %s/id
	IdentitiesOnly yes
	IdentityAgent none
	UserKnownHostsFile %[2]s/known_hosts
	GlobalKnownHostsFile none
	StrictHostKeyChecking yes
	BatchMode yes
`
	becomeTester = `mount --bind "$0" /etc/passwd && exec unshare --user --map-user=1000 --map-group=1000 "$@"`
)

// NewSSHHost starts one. Programs at the host have these variables in their environment beside those that sshd makes, and PATH if it is
// among them; options are more lines of sshd_config.
func NewSSHHost(t testing.TB, env map[string]string, options ...string) *SSHHost {
	t.Helper()
	dir := t.TempDir()
	h := &SSHHost{Config: filepath.Join(dir, "ssh_config"), Home: filepath.Join(dir, "home"), dir: dir}
	if err := os.Mkdir(h.Home, 0o700); err != nil {
		t.Fatal(err)
	}
	h.write(t, "passwd", "root:x:0:0:root:/root:/bin/sh\ntester:x:1000:1000:tester:"+h.Home+":/bin/bash\n")
	for _, key := range []string{"hostkey", "id"} {
		cmd := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "test", "-f", filepath.Join(dir, key))
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("ssh-keygen: %v: run scripts/install-test-deps.sh\n%s", err, out)
		}
	}
	var settings []string
	for name, value := range env {
		settings = append(settings, `"`+name+"="+value+`"`)
	}
	if len(settings) == 0 {
		settings = []string{"P=1"} // there is no empty SetEnv
	}
	// Nobody can have a port before listening at it, so another process may take it meanwhile.
	for range 10 {
		h.Port = freePort(t)
		h.write(t, "sshd_config", fmt.Sprintf(sshdConfig, h.Port, dir, strings.Join(settings, " "), strings.Join(options, "\n")))
		if h.start(t) {
			break
		}
	}
	if h.pid == 0 {
		t.Fatalf("sshd does not start:\n%s", &h.log)
	}
	h.write(t, "ssh_config", fmt.Sprintf(sshConfig, h.Port, dir))
	key, err := os.ReadFile(filepath.Join(dir, "hostkey.pub"))
	if err != nil {
		t.Fatal(err)
	}
	h.write(t, "known_hosts", fmt.Sprintf("[127.0.0.1]:%d %s", h.Port, key))
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("sshd:\n%s", &h.log)
		}
	})
	return h
}

// Command is a command at the host.
func (h *SSHHost) Command(args ...string) *exec.Cmd {
	return exec.Command("ssh", append([]string{"-F", h.Config, "far"}, args...)...)
}

// Run runs a command at the host, which must succeed, and gives what it prints.
func (h *SSHHost) Run(t testing.TB, args ...string) string {
	t.Helper()
	var stderr bytes.Buffer
	cmd := h.Command(args...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("ssh far %s: %v\n%s%s", strings.Join(args, " "), err, out, &stderr)
	}
	return string(out)
}

func (h *SSHHost) write(t testing.TB, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(h.dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// start starts sshd, and tells whether it listens.
func (h *SSHHost) start(t testing.TB) bool {
	t.Helper()
	cmd := exec.Command("unshare", "--map-root-user", "--mount", "sh", "-c", becomeTester, filepath.Join(h.dir, "passwd"),
		sshd(t), "-D", "-e", "-f", filepath.Join(h.dir, "sshd_config"))
	cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
	stderr, err := cmd.StderrPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatalf("unshare: %v: run scripts/install-test-deps.sh", err)
	}
	listens, ended := make(chan bool, 2), make(chan struct{})
	go func() {
		defer close(ended)
		for r := bufio.NewReader(stderr); ; {
			line, err := r.ReadString('\n')
			if h.log.add(line); strings.HasPrefix(line, "Server listening") {
				listens <- true
			}
			if err != nil {
				listens <- false
				return
			}
		}
	}()
	if !<-listens {
		_ = cmd.Wait() // the log says why
		return false
	}
	h.pid = cmd.Process.Pid
	t.Cleanup(func() {
		sessions := descendants(h.pid)
		_ = cmd.Process.Kill()
		for _, pid := range sessions { // of clients that the test has left
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		<-ended
		_ = cmd.Wait() // says that it was killed
	})
	return true
}

// Sessions are the processes that serve the connections that there are: ends of sshd, shells and what they run.
func (h *SSHHost) Sessions() []int { return descendants(h.pid) }

// sshd is the program. It is unpacked and not installed: the package would have this machine listen to others.
func sshd(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	for ; err == nil; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		if dir == filepath.Dir(dir) {
			err = errors.New("this is no test of this module")
		}
	}
	path := filepath.Join(dir, "build/unpacked/openssh-server/usr/sbin/sshd")
	if err == nil {
		_, err = os.Stat(path)
	}
	if err != nil {
		t.Fatalf("%v: run scripts/install-test-deps.sh", err)
	}
	return path
}

// freePort is a port that nobody listens at.
func freePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// descendants are the children of a process, and theirs.
func descendants(pid int) []int {
	var all []int
	tasks, _ := filepath.Glob("/proc/" + strconv.Itoa(pid) + "/task/*/children") // none of a process that has ended
	for _, task := range tasks {
		text, _ := os.ReadFile(task)
		for word := range strings.FieldsSeq(string(text)) {
			if child, err := strconv.Atoi(word); err == nil {
				all = append(append(all, child), descendants(child)...)
			}
		}
	}
	return all
}

// Eventually waits until something is so, and fails the test if that takes a minute.
func Eventually(t testing.TB, what string, so func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !so(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal(what + ": this does not happen")
		}
	}
}
