// Package documents proves that README.md and the pages in docs are true: their commands are run, their programs compiled, and what they
// print is compared with what the documents say.
package documents

import (
	"bytes"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/p11mux/p11mux/internal/testkit"
)

// TestReadme goes through README.md as its reader does, in the directory of the sources.
func TestReadme(t *testing.T) {
	p := newPlace(t)
	p.env = append(p.env, "MAKEFLAGS=", "MFLAGS=", "MAKELEVEL=")
	p.follow(t, "README.md", p.root, 15)
}

// TestPages does what the pages say. Each finds SoftHSM configured, with a token "work" whose PIN is 1234, and p11mux installed.
func TestPages(t *testing.T) {
	for page, commands := range map[string]int{
		"configure.md": 4, "use-from-c.md": 3, "use-from-go.md": 3, "use-the-proxy.md": 3, "debug.md": 5, "command.md": 11, "write-a-module.md": 2,
	} {
		t.Run(page, func(t *testing.T) {
			p := newPlace(t)
			p.install(t)
			p.token(t, "work")
			p.follow(t, "docs/"+page, p.dir, commands)
		})
	}
}

// TestRemoting does what its page says, with a real ssh to another machine, "far", which has a token of its own.
func TestRemoting(t *testing.T) {
	p := newPlace(t)
	p.install(t)
	p.token(t, "work")
	far := newPlace(t)
	far.here = maps.Clone(p.here)
	far.here["/etc/pkcs11"] = filepath.Join(far.dir, "pkcs11")
	if err := os.MkdirAll(filepath.Join(far.dir, "pkcs11/modules"), 0o700); err != nil {
		t.Fatal(err)
	}
	far.token(t, "office")
	host := testkit.NewSSHHost(t, map[string]string{
		"SOFTHSM2_CONF":              filepath.Join(far.dir, "softhsm2.conf"),
		"XDG_RUNTIME_DIR":            filepath.Join(far.dir, "run"),
		"P11_SYSTEM_CONFIG_MODULES":  filepath.Join(far.dir, "pkcs11/modules"),
		"P11_PACKAGE_CONFIG_MODULES": filepath.Join(far.dir, "share"),
	})
	// The ssh of the page is the one that knows the host.
	programs, run := filepath.Join(p.dir, "programs"), filepath.Join(p.dir, "run")
	for _, dir := range []string{programs, run} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	ssh, err := exec.LookPath("ssh")
	if err == nil {
		err = os.WriteFile(filepath.Join(programs, "ssh"), []byte("#!/bin/sh\nexec "+ssh+" -F "+host.Config+" \"$@\"\n"), 0o700)
	}
	if err != nil {
		t.Fatal(err)
	}
	p.here["/run/user/1000"] = filepath.Join(far.dir, "run")
	p.env = append(p.env, "XDG_RUNTIME_DIR="+run, "PATH="+programs+":"+filepath.Join(p.here["/opt/p11mux"], "bin")+":"+os.Getenv("PATH"))
	p.follow(t, "docs/remoting.md", p.dir, 12)
}

// A place is a machine as a reader has it, or the part of one that the documents speak of.
type place struct {
	root string // of the sources
	dir  string
	env  []string
	here map[string]string // directories in documents, and where they are
}

func newPlace(t *testing.T) *place {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	p := &place{root: root, dir: t.TempDir(), here: map[string]string{"/path/to/p11mux": root}}
	home := filepath.Join(p.dir, "home")
	if err := os.MkdirAll(home, 0o700); err != nil {
		t.Fatal(err)
	}
	p.env = []string{"HOME=" + home, "PATH=" + os.Getenv("PATH"), "TMPDIR=" + p.dir, "LANG=C.UTF-8"}
	// The reader has what Go has fetched and built before.
	for _, name := range []string{"GOCACHE", "GOMODCACHE", "GOPROXY", "GOFLAGS"} {
		value, err := exec.Command("go", "env", name).Output()
		if err != nil {
			t.Fatal(err)
		}
		p.env = append(p.env, name+"="+strings.TrimSpace(string(value)))
	}
	return p
}

// install installs what is built, and has it be /opt/p11mux in documents.
func (p *place) install(t *testing.T) {
	t.Helper()
	build := os.Getenv("P11MUX_BUILD")
	if build == "" {
		build = filepath.Join(p.root, "build")
	}
	prefix := filepath.Join(p.dir, "opt/p11mux")
	cmd := exec.Command("make", "-C", p.root, "install", "BUILD="+build, "PREFIX="+prefix)
	cmd.Env = append(cmd.Environ(), "MAKEFLAGS=", "MFLAGS=", "MAKELEVEL=")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("make install: %v\n%s", err, out)
	}
	p.here["/opt/p11mux"] = prefix
	etc := filepath.Join(p.dir, "etc/pkcs11")
	if err := os.MkdirAll(filepath.Join(etc, "modules"), 0o700); err != nil {
		t.Fatal(err)
	}
	p.here["/etc/pkcs11"] = etc
	p.env = append(p.env, "PATH="+filepath.Join(prefix, "bin")+":"+os.Getenv("PATH"),
		"P11_SYSTEM_CONFIG_FILE="+filepath.Join(etc, "pkcs11.conf"), "P11_SYSTEM_CONFIG_MODULES="+filepath.Join(etc, "modules"),
		"P11_PACKAGE_CONFIG_MODULES="+filepath.Join(p.dir, "share"))
}

// token configures SoftHSM, with a token of this label.
func (p *place) token(t *testing.T, label string) {
	t.Helper()
	tokens, conf := filepath.Join(p.dir, "tokens"), filepath.Join(p.dir, "softhsm2.conf")
	if err := os.Mkdir(tokens, 0o700); err != nil {
		t.Fatal(err)
	}
	module := testkit.SoftHSM(t)
	for path, text := range map[string]string{
		conf: "directories.tokendir = " + tokens + "\nlog.level = ERROR\n",
		filepath.Join(p.here["/etc/pkcs11"], "modules/softhsm.module"): "module: " + module + "\n",
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p.env = append(p.env, "SOFTHSM2_CONF="+conf)
	cmd := exec.Command("softhsm2-util", "--module", module, "--init-token", "--free", "--label", label, "--so-pin", "5678", "--pin", "1234")
	cmd.Env = p.env
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("softhsm2-util: %v\n%s", err, out)
	}
}

// follow writes the files of a document, runs its commands, of which there are at least so many, and compares what they print.
func (p *place) follow(t *testing.T, document, dir string, commands int) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(p.root, document))
	if err != nil {
		t.Fatal(err)
	}
	text := string(data)
	for from, to := range p.here {
		text = strings.ReplaceAll(text, from, to)
	}
	for path, text := range testkit.Files(text) {
		if !filepath.IsAbs(path) {
			path = filepath.Join(p.dir, path)
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	steps := testkit.Console(text)
	if len(steps) < commands {
		t.Fatalf("%s has %d commands, want %d at least", document, len(steps), commands)
	}
	results := testkit.Results(p.run(t, dir, testkit.Script(steps)), len(steps))
	for i, r := range results {
		s := steps[i]
		// What is shown to fail says so in its output.
		failed := r.Status != 0 && !strings.Contains(s.Output, "hint: ")
		if failed || !testkit.Printed(s.Output, r.Output) {
			t.Errorf("%s:%d: %s\nstatus %d, prints\n%s\nthe document says\n%s", document, s.Line, s.Command, r.Status, r.Output, s.Output)
		}
	}
	if len(results) != len(steps) {
		t.Errorf("ran %d of %d commands", len(results), len(steps))
	}
}

// run runs a program of sh and gives what it prints.
func (p *place) run(t *testing.T, dir, script string) string {
	t.Helper()
	cmd := exec.Command("sh", "-s")
	cmd.Dir, cmd.Env, cmd.Stdin = dir, p.env, strings.NewReader(script)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	timer := time.AfterFunc(3*time.Minute, func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
	err := cmd.Wait()
	timer.Stop()
	if err != nil {
		t.Errorf("%v\n%s", err, &out)
	}
	return out.String()
}
